package lb

import (
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// MemberStatus is one member as the admin page shows it.
type MemberStatus struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Domain     string    `json:"domain"`
	SubDomain  string    `json:"sub_domain"`
	Host       string    `json:"host"`
	MemberPort int       `json:"member_port"` // 0 for a static member
	HTTPPort   int       `json:"http_port"`   // 0 = not offered
	HTTPSPort  int       `json:"https_port"`
	State      string    `json:"state"`             // joining, active, draining, maintenance
	Since      time.Time `json:"since"`             // when this ELB first saw it
	Version    string    `json:"version,omitempty"` // of the member's program
	Static     bool      `json:"static,omitempty"`  // from the configuration
	Ejected    bool      `json:"ejected,omitempty"` // this ELB could not reach it just now and gives it a rest
	Stray      bool      `json:"stray,omitempty"`   // no pool takes it
}

// Members lists the application members that are seen, and the static ones, sorted by domain,
// sub-domain and id.
func (d *Discovery) Members() []MemberStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []MemberStatus{}
	for _, members := range d.groups {
		for _, m := range members {
			list = append(list, MemberStatus{
				ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host, MemberPort: m.Port,
				HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort, State: m.State.String(), Since: m.Since.UTC(), Version: m.Version,
			})
		}
	}
	for _, spec := range d.routes.pools {
		for _, m := range spec.Static {
			list = append(list, MemberStatus{
				ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host,
				HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort, State: membership.StateActive.String(), Since: d.began.UTC(), Static: true,
			})
		}
	}
	d.proxy.annotate(list)
	slices.SortFunc(list, func(a, b MemberStatus) int {
		return strings.Compare(a.Domain+"\x00"+a.SubDomain+"\x00"+a.ID, b.Domain+"\x00"+b.SubDomain+"\x00"+b.ID)
	})
	return list
}

// annotate adds this process's own verdicts.
func (p *Proxy) annotate(list []MemberStatus) {
	t := p.table.Load()
	now := time.Now().UnixNano()
	ejected := map[targetKey]bool{}
	pools := map[poolKey]bool{}
	for _, pool := range t.pools {
		pools[pool.key()] = true
		for _, target := range pool.active {
			ejected[targetKey{pool.key(), target.Member.ID}] = !target.health.usable(now)
		}
	}
	for i := range list {
		key := poolKey{list[i].Domain, list[i].SubDomain}
		list[i].Ejected = ejected[targetKey{key, list[i].ID}]
		list[i].Stray = !pools[key]
	}
}
