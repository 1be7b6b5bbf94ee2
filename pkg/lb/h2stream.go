package lb

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/h2"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// h2Stream is one request over HTTP/2. Its head was written as an HTTP/1 head and went through the same parser, so nothing that HTTP/1
// could not say gets to a member.
type h2Stream struct {
	c      *h2Conn
	x      *exchange
	from   client
	memory *buffer // of the head

	// Set by the reader before the worker begins, and not changed.
	id        uint32
	refusal   error // the request could not be read
	malformed bool  // in a way that ends its stream
	want      int64 // the content that Content-Length promises; -1: no such promise

	dead atomic.Bool // nobody waits for the answer; written under the connection's mutex

	// The connection's mutex guards what follows.
	wake    sync.Cond
	over    bool        // the client has ended its side
	ended   bool        // and we ours
	deaf    bool        // content of the body is dropped
	stalled bool        // the worker waits to send
	fault   error       // why we reset the stream
	window  int64       // content that the client takes
	recv    int64       // content that the client may still send
	owed    int64       // what was taken, and the client not told of yet
	got     int64       // content that came
	held    int64       // of it, what was neither passed on nor given back to the connection's window
	whole   *buffer     // content of a short body, from headRoom on
	queue   []h2Part    // content of any other
	tail    []byte      // the lines of the trailers
	clock   *time.Timer // ends waits; nil before the first
	rung    bool        // it has run out once, and may still be about to say so
	due     time.Time   // of the wait that is running; zero: none
	late    bool        // it is over

	// The worker's own.
	left   int64     // content of the answer that is still to come, -1: unknown
	chunks h1.Chunks // checks the trailers
}

// h2Part is content that has come, mem[from:to].
type h2Part struct {
	*buffer
	from, to int
}

var (
	errStreamGone  = errors.New("the client gave the request up")
	errStreamDeaf  = errors.New("the rest of the body is not wanted")
	errNoTunnel    = errors.New("HTTP/2 streams are no tunnels")
	errWrongLength = &h1.Error{Status: http.StatusBadRequest, Text: "Content-Length is not that of the body"} // RFC 9113 section 8.1.1
)

// kill ends a stream before its time. It is called with the connection's mutex held.
func (st *h2Stream) kill() {
	st.dead.Store(true)
	st.wake.Broadcast()
}

// serve carries the request out. It is the worker's.
func (st *h2Stream) serve() {
	if st.refusal != nil {
		st.c.proxy.serveBroken(st.x, st.refusal)
	} else {
		st.c.proxy.serve(st.x)
	}
	st.finish()
}

// finish ends the stream, whatever state it is in, and gives everything back.
func (st *h2Stream) finish() {
	c := st.c
	c.proxy.freeExchange(st.x)
	c.mu.Lock()
	switch {
	case st.dead.Load():
	case !st.ended:
		c.appendReset(st.id, h2.InternalError) // nobody may take it for whole
	case st.malformed:
		c.appendReset(st.id, h2.ProtocolError)
	case !st.over:
		c.appendReset(st.id, h2.NoError) // the answer is complete, and the rest of the body not wanted
	}
	if c.streams[st.id] == st {
		delete(c.streams, st.id)
	}
	c.giveBack(st.held)
	if len(st.from.block) > 0 && (st.from.host != c.from.host || st.from.table != c.from.table) {
		c.from = st.from // most clients ask for one host all the time
	}
	if c.active--; c.active == 0 {
		c.idle()
	}
	c.changed.Broadcast()
	c.flush()
	c.server.freeStream(st)
}

// idle is called, with mu held, when the last request is done.
func (c *h2Conn) idle() {
	if !c.partial && c.settled {
		c.conn.ReadBy(c.server.timeouts.Idle)
	}
	c.leave()
}

// reset makes the stream ready for another request. It reports false if that cannot be: its clock may still be running.
func (st *h2Stream) reset() bool {
	st.memory.free()
	if st.whole != nil {
		st.whole.free()
	}
	for _, part := range st.queue {
		part.free()
	}
	clear(st.queue)
	st.chunks.Reset()
	if st.rung {
		return false
	}
	*st = h2Stream{queue: st.queue[:0], chunks: st.chunks, clock: st.clock}
	return true
}

// store keeps content until it is asked for. It is called with mu held, and never with more than the windows allow.
func (st *h2Stream) store(p []byte) {
	st.held += int64(len(p))
	buffers := st.c.proxy.buffers
	if st.want >= 0 && st.want <= keepMost {
		if st.whole == nil {
			st.whole = buffers.takeFor(headRoom + int(st.want))
		}
		copy(st.whole.mem[headRoom+int(st.got)-len(p):], p)
		return
	}
	for len(p) > 0 {
		if n := len(st.queue); n == 0 || st.queue[n-1].to == len(st.queue[n-1].mem) {
			st.queue = append(st.queue, h2Part{buffer: buffers.takeFor(len(p))})
		}
		last := &st.queue[len(st.queue)-1]
		n := copy(last.mem[last.to:], p)
		last.to += n
		p = p[n:]
	}
}

// giveBack lets the client send n more bytes on this stream.
func (st *h2Stream) giveBack(n int64) {
	if st.owed += n; st.owed < h2StreamWindow/4 || st.over {
		return
	}
	c := st.c
	c.out.open(c.proxy)
	c.out.pending = h2.AppendWindowUpdate(c.out.pending, st.id, uint32(st.owed))
	st.recv += st.owed
	st.owed = 0
}

// wait waits, with mu held, until something has happened on the stream. It reports false when the time since begin has passed, which
// it sets if that is the first wait.
func (st *h2Stream) wait(begin *time.Time, most time.Duration) bool {
	if begin.IsZero() {
		*begin = time.Now()
	}
	st.due, st.late = begin.Add(most), false
	left := time.Until(st.due)
	if left <= 0 {
		st.due = time.Time{}
		return false
	}
	if st.clock == nil {
		st.clock = time.AfterFunc(left, st.ring)
	} else {
		st.clock.Reset(left)
	}
	st.wake.Wait()
	if !st.clock.Stop() {
		st.rung = true
	}
	st.due = time.Time{}
	return !st.late
}

// ring is the end of a wait. One that comes too late finds another wait, or none.
func (st *h2Stream) ring() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	if !st.due.IsZero() && !time.Now().Before(st.due) {
		st.late = true
		st.wake.Broadcast()
	}
}

// gap is why nothing can be sent or received any more; nil while it can. It is called with mu held.
func (st *h2Stream) gap() error {
	if st.dead.Load() {
		if st.fault != nil {
			return st.fault
		}
		return errStreamGone
	}
	if st.c.out.err != nil {
		return st.c.out.err
	}
	return nil
}

// takeBody implements front.
func (st *h2Stream) takeBody() error {
	b := &st.x.body
	n := st.x.req.Length()
	switch {
	case n == 0:
		return nil
	case n < 0 || n > keepMost:
		b.streamed, b.length, b.waiting = true, n, st.x.req.Continue()
		return nil
	}
	if st.x.req.Continue() {
		if err := st.carryOn(); err != nil { // a short body is read before its request goes anywhere, so permission is ours to give
			b.note(err)
			return err
		}
	}
	c := st.c
	c.mu.Lock()
	defer c.mu.Unlock()
	var begin time.Time
	for seen := st.got; !st.over; {
		err := st.gap()
		if err == nil && !st.wait(&begin, c.proxy.timeouts.Body) {
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			b.note(err)
			return err
		}
		if st.got > seen {
			seen, begin = st.got, time.Time{}
		}
	}
	b.memory, st.whole = st.whole, nil
	b.kept = piece{b.memory.mem, headRoom, headRoom + int(n)}
	c.giveBack(st.held)
	st.held = 0
	return nil
}

// read implements front.
func (st *h2Stream) read(p []byte) (int, error) {
	c := st.c
	c.mu.Lock()
	var begin time.Time
	var err error
	for len(st.queue) == 0 && err == nil {
		switch err = st.gap(); {
		case err != nil:
		case st.over:
			err = io.EOF
		case st.deaf:
			err = errStreamDeaf
		case !st.wait(&begin, c.proxy.timeouts.Body):
			err = os.ErrDeadlineExceeded
		}
	}
	n := 0
	for len(st.queue) > 0 && n < len(p) && err == nil {
		first := &st.queue[0]
		got := copy(p[n:], first.mem[first.from:first.to])
		n += got
		if first.from += got; first.from == first.to {
			first.free()
			copy(st.queue, st.queue[1:])
			st.queue[len(st.queue)-1] = h2Part{}
			st.queue = st.queue[:len(st.queue)-1]
		}
	}
	st.held -= int64(n)
	c.giveBack(int64(n))
	st.giveBack(int64(n))
	c.flush()
	return n, err
}

// stopReading implements front.
func (st *h2Stream) stopReading() {
	st.c.mu.Lock()
	defer st.c.mu.Unlock()
	st.deaf = true
	for _, part := range st.queue {
		part.free()
	}
	clear(st.queue)
	st.queue = st.queue[:0]
	st.c.giveBack(st.held)
	st.held = 0
	st.wake.Broadcast()
}

// trailers implements front.
func (st *h2Stream) trailers() *h1.Fields {
	st.c.mu.Lock()
	lines := st.tail
	st.c.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	// In the words of HTTP/1, so that the same rules hold for them.
	text := append([]byte("0\r\n"), lines...)
	if _, _, done, err := st.chunks.Decode(append(text, "\r\n"...)); err != nil || !done {
		return nil // what is malformed is no trailer
	}
	return st.chunks.Trailers()
}

// source implements front.
func (st *h2Stream) source() *wire.Conn { return nil }

// sink implements front.
func (st *h2Stream) sink() *wire.Conn { return nil }

// tunnel implements front. It is not called: an HTTP/2 request asks for no upgrade.
func (st *h2Stream) tunnel(*h1.Response) (*wire.Conn, []byte, error) { return nil, nil, errNoTunnel }

// gone implements front.
func (st *h2Stream) gone() error {
	if st.dead.Load() {
		return errStreamGone
	}
	return nil
}

// abort implements front: what was not ended is reset in the end.
func (st *h2Stream) abort() {}

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
	err := st.gap()
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
	if err := st.gap(); err != nil {
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
	st.close(a.tail)
	return nil
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
			if err := st.stall(&begin); err != nil {
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
		c.out.open(c.proxy)
		c.out.pending = h2.AppendFrame(c.out.pending, h2.Frame{Length: n, Type: h2.Data, Flags: flags, Stream: st.id})
		c.out.pending = append(c.out.pending, p[:n]...)
		p = p[n:]
	}
	return nil
}

// stall waits until more can be sent. It is called with mu held.
func (st *h2Stream) stall(begin *time.Time) error {
	c := st.c
	if !c.out.sending && len(c.out.pending) > 0 {
		c.flush()
		c.mu.Lock()
		return nil
	}
	st.stalled = true
	c.stalled++
	ok := st.wait(begin, c.proxy.timeouts.Write)
	st.stalled = false
	c.stalled--
	if !ok {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// end implements front.
func (st *h2Stream) end(trailers *h1.Fields) error {
	c := st.c
	c.mu.Lock()
	defer c.flush()
	if err := st.gap(); err != nil {
		return err
	}
	if !st.ended {
		st.close(trailers)
	}
	return nil
}

// close ends our side of the stream, with trailers if there are any. It is called with mu held.
func (st *h2Stream) close(trailers *h1.Fields) {
	c := st.c
	st.ended = true
	if trailers == nil || trailers.Len() == 0 {
		c.out.open(c.proxy)
		c.out.pending = h2.AppendFrame(c.out.pending, h2.Frame{Type: h2.Data, Flags: h2.EndStream, Stream: st.id})
		return
	}
	c.appendBlock(st.id, h2.EndStream, func(dst []byte) []byte {
		for i := range trailers.Len() {
			dst = h2.AppendField(dst, trailers.Name(i), trailers.Value(i))
		}
		return dst
	})
}
