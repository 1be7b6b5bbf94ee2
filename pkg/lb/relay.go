package lb

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// spliceLeast is the size from which content is moved by splice: for less, copying costs no more.
const spliceLeast = 128 << 10

// relay passes the final answer on, whose head is in x.res and whose content begins at in.mem[r:w].
//
//go:noinline
func (a *attempt) relay() Result {
	x, res := a.x, &a.x.res
	if a.upload != nil {
		a.upload.answer()
	}
	if res.Status() == http.StatusSwitchingProtocols {
		return a.switchProtocols()
	}
	a.link.ReadBy(0)
	reply := &x.reply
	*reply = answer{head: res, x: x, length: res.Length(), room: a.in.mem[:headRoom:headRoom]}
	a.clean = !res.Close()
	switch {
	case x.method == http.MethodHead || res.Status() == http.StatusNotModified || res.Status() == http.StatusNoContent:
		reply.length, reply.empty, reply.whole = res.DeclaredLength(), true, true
		return a.result(a.begin(reply), nil)
	case reply.length >= 0 && reply.length <= keepMost:
		return a.relayWhole(reply)
	case reply.length >= 0:
		return a.relayLong(reply)
	case reply.length == h1.Chunked:
		reply.length = -1
		return a.relayChunked(reply)
	}
	reply.length = -1
	a.clean = false
	return a.relayUntilClose(reply)
}

// begin sends the answer's head.
func (a *attempt) begin(reply *answer) error {
	a.x.status = reply.head.Status()
	a.x.out += int64(reply.first.len())
	a.begun = true
	return a.x.front.begin(reply)
}

// result tells what became of an answer: clientErr came from the client, memberErr from the member.
func (a *attempt) result(clientErr, memberErr error) Result {
	r := Result{Status: a.x.res.Status(), Answered: a.x.status != 0}
	switch uploadErr := a.x.body.err(); {
	case clientErr != nil:
		r.Failure, r.Err = FailureClient, clientErr
	case memberErr == nil:
		return r
	case uploadErr != nil:
		r.Failure, r.Err = FailureClient, uploadErr
	case a.x.front.gone() != nil:
		r.Failure, r.Err = FailureClient, a.x.front.gone()
	case errors.Is(memberErr, os.ErrDeadlineExceeded):
		r.Failure, r.Err = FailureTimeout, memberErr
	default:
		r.Failure, r.Err = FailureBroken, memberErr
	}
	a.clean = false
	return r
}

// relayWhole takes a short answer in before any of it goes to the client.
func (a *attempt) relayWhole(reply *answer) Result {
	n := int(reply.length)
	reply.whole = true
	mem := a.in.mem
	if a.r+n > bigEnd { // an unusually large head is in the way, and still needed
		big := a.p.buffers.takeBig()
		defer big.free()
		mem = big.mem
		a.w = headRoom + copy(mem[headRoom:], a.in.mem[a.r:a.w])
		a.r = headRoom
	}
	for end := a.r + n; a.w < end; {
		got, err := a.read(mem[a.w:end])
		if a.w += got; err != nil && a.w < end {
			return a.result(nil, short(err))
		}
	}
	reply.first = piece{mem, a.r, a.r + n}
	a.r += n
	return a.result(a.begin(reply), nil)
}

// read reads from the member within the time for a piece of an answer. The time that the client takes is not the member's.
func (a *attempt) read(p []byte) (int, error) {
	a.link.ReadBy(a.p.timeouts().Stream)
	n, err := a.link.Read(p)
	a.link.ReadBy(0)
	return n, err
}

// short makes the end of a connection in the middle of an answer a failure.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return errShortAnswer
	}
	return err
}

// relayLong passes an answer of known length through as it comes.
func (a *attempt) relayLong(reply *answer) Result {
	have := min(int64(a.w-a.r), reply.length)
	reply.first = piece{a.in.mem, a.r, a.r + int(have)}
	a.r += int(have)
	if err := a.begin(reply); err != nil {
		return a.result(err, nil)
	}
	left := reply.length - have
	if to := a.x.front.sink(); to != nil && left >= spliceLeast && wire.CanSplice(to, a.link) {
		if result, ok := a.splice(to, left); ok {
			return result
		}
	}
	for left > 0 {
		n, err := a.read(a.in.mem[headRoom : headRoom+int(min(left, keepMost))])
		if n == 0 {
			return a.result(nil, short(err))
		}
		left -= int64(n)
		if err := a.pass(n); err != nil {
			return a.result(err, nil)
		}
	}
	return a.result(nil, nil)
}

// pass sends content that was read to the beginning of the buffer's content. The head that was there is of no use any more.
func (a *attempt) pass(n int) error {
	a.x.out += int64(n)
	return a.x.front.write(piece{a.in.mem, headRoom, headRoom + n})
}

// splice moves the rest of an answer without copying it into the process. It reports false if it moved nothing for want of a pipe.
func (a *attempt) splice(to *wire.Conn, left int64) (result Result, ok bool) {
	a.link.ReadBy(a.p.timeouts().Stream)
	to.WriteBy(a.p.timeouts().Write)
	moved, err := a.p.pipes.Splice(to, a.link, left)
	a.link.ReadBy(0)
	to.WriteBy(0)
	a.x.out += moved
	var side *wire.SideError
	switch {
	case err == nil:
		return a.result(nil, nil), true
	case !errors.As(err, &side):
		return Result{}, false
	case side.Write:
		return a.result(side.Err, nil), true
	}
	return a.result(nil, err), true
}

// more reads more content of an answer whose head is out, to the beginning of the buffer's content. No buffer is held while it waits.
func (a *attempt) more() (int, error) {
	if a.in != nil {
		a.Return()
	}
	a.link.ReadBy(a.p.timeouts().Stream)
	n, err := a.link.ReadLazy(a)
	a.link.ReadBy(0)
	return n, err
}

// relayChunked passes a chunked answer on as it comes, in chunks of our own.
func (a *attempt) relayChunked(reply *answer) Result {
	x := a.x
	n, used, done, err := x.tail.Decode(a.in.mem[a.r:a.w])
	if err != nil {
		return a.result(nil, err)
	}
	reply.first = piece{a.in.mem, a.r, a.r + n}
	a.r += used
	if reply.whole = done; done {
		reply.tail = x.tail.Trailers()
	}
	if err := a.begin(reply); err != nil || done {
		return a.result(err, nil)
	}
	for !done {
		got, err := a.more()
		if got == 0 {
			return a.result(nil, short(err))
		}
		n, used, done, err = x.tail.Decode(a.in.mem[headRoom : headRoom+got])
		if err != nil {
			return a.result(nil, err)
		}
		if used < got {
			a.clean = false // bytes that nobody asked for
		}
		if n == 0 {
			continue
		}
		if err := a.pass(n); err != nil {
			return a.result(err, nil)
		}
	}
	return a.result(x.front.end(x.tail.Trailers()), nil)
}

// relayUntilClose passes an answer on that ends with its connection.
func (a *attempt) relayUntilClose(reply *answer) Result {
	reply.first = piece{a.in.mem, a.r, a.w}
	a.r = a.w
	if err := a.begin(reply); err != nil {
		return a.result(err, nil)
	}
	for {
		n, err := a.more()
		if n > 0 {
			if err := a.pass(n); err != nil {
				return a.result(err, nil)
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			return a.result(a.x.front.end(nil), nil)
		}
		return a.result(nil, err)
	}
}
