package lb

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// memberCollector counts members when it is asked, so that there is nothing to keep in step.
type memberCollector struct {
	table                                         *atomic.Pointer[Table]
	members, queue, up, inFlight, weight, latency *prometheus.Desc
}

func newMemberCollector(table *atomic.Pointer[Table]) *memberCollector {
	each := []string{"domain", "sub_domain", "member"}
	return &memberCollector{
		table:    table,
		members:  prometheus.NewDesc("elb_members", "Members in the table of this ELB, by state.", []string{"domain", "sub_domain", "state"}, nil),
		queue:    prometheus.NewDesc("elb_queue_length", "Requests that wait for room at a member.", []string{"domain", "sub_domain"}, nil),
		up:       prometheus.NewDesc("elb_member_up", "1 if this ELB holds the member to be well, by its checks and requests; else 0.", each, nil),
		inFlight: prometheus.NewDesc("elb_member_inflight", "Requests and tunnels of this ELB that run on the member.", each, nil),
		weight:   prometheus.NewDesc("elb_member_weight", "The member's weight, as far as it has grown after a slow start; 0 for one that wants nothing new.", each, nil),
		latency:  prometheus.NewDesc("elb_member_latency_seconds", "Average time to the first byte of an answer, newer ones counting more.", each, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *memberCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.members, c.queue, c.up, c.inFlight, c.weight, c.latency} {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *memberCollector) Collect(ch chan<- prometheus.Metric) {
	t := c.table.Load()
	if t == nil {
		return
	}
	now := time.Now().UnixNano()
	for _, p := range t.pools {
		count := map[string]int{stateActive: 0, StandingUnproven: 0, StandingDown: 0, StandingEjected: 0, stateSuspect: 0, stateDraining: 0}
		for _, target := range p.all() {
			count[target.state(now)]++
			c.member(ch, p, target, now)
		}
		ch <- prometheus.MustNewConstMetric(c.queue, prometheus.GaugeValue, float64(p.line.waiting.Load()), p.Domain, p.SubDomain)
		for state, n := range count {
			ch <- prometheus.MustNewConstMetric(c.members, prometheus.GaugeValue, float64(n), p.Domain, p.SubDomain, state)
		}
	}
}

// The states of members in metrics, besides their standings.
const (
	stateActive   = "active"
	stateSuspect  = "suspect"
	stateDraining = "draining"
)

// state is the member's one state in metrics.
func (t *Target) state(now int64) string {
	standing := t.health.standing(now)
	switch {
	case t.Member.Draining:
		return stateDraining
	case standing != StandingUp:
		return standing
	case t.Member.Suspect:
		return stateSuspect
	}
	return stateActive
}

// member gives the gauges of one member.
func (c *memberCollector) member(ch chan<- prometheus.Metric, p *Pool, t *Target, now int64) {
	gauge := func(desc *prometheus.Desc, value float64) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, p.Domain, p.SubDomain, t.Member.ID)
	}
	up := 0.0
	if t.health.standing(now) == StandingUp {
		up = 1
	}
	gauge(c.up, up)
	gauge(c.inFlight, float64(t.load.inFlight.Load()))
	gauge(c.weight, t.weightNow(now))
	if mean, known := t.load.latency(now); known > 0 {
		gauge(c.latency, mean/float64(time.Second))
	}
}
