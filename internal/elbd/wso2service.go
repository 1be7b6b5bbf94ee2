package elbd

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/internal/elbd/wso2conf"
)

// wso2Service is a service of loadbalancer.conf while it is read. A domain may occur in it several times, once for each sub-domain.
type wso2Service struct {
	*wso2Reader
	block   *wso2conf.Block
	key     string
	domains []*wso2Domain // in the order of the file
}

// wso2Domain gathers all occurrences of a domain.
type wso2Domain struct {
	name     string
	line     int
	port     int
	portLine int
	pools    []wso2Pool
}

// wso2Pool is a domain's members of one sub-domain.
type wso2Pool struct {
	sub         string // "" for members without one
	line        int
	hosts       wso2List
	tenants     string
	tenantsLine int // 0 when they are not given
}

// wso2List is a list of hosts and the place that it stands at.
type wso2List struct {
	hosts []string
	line  int // 0 when there is none
	level int // of the place: 0 for a block of the domain, 1 for the domain, 2 for the service
}

func (r *wso2Reader) newService(b *wso2conf.Block) *wso2Service {
	return &wso2Service{wso2Reader: r, block: b, key: serviceKey(b.Name)}
}

// find looks a property up in blocks, the innermost first.
func find(name string, chain ...*wso2conf.Block) (p wso2conf.Property, level int, ok bool) {
	for level, b := range chain {
		if b == nil {
			continue
		}
		if p, ok := b.Property(name); ok {
			return p, level, true
		}
	}
	return wso2conf.Property{}, 0, false
}

// domain reads one occurrence of a domain.
func (s *wso2Service) domain(b *wso2conf.Block) {
	d := s.entry(b)
	key := domainKey(s.block.Name, b.Name)
	s.checkKeys(b, key, domainKeys())
	s.groupPort(d, b)

	var blocks []*wso2conf.Block
	found := map[string]int{}
	for _, c := range b.Blocks {
		switch {
		case c.Name != "mgt" && c.Name != "worker":
			if child(c, "domains") != nil {
				s.doc.Refuse(key+"."+c.Name, c.Line, "is a service inside of a domain; is a } missing before it?")
				s.service(c)
				continue
			}
			s.doc.RefuseUnknown(key, c.Name, c.Line, []string{"mgt", "worker"})
		case !s.isRepeated(found, key+"."+c.Name, c):
			s.checkBlock(c, key+"."+c.Name)
			blocks = append(blocks, c)
		}
	}
	// The domain's own hosts are for a block that has none, or else for members that no block is for.
	_, own := b.Property("hosts")
	for _, c := range blocks {
		s.pool(d, wso2Pool{sub: c.Name, line: c.Line}, c, b)
		if _, has := c.Property("hosts"); !has {
			own = false
		}
	}
	if len(blocks) == 0 || own {
		s.pool(d, wso2Pool{sub: s.subDomain(b), line: b.Line}, nil, b)
	} else if p, ok := b.Property("sub_domain"); ok {
		s.doc.Warn(key+".sub_domain", p.Line, "is for nobody: the blocks of the domain take all its hosts")
	}
}

// entry is the domain of that name, made when it occurs for the first time.
func (s *wso2Service) entry(b *wso2conf.Block) *wso2Domain {
	for _, d := range s.domains {
		if d.name == b.Name {
			return d
		}
	}
	d := &wso2Domain{name: b.Name, line: b.Line}
	s.domains = append(s.domains, d)
	s.doc.Set(domainKey(s.block.Name, b.Name), b.Line)
	return d
}

// checkBlock checks the keys of a mgt or worker block: those of a domain but for what makes the domain.
func (s *wso2Service) checkBlock(b *wso2conf.Block, key string) {
	known := domainKeys()
	for _, outer := range []string{"group_mgt_port", "sub_domain"} {
		delete(known, outer)
		if p, ok := b.Property(outer); ok {
			s.doc.Refuse(key+"."+outer, p.Line, "belongs to the domain: write it before the block")
			known[outer] = wso2Key{}
		}
	}
	s.checkKeys(b, key, known)
	for _, c := range b.Blocks {
		s.doc.RefuseUnknown(key, c.Name, c.Line, nil)
	}
}

// groupPort reads the domain's group management port. All occurrences of a domain that name one must name the same.
func (s *wso2Service) groupPort(d *wso2Domain, b *wso2conf.Block) {
	key := domainKey(s.block.Name, b.Name) + ".group_mgt_port"
	p, _, ok := find("group_mgt_port", b, s.block, s.defaults)
	if !ok {
		return
	}
	port, err := strconv.Atoi(s.value(key, p))
	switch {
	case err != nil || port < 1:
		d.port = -1 // refused where it stands
		s.doc.Doubt(key)
	case d.port > 0 && d.port != port:
		s.doc.Refuse(key, p.Line, "is %d here and %d at line %d; a domain has one", port, d.port, d.portLine)
	default:
		d.port, d.portLine = port, p.Line
	}
}

// subDomain is the sub-domain that the members of an occurrence announce, in the words of ELB 2.0; "" for none.
func (s *wso2Service) subDomain(b *wso2conf.Block) string {
	p, _, ok := find("sub_domain", b, s.block, s.defaults)
	if !ok {
		return ""
	}
	name := s.value(domainKey(s.block.Name, b.Name)+".sub_domain", p)
	if name == "__$default" {
		return ""
	}
	return name
}

// pool adds a pool of the domain block b; inner is the mgt or worker block that it is for, or nil.
func (s *wso2Service) pool(d *wso2Domain, p wso2Pool, inner, b *wso2conf.Block) {
	key := domainKey(s.block.Name, b.Name)
	if prop, level, ok := find("hosts", inner, b, s.block); ok {
		at := key
		switch level {
		case 0:
			at += "." + inner.Name
		case 2:
			at = s.key
		}
		at += ".hosts"
		p.hosts = wso2List{hosts: splitHosts(s.value(at, prop)), line: prop.Line, level: level}
		if len(p.hosts.hosts) == 0 && level < 2 {
			s.doc.Refuse(at, prop.Line, "names no host")
			s.doc.Doubt(at)
		}
	}
	p.tenants = "*"
	if prop, _, ok := find("tenant_range", inner, b, s.block); ok {
		p.tenants, p.tenantsLine = s.value(key+".tenant_range", prop), prop.Line
		switch p.tenants {
		case "0":
			p.tenants = "*" // WSO2 ELB kept the domain of everybody else under that id
		case "":
			s.doc.Refuse(key+".tenant_range", prop.Line, "names no tenants")
			s.doc.Doubt(key + ".tenant_range")
		}
	} else {
		s.warnOnce(key+".tenant_range", d.line, "is missing: the domain serves all tenants (*)")
	}
	for _, other := range d.pools {
		if other.sub != p.sub {
			continue
		}
		if other.tenants == p.tenants && slices.Equal(other.hosts.hosts, p.hosts.hosts) {
			s.doc.Warn(key, p.line, "is given twice, with the same hosts and tenants as at line %d", other.line)
		} else {
			s.doc.Refuse(key, p.line, "is given twice for the same sub-domain, with other hosts or tenants; first at line %d", other.line)
		}
		return
	}
	d.pools = append(d.pools, p)
}

// store puts what was read into the configuration.
func (s *wso2Service) store() {
	name := s.block.Name
	svc := Service{Domains: map[string]Domain{}}
	for _, d := range s.domains {
		key := domainKey(name, d.name)
		dom := Domain{Affinity: wso2Affinity()}
		switch {
		case d.port > 0:
			dom.GroupMgtPort = d.port
			s.doc.Set(key+".group_mgt_port", d.portLine)
		case d.port == 0:
			s.portless = append(s.portless, domainLine{name, d.name, d.line})
		}
		s.storePools(&svc, &dom, d)
		svc.Domains[d.name] = dom
	}
	s.config.Services[name] = svc
	s.checkOwnHosts(svc)
}

func (s *wso2Service) storePools(svc *Service, dom *Domain, d *wso2Domain) {
	key := domainKey(s.block.Name, d.name)
	// The range of the members without a sub-domain, or else of the first pool, is the domain's; others have their own.
	main := d.pools[max(0, slices.IndexFunc(d.pools, func(p wso2Pool) bool { return p.sub == "" }))]
	dom.TenantRange = main.tenants
	s.doc.Set(key+".tenant_range", cmp.Or(main.tenantsLine, main.line))
	for _, p := range d.pools {
		if p.sub == "" && p.hosts.level == 2 && len(d.pools) == 1 {
			svc.Hosts = p.hosts.hosts
			s.setLines(s.key+".hosts", len(svc.Hosts), p.hosts.line)
			continue
		}
		at := key
		switch p.sub {
		case "":
			dom.Hosts = p.hosts.hosts
		case "mgt":
			at, dom.Mgt = key+".mgt", p.subDomain(main)
		case "worker":
			at, dom.Worker = key+".worker", p.subDomain(main)
		default:
			if dom.SubDomains == nil {
				dom.SubDomains = map[string]SubDomain{}
			}
			at, dom.SubDomains[p.sub] = key+".sub_domains."+p.sub, *p.subDomain(main)
		}
		if p.sub != "" {
			s.doc.Set(at, p.line)
		}
		s.setLines(at+".hosts", len(p.hosts.hosts), cmp.Or(p.hosts.line, p.line))
		s.doc.Set(at+".tenant_range", cmp.Or(p.tenantsLine, p.line))
	}
}

// subDomain is the pool as a block of the domain whose tenants are those of main.
func (p wso2Pool) subDomain(main wso2Pool) *SubDomain {
	b := &SubDomain{Hosts: p.hosts.hosts}
	if p.tenants != main.tenants {
		b.TenantRange = p.tenants
	}
	return b
}

// checkOwnHosts tells which hosts of the service lead nowhere because each of its domains has hosts of its own.
func (s *wso2Service) checkOwnHosts(svc Service) {
	p, ok := s.block.Property("hosts")
	if !ok || len(svc.Domains) == 0 {
		return
	}
	at := s.key + ".hosts"
	hosts := splitHosts(s.value(at, p))
	if len(hosts) == 0 {
		s.doc.Refuse(at, p.Line, "names no host")
		s.doc.Doubt(at)
		return
	}
	used := map[string]bool{}
	for name := range svc.Domains {
		for _, source := range s.config.sources(s.block.Name, name) {
			for _, h := range source.hosts {
				used[strings.ToLower(h)] = true
			}
		}
	}
	for _, h := range hosts {
		if !used[strings.ToLower(h)] {
			s.doc.Warn(at, p.Line, "%s leads nowhere: the domains of the service have hosts of their own", h)
		}
	}
}
