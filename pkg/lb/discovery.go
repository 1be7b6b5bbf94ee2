package lb

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// Discovery follows the gossip groups of all domains. Every snapshot becomes a new table, and whoever
// appeared or left is named in the log. Safe for concurrent use; requests never wait for it.
type Discovery struct {
	proxy  *Proxy
	routes *Routes
	log    *slog.Logger
	began  time.Time

	mu     sync.Mutex
	groups map[string][]membership.Member      // by domain: application members only
	lost   map[string][]lostMember             // by domain: suspects, by id
	known  map[string]map[string]*acquaintance // by domain and member id
	gone   []MemberStatus                      // went without a word, the newest last
	held   map[string]time.Time                // by member id: drained by an operator
}

// acquaintance is what the log has said about a member.
type acquaintance struct {
	member membership.Member
	added  bool      // it was active once, so that it entered its pool
	since  time.Time // of its state
}

// changed is when the member last said another state of itself; when it was first seen if it never did. d.mu is held.
func (d *Discovery) changed(s *MemberStatus) time.Time {
	if a := d.known[s.Domain][s.ID]; a != nil {
		return a.since
	}
	return s.Since
}

// NewDiscovery makes a Discovery that feeds p with tables of routes.
func NewDiscovery(p *Proxy, routes *Routes, log *slog.Logger) *Discovery {
	d := &Discovery{
		proxy:  p,
		routes: routes,
		log:    log,
		began:  time.Now(),
		groups: map[string][]membership.Member{},
		lost:   map[string][]lostMember{},
		known:  map[string]map[string]*acquaintance{},
		held:   map[string]time.Time{},
	}
	p.reviewBy(d.review)
	return d
}

// Update takes the newest snapshot of the group of one domain. Other ELBs in it are left out, and so are a
// member that announces another domain than the group's, and one that another process has succeeded at its place.
func (d *Discovery) Update(domain string, snapshot []membership.Member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	members := make([]membership.Member, 0, len(snapshot))
	for _, m := range snapshot {
		if !m.Balancer && m.Domain == domain {
			members = append(members, m)
		}
	}
	members = living(members)
	d.lost[domain] = d.missing(domain, members)
	d.noteDeparted(domain, members)
	d.groups[domain] = members
	d.proxy.Use(d.newTable())
	d.letGo()
	d.tell(domain, members)
}

// UseRoutes puts routes in use. Members and what is known of them stay; the log names those who have no pool any more.
func (d *Discovery) UseRoutes(routes *Routes) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.routes
	d.routes = routes
	d.proxy.Use(d.newTable())
	d.letGo()
	for _, known := range d.known {
		for _, a := range known {
			if before.has(a.member) && !routes.has(a.member) && routes.hasDomain(a.member.Domain) {
				d.warnStray(a.member)
			}
		}
	}
}

// Forget drops the members of a domain, when its group has been left.
func (d *Discovery) Forget(domain string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.groups, domain)
	delete(d.lost, domain)
	delete(d.known, domain)
	d.gone = slices.DeleteFunc(d.gone, func(m MemberStatus) bool { return m.Domain == domain })
	d.proxy.Use(d.newTable())
	d.letGo()
}

// eligible are the members that may be sent requests, at least as a last resort.
func (d *Discovery) eligible() []Member {
	var all []Member
	for _, domain := range slices.Sorted(maps.Keys(d.groups)) {
		for _, m := range d.groups[domain] {
			if m.State == membership.StateActive || m.State == membership.StateDraining {
				all = append(all, fromGossip(m))
			}
		}
		for _, l := range d.lost[domain] {
			m := fromGossip(l.member)
			m.Suspect = true
			all = append(all, m)
		}
	}
	return all
}

func fromGossip(m membership.Member) Member {
	host := m.Host
	if m.RemoteHost != "" {
		host = m.RemoteHost
	}
	return Member{
		ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain,
		Host: host, HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort, PortMappings: m.PortMappings,
		Weight: m.Weight, Zone: m.Zone, Backup: m.Backup, HealthPath: m.HealthPath,
		Draining: m.State == membership.StateDraining, StartedAt: m.StartedAt, Since: m.Since,
	}
}

// tell logs what changed in a domain, in words that operators of the WSO2 ELB know.
func (d *Discovery) tell(domain string, members []membership.Member) {
	known := d.known[domain]
	if known == nil {
		known = map[string]*acquaintance{}
		d.known[domain] = known
	}
	present := map[string]bool{}
	for _, m := range members {
		present[m.ID] = true
		a := known[m.ID]
		if a == nil {
			a = &acquaintance{since: m.Since.UTC()}
			known[m.ID] = a
			d.log.Info("Member joined", "id", m.ID, "name", m.Name, "address", m.Address())
			d.warnStray(m)
		} else if a.member.State != m.State && a.added {
			d.log.Info("Member changed state", "id", m.ID, "name", m.Name, "state", m.State.String())
		}
		if a.member.ID != "" && a.member.State != m.State {
			a.since = time.Now().UTC()
		}
		a.member = m
		if m.State == membership.StateActive && !a.added {
			a.added = true
			d.log.LogAttrs(context.Background(), slog.LevelInfo, "Added member", attrs(m)...)
			d.log.LogAttrs(context.Background(), slog.LevelInfo, "Application member joined application cluster", attrs(m)...)
		}
	}
	for _, l := range d.lost[domain] {
		present[l.member.ID] = true
	}
	for id, a := range known {
		if !present[id] {
			delete(known, id)
			gone := a.member
			gone.State = membership.StateDraining // whatever it said last: it is not active now
			d.log.LogAttrs(context.Background(), slog.LevelInfo, "Member left", attrs(gone)...)
		}
	}
}

// warnStray names the commonest silent misconfiguration: a member that nobody will ever send requests to.
func (d *Discovery) warnStray(m membership.Member) {
	switch {
	case !d.routes.has(m):
		d.log.Warn("Member announces a sub-domain that has no pool and gets no requests; add the sub-domain block to the domain, or change the member's sub_domain",
			"id", m.ID, "name", m.Name, "domain", m.Domain, "sub_domain", m.SubDomain)
	case m.HTTPPort == 0 && m.HTTPSPort == 0:
		d.log.Warn("Member announces neither an HTTP nor an HTTPS port and gets no requests", "id", m.ID, "name", m.Name)
	}
}

// has reports whether there is a pool for the member.
func (r *Routes) has(m membership.Member) bool {
	return slices.ContainsFunc(r.pools, func(s PoolSpec) bool { return s.Domain == m.Domain && s.SubDomain == m.SubDomain })
}

func (r *Routes) hasDomain(domain string) bool {
	return slices.ContainsFunc(r.pools, func(s PoolSpec) bool { return s.Domain == domain })
}

// attrs are the facts of the seed's log line, each by itself and, for those who grep, the whole line.
func attrs(m membership.Member) []slog.Attr {
	return []slog.Attr{
		slog.String("id", m.ID),
		slog.String("name", m.Name),
		slog.String("host", m.Host),
		slog.String("remote_host", m.RemoteHost),
		slog.Int("port", m.Port),
		slog.Int("http", m.HTTPPort),
		slog.Int("https", m.HTTPSPort),
		slog.String("domain", m.Domain),
		slog.String("sub_domain", m.SubDomain),
		slog.Bool("active", m.State == membership.StateActive),
		slog.String("member", memberLine(m).String()),
	}
}

// memberLine is a member in the form of the WSO2 ELB's log.
type memberLine membership.Member

// String gives "Host:…, Remote Host:…, Port: …, HTTP:…, HTTPS:…, Domain: …, Sub-domain:…, Active:…".
func (m memberLine) String() string {
	remote, sub := m.RemoteHost, m.SubDomain
	if remote == "" {
		remote = "null"
	}
	if sub == "" {
		sub = "__$default"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Host:%s, Remote Host:%s, Port: %d, HTTP:%d, HTTPS:%d, ", m.Host, remote, m.Port, m.HTTPPort, m.HTTPSPort)
	fmt.Fprintf(&b, "Domain: %s, Sub-domain:%s, Active:%t", m.Domain, sub, m.State == membership.StateActive)
	return b.String()
}
