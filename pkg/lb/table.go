package lb

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Table is everything a request needs to find its members: routes and the members known now. It is
// immutable once it is in use. Several goroutines may read it.
type Table struct {
	routes *Routes
	pools  []*Pool // same order as routes.pools
}

// NewTable sorts members into the pools of the routes; members whose (domain, sub-domain) has no pool are
// left out. It is a pure function: the same input gives an
// equal table, whatever came before. What this process learnt about members (health, connections) is
// attached later, when Proxy takes the table into use.
func NewTable(routes *Routes, members []Member) *Table { return newTable(routes, members, nil) }

// newTable is NewTable where the members with these ids are drained.
func newTable(routes *Routes, members []Member, drained map[string]time.Time) *Table {
	t := &Table{routes: routes, pools: make([]*Pool, len(routes.pools))}
	byKey := make(map[poolKey]*Pool, len(routes.pools))
	for i := range routes.pools {
		spec := &routes.pools[i]
		p := &Pool{Service: spec.Service, Domain: spec.Domain, SubDomain: spec.SubDomain, spec: spec.Balancer, stick: spec.Affinity, limits: spec.Limits, retry: spec.Retry, health: spec.Health, checkHost: checkHost(spec.Hosts)}
		t.pools[i] = p
		byKey[p.key()] = p
		for _, m := range spec.Static {
			m.Draining = m.Draining || !drained[m.ID].IsZero()
			p.add(m)
		}
	}
	for _, m := range members {
		m.Draining = m.Draining || !drained[m.ID].IsZero()
		if p := byKey[poolKey{m.Domain, m.SubDomain}]; p != nil {
			p.add(m)
		}
	}
	for _, p := range t.pools {
		slices.SortFunc(p.active, byID)
		slices.SortFunc(p.suspect, byID)
		slices.SortFunc(p.draining, byID)
		p.arrange()
	}
	return t
}

// Lookup finds the pool for a Host header and a request that belongs to no tenant. The pool is nil if no route
// matches; ok is false if the header is no host at all.
func (t *Table) Lookup(host string) (pool *Pool, ok bool) { return t.LookupTenant(host, 0) }

// LookupTenant is Lookup for a request of a tenant, by its id. A tenant that no domain of the host names is
// served by the one that serves everybody; so is 0, which stands for an unknown one.
func (t *Table) LookupTenant(host string, tenant int) (pool *Pool, ok bool) {
	at, ok := t.host(host)
	if !ok || at == nil {
		return nil, ok
	}
	return t.pool(at, tenant), true
}

// host finds the pools for a Host header; nil if no route matches.
func (t *Table) host(host string) (at *tenantTable, ok bool) {
	normal, ok := NormalizeHost(host)
	if !ok {
		return nil, false
	}
	return t.routes.find(normal), true
}

// pool finds the pool of a tenant among those of a host; nil if no domain serves it.
func (t *Table) pool(at *tenantTable, tenant int) *Pool {
	if i := at.find(tenant); i != nobody {
		return t.pools[i]
	}
	return nil
}

// Pool is the members of one (domain, sub-domain) at one moment. It is immutable but for the counters of
// its balancer.
type Pool struct {
	Service   string
	Domain    string
	SubDomain string

	active   []*Target // by id
	suspect  []*Target // gossip lost them, and they answer
	draining []*Target // last resort
	groups   []*group  // all of these, those that are to be preferred first
	spec     BalancerSpec
	balancer balancer
	stick    AffinitySpec
	affinity *affinity // nil: none
	limits   LimitSpec
	retry    RetrySpec
	line     *line
	budget   *retryBudget
	metrics  *poolMetrics
	ejecting *sync.Mutex // held while a member is ejected; shared by all tables, as health is

	health    HealthSpec
	checkHost string // for the Host header of checks; "" = the member's address
}

// all gives every member.
func (p *Pool) all() []*Target { return slices.Concat(p.active, p.suspect, p.draining) }

// checkHost is the host that checks ask for: the first one that is no pattern, as requests would.
func checkHost(hosts []string) string {
	for _, written := range hosts {
		if host, wildcard, err := ParseHostPattern(written); err == nil && !wildcard {
			if strings.Contains(host, ":") {
				return "[" + host + "]"
			}
			return host
		}
	}
	return ""
}

type poolKey struct{ domain, subDomain string }

func (p *Pool) key() poolKey { return poolKey{p.Domain, p.SubDomain} }

func (p *Pool) add(m Member) {
	if m.HTTPPort == 0 && m.HTTPSPort == 0 {
		return // nothing to send requests to
	}
	t := &Target{Member: m}
	switch {
	case m.Draining:
		p.draining = append(p.draining, t)
	case m.Suspect:
		p.suspect = append(p.suspect, t)
	default:
		p.active = append(p.active, t)
	}
}

func byID(a, b *Target) int { return cmp.Compare(a.Member.ID, b.Member.ID) }

// Target is a member in a table, together with what this process knows of it from its own requests. That
// knowledge is shared by all tables the member occurs in, so a new table forgets nothing.
type Target struct {
	Member   Member
	health   *health
	load     *load
	upstream *upstream
	metrics  *memberMetrics
	traffic  *traffic

	// What balancers go by; it belongs to the table.
	index      int     // in its group
	weight     int     // from 1 to MaxWeight
	share      float64 // weight, where 1 is the average of its group
	limit      int64   // requests that may run on it; 0 = no limit
	seed       uint64  // its hash
	cold, warm int64   // unix nanoseconds: from cold to warm its share grows

	// What affinity goes by; it belongs to the table, but for drains.
	tag    memberTag
	token  string // that names it, without a time
	drains int64  // unix nanoseconds at which it was first seen to drain
}

// pick chooses the member for one attempt: one in good health of the first group that has any, so that a member that drains
// comes last, for that one is alive at least; else one that is worse, in the order of the resorts. A member that this request tried
// already is out. nil means that nobody is left, or, if the selection says full, that those who are to be asked have no room: nobody who is worse is asked
// for that, only members in another zone.
func (p *Pool) pick(s *Selection) *Target {
	s.full = false
	for s.resort = resortNone; ; s.resort++ {
		for i, g := range p.groups {
			if t := p.balancer.pick(g, s); t != nil {
				return t
			}
			if s.full && !p.spills(i) {
				return nil
			}
		}
		if s.full || s.resort == resortAnybody {
			return nil
		}
	}
}

// spills reports whether requests that the members of a group have no room for may go to the next group: it is worse by its zone alone.
func (p *Pool) spills(group int) bool {
	if group+1 >= len(p.groups) {
		return false
	}
	switch r := p.groups[group].rank; r {
	case rankHere, rankBackup:
		return p.groups[group+1].rank == r+1
	}
	return false
}

// another reports whether a member could be chosen now that is not that one and was not tried.
func (p *Pool) another(tried []*Target, than string) bool {
	now := time.Now().UnixNano()
	other := func(t *Target) bool { return t.other(tried, than, now) }
	return slices.ContainsFunc(p.active, other) || slices.ContainsFunc(p.suspect, other) || slices.ContainsFunc(p.draining, other)
}

// quicker is another for a request whose member is well, only slow: one that has room, that pick would not pass over for the sake of better ones without
// room, and that is no last resort.
func (p *Pool) quicker(tried []*Target, than string) bool {
	now := time.Now().UnixNano()
	full := false
	for i, g := range p.groups {
		if g.rank > rankBackupAfar {
			return false
		}
		for _, t := range g.members {
			if !t.other(tried, than, now) {
				continue
			}
			if !t.full() {
				return true
			}
			full = true
		}
		if full && !p.spills(i) {
			return false
		}
	}
	return false
}

// other reports whether the member is well, is not that one and was not tried.
func (t *Target) other(tried []*Target, than string, now int64) bool {
	id := t.Member.ID
	return id != than && t.health.usable(now) && !slices.ContainsFunc(tried, func(other *Target) bool { return other.Member.ID == id })
}

// eject takes a member out of use for a while, unless that would leave the pool without one that is in
// use. It reports whether it did.
func (p *Pool) eject(t *Target, now, started int64) bool { return p.ejectLeaving(1, t, now, started) }

// ejectSuspected does the same to a member that answers, though badly. Such evidence can be the doing of clients, so half of the members stay
// in use, whatever they do.
func (p *Pool) ejectSuspected(t *Target, now, started int64) bool {
	members := len(p.active) + len(p.suspect)
	return p.ejectLeaving(max(1, members-members/2), t, now, started)
}

// ejectLeaving ejects a member if at least so many others are in use. One goes after the other, so that two cannot each count on the
// other's member.
func (p *Pool) ejectLeaving(least int, t *Target, now, started int64) bool {
	p.ejecting.Lock()
	defer p.ejecting.Unlock()
	for _, members := range [...][]*Target{p.active, p.suspect} {
		for _, other := range members {
			if other.Member.ID == t.Member.ID || !other.health.usable(now) {
				continue
			}
			if least--; least == 0 {
				return t.health.eject(now, started)
			}
		}
	}
	return false
}
