package lb

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
	"github.com/regent-registry/regent/pkg/lb/h1"
)

func (p *Proxy) takeExchange() *exchange {
	x, _ := p.exchanges.Get().(*exchange)
	x.table = p.table.Load()
	return x
}

func (p *Proxy) freeExchange(x *exchange) {
	x.body.release()
	x.reset()
	p.exchanges.Put(x)
}

// serve is the whole way of a request: screen, route, pick, forward, retry, observe. HTTP/1 and HTTP/2 meet here.
func (p *Proxy) serve(x *exchange) {
	if enter(&p.running, int64(p.settings.Load().MaxInFlight)) {
		p.answer(x)
		p.running.Add(-1)
	} else {
		p.overflow(x)
	}
	p.observe(x)
}

// overflow refuses a request that is one too many for this process, before anything is done for it.
func (p *Proxy) overflow(x *exchange) {
	p.begin(x)
	x.host, x.pool, _ = x.from.lookup(x.table, x.req.Host())
	x.shed = shedInFlight
	p.turnAway(x)
}

// begin notes what is known of a request from the start.
func (p *Proxy) begin(x *exchange) {
	x.started = time.Now()
	x.method = methodName(x.req.Method())
	p.identify(x)
}

// answer has a request answered, by a member or by ourselves.
func (p *Proxy) answer(x *exchange) {
	p.begin(x)
	if no := p.screen(x); no != nil {
		p.refuse(x, no)
		return
	}
	if err := x.front.takeBody(); err != nil {
		x.result = Result{Failure: FailureClient, Err: err}
		p.refuse(x, x.refuseFailure())
		return
	}
	x.pool.budget.earn()
	p.forward(x)
}

// serveBroken answers a request that could not be read.
func (p *Proxy) serveBroken(x *exchange, err error) {
	x.started = time.Now()
	p.identify(x)
	x.result = Result{Failure: FailureClient, Err: err}
	p.refuse(x, malformed(err))
	p.observe(x)
}

// identify finds out whom the request is from, and gives it a name.
func (p *Proxy) identify(x *exchange) {
	settings := p.settings.Load()
	if x.from.settings != settings {
		x.from.use(settings)
	}
	x.asked = x.from.peer
	if x.from.trusted {
		x.asked = settings.trusted().origin(x.values(h1.XForwardedFor), x.from.peer)
	}
	x.nameRequest()
	x.nameTrace(settings.Trace)
}

// screen finds the pool, or the reason to refuse.
func (p *Proxy) screen(x *exchange) *refusal {
	if x.method == http.MethodConnect || x.method == http.MethodTrace {
		return &refusal{
			status: http.StatusMethodNotAllowed, allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
			detail: "The method " + x.method + " is not passed on.",
		}
	}
	if scheme := x.req.Scheme(); scheme != nil && !strings.EqualFold(string(scheme), x.from.scheme) {
		return &refusal{status: http.StatusMisdirectedRequest, detail: "The address in the request line is not served on this listener."}
	}
	host, pool, ok := x.from.lookup(x.table, x.req.Host())
	x.host = host
	switch {
	case !ok:
		return &refusal{status: http.StatusBadRequest, detail: "The Host header is missing or is no host name."}
	case x.from.splits():
		return p.screenTenant(x)
	case pool == nil:
		return &refusal{status: http.StatusNotFound, detail: "No service is configured for the host " + host + "."}
	}
	x.pool = pool
	return nil
}

// forward sends the request to members, one after the other, until one answers or no further attempt is
// allowed; then the answer is ours.
func (p *Proxy) forward(x *exchange) {
	choice := &x.choice
	choice.now = x.started.UnixNano()
	choice.key, choice.keyed = x.pool.requestKey(x)
	x.readSticky()
	started := x.started
	if x.body.size() > 0 {
		started = time.Now()
	}
	for {
		queued := x.queued
		target := x.choose()
		if target == nil && x.attempts == 0 {
			p.turnAway(x)
			return
		}
		if target == nil {
			x.stopped = x.stranded()
			break
		}
		if x.queued != queued {
			started = time.Now()
		}
		x.attempts++
		x.target = target
		x.waited = started.Sub(x.started)
		x.result = target.upstream.forward(x)
		if !x.result.Aside { // else it is judged when it is over
			p.judge(x, started)
			x.pool.line.look()
		}
		if x.result.Failure == FailureNone {
			return
		}
		x.sent = x.sent || x.result.sent()
		if x.stopped = x.stopReason(x.result); x.stopped != stopNone {
			break
		}
		x.pool.metrics.retry(x.result.Failure)
		choice.tried = append(choice.tried, target)
		started = time.Now()
		choice.now = started.UnixNano()
	}
	if x.aside != nil && p.comeBack(x) {
		return
	}
	switch {
	case x.result.Answered:
		x.front.abort() // the head is out: only a connection that breaks tells the client that the rest is missing
		return
	case x.stopped == stopBudget:
		x.pool.metrics.budgetEmpty.Inc()
	}
	p.refuse(x, x.refuseFailure())
}

// turnAway refuses a request that no member was asked for.
func (p *Proxy) turnAway(x *exchange) {
	no := &refusal{undone: true, status: http.StatusServiceUnavailable, retryAfter: 5}
	switch {
	case x.result.Failure == FailureClient: // it left the line
		no = x.refuseFailure()
	case x.shed == shedInFlight:
		no.retryAfter, no.detail = shedRetryAfter, "This load balancer carries as many requests as it may. Try again in a second."
	case x.shed != shedNone:
		no.retryAfter, no.detail = shedRetryAfter, "All members of "+x.pool.Domain+" have as many requests as they may. Try again in a second."
	default:
		x.pool.metrics.noMember.Inc()
		no.detail = noMember(x.pool)
	}
	p.refuse(x, no)
}

// shedRetryAfter is when a client that was refused for want of room may come again, in seconds.
const shedRetryAfter = 1

// judge draws the conclusions about the member from one attempt.
//
//go:noinline
func (p *Proxy) judge(x *exchange, started time.Time) {
	t := x.target
	t.load.end(x, started)
	t.metrics.count(x.result)
	t.traffic.count(x, started)
	offence, guilty := x.result.offence()
	switch {
	case !guilty && x.result.Failure == FailureNone:
		if t.health.good(started.UnixNano()) {
			p.log.Info("member recovered", "id", t.Member.ID, "name", t.Member.Name, "domain", t.Member.Domain, "sub_domain", t.Member.SubDomain)
		}
		return
	case !guilty:
		return
	case offence == offenceError:
		t.health.troubled(started.UnixNano())
	default:
		t.health.doubt()
	}
	if t.health.strike(offence, x.pool.health.limit(offence)) || t.health.probing(started.UnixNano()) {
		p.eject(x, offence, started)
	}
}

// eject gives the member of the last attempt a rest, if its pool can do without it.
func (p *Proxy) eject(x *exchange, why offence, started time.Time) {
	t, now := x.target, time.Now()
	eject := x.pool.ejectSuspected
	if why == offenceConnect {
		eject = x.pool.eject
	}
	if !eject(t, now.UnixNano(), started.UnixNano()) {
		return
	}
	t.load.forget() // it pays for the failure by its rest
	t.health.noted(why, x.result)
	x.pool.metrics.ejected(why)
	p.log.Warn("member ejected", "id", t.Member.ID, "name", t.Member.Name, "domain", t.Member.Domain,
		"for", time.Duration(t.health.until.Load()-now.UnixNano()).Round(time.Millisecond), "reason", why.String(), "status", x.result.Status, "error", x.result.Err)
	p.tellTrouble(t.Member)
}

// observe counts and logs the request when all is over.
//
//go:noinline
func (p *Proxy) observe(x *exchange) {
	status := x.status
	if status == 0 {
		status = statusClientGone
	}
	took := time.Since(x.started)
	m := p.metrics.other
	if x.pool != nil {
		m = x.pool.metrics
	}
	m.finished(methodOf(x.method), status, took)
	if x.shed != shedNone {
		m.shed[x.shed].Inc()
	}
	if len(x.tenant) > 0 {
		p.metrics.tenants.count(x.owner)
	}
	if result, ok := x.stickyResult(); ok {
		x.sticky.by.counts[result].Inc()
	}
	failed := x.result.Failure != FailureNone && x.result.Failure != FailureClient
	log := p.settings.Load().AccessLog
	if log == nil && !failed {
		return
	}
	if log == nil {
		p.logFailure(x, status, took)
		return
	}
	logRequest(log, x, status, took)
}

// logRequest writes the record of a request to the access log.
func logRequest(log *accesslog.Log, x *exchange, status int, took time.Duration) {
	r := accesslog.Record{
		Time: x.started, RequestID: x.id, TraceID: x.traceID, Client: x.asked, Method: x.req.Method(), Host: x.req.Host(), Path: x.path(),
		Proto: x.from.proto(x.req.Minor()), TLS: x.from.tls, Status: status, Bytes: x.out, BytesIn: x.body.size() + x.in,
		Attempts: x.attempts, Wait: x.waited, Connect: x.connected, FirstByte: x.firstByte, Total: took,
		Queue: x.queued, Shed: x.shed.String(), NoRetry: x.stopped, Error: x.result.Err,
	}
	if x.pool != nil {
		r.Service, r.Domain, r.SubDomain = x.pool.Service, x.pool.Domain, x.pool.SubDomain
	}
	if x.target != nil {
		r.Member = x.target.Member.Name
	}
	if result, ok := x.stickyResult(); ok {
		r.Affinity = stickyLabels()[result]
	}
	if x.result.Failure != FailureNone {
		r.Failure = x.result.Failure.String()
	}
	log.Add(&r)
}

// logFailure is the record of a failed request when there is no access log.
func (p *Proxy) logFailure(x *exchange, status int, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request_id", string(x.id)), slog.String("trace_id", string(x.traceID)), slog.String("client", x.asked.String()), slog.String("method", x.method),
		slog.String("host", x.host), slog.String("path", string(x.path())), slog.Int("status", status), slog.Duration("duration", took),
		slog.Int("attempts", x.attempts), slog.String("failure", x.result.Failure.String()), slog.String("no_retry", x.stopped), slog.Any("error", x.result.Err),
	}
	if x.pool != nil {
		attrs = append(attrs, slog.String("domain", x.pool.Domain), slog.String("sub_domain", x.pool.SubDomain))
	}
	if x.target != nil {
		attrs = append(attrs, slog.String("member", x.target.Member.Name))
	}
	p.log.LogAttrs(context.Background(), slog.LevelWarn, "request failed", attrs...)
}

func noMember(p *Pool) string {
	return "No member of " + p.Domain + " is there to answer. Try again in a few seconds."
}

// isShortage reports whether a connection failed for want of something on our own side, which says nothing
// about the member.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENOBUFS)
}

// isTimeout reports whether err says that something took too long.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// methodName gives a method as a string, without a copy for the usual ones.
func methodName(m []byte) string {
	switch string(m) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodOptions:
		return http.MethodOptions
	}
	return string(m)
}
