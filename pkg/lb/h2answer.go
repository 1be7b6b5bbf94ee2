package lb

// A stream's answer: field blocks and content, as far as the client takes them.

import (
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/h2"
)

// carryOn implements front.
func (st *h2Stream) carryOn() error {
	return st.say(0, func(dst []byte) []byte { return h2.AppendStatus(dst, http.StatusContinue) })
}

// interim implements front.
func (st *h2Stream) interim(res *h1.Response) error {
	return st.say(0, func(dst []byte) []byte { return appendInterimBlock(dst, st.x, res) })
}

// say sends a field block.
func (st *h2Stream) say(flags h2.Flags, fill func(dst []byte) []byte) error {
	c := st.c
	c.mu.Lock()
	err := st.turn()
	if err == nil {
		c.appendBlock(st.id, flags, fill)
	}
	c.flush()
	return err
}

// begin implements front.
func (st *h2Stream) begin(a *answer) error {
	c := st.c
	trailers := a.tail != nil && a.tail.Len() > 0
	if st.left = a.length; a.empty {
		st.left = 0
	}
	if a.whole && a.length < 0 {
		st.left = int64(a.first.len())
	}
	c.mu.Lock()
	defer c.flush()
	if err := st.turn(); err != nil {
		return err
	}
	flags := h2.Flags(0)
	if st.left == 0 && !trailers {
		flags = h2.EndStream
		st.ended = true
	}
	c.appendBlock(st.id, flags, func(dst []byte) []byte { return a.appendBlock(dst, &c.proxy.clock) })
	if st.ended {
		return nil
	}
	if err := st.put(a.first.bytes(), trailers); err != nil || !a.whole || !trailers {
		return err
	}
	return st.close(a.tail)
}

// write implements front. What comes in pieces is passed on at once.
func (st *h2Stream) write(p piece) error {
	st.c.mu.Lock()
	defer st.c.flush()
	return st.put(p.bytes(), false)
}

// put sends content, the last of a known length with the stream's end unless more is to follow. It waits as long as the client takes
// nothing, within its time. It is called with mu held.
func (st *h2Stream) put(p []byte, more bool) error {
	c := st.c
	var begin time.Time
	for len(p) > 0 {
		if err := st.gap(); err != nil {
			return err
		}
		n := c.room(st, len(p))
		if n == 0 {
			if err := st.stall(&begin, true); err != nil {
				return err
			}
			continue
		}
		begin = time.Time{}
		if st.left > 0 {
			st.left -= int64(n)
		}
		flags := h2.Flags(0)
		if st.left == 0 && !more {
			flags = h2.EndStream
			st.ended = true
		}
		st.window -= int64(n)
		c.out.window -= int64(n)
		c.useful++
		c.out.open(c.proxy)
		c.out.pending = h2.AppendFrame(c.out.pending, h2.Frame{Length: n, Type: h2.Data, Flags: flags, Stream: st.id})
		c.out.pending = append(c.out.pending, p[:n]...)
		p = p[n:]
	}
	return nil
}

// turn waits until a field block can be queued: heads, too, are not piled up for a client that takes nothing. It is called with mu held.
func (st *h2Stream) turn() error {
	var begin time.Time
	for {
		if err := st.gap(); err != nil || !st.c.crowded() {
			return err
		}
		if err := st.stall(&begin, false); err != nil {
			return err
		}
	}
}

// stall waits until more can be sent. It is called with mu held.
//
// Only the client's own windows make a stream late. While it waits for its turn among others, the client may be taking as much as its
// line lets through; that it takes something at all is for send to see.
func (st *h2Stream) stall(begin *time.Time, content bool) error {
	c := st.c
	if !c.out.sending && len(c.out.pending) > 0 {
		c.flush()
		c.mu.Lock()
		return nil
	}
	st.stalled, st.content = true, content
	c.stalled++
	opened := c.out.opened
	ok := st.going.wait(begin, c.proxy.timeouts().Write)
	st.stalled = false
	c.stalled--
	switch {
	case !content, st.window > 0 && (c.out.window > 0 || c.out.opened != opened):
		*begin = time.Time{}
	case !ok:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// end implements front.
func (st *h2Stream) end(trailers *h1.Fields) error {
	c := st.c
	c.mu.Lock()
	defer c.flush()
	if st.ended {
		return st.gap()
	}
	return st.close(trailers)
}

// close ends our side of the stream, with trailers if there are any. It is called with mu held.
func (st *h2Stream) close(trailers *h1.Fields) error {
	if err := st.turn(); err != nil {
		return err
	}
	c := st.c
	st.ended = true
	if trailers == nil || trailers.Len() == 0 {
		c.out.open(c.proxy)
		c.out.pending = h2.AppendFrame(c.out.pending, h2.Frame{Type: h2.Data, Flags: h2.EndStream, Stream: st.id})
		return nil
	}
	c.appendBlock(st.id, h2.EndStream, func(dst []byte) []byte {
		for i := range trailers.Len() {
			dst = h2.AppendField(dst, trailers.Name(i), trailers.Value(i))
		}
		return dst
	})
	return nil
}

// appendBlock appends the head of a final answer as a field block.
func (a *answer) appendBlock(dst []byte, clock *clock) []byte {
	res := a.head
	dst = h2.AppendStatus(dst, res.Status())
	dated := false
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade, h1.RequestID:
			continue
		case h1.Location:
			if location, changed := a.x.publicLocation(res.Value(i)); changed {
				dst = h2.AppendFieldString(dst, "location", location)
				continue
			}
		case h1.SetCookie:
			if res.Hop(i) {
				continue
			}
			if value, changed := a.x.routed(res.Value(i)); changed {
				dst = h2.AppendField(dst, setCookieName, value)
				continue
			}
		case h1.Trailer:
			if a.length >= 0 {
				continue
			}
		case h1.Date:
			dated = true
		default:
			if res.Hop(i) {
				continue
			}
		}
		dst = h2.AppendField(dst, res.Name(i), res.Value(i))
	}
	if !a.ours && a.x.issues() {
		dst = h2.AppendField(dst, setCookieName, a.x.oursValue())
	}
	if !dated {
		dst = h2.AppendField(dst, dateName, clock.date())
	}
	dst = h2.AppendField(dst, requestIDName, a.x.id)
	if a.length >= 0 {
		var digits [20]byte
		dst = h2.AppendField(dst, lengthName, strconv.AppendInt(digits[:0], a.length, 10))
	}
	return dst
}

// The names of the fields that we add ourselves.
var (
	dateName      = []byte("date")
	lengthName    = []byte("content-length")
	requestIDName = []byte("x-request-id")
	setCookieName = []byte("set-cookie")
)

// appendInterimBlock appends an answer of the 1xx class to x as a field block.
func appendInterimBlock(dst []byte, x *exchange, res *h1.Response) []byte {
	dst = h2.AppendStatus(dst, res.Status())
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade:
		case h1.SetCookie:
			if !res.Hop(i) {
				value, _ := x.routed(res.Value(i))
				dst = h2.AppendField(dst, setCookieName, value)
			}
		default:
			if !res.Hop(i) {
				dst = h2.AppendField(dst, res.Name(i), res.Value(i))
			}
		}
	}
	return dst
}
