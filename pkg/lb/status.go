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
	Ejected    bool      `json:"ejected,omitempty"` // requests of this ELB failed there, and it gives it a rest
	Suspect    bool      `json:"suspect,omitempty"` // gossip lost it, and it answers its checks
	Stray      bool      `json:"stray,omitempty"`   // no pool takes it
	Weight     float64   `json:"weight"`            // as far as it has grown after a slow start; 0 = it wants nothing new
	Zone       string    `json:"zone,omitempty"`
	Backup     bool      `json:"backup,omitempty"` // gets requests only while no other member can be used
	InFlight   int64     `json:"in_flight"`        // requests and tunnels of this ELB that run on it
	// MaxInFlight is how many may, 0 = any number.
	MaxInFlight int64 `json:"max_in_flight,omitempty"`

	// What this ELB makes of its own checks and requests; nothing of it for a stray member.
	Standing      string       `json:"standing,omitempty"`
	StandingSince time.Time    `json:"standing_since,omitzero"`
	Reason        string       `json:"reason,omitempty"` // why it is not up
	Ejections     int          `json:"ejections"`        // since this ELB has known it
	LastCheck     *CheckStatus `json:"last_check,omitempty"`

	// All of that in one word, since when it is so, and why unless it is up.
	Condition      Condition `json:"condition"`
	ConditionSince time.Time `json:"condition_since"`
	Why            string    `json:"why,omitempty"`

	Verdicts []Verdict `json:"verdicts,omitempty"` // of other ELBs, in the order of their names; filled in by whoever hears them

	Traffic TrafficStatus `json:"traffic"`        // of this ELB, over the last seconds
	Gone    *time.Time    `json:"gone,omitempty"` // when it was lost; only in lists of lost members
}

// AtLimit reports whether the member has as many requests as it may.
func (s *MemberStatus) AtLimit() bool { return s.MaxInFlight > 0 && s.InFlight >= s.MaxInFlight }

// CheckStatus is a health check as the admin page shows it.
type CheckStatus struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Result  string    `json:"result"` // passed, refused, lost, timeout, wrong, skipped
	Error   string    `json:"error,omitempty"`
}

// Verdict is what another ELB says of a member.
type Verdict struct {
	ELB       string    `json:"elb"` // its name
	ELBID     string    `json:"elb_id"`
	Condition Condition `json:"condition"`
	Since     time.Time `json:"since"` // by the clock of this ELB
}

// Members lists the application members that are seen, and the static ones, sorted by domain,
// sub-domain and id.
func (d *Discovery) Members() []MemberStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []MemberStatus{}
	for _, members := range d.groups {
		for _, m := range members {
			list = append(list, statusOf(m))
		}
	}
	for _, lost := range d.lost {
		for _, l := range lost {
			s := statusOf(l.member)
			s.Suspect = true
			list = append(list, s)
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
	for i := range list {
		list[i].conclude(d.changed(&list[i]), d.held[list[i].ID])
	}
	slices.SortFunc(list, func(a, b MemberStatus) int {
		return strings.Compare(a.Domain+"\x00"+a.SubDomain+"\x00"+a.ID, b.Domain+"\x00"+b.SubDomain+"\x00"+b.ID)
	})
	return list
}

// statusOf is what a member announces.
func statusOf(m membership.Member) MemberStatus {
	return MemberStatus{
		ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host, MemberPort: m.Port,
		HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort, State: m.State.String(), Since: m.Since.UTC(), Version: m.Version,
		Zone: m.Zone, Backup: m.Backup,
	}
}

// annotate adds this process's own verdicts.
func (p *Proxy) annotate(list []MemberStatus) {
	t := p.table.Load()
	clock := time.Now()
	now := clock.UnixNano()
	targets := map[targetKey]*Target{}
	pools := map[poolKey]bool{}
	for _, pool := range t.pools {
		pools[pool.key()] = true
		for _, target := range pool.all() {
			targets[targetKey{pool.key(), target.Member.ID}] = target
		}
	}
	for i := range list {
		key := poolKey{list[i].Domain, list[i].SubDomain}
		list[i].Stray = !pools[key]
		if target := targets[targetKey{key, list[i].ID}]; target != nil {
			target.health.describe(&list[i], now)
			list[i].Weight = target.weightNow(now)
			list[i].InFlight, list[i].MaxInFlight = target.load.inFlight.Load(), target.limit
			recent := target.traffic.recent(clock)
			list[i].Traffic = recent.status()
		}
	}
}
