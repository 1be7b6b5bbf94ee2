package lb

import (
	"errors"
	"net/http"
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
	coming  h2Wait   // of takeBody or read, for content
	going   h2Wait   // of whoever answers, to send
	moved   bool     // content is coming, though not yet a whole frame
	over    bool     // the client has ended its side
	ended   bool     // and we ours
	deaf    bool     // content of the body is dropped
	stalled bool     // somebody waits to send
	content bool     // what waits is content, for which windows count
	fault   error    // why we reset the stream
	window  int64    // content that the client takes
	recv    int64    // content that the client may still send
	owed    int64    // what was taken, and the client not told of yet
	got     int64    // content that came
	held    int64    // of it, what was neither passed on nor given back to the connection's window
	whole   *buffer  // content of a short body, from headRoom on
	queue   []h2Part // content of any other
	tail    []byte   // the lines of the trailers

	// The worker's own.
	left   int64     // content of the answer that is still to come, -1: unknown
	chunks h1.Chunks // checks the trailers
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
	st.coming.changed.Signal()
	st.going.changed.Signal()
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
		c.useful++
	}
	c.giveBack(st.held)
	if len(st.from.block) > 0 && (st.from.host != c.from.host || st.from.table != c.from.table || st.from.settings != c.from.settings) {
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
	if !c.partial && !c.ended {
		c.conn.ReadBy(c.server.timeouts().Idle)
	}
	c.leave()
}

// reset makes the stream ready for another request. It reports false if that cannot be: a clock may still be about to ring.
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
	if st.coming.rung || st.going.rung {
		return false
	}
	*st = h2Stream{queue: st.queue[:0], chunks: st.chunks, coming: h2Wait{clock: st.coming.clock}, going: h2Wait{clock: st.going.clock}}
	return true
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

// gone implements front.
func (st *h2Stream) gone() error {
	if st.dead.Load() {
		return errStreamGone
	}
	return nil
}

// abort implements front: what was not ended is reset in the end.
func (st *h2Stream) abort() {}

// source implements front.
func (st *h2Stream) source() *wire.Conn { return nil }

// sink implements front.
func (st *h2Stream) sink() *wire.Conn { return nil }

// tunnel implements front. It is not called: an HTTP/2 request asks for no upgrade.
func (st *h2Stream) tunnel(*h1.Response) (*wire.Conn, []byte, error) { return nil, nil, errNoTunnel }

// h2Wait is where one goroutine at a time waits for a change of a stream. The connection's mutex guards it.
type h2Wait struct {
	changed sync.Cond
	clock   *time.Timer // ends waits; nil before the first
	rung    bool        // it has run out once, and may still be about to say so
	due     time.Time   // of the wait that is running; zero: none
	late    bool        // it is over
}

// wait waits, with the mutex held, until something has happened. It reports false when the time since begin has passed, which it sets
// if that is the first wait.
func (w *h2Wait) wait(begin *time.Time, most time.Duration) bool {
	if begin.IsZero() {
		*begin = time.Now()
	}
	w.due, w.late = begin.Add(most), false
	left := time.Until(w.due)
	if left <= 0 {
		w.due = time.Time{}
		return false
	}
	if w.clock == nil {
		w.clock = time.AfterFunc(left, w.ring)
	} else {
		w.clock.Reset(left)
	}
	w.changed.Wait()
	if !w.clock.Stop() {
		w.rung = true
	}
	w.due = time.Time{}
	return !w.late
}

// ring is the end of a wait. One that comes too late finds another wait, or none.
func (w *h2Wait) ring() {
	w.changed.L.Lock()
	defer w.changed.L.Unlock()
	if !w.due.IsZero() && !time.Now().Before(w.due) {
		w.late = true
		w.changed.Signal()
	}
}
