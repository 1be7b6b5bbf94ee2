package elbd

import (
	"fmt"
	"maps"
	"slices"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// poolSource is a pool as the configuration has it, with the keys of its lists.
type poolSource struct {
	service, domain, sub string
	hostsKey             string
	hosts                []string
	membersKey           string
	members              []string
	balancerKey          string
	balancer             *Balancer
}

// staticMembers are those of the domain and of its blocks.
func (d Domain) staticMembers() []string {
	all := d.Members
	for _, b := range []*SubDomain{d.Mgt, d.Worker} {
		if b != nil {
			all = append(all[:len(all):len(all)], b.Members...)
		}
	}
	return all
}

// sources splits a domain into its pools: one for each block, and one for members without a sub-domain if there is no
// block, or if the domain has hosts of its own.
func (c *Config) sources(service, domain string) []poolSource {
	svc, dom := c.Services[service], c.Services[service].Domains[domain]
	key := domainKey(service, domain)
	var pools []poolSource
	for _, b := range []struct {
		name  string
		block *SubDomain
	}{{"mgt", dom.Mgt}, {"worker", dom.Worker}} {
		if b.block != nil {
			p := poolSource{
				service: service, domain: domain, sub: b.name,
				hostsKey: key + "." + b.name + ".hosts", hosts: b.block.Hosts,
				membersKey: key + "." + b.name + ".members", members: b.block.Members,
				balancerKey: key + "." + b.name + ".balancer", balancer: b.block.Balancer,
			}
			if p.balancer == nil {
				p.balancerKey, p.balancer = key+".balancer", dom.Balancer
			}
			pools = append(pools, p)
		}
	}
	blocks := len(pools)
	if blocks == 0 || len(dom.Hosts) > 0 {
		p := poolSource{service: service, domain: domain, hostsKey: key + ".hosts", hosts: dom.Hosts, membersKey: key + ".members", members: dom.Members, balancerKey: key + ".balancer", balancer: dom.Balancer}
		if len(p.hosts) == 0 {
			p.hostsKey, p.hosts = serviceKey(service)+".hosts", svc.Hosts
		}
		return append(pools, p)
	}
	if blocks == 1 && len(dom.Members) > 0 {
		// There is one pool that the domain's static members can be meant for.
		pools[0].members = append(dom.Members[:len(dom.Members):len(dom.Members)], pools[0].members...)
		pools[0].membersKey = key + ".members"
	}
	return pools
}

// pools turns the services into pool specifications, with a fault for whatever cannot be routed.
func (c *Config) pools(d *daemon.Document) ([]lb.PoolSpec, []error) {
	b := &specBuilder{doc: d, zone: c.Zone, checked: map[string]bool{}, hosts: map[string][]claim{}, domains: map[string]string{}, served: map[string]bool{}}
	switch {
	case len(c.Services) == 0 && d.File() == "":
		b.fault("services", "no service is configured: name a configuration file with -config")
	case len(c.Services) == 0:
		b.fault("services", "no service is configured: name one, with its domains and hosts")
	}
	for _, service := range slices.Sorted(maps.Keys(c.Services)) {
		if len(c.Services[service].Domains) == 0 {
			b.fault(serviceKey(service), "has no domains: name at least one")
		}
	}
	for service, domain := range c.eachDomain() {
		b.domain(c, service, domain)
	}
	for _, service := range slices.Sorted(maps.Keys(c.Services)) {
		svc := c.Services[service]
		if len(svc.Hosts) > 0 && len(svc.Domains) > 0 && !b.served[service] {
			b.fault(serviceKey(service)+".hosts", "lead nowhere: every domain of the service has hosts of its own; remove these")
		}
	}
	b.checkTenants()
	return b.specs, b.faults
}

// specBuilder collects pools and faults.
type specBuilder struct {
	doc     *daemon.Document
	zone    string
	checked map[string]bool // keys of balancers whose faults are told
	specs   []lb.PoolSpec
	faults  []error
	hosts   map[string][]claim // by host pattern
	domains map[string]string  // name -> key of its first occurrence
	served  map[string]bool    // services whose own hosts are used
}

// claim is one use of a host.
type claim struct {
	key     string // of the host in its list
	source  poolSource
	tenants lb.TenantRange
}

func (b *specBuilder) fault(key, format string, args ...any) {
	b.faults = append(b.faults, b.doc.Fault(key, format, args...))
}

func (b *specBuilder) domain(c *Config, service, domain string) {
	key := domainKey(service, domain)
	if first, ok := b.domains[domain]; ok {
		b.fault(key, "the domain is configured already (%s); put all its hosts there", b.doc.Where(first))
		return
	}
	b.domains[domain] = key
	if domain == ownDomain {
		b.fault(key, "is the domain of the ELBs themselves; name the domain that your members announce")
	}
	dom := c.Services[service].Domains[domain]
	if dom.TenantRange == "" {
		dom.TenantRange = "*"
	}
	tenants, err := lb.ParseTenantRange(dom.TenantRange)
	if err != nil {
		b.fault(key+".tenant_range", "%s", err)
		return
	}
	sources := c.sources(service, domain)
	if len(dom.Members) > 0 && len(dom.Hosts) == 0 && dom.Mgt != nil && dom.Worker != nil {
		b.fault(key+".members", "the domain has two sub-domains: put its static members into the mgt or the worker block")
	}
	health := b.health(c, service, domain)
	for _, s := range sources {
		b.pool(s, tenants, health)
	}
}

func (b *specBuilder) pool(s poolSource, tenants lb.TenantRange, health lb.HealthSpec) {
	spec := lb.PoolSpec{Service: s.service, Domain: s.domain, SubDomain: s.sub, Tenants: tenants, Hosts: s.hosts, Balancer: b.balancer(s), Health: health}
	spec.Balancer.Zone = b.zone
	if s.hostsKey == serviceKey(s.service)+".hosts" {
		b.served[s.service] = true
	}
	if len(s.hosts) == 0 {
		b.fault(s.hostsKey, "no host leads to domain %s: list at least one, such as governance.example.com", s.domain)
	}
	for i, host := range s.hosts {
		b.host(fmt.Sprintf("%s[%d]", s.hostsKey, i), host, s, tenants)
	}
	for i, raw := range s.members {
		m, err := lb.ParseStatic(raw)
		if err != nil {
			b.fault(fmt.Sprintf("%s[%d]", s.membersKey, i), "%s", err)
			continue
		}
		spec.Static = append(spec.Static, m)
	}
	b.specs = append(b.specs, spec)
}

// host notes that a host leads to a pool, with a fault if it leads elsewhere already.
func (b *specBuilder) host(key, written string, s poolSource, tenants lb.TenantRange) {
	host, wildcard, err := lb.ParseHostPattern(written)
	if err != nil {
		b.fault(key, "%s", err)
		return
	}
	if wildcard {
		host = "*." + host
	}
	for _, other := range b.hosts[host] {
		switch {
		case other.source.service != s.service:
			b.fault(key, "%s belongs to service %s already (%s); a host belongs to one service", host, other.source.service, b.doc.Where(other.key))
		case other.source.domain == s.domain && other.source.sub != s.sub:
			b.fault(key, "%s leads to another sub-domain of %s already (%s); the host alone chooses the sub-domain", host, s.domain, b.doc.Where(other.key))
		case other.source.domain != s.domain && other.tenants.Overlaps(tenants):
			b.fault(key, "%s leads to domain %s already (%s), and their tenant ranges overlap", host, other.source.domain, b.doc.Where(other.key))
		default:
			continue
		}
		return
	}
	b.hosts[host] = append(b.hosts[host], claim{key, s, tenants})
}

// checkTenants refuses hosts that no domain serves for everybody: tenants cannot be told apart yet, so all requests
// go to the domain with tenant_range "*".
func (b *specBuilder) checkTenants() {
	for _, host := range slices.Sorted(maps.Keys(b.hosts)) {
		claims, all := b.hosts[host], false
		for _, c := range claims {
			all = all || c.tenants.All()
		}
		if !all {
			b.fault(claims[0].key, "%s has no domain with tenant_range \"*\"; requests of unknown tenants would have nowhere to go", host)
		}
	}
}
