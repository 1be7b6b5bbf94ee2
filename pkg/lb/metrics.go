package lb

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the ELB's numbers. Label values come from the configuration and the member table alone: an
// unknown host counts as domain "_other", an unknown method as "OTHER". Handles are resolved when a table
// is taken into use; requests look nothing up by name except the pair of code and method.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	upstream    *prometheus.CounterVec
	retries     *prometheus.CounterVec
	budgetEmpty *prometheus.CounterVec
	ejections   *prometheus.CounterVec
	noMember    *prometheus.CounterVec
	inFlight    prometheus.Gauge
	other       *poolMetrics
}

// otherDomain is the domain label of requests that no route matches.
const otherDomain = "_other"

// newMetrics makes the metrics and registers them, unless r is nil.
func newMetrics(r prometheus.Registerer, table *atomic.Pointer[Table]) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("elb_requests_total", "Requests by what the client got; code 499 is a client that left.", "domain", "sub_domain", "code", "method"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "elb_request_duration_seconds",
			Help:    "From the head of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"domain", "sub_domain", "method"}),
		upstream:    counter("elb_upstream_requests_total", "Attempts by member and what became of them.", "domain", "member", "outcome"),
		retries:     counter("elb_retries_total", "Attempts after a failed one, by why that one failed.", "domain", "reason"),
		budgetEmpty: counter("elb_retry_budget_exhausted_total", "Requests that got no further attempt because too many needed one.", "domain"),
		ejections:   counter("elb_ejections_total", "Members taken out of use for a while by this ELB.", "domain", "reason"),
		noMember:    counter("elb_no_member_total", "Requests answered with 503 because the pool had no member.", "domain"),
		inFlight:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "elb_requests_in_flight", Help: "Requests that are running now."}),
	}
	m.other = m.pool(otherDomain, "")
	if r == nil {
		return m, nil
	}
	members := &memberCollector{table: table, desc: prometheus.NewDesc("elb_members", "Members in the table of this ELB, by state.", []string{"domain", "sub_domain", "state"}, nil)}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.upstream, m.retries, m.budgetEmpty, m.ejections, m.noMember, m.inFlight, members} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// forget removes the series of a member that is gone. Requests that still run on it count into nothing.
func (m *metrics) forget(gone Member) {
	m.upstream.DeletePartialMatch(prometheus.Labels{"domain": gone.Domain, "member": gone.ID})
}

// poolMetrics are the numbers of one pool.
type poolMetrics struct {
	all               *metrics
	domain, subDomain string
	requests          sync.Map        // requestKey -> prometheus.Counter
	methods           map[string]bool // those that are label values
	noMember          prometheus.Counter
	budgetEmpty       prometheus.Counter
}

type requestKey struct {
	method string
	status int
}

const otherMethod = "OTHER"

func methodLabels() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", otherMethod,
	}
}

func (m *metrics) pool(domain, subDomain string) *poolMetrics {
	p := &poolMetrics{all: m, domain: domain, subDomain: subDomain, methods: map[string]bool{}}
	for _, method := range methodLabels() {
		p.methods[method] = true
	}
	if domain != otherDomain {
		p.noMember = m.noMember.WithLabelValues(domain)
		p.budgetEmpty = m.budgetEmpty.WithLabelValues(domain)
	}
	return p
}

// request counts one finished request.
func (p *poolMetrics) request(method string, status int, took time.Duration) {
	if !p.methods[method] {
		method = otherMethod
	}
	key := requestKey{method, status}
	r, ok := p.requests.Load(key)
	if !ok {
		r, _ = p.requests.LoadOrStore(key, &requestMetrics{
			count: p.all.requests.WithLabelValues(p.domain, p.subDomain, strconv.Itoa(status), method),
			took:  p.all.duration.WithLabelValues(p.domain, p.subDomain, method),
		})
	}
	if r, ok := r.(*requestMetrics); ok {
		r.count.Inc()
		r.took.Observe(took.Seconds())
	}
}

// requestMetrics are the resolved series of one code and method.
type requestMetrics struct {
	count prometheus.Counter
	took  prometheus.Observer
}

func (p *poolMetrics) retry(why Failure) {
	p.all.retries.WithLabelValues(p.domain, why.String()).Inc()
}

func (p *poolMetrics) ejected(why Failure) {
	p.all.ejections.WithLabelValues(p.domain, why.String()).Inc()
}

// memberMetrics are the numbers of one member, resolved once.
type memberMetrics struct{ outcomes map[string]prometheus.Counter }

func (m *metrics) member(of Member) *memberMetrics {
	outcomes := map[string]prometheus.Counter{}
	for _, o := range []string{"ok", "4xx", "5xx", "connect", "reset", "timeout", "broken", "client"} {
		outcomes[o] = m.upstream.WithLabelValues(of.Domain, of.ID, o)
	}
	return &memberMetrics{outcomes}
}

func (m *memberMetrics) count(r Result) {
	outcome := "ok"
	switch {
	case r.Failure != FailureNone:
		outcome = r.Failure.String()
	case r.Status >= 500:
		outcome = "5xx"
	case r.Status >= 400:
		outcome = "4xx"
	}
	if c := m.outcomes[outcome]; c != nil {
		c.Inc()
	}
}

// memberCollector counts members when it is asked, so that there is nothing to keep in step.
type memberCollector struct {
	table *atomic.Pointer[Table]
	desc  *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *memberCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c *memberCollector) Collect(ch chan<- prometheus.Metric) {
	t := c.table.Load()
	if t == nil {
		return
	}
	now := time.Now().UnixNano()
	for _, p := range t.pools {
		ejected := 0
		for _, target := range p.active {
			if !target.health.usable(now) {
				ejected++
			}
		}
		for state, n := range map[string]int{"active": len(p.active) - ejected, "ejected": ejected, "draining": len(p.draining)} {
			ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), p.Domain, p.SubDomain, state)
		}
	}
}
