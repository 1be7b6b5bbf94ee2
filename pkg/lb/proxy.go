package lb

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Proxy is the handler of the client listeners. It may serve several listeners at once.
type Proxy struct {
	table    atomic.Pointer[Table]
	engine   Engine
	timeouts Timeouts
	trusted  trustedProxies
	public   publicPorts
	access   bool
	log      *slog.Logger
	metrics  *metrics

	mu      sync.Mutex            // guards what follows; never taken by a request
	targets map[targetKey]*Target // what is kept from table to table
	pools   map[poolKey]poolState // likewise
}

// targetKey names a member in a pool: one process may be a member of several domains.
type targetKey struct {
	pool poolKey
	id   string
}

// poolState is what a pool keeps when its members change.
type poolState struct {
	balancer Balancer
	budget   *retryBudget
	metrics  *poolMetrics
	ejecting *sync.Mutex
}

// Config is what a Proxy needs. Routes is required.
type Config struct {
	Routes   *Routes
	Timeouts Timeouts
	// Roots verify the certificates of members; nil = those of the system.
	Roots *x509.CertPool
	// TrustedProxies are the networks whose forwarding headers are believed; none by default.
	TrustedProxies []netip.Prefix
	// HTTPPort and HTTPSPort are our ports as clients know them, for Location headers; 0 = unknown.
	HTTPPort, HTTPSPort int
	AccessLog           bool                  // one log record for every request
	Engine              Engine                // nil = net/http
	Logger              *slog.Logger          // nil = no log
	Registerer          prometheus.Registerer // nil = metrics are kept to ourselves
}

// New makes a Proxy with a table that holds the static members. It fails if metrics of the same names are
// registered already.
func New(c Config) (*Proxy, error) {
	p := &Proxy{
		engine:   c.Engine,
		timeouts: c.Timeouts.withDefaults(),
		trusted:  c.TrustedProxies,
		public:   publicPorts{http: c.HTTPPort, https: c.HTTPSPort},
		access:   c.AccessLog,
		log:      c.Logger,
		targets:  map[targetKey]*Target{},
		pools:    map[poolKey]poolState{},
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.engine == nil {
		p.engine = newHTTPEngine(p.timeouts, c.Roots)
	}
	var err error
	if p.metrics, err = newMetrics(c.Registerer, &p.table); err != nil {
		return nil, err
	}
	p.Use(NewTable(c.Routes, nil))
	return p, nil
}

// Use puts a table in use. Members and pools that were in the last one keep what was learnt about them;
// connections to members that are draining, gone, or at another address are closed as soon as they are
// idle, and the metrics of those that are gone are removed. Requests that are running finish with the table
// they began with.
func (p *Proxy) Use(t *Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := make(map[targetKey]*Target, len(p.targets))
	for _, pool := range t.pools {
		p.attachPool(pool)
		for _, target := range slices.Concat(pool.active, pool.draining) {
			key := targetKey{pool.key(), target.Member.ID}
			p.attach(target, p.targets[key])
			current[key] = target
		}
	}
	p.table.Store(t)
	for key, target := range current {
		if target.Member.Draining && p.targets[key] != nil {
			target.forwarder.CloseIdle()
		}
	}
	for key, target := range p.targets {
		next := current[key]
		if next == nil || next.health != target.health { // gone, or moved
			target.forwarder.CloseIdle()
		}
		if next == nil {
			p.metrics.forget(target.Member)
		}
	}
	p.targets = current
}

func (p *Proxy) attachPool(pool *Pool) {
	state, known := p.pools[pool.key()]
	if !known {
		state = poolState{balancer: &roundRobin{}, budget: newRetryBudget(time.Now()), metrics: p.metrics.pool(pool.Domain, pool.SubDomain), ejecting: &sync.Mutex{}}
		p.pools[pool.key()] = state
	}
	pool.balancer, pool.budget, pool.metrics, pool.ejecting = state.balancer, state.budget, state.metrics, state.ejecting
}

// attach gives a target what its predecessor in the last table, if any, has learnt. What was learnt of
// other addresses does not count.
func (p *Proxy) attach(target, old *Target) {
	m := target.Member
	if old != nil {
		target.metrics = old.metrics
	} else {
		target.metrics = p.metrics.member(m)
	}
	if old != nil && m.sameEndpoints(&old.Member) {
		target.health, target.forwarder = old.health, old.forwarder
	} else {
		target.health, target.forwarder = &health{}, p.engine.Forwarder(m)
	}
}

// ServeHTTP is the whole way of a request: screen, route, pick, forward, retry, observe.
func (p *Proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	x := p.newExchange(r)
	w := newAnswerWriter(rw, r, p.timeouts)
	p.metrics.inFlight.Inc()
	defer func() {
		p.metrics.inFlight.Dec()
		w.finish(x.Body)
		p.observe(x, w)
	}()
	if no := p.screen(x); no != nil {
		no.write(w, x)
		return
	}
	body, err := newBody(w, r, p.timeouts.Body)
	if err != nil {
		x.result = Result{Failure: FailureClient, Err: err}
		x.refuseFailure().write(w, x)
		return
	}
	x.Body = body
	x.pool.budget.earn()
	p.forward(w, x)
}

// screen finds the pool, or the reason to refuse.
func (p *Proxy) screen(x *Exchange) *refusal {
	r := x.Request
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return &refusal{
			status: http.StatusMethodNotAllowed, allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
			detail: "The method " + r.Method + " is not passed on.",
		}
	}
	if scheme := strings.ToLower(r.URL.Scheme); scheme != "" && scheme != x.Scheme {
		return &refusal{status: http.StatusMisdirectedRequest, detail: "The address in the request line is not served on this listener."}
	}
	pool, ok := x.table.Lookup(r.Host)
	switch {
	case !ok:
		return &refusal{status: http.StatusBadRequest, detail: "The Host header is missing or is no host name."}
	case pool == nil:
		return &refusal{status: http.StatusNotFound, detail: "No service is configured for the host " + r.Host + "."}
	}
	x.pool = pool
	return nil
}

// forward sends the request to members, one after the other, until one answers or no further attempt is
// allowed; then the answer is ours.
func (p *Proxy) forward(w *answerWriter, x *Exchange) {
	choice := Selection{now: x.started.UnixNano()}
	for {
		target := x.pool.pick(&choice)
		if target == nil && x.result.Kept {
			target = x.target // nobody else is left, and what failed was perhaps only an old connection
		}
		if target == nil && x.attempts == 0 {
			x.pool.metrics.noMember.Inc()
			no := refusal{status: http.StatusServiceUnavailable, retryAfter: 5, detail: "No member of " + x.pool.Domain + " is there to answer. Try again in a few seconds."}
			no.write(w, x)
			return
		}
		if target == nil {
			x.stopped = stopNobodyLeft
			break
		}
		x.attempts++
		x.target = target
		started := time.Now()
		w.reset()
		x.result = target.forwarder.Forward(w, x)
		p.judge(x, started)
		if x.result.Failure == FailureNone {
			return
		}
		x.sent = x.sent || x.result.sent()
		if x.stopped = x.stopReason(x.result); x.stopped != stopNone {
			break
		}
		x.pool.metrics.retry(x.result.Failure)
		choice.tried = append(choice.tried, target)
		choice.now = time.Now().UnixNano()
	}
	switch {
	case x.result.Answered:
		// The head is out: only a connection that breaks tells the client that the rest is missing.
		panic(http.ErrAbortHandler)
	case x.stopped == stopBudget:
		x.pool.metrics.budgetEmpty.Inc()
	}
	x.refuseFailure().write(w, x)
}

// judge draws the conclusions about the member from one attempt.
func (p *Proxy) judge(x *Exchange, started time.Time) {
	t := x.target
	t.metrics.count(x.result)
	now := time.Now()
	eject := false
	switch x.result.Failure {
	case FailureNone:
		t.health.good(started.UnixNano())
	case FailureConnect:
		eject = !isShortage(x.result.Err)
	case FailureReset, FailureBroken:
		eject = t.health.brokeOff()
	case FailureTimeout, FailureClient:
	}
	if eject && x.pool.eject(t, now.UnixNano(), started.UnixNano()) {
		x.pool.metrics.ejected(x.result.Failure)
		p.log.Warn("member ejected", "id", t.Member.ID, "name", t.Member.Name, "domain", t.Member.Domain,
			"for", time.Duration(t.health.until.Load()-now.UnixNano()).Round(time.Millisecond), "reason", x.result.Failure.String(), "error", x.result.Err)
	}
}

// observe counts and logs the request when all is over.
func (p *Proxy) observe(x *Exchange, w *answerWriter) {
	status := w.status
	if status == 0 {
		status = statusClientGone
	}
	took := time.Since(x.started)
	m := p.metrics.other
	if x.pool != nil {
		m = x.pool.metrics
	}
	m.request(x.Request.Method, status, took)
	ctx := context.WithoutCancel(x.Request.Context())
	switch failed := x.result.Failure != FailureNone && x.result.Failure != FailureClient; {
	case failed && p.log.Enabled(ctx, slog.LevelWarn):
		p.log.LogAttrs(ctx, slog.LevelWarn, "request failed", x.record(status, w.written, took)...)
	case !failed && p.access && p.log.Enabled(ctx, slog.LevelInfo):
		p.log.LogAttrs(ctx, slog.LevelInfo, "request", x.record(status, w.written, took)...)
	}
}

// isShortage reports whether a connection failed for want of something on our own side, which says nothing
// about the member.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENOBUFS)
}

// isTimeout reports whether err says that something took too long.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
