package membership

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// view is the table of peers and the snapshot made of it. Only apply and setLocal change it.
type view struct {
	self   string // memberlist name of this process
	domain string

	mu      sync.Mutex // guards local, peers and the order of publishing
	local   Member
	peers   map[string]*peer // by memberlist name
	refused refusals         // by the policy, which keeps them out of peers

	snapshot atomic.Pointer[[]Member]
	others   atomic.Int32 // members in the snapshot besides this process
	hub      hub
}

// peer is one other node that gossip holds to be alive.
type peer struct {
	member Member
	hidden *Refused // its metadata cannot be used; counted and logged already
}

// change is what an event did to the table.
type change struct {
	kind   string // one of the event… constants, "" when nothing changed
	member Member
	reason string // of a rejection
	err    error
}

// The kinds of change, which are also the values of the metric's label.
const (
	eventJoined  = "joined"
	eventUpdated = "updated"
	eventLeft    = "left"     // said it is draining, then went
	eventLost    = "lost"     // went without a word
	eventHidden  = "rejected" // is there, but its metadata cannot be used
)

func newView(self string, local Member) *view {
	v := &view{self: self, domain: local.Domain, local: local, peers: make(map[string]*peer), refused: refusals{}}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.publish()
	return v
}

// members is the newest snapshot, shared by all who ask.
func (v *view) members() []Member { return *v.snapshot.Load() }

// getLocal is what this process announces now.
func (v *view) getLocal() Member {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.local
}

// setLocal replaces it and publishes.
func (v *view) setLocal(m Member) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.local = m
	v.publish()
}

// subscribe starts a subscription with the newest snapshot; under the lock, so that none is missed or comes out of order.
func (v *view) subscribe() (<-chan []Member, func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.hub.subscribe(v.members())
}

// refuse remembers whom the policy refused and gives those that are news.
func (v *view) refuse(refused map[string]Refused, now time.Time) []Refused {
	v.mu.Lock()
	defer v.mu.Unlock()
	var news []Refused
	for _, r := range refused {
		if v.refused.note(r, now) {
			news = append(news, r)
		}
	}
	return news
}

// apply brings events into the table, publishes if a snapshot differs, and tells what happened, for logs, metrics and the rejoin loop.
func (v *view) apply(events map[string]nodeEvent, now time.Time) []change {
	v.mu.Lock()
	defer v.mu.Unlock()
	var changes []change
	visible := false
	for name, e := range events {
		if name == v.self {
			continue
		}
		c := v.applyOne(name, e, now)
		if c.kind != "" {
			changes = append(changes, c)
			visible = visible || c.kind != eventHidden
		}
	}
	if visible {
		v.publish()
	}
	return changes
}

func (v *view) applyOne(name string, e nodeEvent, now time.Time) change {
	old := v.peers[name]
	known := old != nil && old.hidden == nil
	if e.gone {
		delete(v.peers, name)
		switch {
		case !known:
			return change{}
		case old.member.State == StateDraining:
			return change{kind: eventLeft, member: old.member}
		default:
			return change{kind: eventLost, member: old.member}
		}
	}
	m, reason, err := v.read(name, e)
	if err != nil {
		since := now
		if old != nil && old.hidden != nil {
			since = old.hidden.Since
		}
		v.peers[name] = &peer{hidden: &Refused{
			Name: m.Name, ID: m.ID, Address: m.Address(), Reason: reason, Detail: err.Error(), Since: since, Last: now,
		}}
		switch {
		case known: // it was shown and must not be any more
			return change{kind: eventLost, member: old.member, reason: reason, err: err}
		case old != nil:
			return change{}
		default:
			return change{kind: eventHidden, member: m, reason: reason, err: err}
		}
	}
	m.Since = now
	kind := eventJoined
	if known {
		m.Since, kind = old.member.Since, eventUpdated
	}
	v.peers[name] = &peer{member: m}
	delete(v.refused, name) // unless it is refused again, this is what counts
	return change{kind: kind, member: m}
}

// read makes the member of an event. It fails with a reason when the metadata is unreadable, or not that of the node it came
// with, or has the id of somebody else.
func (v *view) read(name string, e nodeEvent) (m Member, reason string, err error) {
	m, err = decodeMeta(e.meta)
	m.Host, m.Port = e.addr.Addr().String(), int(e.addr.Port())
	if err != nil {
		return m, rejectMeta, err
	}
	if m.Domain != v.domain {
		return m, rejectDomain, errOtherDomain
	}
	if nodeName(m) != name {
		return m, rejectIdentity, errIdentity
	}
	if v.taken(m.ID, name) {
		return m, rejectIdentity, errTaken
	}
	return m, "", nil
}

// taken tells whether an id is that of a member which is shown already and is another node: ids are never made twice.
func (v *view) taken(id, name string) bool {
	if id == v.local.ID {
		return true
	}
	for other, p := range v.peers {
		if p.hidden == nil && p.member.ID == id && other != name {
			return true
		}
	}
	return false
}

// publish makes the snapshot anew; v.mu is held.
func (v *view) publish() {
	members := make([]Member, 0, len(v.peers)+1)
	members = append(members, v.local)
	for _, p := range v.peers {
		if p.hidden == nil {
			members = append(members, p.member)
		}
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	v.snapshot.Store(&members)
	v.others.Store(int32(len(members) - 1))
	v.hub.publish(members)
}

// logRefused says once per member that the policy keeps it out.
func logRefused(ctx context.Context, log *slog.Logger, r Refused) {
	log.WarnContext(ctx, "member refused", "address", r.Address, "node", r.Node, "name", r.Name, "reason", r.Reason, "error", r.Detail)
}

// logChange reports what a person would look for later. Ordinary joins and leaves are left to those who use the snapshot.
func logChange(ctx context.Context, log *slog.Logger, c change) {
	switch {
	case c.err != nil:
		log.WarnContext(ctx, "member not shown", "address", c.member.Address(), "name", c.member.Name, "reason", c.reason, "error", c.err)
	case c.kind == eventLost:
		log.WarnContext(ctx, "member lost", "id", c.member.ID, "name", c.member.Name, "address", c.member.Address())
	default:
		log.DebugContext(ctx, "member changed", "event", c.kind, "id", c.member.ID, "name", c.member.Name, "address", c.member.Address(), "state", c.member.State.String())
	}
}
