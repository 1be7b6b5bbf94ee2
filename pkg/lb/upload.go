package lb

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// upload carries a streamed body to the member, in a goroutine of its own, so that the member may answer
// before the body ends.
type upload struct {
	a       *attempt
	done    chan struct{}
	free    chan struct{} // closed when a client that waits may send its body
	freeing sync.Once
	piped   bool // splicing was tried
	whole   bool // all of the body, and its end, went to the member; read after done

	turn     sync.Mutex // who writes to the client, until the answer begins
	answered bool       // the answer has begun: nothing else may be written
}

// continueWait is how long a client's body is held back for the member's "100 Continue". Some servers never send it.
const continueWait = time.Second

func newUpload(a *attempt) *upload {
	u := &upload{a: a, done: make(chan struct{}), free: make(chan struct{})}
	if !a.x.body.waiting {
		u.release()
	}
	return u
}

// release lets the body come.
func (u *upload) release() { u.freeing.Do(func() { close(u.free) }) }

// stop ends the upload, and reports whether the member got all of it. A body that is still to come is not waited for.
func (u *upload) stop(a *attempt) bool {
	select {
	case <-u.done:
	default:
		u.answer() // a client that still waits for permission gets none
		if a.x.body.touched.Load() && !a.x.body.ended.Load() {
			a.x.front.stopReading()
		}
		_ = a.link.Close() // a link with half a request is of no use
		u.release()
		<-u.done
	}
	return u.whole
}

func (u *upload) run() {
	defer close(u.done)
	if u.a.x.body.waiting && !u.permit() {
		return
	}
	err := u.copy()
	u.whole = err == nil && u.a.x.body.ended.Load()
	u.turn.Lock()
	defer u.turn.Unlock()
	switch {
	case u.answered:
	case err == nil:
		u.a.link.ReadBy(u.a.p.timeouts().ResponseHeader) // from the end of the request
	default:
		u.a.link.ReadBy(lastWords) // the member refused the rest: it may have said why
	}
}

// interim passes an interim answer on, in turn with permit.
func (u *upload) interim(res *h1.Response) error {
	u.turn.Lock()
	defer u.turn.Unlock()
	return u.a.x.front.interim(res)
}

// answer is called before the final answer begins.
func (u *upload) answer() {
	u.turn.Lock()
	u.answered = true
	u.turn.Unlock()
}

// permit asks the client for its body as soon as the member does, or has been silent about it for too long.
func (u *upload) permit() bool {
	late := time.NewTimer(continueWait)
	defer late.Stop()
	select {
	case <-u.free:
	case <-late.C:
	}
	u.turn.Lock()
	defer u.turn.Unlock()
	if u.answered {
		return false
	}
	u.a.x.body.touched.Store(true)
	if err := u.a.x.front.carryOn(); err != nil {
		u.a.x.body.note(err)
		u.giveUp()
		return false
	}
	return true
}

// copy moves the body. Errors of the client are noted in the body.
func (u *upload) copy() error {
	x, p := u.a.x, u.a.p
	chunked := x.body.length < 0
	spliced, err := u.trySplice(x.body.length)
	if spliced {
		return err
	}
	big := p.buffers.takeBig()
	defer big.free()
	for left := x.body.length; left != 0; {
		if spliced, err := u.trySplice(left); spliced { // what had come with the head is passed on now
			return err
		}
		room := big.mem[headRoom : headRoom+keepMost]
		if !chunked {
			room = room[:min(left, keepMost)]
		}
		n, err := x.body.read(x.front, room)
		if n > 0 {
			if !chunked {
				left -= int64(n)
			}
			if left == 0 {
				x.body.ended.Store(true) // before the member can answer, so that the client's connection is kept
			}
			if err := u.write(piece{big.mem, headRoom, headRoom + n}, chunked); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			u.giveUp()
			return err
		}
	}
	x.body.ended.Store(true)
	if !chunked {
		return nil
	}
	return u.a.write(h1.AppendLastChunk(big.mem[:0], x.front.trailers()))
}

func (u *upload) write(p piece, chunked bool) error {
	if chunked {
		p.from, p.to = h1.FrameChunk(p.mem, p.from, p.to)
	}
	return u.a.write(p.bytes())
}

// trySplice moves the rest of a body of known length, if it is long and can be spliced.
func (u *upload) trySplice(left int64) (spliced bool, err error) {
	from := u.a.x.front.source()
	if u.piped || from == nil || left <= spliceLeast || !wire.CanSplice(u.a.link, from) {
		return false, nil
	}
	u.piped = true
	err = u.splice(from, left)
	return !errors.Is(err, errNoPipe), err
}

// splice moves the rest of a body of known length.
func (u *upload) splice(from *wire.Conn, left int64) error {
	x := u.a.x
	x.body.touched.Store(true)
	from.ReadBy(u.a.p.timeouts().Body)
	u.a.link.WriteBy(u.a.p.timeouts().Body)
	moved, err := u.a.p.pipes.Splice(u.a.link, from, left)
	from.ReadBy(0)
	u.a.link.WriteBy(0)
	x.body.count.Add(moved)
	var side *wire.SideError
	switch {
	case err == nil:
		x.body.ended.Store(true)
	case errors.As(err, &side) && !side.Write:
		x.body.note(side.Err)
		u.giveUp()
	case side == nil:
		return errNoPipe
	}
	return err
}

// errNoPipe says that nothing could be spliced, for want of descriptors.
var errNoPipe = errors.New("no pipe")

// giveUp ends the wait for an answer to a body that will never be whole.
func (u *upload) giveUp() { u.a.link.Interrupt() }
