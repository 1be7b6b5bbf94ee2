package elbd

import (
	"maps"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// What other ELBs tell this one. It is kept for people, and has members checked; it decides nothing.

// voice is what another ELB has told.
type voice struct {
	at          time.Time // when it was heard last
	whole, part uint64    // numbers of its last reports
	opinions    map[lb.MemberKey]opinion
	window      time.Time // a second, in which its hints are counted
	hints       int
}

// opinion is a verdict, by the clock of this process.
type opinion struct {
	condition lb.Condition
	since     time.Time
}

const (
	fadesAfter = 4 * repeatAfter // what an ELB has told, when it tells nothing more
	voicesMost = 64              // ELBs that are told of members, shown, and listened to
	hintsMost  = 256             // checks that one of them may ask for in a second: it may be broken, or lie
)

// receive takes a message of gossip.
func (x *exchange) receive(m membership.Message) {
	if !m.From.Balancer || m.From.ID == x.self {
		x.metrics.report(reportStranger)
		return
	}
	r, err := decodeReport(m.Body)
	if err != nil {
		x.metrics.report(reportMalformed)
		x.log.Debug("report of another ELB not read", "name", m.From.Name, "error", err)
		return
	}
	result, hints, over := x.hear(m.From.ID, &r, time.Now())
	x.metrics.report(result)
	for _, member := range hints {
		x.metrics.hint(x.hint(member).String(), 1)
	}
	x.metrics.hint(hintLimited, over)
}

// hear notes what an ELB tells, and gives the members that are to be looked at: those that it has found to be in trouble since it was heard last, and how
// many there are over hintsMost. What it makes of members is kept of its last whole report, which is bounded; another report changes that alone.
func (x *exchange) hear(from string, r *report, now time.Time) (result string, hints []lb.MemberKey, over int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.heard[from]
	if v == nil {
		if len(x.heard) >= voicesMost {
			return reportSurplus, nil, 0
		}
		v = &voice{opinions: map[lb.MemberKey]opinion{}}
		x.heard[from] = v
	}
	if r.number <= v.whole || !r.whole && r.number <= v.part {
		return reportOld, nil, 0
	}
	v.at = now
	if now.Sub(v.window) >= time.Second {
		v.window, v.hints = now, 0
	}
	before := v.opinions
	if r.whole {
		v.whole, v.opinions = r.number, make(map[lb.MemberKey]opinion, len(r.verdicts))
	} else {
		v.part = r.number
	}
	for _, verdict := range r.verdicts {
		was, known := before[verdict.member]
		if r.whole || known {
			v.opinions[verdict.member] = opinion{verdict.condition, now.Add(-verdict.age)}
		}
		switch {
		case !inTrouble(verdict.condition) || r.whole && was.condition == verdict.condition:
		case v.hints >= hintsMost:
			over++
		default:
			v.hints++
			hints = append(hints, verdict.member)
		}
	}
	return reportTaken, hints, over
}

// inTrouble tells which conditions are worth a look of others.
func inTrouble(c lb.Condition) bool { return c == lb.ConditionDown || c == lb.ConditionEjected }

// forget drops what ELBs have told that are gone, or tell nothing any more.
func (x *exchange) forget(others []colleague, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	there := map[string]bool{}
	for _, other := range others {
		there[other.ID] = true
	}
	maps.DeleteFunc(x.heard, func(id string, v *voice) bool { return !there[id] || now.Sub(v.at) > fadesAfter })
}

// annotate adds the verdicts of the others to members.
func (x *exchange) annotate(members []lb.MemberStatus) {
	others := x.colleagues()
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range members {
		m := &members[i]
		key := keyOf(m)
		for _, other := range others {
			v := x.heard[other.ID]
			if v == nil {
				continue
			}
			if o, known := v.opinions[key]; known {
				m.Verdicts = append(m.Verdicts, lb.Verdict{ELB: other.Name, ELBID: other.ID, Condition: o.condition, Since: o.since.UTC()})
			}
		}
	}
}
