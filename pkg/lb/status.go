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
	Weight     float64   `json:"weight"`            // as far as it has grown after a slow start; 0 = it wants nothing new
	Zone       string    `json:"zone,omitempty"`
	Backup     bool      `json:"backup,omitempty"` // gets requests only while no other member can be used
	InFlight   int64     `json:"in_flight"`        // requests and tunnels of this ELB that run on it
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
				Zone: m.Zone, Backup: m.Backup,
			})
		}
	}
	for _, spec := range d.routes.pools {
		for _, m := range spec.Static {
			list = append(list, MemberStatus{
				ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host,
				HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort, State: membership.StateActive.String(), Since: d.began.UTC(), Static: true,
				Zone: m.Zone, Backup: m.Backup,
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
	targets := map[targetKey]*Target{}
	pools := map[poolKey]bool{}
	for _, pool := range t.pools {
		pools[pool.key()] = true
		for _, target := range slices.Concat(pool.active, pool.draining) {
			targets[targetKey{pool.key(), target.Member.ID}] = target
		}
	}
	for i := range list {
		key := poolKey{list[i].Domain, list[i].SubDomain}
		list[i].Stray = !pools[key]
		if target := targets[targetKey{key, list[i].ID}]; target != nil {
			list[i].Ejected = !target.Member.Draining && !target.health.usable(now)
			list[i].Weight = target.weightNow(now)
			list[i].InFlight = target.load.inFlight.Load()
		}
	}
}
