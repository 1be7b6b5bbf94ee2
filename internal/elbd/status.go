package elbd

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// status is the JSON of /status, which the page and the terminal commands show. Names in it do not change; new ones may come.
type status struct {
	Node          string    `json:"node"`
	Version       string    `json:"version"`
	Now           time.Time `json:"now"`
	StartedAt     time.Time `json:"started_at"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	ConfigFile    string    `json:"config_file"`
	State         string    `json:"state"`    // ready, or why not
	Isolated      bool      `json:"isolated"` // nobody of any group is in sight, though somebody ought to be

	Config configStatus `json:"config"` // the one in use

	GossipKeys []string `json:"gossip_keys"` // ids, the one that encrypts first; none without encryption

	Balancers []peer               `json:"balancers"`
	Groups    []groupStatus        `json:"groups"`
	Pools     []lb.PoolStatus      `json:"pools"`
	Strays    []lb.MemberStatus    `json:"unrouted_members"` // those that joined and get no requests
	Refused   []membership.Refused `json:"refused"`          // those that a domain's policy keeps out
	Events    []event              `json:"events"`           // the newest first
}

// peer is this ELB, or another one that is in any of its groups.
type peer struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Host    string    `json:"host"`
	State   string    `json:"state"`
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"since"` // when this ELB first saw it
	Self    bool      `json:"self,omitempty"`
	// StartedAt is by its own clock.
	StartedAt time.Time `json:"started_at"`
	Epoch     string    `json:"epoch,omitempty"` // its config.shared_epoch; "" when it announces none
	Config    string    `json:"config"`          // how that compares with this ELB's: same, other, or unknown
}

// status tells all that is to be seen now.
func (b *balancer) status() status {
	now := time.Now()
	s := status{
		Node: b.config.NodeName, Version: daemon.Version(), Now: now.UTC(), StartedAt: b.started.UTC(),
		UptimeSeconds: int64(now.Sub(b.started).Seconds()), ConfigFile: b.doc.File(), State: "ready", Config: b.configStatus(),
		Balancers: []peer{}, Groups: []groupStatus{}, Pools: []lb.PoolStatus{}, Strays: []lb.MemberStatus{}, GossipKeys: b.keyIDs(), Refused: b.refused(), Events: b.events.newest(),
	}
	if err := b.ready(); err != nil {
		s.State = err.Error()
	}
	s.Balancers = append(s.Balancers, b.peers()...)
	var groups []groupStatus
	groups, s.Isolated = b.groupsInSight()
	s.Groups = append(s.Groups, groups...)
	o := b.discovery.Overview()
	for i := range o.Pools {
		b.exchange.annotate(o.Pools[i].Members)
	}
	b.exchange.annotate(o.Strays)
	s.Pools, s.Strays = append(s.Pools, o.Pools...), append(s.Strays, o.Strays...)
	return s
}

// peers are this ELB, and then the others in sight.
func (b *balancer) peers() []peer {
	own := b.current.Load().shared
	list := []peer{{
		ID: b.exchange.self, Name: b.config.NodeName, Host: b.config.LocalMemberHost, State: membership.StateActive.String(), Version: daemon.Version(),
		Since: b.started.UTC(), StartedAt: b.started.UTC(), Self: true, Epoch: formatEpoch(own), Config: epochSame,
	}}
	for _, g := range b.getGroups() {
		if g.domain == ownDomain {
			local := g.group.Local()
			list[0].State, list[0].Host = local.State.String(), local.Host
		}
	}
	for _, m := range b.exchange.colleagues() {
		list = append(list, peer{
			ID: m.ID, Name: m.Name, Host: m.Host, State: m.State.String(), Version: m.Version, Since: m.Since.UTC(), StartedAt: m.StartedAt.UTC(),
			Epoch: formatEpoch(m.Epoch), Config: compareEpoch(own, m.Member),
		})
	}
	return list
}

func (b *balancer) serveStatus(w http.ResponseWriter, _ *http.Request) {
	daemon.WriteJSON(w, b.status())
}

// troubles are the members that do not serve, those first that nobody chose to take out.
func (s *status) troubles() []lb.MemberStatus {
	var bad, known []lb.MemberStatus
	take := func(list []lb.MemberStatus) {
		for _, m := range list {
			switch m.Condition {
			case lb.ConditionUp:
			case lb.ConditionDraining, lb.ConditionDrained, lb.ConditionJoining, lb.ConditionMaintenance:
				known = append(known, m)
			default:
				bad = append(bad, m)
			}
		}
	}
	for _, p := range s.Pools {
		take(p.Members)
		take(p.Lost)
	}
	take(s.Strays)
	return append(bad, known...)
}
