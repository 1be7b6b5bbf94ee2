package lb

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// attempt is one try to have a member answer a request.
type attempt struct {
	x    *exchange
	p    *Proxy
	up   *upstream
	to   *endpoint
	link *wire.Conn

	reused  bool
	due     int64 // of the watch's clock: when the first byte of the answer is late; 0, or beyond what the clock can count, = never
	mark    int64 // link.Written before the request
	in      *buffer
	r, w    int     // in.mem[r:w] was read and not used
	out     *buffer // what is being sent
	stale   bool    // nothing was sent: the link had ended before
	readErr error   // of waiting for the beginning of the answer
	begun   bool    // the answer's head went to the client
	heard   bool    // a byte of the answer came
	upload  *upload
	clean   bool // the link can carry another request
	spoilt  bool // whatever happens, it cannot
}

// Causes of failures that no call reports.
var (
	errUnaskedUpgrade = errors.New("the member switched protocols unasked")
	errShortAnswer    = errors.New("the member's answer ended early")
	errTooManyInterim = errors.New("the member sent too many interim answers")
	errMemberDown     = errors.New("the member was found to be down while the request waited for it")
	errSlowTry        = errors.New("the member did not begin its answer in the time of an attempt")
	errHeadFull       = errors.New("the head of the member's answer is too large")
)

// interimMost bounds the 1xx answers to one request.
const interimMost = 16

// forward sends the request to the member once, whatever its headers say, and passes the answer on. Unless the result says Answered,
// nothing but interim answers went to the client, and the caller may try again or answer by itself.
func (u *upstream) forward(x *exchange) Result {
	to := u.endpoint(x.from.scheme, x.from.port)
	fresh := x.body.streamed
	for {
		a := &x.try
		*a = attempt{x: x, p: u.proxy, up: u, to: to}
		if !fresh {
			a.link = to.take()
			a.reused = a.link != nil
		}
		if a.link == nil {
			started := time.Now()
			var err error
			a.link, err = u.dial(to, x.aside)
			x.connected = time.Since(started)
			if err != nil {
				return notConnected(err)
			}
		}
		a.mark = a.link.Written()
		result := a.run()
		if result.Failure == FailureSlow && a.setAside() {
			result.Aside = true
			return result
		}
		a.finish()
		if result.Kept && !a.stale {
			to.drop() // they are as old: a member that restarted knows none of them
		}
		switch {
		case !result.Kept || !result.Unsent:
			return result
		case !a.stale:
			fresh = true
		}
		// A kept connection had just ended, and nobody can have acted on the request: it is as if it had not been tried.
	}
}

// finish gives back what the attempt holds.
func (a *attempt) finish() {
	if a.upload != nil {
		a.clean = a.upload.stop(a) && a.clean
	}
	a.link.ReadBy(0)
	if a.link.GiveUpIf(nil) {
		a.spoilt = true // a time-out that came too late to be felt would meet the next request
	}
	clean := a.clean && !a.spoilt && a.r == a.w
	if a.in != nil {
		a.in.free() // before any lock: those who wait for it must not hold big buffers
		a.in = nil
	}
	if clean {
		a.up.keep(a.to, a.link)
	} else {
		_ = a.link.Close() // what mattered about it is in the result
	}
}

// run sends, waits for the answer's head, and passes the answer on.
func (a *attempt) run() Result {
	a.x.await()
	if most := a.x.pool.retry.TryTimeout; most > 0 {
		a.due = a.p.watch.Due(most)
	}
	a.link.GiveUpIf(a.x.lost)
	if a.x.aside != nil && a.x.aside.beats(a.link) {
		a.clean = true // nothing was sent
		return Result{Failure: FailureOutrun, Unsent: true, Err: errOutrun}
	}
	sendErr := a.send()
	var err error
	if sendErr != nil && !a.stale {
		a.spoilt = true
		// A member that refuses a request may answer and hang up while it is still on its way. The answer is there then.
		a.link.ReadBy(lastWords)
	}
	if !a.stale {
		err = a.head()
	}
	switch {
	case a.stale:
		return Result{Failure: FailureReset, Kept: a.reused, Unsent: true, Err: sendErr}
	case err != nil:
		return a.failed(err, sendErr)
	case a.x.aside != nil:
		a.win()
	}
	return a.relay()
}

// firstMost is how much of an answer is read at first: more would be copied in vain where the rest is spliced.
const firstMost = 16 << 10

// lastWords is how long an answer may take to be read after writing failed.
const lastWords = 200 * time.Millisecond

// failed is the result of an attempt that brought no answer's head.
//
//go:noinline
func (a *attempt) failed(err, sendErr error) Result {
	var client *clientError
	if errors.As(err, &client) {
		return Result{Failure: FailureClient, Err: client.error}
	}
	r := Result{Err: err}
	if sendErr != nil {
		r.Err = sendErr
	}
	switch uploadErr := a.x.body.err(); {
	case uploadErr != nil:
		r.Failure, r.Err = FailureClient, uploadErr
	case a.x.front.gone() != nil:
		r.Failure, r.Err = FailureClient, a.x.front.gone()
	case a.x.awaits.Load() == waitOver:
		r.Failure, r.Err = FailureDown, errMemberDown
	case a.x.awaits.Load() == waitSlow:
		r.Failure, r.Err = FailureSlow, errSlowTry
	case a.x.awaits.Load() == waitBack:
		r.Failure, r.Err = FailureOutrun, errOutrun
	case a.heard && !errors.Is(err, os.ErrDeadlineExceeded):
		r.Failure, r.Err = FailureBroken, err
	case errors.Is(r.Err, os.ErrDeadlineExceeded):
		r.Failure = FailureTimeout
	default:
		r.Failure = FailureReset
		r.Kept = a.reused
	}
	r.Unsent = !a.heard && (a.link.Written() == a.mark || a.link.Unheard(a.mark))
	return r
}

// clientError marks an error as the client's.
type clientError struct{ error }

// send writes the request's head, and with it a body that is kept; then it waits for the beginning of the answer. A streamed body is
// another goroutine's.
func (a *attempt) send() error {
	x := a.x
	content := x.body.kept
	x.prepareForwarding()
	a.out = a.p.buffers.takeFor(x.headSize + content.len() + forwardingRoom)
	defer a.Sent()
	head := x.appendRequestHead(a.out.mem[:0])
	switch {
	case x.body.streamed:
		if err := a.write(head); err != nil {
			return err
		}
		a.upload = newUpload(a)
		go a.upload.run()
		return nil
	case content.len() == 0:
		return a.ask(head)
	case content.len() <= copyMost:
		return a.ask(append(head, content.bytes()...))
	case x.body.memory != nil && len(head) <= content.from:
		from := content.from - len(head)
		copy(content.mem[from:], head)
		return a.ask(content.mem[from:content.to])
	}
	if !a.link.Alive() {
		a.stale = true
		return wire.ErrStale
	}
	if err := a.write(head); err != nil {
		return err
	}
	err := a.write(content.bytes())
	a.link.ReadBy(a.p.timeouts().ResponseHeader)
	return err
}

// ask writes a request that is all there, and waits for the beginning of the answer. The error is that of writing.
func (a *attempt) ask(p []byte) error {
	a.link.WriteBy(a.p.timeouts().Body)
	a.link.ReadBy(a.p.timeouts().ResponseHeader)
	n, wrote, err := a.link.Ask(p, a)
	a.link.WriteBy(0)
	if wrote < len(p) {
		a.stale = errors.Is(err, wire.ErrStale)
		return err
	}
	a.readErr = a.received(n, err)
	return nil
}

// Sent implements wire.Asker.
func (a *attempt) Sent() {
	if a.out != nil {
		a.out.free()
		a.out = nil
	}
}

// copyMost is how much of a body is rather copied behind a head than sent by a write of its own. forwardingRoom is how
// much longer than the client's head the member's usually is at most.
const (
	copyMost       = 16 << 10
	forwardingRoom = 512
)

func (a *attempt) write(p []byte) error {
	a.link.WriteBy(a.p.timeouts().Body)
	_, err := a.link.Write(p)
	a.link.WriteBy(0)
	return err
}

// Lend implements wire.Lender.
func (a *attempt) Lend() []byte {
	a.in = a.p.buffers.takeBig()
	a.r, a.w = headRoom, headRoom
	if a.begun {
		return a.in.mem[headRoom : headRoom+keepMost]
	}
	return a.in.mem[headRoom : headRoom+firstMost]
}

// Return implements wire.Lender.
func (a *attempt) Return() {
	a.in.free()
	a.in = nil
}

// head reads the head of the final answer, and passes interim ones on. No buffer is held while the member thinks.
//
//go:noinline
func (a *attempt) head() error {
	res := &a.x.res
	res.Reset()
	a.x.tail.Reset()
	if a.readErr != nil {
		return a.readErr
	}
	for interims := 0; ; {
		if a.r < a.w {
			n, err := res.Parse(a.in.mem[a.r:a.w])
			switch {
			case err != nil:
				return err
			case n > 0 && res.Status() >= 200, n > 0 && res.Status() == http.StatusSwitchingProtocols:
				a.r += n
				return nil
			case n > 0:
				if interims++; interims > interimMost {
					return errTooManyInterim
				}
				if err := a.interim(res); err != nil {
					return err
				}
				a.r += n
				res.Reset()
				continue
			}
		}
		if err := a.receive(); err != nil {
			return err
		}
	}
}

// receive reads more of the answer's head.
func (a *attempt) receive() error {
	var n int
	var err error
	if a.in == nil {
		n, err = a.link.ReadLazy(a)
		return a.received(n, err)
	}
	if err := a.room(); err != nil {
		return err
	}
	n, err = a.link.Read(a.in.mem[a.w:bigEnd])
	return a.received(n, err)
}

// received notes the n bytes of the answer's head that came.
func (a *attempt) received(n int, err error) error {
	if n > 0 {
		if !a.heard && !a.x.begins() && !a.justInTime() {
			return errMemberDown // it is late: the request goes to another one already
		}
		a.w += n
		if !a.heard {
			a.heard = true
			a.x.firstByte = time.Since(a.x.started)
		}
		return nil
	}
	if errors.Is(err, io.EOF) && a.heard {
		err = errShortAnswer
	}
	return err
}

// room makes space behind the bytes of a head that is not complete.
func (a *attempt) room() error {
	switch {
	case a.w < bigEnd:
	case a.r > headRoom:
		a.w = headRoom + copy(a.in.mem[headRoom:], a.in.mem[a.r:a.w])
		a.r = headRoom
	default:
		return errHeadFull // the parser says so before
	}
	return nil
}

// interim passes an interim answer on. "100 Continue" releases the body, and means something to a client only that waits for it.
func (a *attempt) interim(res *h1.Response) error {
	var err error
	switch {
	case res.Status() == http.StatusContinue && a.upload != nil:
		a.upload.release()
	case res.Status() == http.StatusContinue:
	case a.upload != nil:
		err = a.upload.interim(res)
	default:
		err = a.x.front.interim(res)
	}
	if err != nil {
		return &clientError{err}
	}
	return nil
}
