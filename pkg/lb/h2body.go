package lb

// A stream's request body: it is stored as it comes, within its windows, until the request path asks for it.

import (
	"io"
	"os"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/h2"
)

// h2Part is content that has come, mem[from:to].
type h2Part struct {
	*buffer
	from, to int
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
	if st.owed += n; st.owed < h2StreamWindow/4 || st.over || st.dead.Load() {
		return
	}
	c := st.c
	c.out.open(c.proxy)
	c.out.pending = h2.AppendWindowUpdate(c.out.pending, st.id, uint32(st.owed))
	st.recv += st.owed
	st.owed = 0
}

// takeBody implements front.
func (st *h2Stream) takeBody() error {
	b := &st.x.body
	n := st.x.req.Length()
	switch {
	case n == 0:
		return nil
	case n < 0 && st.keepWhole():
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
		if err == nil {
			err = st.await(&begin)
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

// await waits for content, or the end of it, since begin. The client is late when nothing at all came for a time. It is called with mu
// held.
func (st *h2Stream) await(begin *time.Time) error {
	switch {
	case st.coming.wait(begin, st.c.proxy.timeouts().Body):
		return nil
	case st.moved:
		st.moved, *begin = false, time.Time{}
		return nil
	}
	return os.ErrDeadlineExceeded
}

// keepWhole keeps a body of unknown length, if it is short and all here. It reports whether it did.
func (st *h2Stream) keepWhole() bool {
	c, b := st.c, &st.x.body
	c.mu.Lock()
	defer c.mu.Unlock()
	if !st.over || st.got > keepMost || len(st.tail) > 0 {
		return false
	}
	b.memory = c.proxy.buffers.takeBig()
	b.kept = piece{b.memory.mem, headRoom, headRoom}
	for _, part := range st.queue {
		b.kept.to += copy(b.memory.mem[b.kept.to:], part.mem[part.from:part.to])
	}
	st.dropQueue()
	return true
}

// dropQueue gives up content that was not asked for, or is kept elsewhere. It is called with mu held.
func (st *h2Stream) dropQueue() {
	for _, part := range st.queue {
		part.free()
	}
	clear(st.queue)
	st.queue = st.queue[:0]
	st.c.giveBack(st.held)
	st.held = 0
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
		default:
			err = st.await(&begin)
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
	st.dropQueue()
	st.coming.changed.Signal()
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
