package wire

// Gathering: several small writes become one system call.

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	gatherMost = 64 << 10 // bytes that may wait to be sent before writers wait too
	goodbye    = 64       // a write of no more bytes never waits: TLS's last word
	lastSend   = 5 * time.Second
	closeWait  = 100 * time.Millisecond
)

// gatherer sends what is written to a connection, from a goroutine of its own. That goroutine steps back once before it sends, so that
// whoever is about to write more gets its turn; it never waits for time to pass. net/http's HTTP/2 server flushes the head of an
// answer apart from its content, and the answers of a connection's streams apart from each other: system calls that cost more than
// anything else it does.
type gatherer struct {
	c    *Conn
	wake chan struct{} // there is something to do; holds one signal
	done chan struct{} // closed when the goroutine ends

	mu      sync.Mutex // guards what follows
	room    sync.Cond
	pending []byte
	spare   []byte
	err     error // of sending: all later writes fail
	closed  bool
}

// Gather makes writes return before their bytes are sent, so that several leave together. An error is told by a later write. It is
// for connections under TLS that are handed to somebody else; Close sends what is left. Call it when nobody writes.
func (c *Conn) Gather() {
	g := &gatherer{c: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
	g.room.L = &g.mu
	c.gather = g
	go g.run()
}

func (g *gatherer) write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.pending) >= gatherMost && len(p) > goodbye && g.err == nil && !g.closed {
		g.room.Wait()
	}
	switch {
	case g.err != nil:
		return 0, g.err
	case g.closed:
		return 0, net.ErrClosed
	}
	g.pending = append(g.pending, p...)
	g.signal()
	return len(p), nil
}

func (g *gatherer) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// close lets what is pending be sent, after which the socket is closed. It waits a moment for that, and no longer: a peer that takes
// nothing must not hold up whoever closes many.
func (g *gatherer) close() {
	_ = g.c.tcp.SetWriteDeadline(time.Now().Add(lastSend)) // fails only when the connection is closed
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.signal()
	late := time.NewTimer(closeWait)
	defer late.Stop()
	select {
	case <-g.done:
	case <-late.C:
	}
}

func (g *gatherer) run() {
	defer close(g.done)
	defer func() {
		g.c.closing.Store(true)
		_ = g.c.shut() // an error would be that it is closed already
	}()
	for range g.wake {
		runtime.Gosched()
		if !g.send() {
			return
		}
	}
}

// send sends what is pending. It reports false when there will be no more.
func (g *gatherer) send() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.pending) > 0 && g.err == nil {
		p := g.pending
		g.pending = g.spare[:0]
		g.mu.Unlock()
		_, err := g.c.writeSocket(p)
		g.mu.Lock()
		g.err = err
		g.spare = p
		g.room.Broadcast()
	}
	if g.closed || g.err != nil {
		g.room.Broadcast()
		return false
	}
	if cap(g.spare)+cap(g.pending) > 2*gatherMost {
		g.spare, g.pending = nil, nil // an idle connection holds little
	}
	return true
}
