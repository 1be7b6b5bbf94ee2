package registryd

import (
	"context"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// standing is whether a node takes part in the work: an administrator can take it out, and put it back, while it runs. A restart puts it back, too.
type standing struct {
	mu       sync.Mutex // held while it changes
	stopping bool
	by       string // who took it out; "" when it takes part
	since    time.Time
}

// obey follows an order that an administrator gave, here or at another node.
func (n *node) obey(o order) error {
	switch o.Do {
	case orderDrain:
		return n.takeOut(o.By, o.Force)
	case orderUndrain:
		return n.putBack(o.By)
	}
	return registry.Errorf(registry.CodeInvalid, "this node does not know the order %q", cutText(o.Do))
}

// takeOut makes load balancers send no more requests here. What runs ends by itself; those who watch are sent to other nodes once load balancers had time
// to hear of it. [registry.CodeConflict] when no other node of the pool is active, unless forced.
func (n *node) takeOut(by string, force bool) error {
	n.standing.mu.Lock()
	defer n.standing.mu.Unlock()
	group := n.group.Load()
	switch {
	case n.standing.by != "":
		return nil
	case n.standing.stopping || group == nil || n.state.Load() != nil:
		return registry.Errorf(registry.CodeConflict, "the node is starting or stopping")
	case !force && lastActive(group):
		return registry.Errorf(registry.CodeConflict, "no other node of its pool is active: with %s drained, nobody would answer as usual", n.config.NodeName)
	}
	n.standing.by, n.standing.since = by, time.Now()
	n.notReady("drained by " + by)
	n.log.Warn("drained by an administrator", "user", by)
	if err := group.SetState(membership.StateDraining); err != nil {
		n.log.Warn("the group could not be told of the drain at once", "error", err)
	}
	n.shed = time.AfterFunc(n.config.DrainDelay, n.service.ShedWatches)
	return nil
}

// putBack makes load balancers send requests here again.
func (n *node) putBack(by string) error {
	n.standing.mu.Lock()
	defer n.standing.mu.Unlock()
	group := n.group.Load()
	switch {
	case n.standing.stopping || group == nil:
		return registry.Errorf(registry.CodeConflict, "the node is starting or stopping")
	case n.standing.by == "":
		return nil
	}
	n.shed.Stop()
	n.state.Store(nil)
	if err := group.SetState(membership.StateActive); err != nil {
		n.log.Warn("the group could not be told at once that the node is back", "error", err)
	}
	n.standing.by = ""
	n.log.Warn("put back by an administrator", "user", by)
	return nil
}

// beginStop ends what administrators can do to the node.
func (n *node) beginStop() {
	n.standing.mu.Lock()
	defer n.standing.mu.Unlock()
	n.standing.stopping = true
	n.notReady("draining")
}

// lastActive tells whether no other node of the same pool is active.
func lastActive(via carrier) bool {
	self := via.Local()
	for _, m := range others(via) {
		if m.SubDomain == self.SubDomain && m.State == membership.StateActive {
			return false
		}
	}
	return true
}

// ownFacts are how this node is.
func (n *node) ownFacts(ctx context.Context) facts {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	f := facts{PerSecond: n.samples.perSecond(), Heads: map[string]int64{}, Jobs: n.book.list()}
	if last, ok := n.samples.last(); ok {
		f.InFlight, f.Heap = last.InFlight, int64(last.Heap)
	}
	shared := n.config.sharedStores()
	for _, name := range sortedKeys(n.stores) {
		if !shared[name] {
			continue
		}
		head, err := n.stores[name].Head(ctx)
		if err != nil {
			f.Down = append(f.Down, name)
			continue
		}
		f.Heads[name] = head.Seq
	}
	if worst, ok := n.doctor.worst(); ok {
		f.Worst = string(worst.Severity)
		if worst.Severity != registry.SeverityOK {
			f.Finding = cutText(worst.What)
		}
	}
	n.standing.mu.Lock()
	defer n.standing.mu.Unlock()
	if f.DrainedBy = cutText(n.standing.by); n.standing.by != "" {
		f.DrainedAt = n.standing.since
	}
	return f
}

// shown are the facts of a member as the console has them; nil when it told none.
func (p *post) shown(member string) *console.MemberFacts {
	f, ok := p.of(member)
	if !ok {
		return nil
	}
	return &console.MemberFacts{
		At: f.at, InFlight: f.InFlight, PerSecond: f.PerSecond, Heap: f.Heap, Heads: f.Heads, Down: f.Down, Worst: registry.Severity(f.Worst), Finding: f.Finding,
		DrainedBy: f.DrainedBy, DrainedAt: f.DrainedAt, Jobs: shownJobs(f.Jobs),
	}
}

// giveOrder passes on what an administrator ordered at the console.
func (n *node) giveOrder(ctx context.Context, o console.MemberOrder) error {
	do := orderUndrain
	if o.Drain {
		do = orderDrain
	}
	return n.post.give(ctx, o.Member, order{Do: do, By: o.By, Force: o.Force})
}
