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
// unknown host counts as domain "_other", an unknown method as "OTHER". Series are found once, when a table is
// taken into use or when a method and code occur for the first time; after that requests look nothing up by name.
type metrics struct {
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	upstream    *prometheus.CounterVec
	retries     *prometheus.CounterVec
	hedges      *prometheus.CounterVec
	budgetEmpty *prometheus.CounterVec
	ejections   *prometheus.CounterVec
	noMember    *prometheus.CounterVec
	shed        *prometheus.CounterVec
	limitHits   *prometheus.CounterVec
	queueTook   *prometheus.HistogramVec
	sticky      *prometheus.CounterVec
	checks      *prometheus.CounterVec
	checkTook   *prometheus.HistogramVec
	tenants     tenantMetrics
	other       *poolMetrics
}

// otherDomain is the domain label of requests that no route matches.
const otherDomain = "_other"

// newMetrics makes the metrics and registers them, unless r is nil.
func newMetrics(r prometheus.Registerer, table *atomic.Pointer[Table], running *atomic.Int64) (*metrics, error) {
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
		hedges:      counter("elb_hedges_total", "Requests that went to a second member beside the first, by whose answer came first: won, the later member's; lost, the first one's; none, neither's.", "domain", "result"),
		budgetEmpty: counter("elb_retry_budget_exhausted_total", "Requests that got no further attempt because too many needed one.", "domain"),
		ejections:   counter("elb_ejections_total", "Members taken out of use for a while by this ELB.", "domain", "reason"),
		noMember:    counter("elb_no_member_total", "Requests answered with 503 because the pool had no member.", "domain"),
		shed:        counter("elb_shed_total", "Requests refused, or not sent again, for want of room, by what was exhausted.", "domain", "reason"),
		limitHits:   counter("elb_limit_hits_total", "Requests that had to wait or were refused because every member for them was at its limit.", "domain"),
		queueTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "elb_queue_duration_seconds", Help: "How long requests waited for room at a member.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"domain"}),
		sticky: counter("elb_sticky_total", "Requests to pools with affinity, by what became of the cookie.", "domain", "result"),
		checks: counter("elb_checks_total", "Health checks by what they met.", "domain", "result"),
		checkTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "elb_check_duration_seconds", Help: "How long health checks that passed took.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}, []string{"domain"}),
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "elb_requests_in_flight", Help: "Requests that are running now."},
		func() float64 { return float64(running.Load()) })
	tenants := counter("elb_tenant_requests_total", "Requests that named a tenant, to hosts whose tenants go to different domains; failed: its id could not be found out.", "tenant")
	m.tenants = newTenantMetrics(tenants)
	m.other = m.pool(otherDomain, "")
	if r == nil {
		return m, nil
	}
	members := newMemberCollector(table)
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.upstream, m.retries, m.hedges, m.budgetEmpty, m.ejections, m.noMember, m.shed, m.limitHits, m.queueTook, m.sticky, m.checks, m.checkTook, inFlight, tenants, members} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// stickyCounts are the series of a domain's affinity.
type stickyCounts [stickyResults]prometheus.Counter

func (m *metrics) stickiness(domain string) (series stickyCounts) {
	for i, label := range stickyLabels() {
		series[i] = m.sticky.WithLabelValues(domain, label)
	}
	return series
}

// methodIndex is a method as metrics count it: a place in methodLabels.
type methodIndex uint8

// The methods that have a label value of their own.
const (
	methodGet methodIndex = iota
	methodHead
	methodPost
	methodPut
	methodPatch
	methodDelete
	methodOptions
	methodPropfind
	methodProppatch
	methodMkcol
	methodCopy
	methodMove
	methodLock
	methodUnlock
	methodOther // any other
	methodCount
)

const otherMethod = "OTHER"

func methodLabels() [methodCount]string {
	return [methodCount]string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", otherMethod,
	}
}

// methodOf finds a method, which is compared byte by byte (RFC 9110 section 9.1: methods are case-sensitive).
func methodOf[T ~string | ~[]byte](method T) methodIndex {
	if len(method) > len("PROPPATCH") { // the longest; so the conversion below never needs memory
		return methodOther
	}
	switch string(method) {
	case http.MethodGet:
		return methodGet
	case http.MethodHead:
		return methodHead
	case http.MethodPost:
		return methodPost
	case http.MethodPut:
		return methodPut
	case http.MethodPatch:
		return methodPatch
	case http.MethodDelete:
		return methodDelete
	case http.MethodOptions:
		return methodOptions
	case "PROPFIND":
		return methodPropfind
	case "PROPPATCH":
		return methodProppatch
	case "MKCOL":
		return methodMkcol
	case "COPY":
		return methodCopy
	case "MOVE":
		return methodMove
	case "LOCK":
		return methodLock
	case "UNLOCK":
		return methodUnlock
	}
	return methodOther
}

// poolMetrics are the numbers of one pool. A series is looked up by its labels when it first counts, and then kept: methods of
// which no request comes have none.
type poolMetrics struct {
	all               *metrics
	domain, subDomain string
	methods           [methodCount]atomic.Pointer[methodMetrics]
	noMember          prometheus.Counter
	shed              [shedReasons]prometheus.Counter // but for shedNone
	limitHits         prometheus.Counter
	queueTook         prometheus.Observer
	budgetEmpty       prometheus.Counter
	hedges            [hedgeResults]prometheus.Counter
	checks            [checkKinds]prometheus.Counter
	checkTook         prometheus.Observer

	mu   sync.Mutex // held while a series is looked up by its labels
	gone bool       // the pool is in the routes no more: it gets no new series
}

// methodMetrics are the series of one method in a pool.
type methodMetrics struct {
	took  prometheus.Observer
	codes [lastCode - firstCode + 1]atomic.Pointer[codeMetrics]
}

// The codes that HTTP defines (RFC 9110 section 15). Others are counted as well, only slower.
const (
	firstCode = 100
	lastCode  = 599
)

// codeMetrics is the series of one method and code.
type codeMetrics struct{ prometheus.Counter }

func (m *metrics) pool(domain, subDomain string) *poolMetrics {
	p := &poolMetrics{all: m, domain: domain, subDomain: subDomain}
	p.shed[shedInFlight] = m.shed.WithLabelValues(domain, shedInFlight.String())
	if domain != otherDomain {
		p.shed[shedFull] = m.shed.WithLabelValues(domain, shedFull.String())
		p.shed[shedTime] = m.shed.WithLabelValues(domain, shedTime.String())
		p.limitHits = m.limitHits.WithLabelValues(domain)
		p.queueTook = m.queueTook.WithLabelValues(domain)
		p.noMember = m.noMember.WithLabelValues(domain)
		p.budgetEmpty = m.budgetEmpty.WithLabelValues(domain)
		for result, label := range hedgeLabels() {
			p.hedges[result] = m.hedges.WithLabelValues(domain, label)
		}
		p.checkTook = m.checkTook.WithLabelValues(domain)
		for kind := range checkKinds {
			p.checks[kind] = m.checks.WithLabelValues(domain, kind.String())
		}
	}
	return p
}

// finished counts one finished request. It takes no lock and no memory, but for the first of a method and code.
func (p *poolMetrics) finished(method methodIndex, status int, took time.Duration) {
	of := p.methods[method].Load()
	if of == nil {
		of = p.resolveMethod(method)
	}
	of.took.Observe(took.Seconds())
	if status < firstCode || status > lastCode {
		p.code(method, status).Inc()
		return
	}
	code := of.codes[status-firstCode].Load()
	if code == nil {
		code = &codeMetrics{p.code(method, status)}
		of.codes[status-firstCode].Store(code) // two that come here at once store the same series
	}
	code.Inc()
}

// resolveMethod finds the series of a method. The first of two that come here at once wins, so that no resolved code is lost.
func (p *poolMetrics) resolveMethod(method methodIndex) *methodMetrics {
	of := &methodMetrics{took: p.findDuration(method)}
	if p.methods[method].CompareAndSwap(nil, of) {
		return of
	}
	return p.methods[method].Load()
}

func (p *poolMetrics) code(method methodIndex, status int) prometheus.Counter {
	return p.find(p.all.requests, p.domain, p.subDomain, strconv.Itoa(status), methodLabels()[method])
}

func (p *poolMetrics) retry(why Failure) {
	p.find(p.all.retries, p.domain, why.String()).Inc()
}

func (p *poolMetrics) ejected(why offence) {
	p.find(p.all.ejections, p.domain, why.String()).Inc()
}

// checked counts a check.
func (p *poolMetrics) checked(r checkResult) {
	p.checks[r.kind].Inc()
	if r.kind == checkPassed {
		p.checkTook.Observe(r.took.Seconds())
	}
}

// outcome is what became of an attempt, as metrics count it: a place in outcomeLabels.
type outcome uint8

const (
	outcomeOK outcome = iota
	outcome4xx
	outcome5xx
	outcomeConnect
	outcomeReset
	outcomeTimeout
	outcomeBroken
	outcomeDown
	outcomeSlow
	outcomeOutrun
	outcomeClient
	outcomeCount
)

func outcomeLabels() [outcomeCount]string {
	return [outcomeCount]string{
		"ok", "4xx", "5xx",
		FailureConnect.String(), FailureReset.String(), FailureTimeout.String(), FailureBroken.String(), FailureDown.String(), FailureSlow.String(), FailureOutrun.String(), FailureClient.String(),
	}
}

func outcomeOf(r Result) outcome {
	switch r.Failure {
	case FailureConnect:
		return outcomeConnect
	case FailureReset:
		return outcomeReset
	case FailureTimeout:
		return outcomeTimeout
	case FailureBroken:
		return outcomeBroken
	case FailureDown:
		return outcomeDown
	case FailureSlow:
		return outcomeSlow
	case FailureOutrun:
		return outcomeOutrun
	case FailureClient:
		return outcomeClient
	case FailureNone:
	}
	switch {
	case r.Status >= 500:
		return outcome5xx
	case r.Status >= 400:
		return outcome4xx
	}
	return outcomeOK
}

// memberMetrics are the numbers of one member, resolved once.
type memberMetrics struct {
	outcomes [outcomeCount]prometheus.Counter
}

func (m *metrics) member(of Member) *memberMetrics {
	series := &memberMetrics{}
	for i, label := range outcomeLabels() {
		series.outcomes[i] = m.upstream.WithLabelValues(of.Domain, of.ID, label)
	}
	return series
}

// count counts one attempt.
func (m *memberMetrics) count(r Result) { m.outcomes[outcomeOf(r)].Inc() }
