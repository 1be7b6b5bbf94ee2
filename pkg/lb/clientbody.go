package lb

import (
	"errors"
	"io"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// takeBody implements front.
func (c *clientConn) takeBody() error {
	b := &c.x.body
	switch n := c.x.req.Length(); {
	case n == 0:
		c.done = true
		return nil
	case n > 0 && n <= int64(c.w-c.r):
		b.kept = piece{c.in.mem, c.r, c.r + int(n)}
		c.r += int(n)
		c.done = true
		return nil
	case n < 0:
		return c.takeChunked()
	default:
		c.left = n
		waits := c.x.req.Continue() && c.r == c.w
		if n > keepMost {
			b.streamed, b.length, b.waiting = true, n, waits
			return nil
		}
		if waits {
			// A short body is read before its request goes anywhere, so permission is ours to give.
			if err := c.carryOn(); err != nil {
				b.note(err)
				return err
			}
		}
		return c.keep(int(n))
	}
}

// keep reads a body of n bytes, of which the beginning may be here.
func (c *clientConn) keep(n int) error {
	b := &c.x.body
	b.memory = c.proxy.buffers.takeBig()
	b.kept = piece{b.memory.mem, headRoom, headRoom}
	end := headRoom + n
	for b.kept.len() < n {
		got, err := c.read(b.memory.mem[b.kept.to:end])
		b.kept.to += got
		if err != nil && b.kept.len() < n {
			b.note(err)
			return err
		}
	}
	c.done = true
	return nil
}

// takeChunked decodes what is here of a chunked body. If that is all, the body is kept.
func (c *clientConn) takeChunked() error {
	b := &c.x.body
	if c.chunks == nil {
		c.chunks = &h1.Chunks{}
	}
	if err := c.decode(c.in.mem[c.r:c.w], c.r); err != nil {
		b.note(err)
		return err
	}
	if c.done && c.chunks.Trailers().Len() == 0 {
		b.kept = c.decoded
		c.decoded = piece{}
		return nil
	}
	b.streamed, b.length = true, -1
	b.waiting = c.x.req.Continue() && !c.done && c.decoded.len() == 0
	return nil
}

// decode decodes raw, which lies in the input buffer from at on.
func (c *clientConn) decode(raw []byte, at int) error {
	n, used, done, err := c.chunks.Decode(raw)
	if err != nil {
		return err
	}
	c.decoded = piece{c.in.mem, at, at + n}
	c.r, c.done = at+used, done
	return nil
}

// read implements front: content of the body.
func (c *clientConn) read(p []byte) (int, error) {
	if c.x.req.Length() < 0 {
		return c.readChunked(p)
	}
	if c.left == 0 {
		c.done = true
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.left)]
	n, err := copy(p, c.in.mem[c.r:c.w]), error(nil)
	c.r += n
	if n == 0 {
		n, err = c.receive(p)
	}
	c.left -= int64(n)
	if c.left == 0 {
		c.done = true
	}
	return n, err
}

// receive reads from the connection, within the time for a piece of a body.
func (c *clientConn) receive(p []byte) (int, error) {
	c.conn.ReadBy(c.proxy.timeouts().Body)
	n, err := c.conn.Read(p)
	c.conn.ReadBy(0)
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// readChunked reads content of a chunked body: first what takeChunked decoded, then from the connection, decoded in
// the caller's memory.
func (c *clientConn) readChunked(p []byte) (int, error) {
	if c.decoded.len() > 0 {
		n := copy(p, c.decoded.bytes())
		c.decoded.from += n
		return n, nil
	}
	for !c.done {
		raw, err := c.receive(p)
		if err != nil {
			return 0, err
		}
		n, used, done, err := c.chunks.Decode(p[:raw])
		if err != nil {
			return 0, err
		}
		if done {
			c.done = true
			c.unread(p[used:raw])
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// unread puts bytes of the next request back. If there is no space the client has to send them again, on another connection:
// it was not promised an answer yet.
func (c *clientConn) unread(rest []byte) {
	if len(rest) == 0 {
		return
	}
	if len(rest) > len(c.in.mem)-c.w {
		c.cut = true
		return
	}
	c.r = c.w
	c.w += copy(c.in.mem[c.w:], rest)
}

// trailers implements front.
func (c *clientConn) trailers() *h1.Fields {
	if c.chunks == nil {
		return nil
	}
	return c.chunks.Trailers()
}

// stopReading implements front.
func (c *clientConn) stopReading() {
	c.last = true
	c.conn.Interrupt()
}

// source implements front: a body of known length whose beginning was read can be spliced from the connection.
func (c *clientConn) source() *wire.Conn {
	if c.conn.TLS() != nil || c.x.req.Length() < 0 || c.r != c.w {
		return nil
	}
	return c.conn
}
