package membershiptest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one end of a stream. Writing never blocks: bytes travel for the network's delay and wait at the other end, or vanish with all that
// follow them when the hosts cannot reach each other. Reading ends at the deadline, at the other end's close, or at this end's.
type conn struct {
	host, peer *Transport
	in, out    *half
}

// half is one direction of a stream.
type half struct {
	mu       sync.Mutex
	chunks   []chunk
	silent   bool          // something was lost: nothing arrives any more
	closed   bool          // the reader has closed
	deadline time.Time     // of reading; zero: none
	changed  chan struct{} // closed and replaced at every change, to wake the reader
}

// chunk is what one write sent; a nil data is the end of the stream.
type chunk struct {
	data []byte
	at   time.Time // when it arrives
}

var _ net.Conn = (*conn)(nil)

func newConnPair(a, b *Transport) (near, far *conn) {
	ab, ba := &half{changed: make(chan struct{})}, &half{changed: make(chan struct{})}
	return &conn{host: a, peer: b, in: ba, out: ab}, &conn{host: b, peer: a, in: ab, out: ba}
}

// wake tells a waiting reader to look again; h.mu is held.
func (h *half) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Read takes what has arrived, or waits for it.
func (c *conn) Read(b []byte) (int, error) {
	for {
		n, changed, wait, err := c.in.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		var due <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			due = timer.C
		}
		select {
		case <-changed:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// take gives bytes or an error if there is one now; otherwise what to wait for: a change, and wait, when it is not 0.
func (h *half) take(b []byte) (n int, changed <-chan struct{}, wait time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.closed {
		return 0, nil, 0, net.ErrClosed
	}
	if !h.deadline.IsZero() {
		if wait = h.deadline.Sub(now); wait <= 0 {
			return 0, nil, 0, os.ErrDeadlineExceeded
		}
	}
	if len(h.chunks) == 0 {
		return 0, h.changed, wait, nil
	}
	first := &h.chunks[0]
	if early := first.at.Sub(now); early > 0 {
		if wait == 0 || early < wait {
			wait = early
		}
		return 0, h.changed, wait, nil
	}
	if first.data == nil {
		return 0, nil, 0, io.EOF
	}
	n = copy(b, first.data)
	if first.data = first.data[n:]; len(first.data) == 0 {
		h.chunks = h.chunks[1:]
	}
	return n, nil, 0, nil
}

// Write sends b.
func (c *conn) Write(b []byte) (int, error) {
	c.in.mu.Lock()
	closed := c.in.closed
	c.in.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if len(b) > 0 {
		c.send(append([]byte(nil), b...))
	}
	return len(b), nil
}

// send queues a chunk at the other end; data nil is the end of the stream.
func (c *conn) send(data []byte) {
	open := c.host.net.reaches(c.host, c.peer)
	at := time.Now().Add(c.host.net.latency())
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !open {
		c.out.silent = true
	}
	if c.out.silent || c.out.closed {
		return
	}
	if last := len(c.out.chunks) - 1; last >= 0 && c.out.chunks[last].at.After(at) {
		at = c.out.chunks[last].at // the delay was shortened meanwhile; order stays
	}
	c.out.chunks = append(c.out.chunks, chunk{data: data, at: at})
	c.out.wake()
}

// Close ends this end at once; the other end reads what is under way and then the end.
func (c *conn) Close() error {
	c.host.release(c)
	c.in.mu.Lock()
	if c.in.closed {
		c.in.mu.Unlock()
		return nil
	}
	c.in.closed = true
	c.in.wake()
	c.in.mu.Unlock()
	c.send(nil)
	return nil
}

// LocalAddr is the host's address.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.host.addr) }

// RemoteAddr is the other host's address.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer.addr) }

// SetDeadline bounds reading; writing never waits.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline bounds reading, that under way too.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.deadline = t
	c.in.wake()
	return nil
}

// SetWriteDeadline does nothing: writing never waits.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
