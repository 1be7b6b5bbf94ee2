package registryd

import (
	"context"
	"fmt"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// announce says in each store, until ctx ends, that this process uses it, so that processes that do not know each other by gossip can tell.
func (n *node) announce(ctx context.Context) {
	tick := time.NewTicker(sqlstore.PresenceEvery)
	defer tick.Stop()
	self := sqlstore.Presence{ID: n.id, Domain: n.config.Membership.Domain, Node: n.config.NodeName, Version: daemon.Version()}
	for ctx.Err() == nil {
		for _, name := range sortedKeys(n.stores) {
			if err := n.stores[name].Announce(ctx, self); err != nil && ctx.Err() == nil {
				n.log.DebugContext(ctx, "the store was not told that this node uses it", "store", name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	n.withdraw()
}

// withdraw takes the announcements back; what fails ends by itself.
func (n *node) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, name := range sortedKeys(n.stores) {
		if err := n.stores[name].Withdraw(ctx, n.id); err != nil {
			n.log.Debug("the store was not told that this node has left it", "store", name, "error", err)
		}
	}
}

// neighbours are the processes that use one store, seen from this one.
type neighbours struct {
	self    registry.ID
	node    string          // this node's name
	domain  string          // and its cluster's
	members map[string]bool // names of the nodes that gossip shows
	shared  bool            // all nodes are to have the store in common
	present []sqlstore.Presence
}

// skewTold is how far the clock of another node may be from that of the database before it is told here, too.
const skewTold = time.Second

func (n neighbours) examine() []registry.Finding {
	var found []registry.Finding
	for _, p := range n.present {
		if p.ID == n.self || p.Node == n.node && p.Domain == n.domain { // or it ended without a word, and this one took its place
			continue
		}
		found = append(found, n.one(p)...)
	}
	if found == nil {
		return []registry.Finding{registry.Fine("processes that use the database: %d; all of them belong here", max(len(n.present), 1))}
	}
	return found
}

// one is what there is to say of another process that uses the store.
func (n neighbours) one(p sqlstore.Presence) []registry.Finding {
	switch {
	case p.Domain != n.domain:
		return []registry.Finding{{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("the node %s of another cluster, with the domain %s, uses the same database", p.Node, p.Domain),
			Why: "users, permissions and jobs are common to both, while load balancers and gossip of one know nothing of the other", Do: "give each cluster a database of its own, or all nodes one domain",
		}}
	case !n.shared:
		return []registry.Finding{{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("the node %s uses the same database, which is mounted as what a node keeps for itself", p.Node),
			Why: "what one node keeps there the other one changes", Do: "give each node a file of its own for this store",
		}}
	}
	var found []registry.Finding
	if !n.members[p.Node] && len(n.members) > 0 {
		found = append(found, registry.Finding{
			Severity: registry.SeverityNote, What: fmt.Sprintf("the node %s uses the same database, and gossip does not show it", p.Node),
			Why: "it ended without a word within the last minute, or the two do not reach each other", Do: "if it runs, look at membership.members, the gossip key and the network between the two",
		})
	}
	if p.Skew.Abs() >= skewTold {
		found = append(found, registry.Finding{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("the clock of the node %s is %s off that of the database", p.Node, p.Skew.Abs().Round(time.Millisecond)),
			Why: "answers that go by the time differ between the nodes", Do: "let its host take its time from NTP",
		})
	}
	return found
}
