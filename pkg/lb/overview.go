package lb

import (
	"cmp"
	"slices"
	"time"
)

// PoolStatus is one pool with its members, as the admin page shows it.
type PoolStatus struct {
	Service   string         `json:"service"`
	Domain    string         `json:"domain"`
	SubDomain string         `json:"sub_domain"`
	Hosts     []string       `json:"hosts"`
	Balancer  string         `json:"balancer"`
	Usable    int            `json:"usable"`              // members that requests go to now
	Waiting   int            `json:"waiting"`             // requests that wait for room at a member
	Queue     int            `json:"queue_max,omitempty"` // how many may
	Traffic   TrafficStatus  `json:"traffic"`
	Members   []MemberStatus `json:"members"`
	Lost      []MemberStatus `json:"lost"` // members that went without a word and did not come back, for an hour
}

// Overview is all that the admin page shows of members.
type Overview struct {
	Pools  []PoolStatus
	Strays []MemberStatus // members that no pool takes
}

// Overview lists the pools in the order of the routes, those without a member too.
func (d *Discovery) Overview() Overview {
	members := d.Members()
	lost := d.departed()
	var o Overview
	now := time.Now()
	table := d.proxy.table.Load()
	for _, pool := range table.pools {
		s := PoolStatus{
			Service: pool.Service, Domain: pool.Domain, SubDomain: pool.SubDomain, Balancer: string(cmp.Or(pool.spec.Policy, PolicyRoundRobin)),
			Waiting: int(pool.line.waiting.Load()), Queue: pool.limits.QueueLength,
			Hosts: []string{}, Members: []MemberStatus{}, Lost: []MemberStatus{},
		}
		var all recentTraffic
		for _, t := range pool.all() {
			r := t.traffic.recent(now)
			all.add(&r)
		}
		s.Traffic = all.status()
		for _, m := range members {
			if m.Domain == pool.Domain && m.SubDomain == pool.SubDomain && m.Condition != ConditionStray {
				s.Members = append(s.Members, m)
				if m.Condition.Usable() {
					s.Usable++
				}
			}
		}
		for _, m := range lost {
			if m.Domain == pool.Domain && m.SubDomain == pool.SubDomain {
				s.Lost = append(s.Lost, m)
			}
		}
		o.Pools = append(o.Pools, s)
	}
	for i, spec := range table.routes.pools {
		o.Pools[i].Hosts = append(o.Pools[i].Hosts, spec.Hosts...)
	}
	o.Strays = slices.DeleteFunc(members, func(m MemberStatus) bool { return m.Condition != ConditionStray })
	return o
}
