package lb

import (
	"slices"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// Members that went without a word stay in view for a while: whoever looks at the admin page some minutes after a crash wants to know who it was.

const (
	departedFor  = time.Hour
	departedMost = 64
)

// noteDeparted remembers the members of a domain that are missing in its new snapshot though they said nothing, with what this process made of them
// last; it is called before that is forgotten. Those that came back, as another start of the same name, are forgotten. d.mu is held.
func (d *Discovery) noteDeparted(domain string, members []membership.Member) {
	now := time.Now()
	var gone []MemberStatus
	for _, m := range d.groups[domain] {
		same := func(other membership.Member) bool { return other.ID == m.ID }
		if m.State == membership.StateActive && !slices.ContainsFunc(members, same) &&
			!slices.ContainsFunc(d.lost[domain], func(l lostMember) bool { return same(l.member) }) {
			gone = append(gone, statusOf(m))
		}
	}
	d.depart(gone, now)
	d.gone = slices.DeleteFunc(d.gone, func(g MemberStatus) bool {
		return g.Domain == domain && slices.ContainsFunc(members, func(m membership.Member) bool {
			return m.Name == g.Name && m.SubDomain == g.SubDomain
		})
	})
}

// depart notes that members are gone. d.mu is held.
func (d *Discovery) depart(gone []MemberStatus, now time.Time) {
	if len(gone) == 0 {
		return
	}
	d.proxy.annotate(gone)
	at := now.UTC()
	for i := range gone {
		gone[i].Gone = &at
		gone[i].conclude(time.Time{}, time.Time{})
		gone[i].Weight, gone[i].InFlight, gone[i].Traffic = 0, 0, TrafficStatus{}
	}
	d.gone = append(d.gone, gone...)
	if over := len(d.gone) - departedMost; over > 0 {
		d.gone = slices.Delete(d.gone, 0, over)
	}
}

// departed lists the members that went in the last hour, the newest first.
func (d *Discovery) departed() []MemberStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = slices.DeleteFunc(d.gone, func(g MemberStatus) bool { return time.Since(*g.Gone) > departedFor })
	list := slices.Clone(d.gone)
	slices.Reverse(list)
	return list
}
