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
func (a *attempt) relay() Result {
	x, res := a.x, &a.x.res
	if res.Status() == http.StatusSwitchingProtocols {
		return a.switchProtocols()
	}
	a.link.ReadBy(0)
	answer := answer{head: res, x: x, length: res.Length()}
	a.clean = !res.Close()
	switch {
	case x.method == http.MethodHead || res.Status() == http.StatusNotModified || res.Status() == http.StatusNoContent:
		answer.length, answer.empty, answer.whole = res.DeclaredLength(), true, true
		return a.result(a.begin(&answer), nil)
	case answer.length >= 0 && answer.length <= keepMost:
		return a.relayWhole(&answer)
	case answer.length >= 0:
		return a.relayLong(&answer)
	case answer.length == h1.Chunked:
		answer.length = -1
		return a.relayChunked(&answer)
	}
	answer.length = -1
	a.clean = false
	return a.relayUntilClose(&answer)
}

// begin sends the answer's head.
func (a *attempt) begin(answer *answer) error {
	if a.upload != nil {
		a.upload.answer()
	}
	a.x.status = answer.head.Status()
	a.x.out += int64(answer.first.len())
	return a.x.front.begin(answer)
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
func (a *attempt) relayWhole(answer *answer) Result {
	n := int(answer.length)
	answer.whole = true
	if have := a.w - a.r; have < n {
		big := a.p.buffers.takeBig()
		defer big.free()
		copy(big.mem[headRoom:], a.in.mem[a.r:a.w])
		a.r = a.w
		for have < n {
			got, err := a.read(big.mem[headRoom+have : headRoom+n])
			if have += got; err != nil && have < n {
				return a.result(nil, short(err))
			}
		}
		answer.first = piece{big.mem, headRoom, headRoom + n}
	} else {
		answer.first = piece{a.in.mem, a.r, a.r + n}
		a.r += n
	}
	return a.result(a.begin(answer), nil)
}

// read reads from the member within the time for a piece of an answer. The time that the client takes is not the member's.
func (a *attempt) read(p []byte) (int, error) {
	a.link.ReadBy(a.p.timeouts.Stream)
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
func (a *attempt) relayLong(answer *answer) Result {
	have := min(int64(a.w-a.r), answer.length)
	answer.first = piece{a.in.mem, a.r, a.r + int(have)}
	a.r += int(have)
	if err := a.begin(answer); err != nil {
		return a.result(err, nil)
	}
	left := answer.length - have
	if to := a.x.front.sink(); to != nil && left >= spliceLeast && a.link.TLS() == nil {
		return a.splice(to, left)
	}
	big := a.p.buffers.takeBig()
	defer big.free()
	for left > 0 {
		room := big.mem[headRoom : headRoom+int(min(left, keepMost))]
		n, err := a.read(room)
		if n == 0 {
			return a.result(nil, short(err))
		}
		left -= int64(n)
		if err := a.pass(big, n); err != nil {
			return a.result(err, nil)
		}
	}
	return a.result(nil, nil)
}

// pass sends a piece of content that lies at the beginning of a big buffer's content.
func (a *attempt) pass(big *buffer, n int) error {
	a.x.out += int64(n)
	return a.x.front.write(piece{big.mem, headRoom, headRoom + n})
}

// splice moves the rest of an answer without copying it into the process.
func (a *attempt) splice(to *wire.Conn, left int64) Result {
	a.link.ReadBy(a.p.timeouts.Stream)
	to.WriteBy(a.p.timeouts.Write)
	moved, err := a.p.pipes.Splice(to, a.link, left)
	a.link.ReadBy(0)
	to.WriteBy(0)
	a.x.out += moved
	var side *wire.SideError
	switch {
	case err == nil:
		return a.result(nil, nil)
	case errors.As(err, &side) && side.Write:
		return a.result(side.Err, nil)
	}
	return a.result(nil, err)
}

// relayChunked passes a chunked answer on as it comes, in chunks of our own.
func (a *attempt) relayChunked(answer *answer) Result {
	x := a.x
	n, used, done, err := x.tail.Decode(a.in.mem[a.r:a.w])
	if err != nil {
		return a.result(nil, err)
	}
	answer.first = piece{a.in.mem, a.r, a.r + n}
	a.r += used
	if answer.whole = done; done {
		answer.tail = x.tail.Trailers()
	}
	if err := a.begin(answer); err != nil || done {
		return a.result(err, nil)
	}
	big := a.p.buffers.takeBig()
	defer big.free()
	a.r, a.w = 0, 0
	for !done {
		got, err := a.read(big.mem[headRoom : headRoom+keepMost])
		if got == 0 {
			return a.result(nil, short(err))
		}
		n, used, done, err = x.tail.Decode(big.mem[headRoom : headRoom+got])
		if err != nil {
			return a.result(nil, err)
		}
		if used < got {
			a.clean = false // bytes that nobody asked for
		}
		if n == 0 {
			continue
		}
		if err := a.pass(big, n); err != nil {
			return a.result(err, nil)
		}
	}
	return a.result(x.front.end(x.tail.Trailers()), nil)
}

// relayUntilClose passes an answer on that ends with its connection.
func (a *attempt) relayUntilClose(answer *answer) Result {
	answer.first = piece{a.in.mem, a.r, a.w}
	a.r = a.w
	if err := a.begin(answer); err != nil {
		return a.result(err, nil)
	}
	big := a.p.buffers.takeBig()
	defer big.free()
	for {
		n, err := a.read(big.mem[headRoom : headRoom+keepMost])
		if n > 0 {
			if err := a.pass(big, n); err != nil {
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
