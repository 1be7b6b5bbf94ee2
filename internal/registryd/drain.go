package registryd

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

const (
	// stayLimit is how long another node has to say that it stays active; staysLimit is for all that are asked. The giver of the order waits for [orderLimit].
	stayLimit  = 2 * time.Second
	staysLimit = 7 * time.Second
)

// standing is whether a node takes part in the work: an administrator can take it out, and put it back, while it runs. A restart puts it back, too.
//
// A node goes only when another one of its pool has said that it stays, so that nodes which are drained at the same time, at several consoles, do not all
// go on what each has heard of the others before. Who wants to go says so to itself first, then asks; who is asked stays when it neither is out nor wants to go.
// Of two that want to go the one with the lesser id goes, and the other one stays: it has promised that, and its own drain fails.
type standing struct {
	changing sync.Mutex // held while an order is followed

	mu       sync.Mutex // held shortly
	stopping bool
	by       string // who took it out; "" when it takes part
	since    time.Time
	leaving  bool // it wants to go, and asks the others
	promised bool // another one was told that this one stays, while it wanted to go
}

// obey follows an order that an administrator gave, here or at another node, and answers the question of a node that is to be drained.
func (n *node) obey(ctx context.Context, o order) error {
	switch o.Do {
	case orderDrain:
		return n.takeOut(ctx, o.By, o.Force)
	case orderUndrain:
		return n.putBack(o.By)
	case orderStay:
		if group := n.group.Load(); group != nil && n.state.Load() == nil {
			return n.standing.stay(group.Local().ID, o.from)
		}
		return registry.Errorf(registry.CodeConflict, "%s takes no part itself", n.config.NodeName)
	}
	return registry.Errorf(registry.CodeInvalid, "this node does not know the order %q", cutText(o.Do))
}

// takeOut makes load balancers send no more requests here. What runs ends by itself; those who watch are sent to other nodes once load balancers had time
// to hear of it. [registry.CodeConflict] when no other node of the pool stays active, unless forced.
func (n *node) takeOut(ctx context.Context, by string, force bool) error {
	n.standing.changing.Lock()
	defer n.standing.changing.Unlock()
	group := n.group.Load()
	if out, err := n.standing.begin(group != nil && n.state.Load() == nil); err != nil || out {
		return err
	}
	var err error
	if !force {
		err = n.post.staysActive(ctx, by)
	}
	if err := n.standing.end(by, force, err, func() { n.notReady("drained by " + by) }); err != nil {
		return err
	}
	n.log.Warn("drained by an administrator", "user", by)
	if err := group.SetState(membership.StateDraining); err != nil {
		n.log.Warn("the group could not be told of the drain at once", "error", err)
	}
	n.shed = time.AfterFunc(n.config.DrainDelay, n.service.ShedWatches)
	return nil
}

// begin says that the node wants to go. It tells whether it is out already.
func (s *standing) begin(ready bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by != "":
		return true, nil
	case s.stopping || !ready:
		return false, notNow()
	}
	s.leaving, s.promised = true, false
	return false, nil
}

// end lets the node go that wants to, or not: refused is what the others said. out is called when it goes.
func (s *standing) end(by string, force bool, refused error, out func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = false
	switch {
	case refused != nil:
		return refused
	case s.stopping:
		return notNow()
	case s.promised && !force:
		return registry.Errorf(registry.CodeConflict, "another node of its pool was to be drained at the same time, and goes first; look which ones are active, and try again")
	}
	s.by, s.since = by, time.Now()
	out()
	return nil
}

// stay promises a member that wants to go that this one does not, or says why not.
func (s *standing) stay(self, member string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping || s.by != "":
		return registry.Errorf(registry.CodeConflict, "it takes no part itself")
	case s.leaving && self < member:
		return registry.Errorf(registry.CodeConflict, "it is being drained itself")
	}
	s.promised = true // counts while it wants to go: whoever wants to later has to ask, and hears that the other one goes
	return nil
}

func notNow() error {
	return registry.Errorf(registry.CodeConflict, "the node is starting or stopping")
}

// staysActive makes sure that another node of the pool stays active. Those of greater ids are asked first: of nodes that ask each other they are the ones to stay.
func (p *post) staysActive(ctx context.Context, by string) error {
	via := p.via()
	if via == nil {
		return notNow()
	}
	self := via.Local()
	ctx, cancel := context.WithTimeout(ctx, staysLimit)
	defer cancel()
	var refused []string
	for _, m := range slices.Backward(slices.SortedFunc(slices.Values(others(via)), func(a, b membership.Member) int { return strings.Compare(a.ID, b.ID) })) {
		if m.SubDomain != self.SubDomain || m.State != membership.StateActive {
			continue
		}
		one, cancel := context.WithTimeout(ctx, stayLimit)
		err := p.give(one, m.ID, order{Do: orderStay, By: by})
		cancel()
		if err == nil {
			return nil
		}
		refused = append(refused, m.Name+": "+registry.MessageOf(err))
	}
	why := ""
	if len(refused) > 0 {
		why = " (" + strings.Join(refused, "; ") + ")"
	}
	return registry.Errorf(registry.CodeConflict, "no other node of its pool is active%s: with %s drained, nobody would answer as usual", why, self.Name)
}

// putBack makes load balancers send requests here again.
func (n *node) putBack(by string) error {
	n.standing.changing.Lock()
	defer n.standing.changing.Unlock()
	n.standing.mu.Lock()
	defer n.standing.mu.Unlock()
	group := n.group.Load()
	switch {
	case n.standing.stopping || group == nil:
		return notNow()
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

// ownFacts are how this node is.
func (n *node) ownFacts(ctx context.Context) facts {
	f := facts{PerSecond: n.samples.perSecond(), Jobs: n.book.list()}
	if last, ok := n.samples.last(); ok {
		f.InFlight, f.Heap = last.InFlight, int64(last.Heap)
	}
	shared := slices.DeleteFunc(sortedKeys(n.stores), func(name string) bool { return !n.config.sharedStores()[name] })
	heads, down := askStores(ctx, shared, func(ctx context.Context, name string) (int64, error) {
		head, err := n.stores[name].Head(ctx)
		return head.Seq, err
	})
	f.Heads, f.Down = heads, sortedKeys(down)
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
