package lb

import (
	"slices"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// Suspects are members that gossip holds to be dead and that answer their checks: their gossip is cut off, or ours is. They are the last
// resort of their pool, until their own checks fail, or they are back, or another process is found at their address.

// suspectMost is how long a suspect is kept while its pool has other members: some day another program may listen at its address. A pool of
// suspects alone keeps them, for then it is rather this process that is cut off.
const suspectMost = 10 * time.Minute

// lostMember is a suspect.
type lostMember struct {
	member membership.Member
	since  time.Time
}

// missing gives the suspects of a domain, when the members of its group are these now. A member that said it would leave is none. d.mu is held.
func (d *Discovery) missing(domain string, members []membership.Member) []lostMember {
	present := func(m membership.Member) bool {
		return slices.ContainsFunc(members, func(other membership.Member) bool { return other.ID == m.ID || sameAddress(other, m) })
	}
	var lost []lostMember
	for _, l := range d.lost[domain] {
		if !present(l.member) {
			lost = append(lost, l)
		}
	}
	for _, m := range d.groups[domain] {
		if m.State == membership.StateActive && !present(m) && d.proxy.answers(m.Domain, m.SubDomain, m.ID) {
			d.log.Warn("Member lost by gossip, but it answers: kept as a last resort", "id", m.ID, "name", m.Name, "domain", m.Domain, "sub_domain", m.SubDomain)
			lost = append(lost, lostMember{m, time.Now()})
		}
	}
	return lost
}

// sameAddress reports whether requests for two members go to the same port.
func sameAddress(a, b membership.Member) bool {
	one, other := fromGossip(a), fromGossip(b)
	return one.Host == other.Host && (one.HTTPPort != 0 && one.HTTPPort == other.HTTPPort || one.HTTPSPort != 0 && one.HTTPSPort == other.HTTPSPort)
}

// review lets go of a suspect that is to be kept no longer. It is called after each check of a member.
func (d *Discovery) review(domain, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lost := d.lost[domain]
	i := slices.IndexFunc(lost, func(l lostMember) bool { return l.member.ID == id })
	if i < 0 {
		return
	}
	m := lost[i].member
	replaceable := slices.ContainsFunc(d.groups[domain], func(other membership.Member) bool {
		return other.SubDomain == m.SubDomain && other.State == membership.StateActive
	})
	if d.proxy.answers(m.Domain, m.SubDomain, id) && !(replaceable && time.Since(lost[i].since) > suspectMost) {
		return
	}
	d.depart([]MemberStatus{statusOf(m)}, time.Now())
	d.lost[domain] = slices.Concat(lost[:i], lost[i+1:])
	d.proxy.Use(d.newTable())
	d.tell(domain, d.groups[domain])
}

// reviewBy has a function called after each check of a member, with its domain and id.
func (p *Proxy) reviewBy(review func(domain, member string)) { p.review.Store(&review) }

// answers reports whether checks say that a member is well.
func (p *Proxy) answers(domain, subDomain, id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := targetKey{poolKey{domain, subDomain}, id}
	return p.checkers[key] != nil && p.targets[key].health.verdict.Load() == verdictUp
}
