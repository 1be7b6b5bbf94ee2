package elbd

import (
	"fmt"
	"maps"
	"slices"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// poolSource is a pool as the configuration has it, with the keys of its values.
type poolSource struct {
	service, domain, sub string
	tenantsKey           string
	tenants              string
	hostsKey             string
	hosts                []string
	membersKey           string
	members              []string
	balancerKey          string
	balancer             *Balancer
	limitsKey            string
	limits               *PoolLimits
	retryKey             string
	retry                *Retry
}

// block is a sub-domain of a domain, with its name and key.
type block struct {
	name, key string
	SubDomain
}

// blocks are the sub-domains of a domain, whose key is given: mgt, worker, then the others by name.
func (d Domain) blocks(key string) []block {
	var list []block
	if d.Mgt != nil {
		list = append(list, block{"mgt", key + ".mgt", *d.Mgt})
	}
	if d.Worker != nil {
		list = append(list, block{"worker", key + ".worker", *d.Worker})
	}
	for _, name := range slices.Sorted(maps.Keys(d.SubDomains)) {
		list = append(list, block{name, key + ".sub_domains." + name, d.SubDomains[name]})
	}
	return list
}

// staticMembers are those of the domain and of its blocks.
func (d Domain) staticMembers() []string {
	all := slices.Clone(d.Members)
	for _, b := range d.blocks("") {
		all = append(all, b.Members...)
	}
	return all
}

// sources splits a domain into its pools: one for each block, and one for members without a sub-domain if there is no
// block, or if the domain has hosts of its own.
func (c *Config) sources(service, domain string) []poolSource {
	svc, dom := c.Services[service], c.Services[service].Domains[domain]
	key := domainKey(service, domain)
	own := poolSource{
		service: service, domain: domain,
		tenantsKey: key + ".tenant_range", tenants: dom.TenantRange,
		hostsKey: key + ".hosts", hosts: dom.Hosts,
		membersKey: key + ".members", members: dom.Members,
		balancerKey: key + ".balancer", balancer: dom.Balancer,
		limitsKey: key + ".limits", limits: dom.Limits,
		retryKey: key + ".retry", retry: dom.Retry,
	}
	var pools []poolSource
	for _, b := range dom.blocks(key) {
		p := poolSource{
			service: service, domain: domain, sub: b.name,
			tenantsKey: b.key + ".tenant_range", tenants: b.TenantRange,
			hostsKey: b.key + ".hosts", hosts: b.Hosts,
			membersKey: b.key + ".members", members: b.Members,
			balancerKey: b.key + ".balancer", balancer: b.Balancer,
			limitsKey: b.key + ".limits", limits: b.Limits,
			retryKey: b.key + ".retry", retry: b.Retry,
		}
		if p.tenants == "" {
			p.tenantsKey, p.tenants = own.tenantsKey, own.tenants
		}
		if p.balancer == nil {
			p.balancerKey, p.balancer = own.balancerKey, own.balancer
		}
		if p.limits == nil {
			p.limitsKey, p.limits = own.limitsKey, own.limits
		}
		if p.retry == nil {
			p.retryKey, p.retry = own.retryKey, own.retry
		}
		pools = append(pools, p)
	}
	blocks := len(pools)
	if blocks == 0 || len(own.hosts) > 0 {
		if len(own.hosts) == 0 {
			own.hostsKey, own.hosts = serviceKey(service)+".hosts", svc.Hosts
		}
		return append(pools, own)
	}
	if blocks == 1 && len(dom.Members) > 0 {
		// There is one pool that the domain's static members can be meant for.
		pools[0].members = append(dom.Members[:len(dom.Members):len(dom.Members)], pools[0].members...)
		pools[0].membersKey = own.membersKey
	}
	return pools
}

// pools turns the services into pool specifications, with a fault for whatever cannot be routed.
func (c *Config) pools(d *daemon.Document) ([]lb.PoolSpec, []error) {
	b := &specBuilder{
		doc: d, zone: c.Zone, checked: map[string]bool{},
		hosts: map[string][]claim{}, domains: map[string]string{}, served: map[string]bool{}, told: map[string]bool{},
	}
	switch {
	case len(c.Services) == 0 && d.File() == "":
		b.fault("services", "no service is configured: name a configuration file with -config")
	case len(c.Services) == 0:
		b.fault("services", "no service is configured: name one, with its domains and hosts")
	}
	for _, service := range slices.Sorted(maps.Keys(c.Services)) {
		if len(c.Services[service].Domains) == 0 {
			b.fault(serviceKey(service)+".domains", "names no domain: a service has at least one")
		}
	}
	for service, domain := range c.eachDomain() {
		b.domain(c, service, domain)
	}
	b.affinities(c)
	for _, service := range slices.Sorted(maps.Keys(c.Services)) {
		svc := c.Services[service]
		if len(svc.Hosts) > 0 && len(svc.Domains) > 0 && !b.served[service] {
			b.fault(serviceKey(service)+".hosts", "lead nowhere: every domain of the service has hosts of its own; remove these")
		}
	}
	if !c.Tenants.configured() {
		b.checkTenants()
	}
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
	told    map[string]bool    // faults that need not be told again
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
	for _, name := range []string{"mgt", "worker", ""} {
		if _, ok := dom.SubDomains[name]; ok {
			b.fault(key+".sub_domains."+name, "is no place for %q: mgt and worker are blocks of the domain, and members without a sub-domain are the domain's own", name)
		}
	}
	if len(dom.Members) > 0 && len(dom.Hosts) == 0 && len(dom.blocks(key)) > 1 {
		b.fault(key+".members", "the domain has two sub-domains: put its static members into the mgt or the worker block")
	}
	health := b.health(c, service, domain)
	for _, s := range c.sources(service, domain) {
		b.pool(s, health)
	}
}

func (b *specBuilder) pool(s poolSource, health lb.HealthSpec) {
	spec := lb.PoolSpec{Service: s.service, Domain: s.domain, SubDomain: s.sub, Hosts: s.hosts, Balancer: b.balancer(s), Health: health, Limits: b.limits(s), Retry: b.retry(s)}
	spec.Balancer.Zone = b.zone
	if s.hostsKey == serviceKey(s.service)+".hosts" {
		b.served[s.service] = true
	}
	if len(s.hosts) == 0 {
		b.fault(s.hostsKey, "no host leads to domain %s: list at least one, such as governance.example.com", s.domain)
	}
	if s.tenants == "" {
		s.tenants = "*"
	}
	var err error
	spec.Tenants, err = lb.ParseTenantRange(s.tenants)
	if err != nil && !b.told[s.tenantsKey] {
		b.fault(s.tenantsKey, "%s", err)
		b.told[s.tenantsKey] = true
	}
	for i, written := range s.hosts {
		b.host(fmt.Sprintf("%s[%d]", s.hostsKey, i), written, s, spec.Tenants, err == nil)
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

// host notes that a host leads to a pool, with a fault if it leads elsewhere already. claims is false when the pool's tenants are not known.
func (b *specBuilder) host(key, written string, s poolSource, tenants lb.TenantRange, claims bool) {
	host, wildcard, err := lb.ParseHostPattern(written)
	if err != nil {
		if !b.told[key] {
			b.fault(key, "%s", err)
			b.told[key] = true
		}
		return
	}
	if wildcard {
		host = "*." + host
	}
	for _, other := range b.hosts[host] {
		if other.source.service != s.service {
			b.fault(key, "%s belongs to service %s already (%s); a host belongs to one service", host, other.source.service, b.doc.Where(other.key))
			return
		}
		if other.source.domain == s.domain && other.source.sub == s.sub || !other.tenants.Overlaps(tenants) {
			continue
		}
		if other.source.domain == s.domain {
			b.fault(key, "%s leads to another sub-domain of %s already (%s); the host alone chooses the sub-domain", host, s.domain, b.doc.Where(other.key))
		} else {
			b.overlap(host, s, other.source)
		}
		return
	}
	if claims {
		b.hosts[host] = append(b.hosts[host], claim{key, s, tenants})
	}
}

// overlap tells, once for two domains, that both serve some tenants of a host.
func (b *specBuilder) overlap(host string, s, other poolSource) {
	pair := s.tenantsKey + "\x00" + other.tenantsKey
	if b.told[pair] {
		return
	}
	b.told[pair] = true
	b.fault(s.tenantsKey, "%s overlaps with %s of domain %s (%s): at host %s a tenant belongs to one domain",
		s.tenants, other.tenants, other.domain, b.doc.Where(other.tenantsKey), host)
}

// checkTenants refuses hosts that no domain serves for everybody where tenants are not told apart: all requests go to the domain with
// tenant_range "*" then.
func (b *specBuilder) checkTenants() {
	for _, host := range slices.Sorted(maps.Keys(b.hosts)) {
		claims, all := b.hosts[host], false
		for _, c := range claims {
			all = all || c.tenants.All()
		}
		if !all {
			b.fault(claims[0].key, "%s has no domain with tenant_range \"*\", and nothing tells the ids of tenants: add one, or name a list of them in tenants.file or a server in tenants.url", host)
		}
	}
}
