package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// PoolSpec is one pool as the operator configured it: who it is for, and which hosts lead to it.
type PoolSpec struct {
	Service   string
	Domain    string
	SubDomain string // "" takes the members that announce none
	Tenants   TenantRange
	Hosts     []string // as written; "*." in front matches only names below
	Static    []Member // from ParseStatic
	Balancer  BalancerSpec
	Affinity  AffinitySpec
	Health    HealthSpec
	Limits    LimitSpec
	Retry     RetrySpec
}

// Routes is the compiled, immutable form of what the operator configured: host and tenant -> pool. Safe for
// concurrent use.
type Routes struct {
	pools []PoolSpec
	exact map[string]*tenantTable // by host
	below map[string]*tenantTable // by suffix of "*.suffix"

	tenants TenantSource // nil: tenants are not told apart
}

// NewRoutes compiles pool specifications. All conflicts are reported at once: a host that cannot be one, a
// host that leads to two pools for the same tenant, a pool that occurs twice.
func NewRoutes(specs []PoolSpec) (*Routes, error) {
	r := &Routes{exact: map[string]*tenantTable{}, below: map[string]*tenantTable{}}
	var faults []error
	seen := map[poolKey]bool{}
	for _, spec := range specs {
		key := poolKey{spec.Domain, spec.SubDomain}
		if seen[key] {
			faults = append(faults, fmt.Errorf("domain %s, sub-domain %q is configured twice", spec.Domain, spec.SubDomain))
			continue
		}
		seen[key] = true
		for i := range spec.Static {
			spec.Static[i].Domain, spec.Static[i].SubDomain = spec.Domain, spec.SubDomain
		}
		if err := errors.Join(spec.Balancer.check(), spec.Health.check(), spec.Limits.check(), spec.Retry.check()); err != nil {
			faults = append(faults, fmt.Errorf("domain %s, sub-domain %q: %w", spec.Domain, spec.SubDomain, err))
		}
		if err := spec.Affinity.Check(); err != nil {
			faults = append(faults, fmt.Errorf("domain %s, sub-domain %q: affinity: %w", spec.Domain, spec.SubDomain, err))
		}
		r.pools = append(r.pools, spec)
		for _, host := range spec.Hosts {
			faults = append(faults, r.addHost(host, len(r.pools)-1))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return r, nil
}

func (r *Routes) addHost(written string, pool int) error {
	host, wildcard, err := ParseHostPattern(written)
	if err != nil {
		return err
	}
	hosts := r.exact
	if wildcard {
		hosts = r.below
	}
	t := hosts[host]
	if t == nil {
		t = &tenantTable{all: nobody}
		hosts[host] = t
	}
	if other, ok := t.add(r.pools[pool].Tenants, pool); !ok {
		return fmt.Errorf("host %s leads to both %s and %s", written, r.pools[other].Domain, r.pools[pool].Domain)
	}
	return nil
}

// ParseHostPattern reads a host as the configuration writes it: a host name or address, or "*." and a
// name. It gives the host in the form that requests are compared by.
func ParseHostPattern(s string) (host string, wildcard bool, err error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.String(), false, nil // an IPv6 address may stand without brackets
	}
	name, wildcard := strings.CutPrefix(s, "*.")
	host, ok := NormalizeHost(name)
	switch {
	case !ok:
		return "", false, fmt.Errorf("%q is no host name; write one like governance.example.com or *.example.com", s)
	case host != strings.ToLower(strings.TrimSuffix(name, ".")) && !strings.Contains(name, ":"):
		return "", false, fmt.Errorf("%q is no host name", s)
	case strings.Contains(name, ":") && !isIP(host):
		return "", false, fmt.Errorf("%q: write the host without a port; every port is served", s)
	case wildcard && isIP(host):
		return "", false, fmt.Errorf("%q: an address has no names below it", s)
	}
	return host, wildcard, nil
}

// WithTenants gives the same routes with the ids of tenants from s: requests to hosts of which some domain serves certain tenants only go by
// tenant. Without a source they count as those of no tenant.
func (r *Routes) WithTenants(s TenantSource) *Routes {
	same := *r
	same.tenants = s
	return &same
}

// find gives the pools of a normalized host, nil if there are none.
func (r *Routes) find(host string) *tenantTable {
	t, _, _ := r.match(host)
	return t
}

// match gives the pools of a normalized host, nil if there are none, and the name that they were found under: the host itself, then what is
// left after dropping leading labels one by one, so that the longest configured name wins. An address matches only itself.
func (r *Routes) match(host string) (t *tenantTable, name string, wildcard bool) {
	if t := r.exact[host]; t != nil {
		return t, host, false
	}
	if isIP(host) {
		return nil, "", false
	}
	for {
		dot := strings.IndexByte(host, '.')
		if dot < 0 {
			return nil, "", false
		}
		if host = host[dot+1:]; isIP(host) {
			return nil, "", false
		}
		if t := r.below[host]; t != nil {
			return t, host, true
		}
		if t := r.exact[host]; t != nil {
			return t, host, false
		}
	}
}

// NormalizeHost turns a Host header into the form that routes are compared by: lower case, without port,
// trailing dot or brackets. ok is false for anything that is no host name or address.
func NormalizeHost(host string) (normal string, ok bool) {
	name := host
	if strings.HasPrefix(name, "[") {
		end := strings.IndexByte(name, ']')
		if end < 0 || !isPortSuffix(name[end+1:]) {
			return "", false
		}
		addr, err := netip.ParseAddr(name[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		return addr.String(), true
	}
	if colon := strings.IndexByte(name, ':'); colon >= 0 {
		if !isPortSuffix(name[colon:]) {
			return "", false
		}
		name = name[:colon]
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 || !isHostName(name) {
		return "", false
	}
	return strings.ToLower(name), true
}

// isHostName reports whether s is made of non-empty labels of letters, digits, '-' and '_'.
func isHostName(s string) bool {
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0
}

// isPortSuffix reports whether s is empty or ":" and up to five digits.
func isPortSuffix(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isIP reports whether a normalized host is an address. Names of letters, the common case, leave at once.
func isIP(host string) bool {
	if host == "" || !(host[len(host)-1] >= '0' && host[len(host)-1] <= '9') && !strings.Contains(host, ":") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}
