package lb

import (
	"runtime"

	"github.com/regent-registry/regent/pkg/lb/h2"
)

// h2Out is the sending side of an HTTP/2 connection. Whoever has frames to send appends them; one of those sends for all, so that what
// several streams have to say leaves in one system call. The connection's mutex guards it.
type h2Out struct {
	pending []byte  // frames; nil when there are none
	memory  *buffer // that pending began in
	sending bool    // somebody sends
	hasty   bool    // the connection ends: the client has little time to take the rest
	err     error   // of sending
	window  int64   // content that the client takes, of all streams
	opened  uint    // counts how often it was opened
	initial int64   // and of a new stream
	begun   bool    // the first field block was sent, which says that the table of fields stays empty
}

// h2PendingMost is how much may wait to be sent before streams wait with their content.
const h2PendingMost = 48 << 10

// open makes sure that there is memory to append to.
func (o *h2Out) open(p *Proxy) {
	if o.pending == nil {
		o.memory = p.buffers.takeBig()
		o.pending = o.memory.mem[:0]
	}
}

// take gives what is pending to the one who sends it.
func (o *h2Out) take() ([]byte, *buffer) {
	p, memory := o.pending, o.memory
	o.pending, o.memory = nil, nil
	return p, memory
}

// drop forgets what is pending.
func (o *h2Out) drop() {
	if o.memory != nil {
		o.memory.free()
	}
	o.pending, o.memory = nil, nil
}

// post unlocks the connection, and has what is pending sent by a goroutine of its own: the reader must not wait.
func (c *h2Conn) post() {
	begin := c.claim()
	c.mu.Unlock()
	if begin {
		go c.send(false)
	}
}

// flush unlocks the connection, and sends what is pending. Whoever is about to say something, too, gets its turn before.
func (c *h2Conn) flush() {
	begin := c.claim()
	c.mu.Unlock()
	if begin {
		runtime.Gosched()
		c.send(true)
	}
}

// claim makes the caller the one who sends, if there is something to send and nobody does.
func (c *h2Conn) claim() bool {
	if c.out.sending || len(c.out.pending) == 0 || c.out.err != nil {
		return false
	}
	c.out.sending = true
	return true
}

// inPassing is how often a worker sends what others say before it goes on with its own work.
const inPassing = 2

// send sends until nothing is pending. A worker hands that task over when it takes long.
func (c *h2Conn) send(worker bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	for rounds := 0; len(o.pending) > 0 && o.err == nil; rounds++ {
		if worker && rounds == inPassing {
			go c.send(false)
			return
		}
		p, memory := o.take()
		most := c.proxy.timeouts().Write
		if o.hasty {
			most = lingerTime
		}
		c.conn.WriteBy(most)
		c.mu.Unlock()
		_, err := c.conn.Write(p)
		c.conn.WriteBy(0)
		memory.free()
		c.mu.Lock()
		if err != nil {
			c.broke(err)
		}
		c.wake()
	}
	o.sending = false
	c.changed.Broadcast()
}

// broke notes that the client takes nothing any more. It is called with mu held.
func (c *h2Conn) broke(err error) {
	c.out.err = err
	c.out.drop()
	for _, st := range c.streams {
		st.kill()
	}
	c.conn.Interrupt() // the reader ends the connection
}

// wake lets the streams go on that wait to send, and can.
func (c *h2Conn) wake() {
	if c.stalled == 0 || c.crowded() {
		return
	}
	for _, st := range c.streams {
		if st.stalled && (!st.content || c.open(st)) {
			st.going.changed.Signal()
		}
	}
}

// crowded reports whether enough waits to be sent.
func (c *h2Conn) crowded() bool { return len(c.out.pending) >= h2PendingMost }

// open reports whether the windows let content of a stream through.
func (c *h2Conn) open(st *h2Stream) bool { return c.out.window > 0 && st.window > 0 }

// room is how much content of a stream may be sent now, of n bytes.
func (c *h2Conn) room(st *h2Stream, n int) int {
	if c.crowded() || !c.open(st) {
		return 0
	}
	return int(min(int64(n), c.out.window, st.window, h2.MaxFrame))
}

// appendBlock appends a field block that fill writes, in as many frames as it takes.
func (c *h2Conn) appendBlock(stream uint32, flags h2.Flags, fill func(dst []byte) []byte) {
	c.out.open(c.proxy)
	at := len(c.out.pending)
	block := h2.AppendFrame(c.out.pending, h2.Frame{})
	if !c.out.begun {
		block = h2.AppendNoTable(block)
		c.out.begun = true
	}
	block = fill(block)
	n := len(block) - at - h2.HeaderSize
	if n <= h2.MaxFrame {
		h2.PutFrame(block[at:], h2.Frame{Length: n, Type: h2.Headers, Flags: flags | h2.EndHeaders, Stream: stream})
		c.out.pending = block
		return
	}
	rest := append([]byte(nil), block[at+h2.HeaderSize:]...) // rare: heads are short
	dst, kind := block[:at], h2.Headers
	for len(rest) > 0 {
		n := min(len(rest), h2.MaxFrame)
		if n == len(rest) {
			flags |= h2.EndHeaders
		}
		dst = h2.AppendFrame(dst, h2.Frame{Length: n, Type: kind, Flags: flags, Stream: stream})
		dst = append(dst, rest[:n]...)
		rest, kind, flags = rest[n:], h2.Continuation, flags&^h2.EndStream
	}
	c.out.pending = dst
}
