package membership

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Refused is a process that announces itself in the group and is not shown as a member.
type Refused struct {
	Domain  string    `json:"domain"`
	Node    string    `json:"node"`    // its name in gossip
	Name    string    `json:"name"`    // what it calls itself, "" when that cannot be read
	ID      string    `json:"id"`      // likewise
	Address string    `json:"address"` // gossip address that it announces
	Reason  string    `json:"reason"`  // a value of the label reason of …_rejected_total
	Detail  string    `json:"detail"`  // the same in words
	Since   time.Time `json:"since"`   // when this process first refused it, in UTC
	Last    time.Time `json:"last"`    // when it last did, in UTC
}

// refusals remembers who was refused, for people to look at. It is guarded by the view's lock.
type refusals map[string]Refused

const (
	maxRefused     = 128              // remembered at once; whoever has the key can make up any number
	maxRefusedName = 2 * metaLimit    // bytes of a name in gossip that are kept; no member's name is as long
	refusedForgets = 10 * time.Minute // after the last announcement
)

// note remembers r and tells whether it is news: a node that was not refused before, or for another reason.
func (l refusals) note(r Refused, now time.Time) (news bool) {
	l.expire(now)
	old, known := l[r.Node]
	if !known && len(l) >= maxRefused {
		return false
	}
	r.Since, r.Last = now, now
	if known {
		r.Since = old.Since
	}
	l[r.Node] = r
	return !known || old.Reason != r.Reason
}

// expire forgets who has not announced itself for a while. Those that gossip holds to be alive are kept: it tells when they go.
func (l refusals) expire(now time.Time) {
	maps.DeleteFunc(l, func(_ string, r Refused) bool { return now.Sub(r.Last) > refusedForgets })
}

// Refused are the processes that announce themselves and are not shown, by what they announce, in order of their names; at most 128. A member
// in whose name somebody else announces what is refused can be among them and be shown all the same.
func (g *Group) Refused() []Refused {
	v := g.view
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refused.expire(time.Now())
	list := slices.AppendSeq([]Refused{}, maps.Values(v.refused))
	for name, p := range v.peers {
		if p.hidden != nil && len(list) < maxRefused {
			r := *p.hidden
			r.Node = name
			list = append(list, r)
		}
	}
	for i, r := range list {
		list[i].Domain, list[i].Since, list[i].Last = v.domain, r.Since.UTC(), r.Last.UTC()
	}
	slices.SortFunc(list, func(a, b Refused) int { return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Reason, b.Reason)) })
	return list
}
