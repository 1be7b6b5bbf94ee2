package lb

import (
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// Hedging: an attempt that is slow goes on beside the next one, and the first of the two that begins an answer wins. The attempt that is set aside waits in a goroutine of
// its own, so that its answer is an event and costs others nothing; the request's goroutine goes on with the next member as after any slow attempt. At most one
// attempt of a request is set aside, so two members work on it at most.

// aside is an attempt that goes on beside the next ones. It keeps its place at its member until it is over, and is judged then.
type aside struct {
	try    attempt
	target *Target

	// What the exchange said of the attempt.
	waited, connected time.Duration

	answered atomic.Bool               // its answer has begun
	beside   atomic.Pointer[wire.Conn] // where the attempt beside it waits

	done chan struct{} // closed when the wait is over, as follows
	n    int           // bytes of the answer, in try.in
	err  error         // if there are none
	at   time.Time
}

// The results of hedging, by whose answer the client got.
const (
	hedgeWon     = iota // that of a later attempt
	hedgeLost           // that of the attempt which was set aside
	hedgeNone           // neither
	hedgeResults = iota
)

func hedgeLabels() [hedgeResults]string { return [...]string{"won", "lost", "none"} }

var errOutrun = errors.New("another member began its answer first")

// hedges reports whether the attempt may go on beside the next one. One that asks for another protocol may not: it would be the start of two conversations.
func (x *exchange) hedges() bool {
	return x.pool.retry.Hedge && x.aside == nil && (x.method == http.MethodGet || x.method == http.MethodHead) &&
		!x.body.streamed && x.body.kept.len() == 0 && !x.upgrade()
}

// setAside has an attempt that was given up as slow go on beside the next one, if it may. Nothing of it belongs to the caller any more then.
//
//go:noinline
func (a *attempt) setAside() bool {
	x := a.x
	if !x.hedges() || a.in != nil {
		return false
	}
	a.link.GiveUpIf(nil)
	a.link.Revive()
	a.link.ReadBy(max(a.p.timeouts().ResponseHeader-x.pool.retry.TryTimeout, time.Millisecond))
	h := &aside{try: *a, target: x.target, waited: x.waited, connected: x.connected, done: make(chan struct{})}
	front, health, patience, sent := x.front, x.target.health, x.pool.health.patience(), x.started.Add(x.waited)
	a.link.GiveUpIf(func() bool {
		if time.Since(sent) > patience {
			health.doubt()
		}
		return health.dead() || front.gone() != nil
	})
	x.aside = h
	go h.wait()
	return true
}

// wait waits for the beginning of the answer. It leaves the exchange alone, which the request's goroutine works with.
func (h *aside) wait() {
	defer close(h.done)
	h.n, h.err = h.try.link.ReadLazy(&h.try)
	h.at = time.Now()
	if h.n == 0 {
		return
	}
	h.answered.Store(true)
	if link := h.beside.Load(); link != nil {
		link.Reconsider() // it may serve another request by now, to which the question does no harm
	}
}

// answers reports whether the answer has begun.
func (h *aside) answers() bool { return h != nil && h.answered.Load() }

// beats is told where the attempt beside it is about to wait, and reports whether that is in vain already.
//
//go:noinline
func (h *aside) beats(link *wire.Conn) bool {
	h.beside.Store(link) // before looking: see wait
	return h.answered.Load()
}

// chooseBeside is choose for an attempt beside another one. It waits for no place: it has a chance of an answer as it is, and leaves places to those who have none.
func (x *exchange) chooseBeside() *Target {
	if x.aside.answers() || x.pool.line.waiting.Load() > 0 {
		return nil
	}
	x.loyal = false
	return x.seize()
}

// dialBeside is dial while an attempt goes on. Its answer ends the wait for the connection, which is kept for other requests when it comes.
//
//go:noinline
func (u *upstream) dialBeside(e *endpoint, h *aside) (*wire.Conn, error) {
	type dialed struct {
		conn *wire.Conn
		err  error
	}
	got, left := make(chan dialed), make(chan struct{})
	defer close(left)
	go func() {
		conn, err := u.connect(e)
		select {
		case got <- dialed{conn, err}:
		case <-left:
			if err == nil {
				u.keep(e, conn)
			}
		}
	}()
	select {
	case d := <-got:
		return d.conn, d.err
	case <-h.done:
	}
	if h.answers() {
		return nil, errOutrun
	}
	d := <-got
	return d.conn, d.err
}

// notConnected is the result of an attempt that got no connection.
//
//go:noinline
func notConnected(err error) Result {
	if errors.Is(err, errOutrun) {
		return Result{Failure: FailureOutrun, Unsent: true, Err: err}
	}
	return Result{Failure: FailureConnect, Err: err}
}

// justInTime takes an answer that begins at the very moment when its attempt would be set aside. A moment later it would be the first one, too.
//
//go:noinline
func (a *attempt) justInTime() bool {
	if !a.x.hedges() || !a.x.awaits.CompareAndSwap(waitSlow, waitNone) {
		return false
	}
	a.goOn()
	return true
}

// goOn takes back that reading was stopped.
func (a *attempt) goOn() {
	a.link.Revive()
	a.link.ReadBy(a.p.timeouts().ResponseHeader)
}

// win ends the attempt that was set aside, since this one has the head of an answer.
//
//go:noinline
func (a *attempt) win() {
	x := a.x
	a.link.GiveUpIf(nil) // the watch must not look at the exchange meanwhile
	x.pool.metrics.hedges[hedgeWon].Inc()
	a.p.giveUpAside(x, Result{Failure: FailureSlow, Err: errSlowTry})
	a.link.GiveUpIf(x.lost)
}

// giveUpAside ends the attempt that was set aside, and draws the conclusions about its member from r. An attempt that had failed by itself is as bad as a slow one.
func (p *Proxy) giveUpAside(x *exchange, r Result) {
	h := x.aside
	x.aside = nil
	h.try.link.GiveUpIf(nil)
	_ = h.try.link.Close() // this ends the wait, too
	<-h.done
	if h.try.in != nil {
		h.try.Return()
	}
	target, result := x.target, x.result
	x.target, x.result = h.target, r
	p.judge(x, h.started(x))
	x.target, x.result = target, result
	x.pool.line.look()
}

// started is when the attempt began.
func (h *aside) started(x *exchange) time.Time { return x.started.Add(h.waited) }

// comeBack waits for the answer of the attempt that was set aside, when it has begun or nothing else is left, and passes it on. It reports whether that went well;
// else it is as if this attempt had been the last one.
//
//go:noinline
func (p *Proxy) comeBack(x *exchange) bool {
	if x.result.Failure == FailureClient {
		x.pool.metrics.hedges[hedgeNone].Inc()
		p.giveUpAside(x, x.result)
		return false
	}
	h := x.aside
	<-h.done
	h.try.link.GiveUpIf(nil)
	a := &x.try
	*a = h.try
	x.aside, x.target, x.waited, x.connected = nil, h.target, h.waited, h.connected
	x.result = a.resume(h)
	a.finish()
	p.judge(x, h.started(x))
	x.pool.line.look()
	if x.result.Failure == FailureNone {
		x.pool.metrics.hedges[hedgeLost].Inc()
		x.stopped = stopNone
		return true
	}
	x.pool.metrics.hedges[hedgeNone].Inc()
	x.sent = x.sent || x.result.sent()
	if x.result.Answered {
		x.stopped = stopAnswered
	}
	return false
}

// resume goes on where run was when the attempt was set aside.
func (a *attempt) resume(h *aside) Result {
	x := a.x
	x.awaits.Store(waitNone)
	switch {
	case h.n > 0:
		a.goOn() // the wait may have been ended just when it was over
	case errors.Is(h.err, os.ErrDeadlineExceeded) && h.target.health.dead():
		x.awaits.Store(waitOver)
	}
	a.link.GiveUpIf(x.lost)
	a.readErr = a.received(h.n, h.err)
	if h.n > 0 {
		x.firstByte = h.at.Sub(x.started)
	}
	if err := a.head(); err != nil {
		return a.failed(err, nil)
	}
	return a.relay()
}
