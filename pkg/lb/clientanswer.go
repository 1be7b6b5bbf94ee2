package lb

import (
	"bytes"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// send writes to the client, within the time it has to take a piece.
func (c *clientConn) send(p []byte) error {
	c.conn.WriteBy(c.proxy.timeouts().Write)
	_, err := c.conn.Write(p)
	c.conn.WriteBy(0)
	if err != nil {
		c.last, c.silent = true, true
	}
	return err
}

// carryOn implements front.
func (c *clientConn) carryOn() error { return c.send([]byte("HTTP/1.1 100 Continue\r\n\r\n")) }

// interim implements front. An HTTP/1.0 client knows no interim answers.
func (c *clientConn) interim(res *h1.Response) error {
	if c.x.req.Minor() == 0 {
		return nil
	}
	out := c.proxy.buffers.takeSmall()
	defer out.free()
	return c.send(appendInterim(out.mem[:0], c.x, res))
}

// begin implements front: head and content leave in as few writes as possible, mostly in one.
func (c *clientConn) begin(a *answer) error {
	minor := c.x.req.Minor()
	c.chunked = a.length < 0 && !a.empty && minor > 0
	unframed := a.length < 0 && !a.empty && minor == 0
	unread := !c.x.body.arrived() || !c.x.body.streamed && !c.done // streamed: c.done is the uploader's to read
	if unframed || unread || c.cut || c.x.req.Close() || c.server.closing.Load() {
		c.last = true
	}
	a.last = c.last
	room := a.room
	if room == nil {
		memory := c.proxy.buffers.takeSmall()
		defer memory.free()
		room = memory.mem
	}
	head := appendAnswerHead(room[:0], a, minor, &c.proxy.clock)
	content := a.first
	if c.chunked && content.len() > 0 {
		if content.from < h1.ChunkRoom || content.to+tailRoom > cap(content.mem) {
			content = c.copied(content)
		}
		content.from, content.to = h1.FrameChunk(content.mem, content.from, content.to)
	}
	if c.chunked && a.whole {
		return c.sendEnd(head, content, a.tail)
	}
	return c.sendBoth(head, content)
}

// copied gives content that lies without room around it in memory with room.
func (c *clientConn) copied(p piece) piece {
	mem := make([]byte, headRoom+p.len()+tailRoom)
	copy(mem[headRoom:], p.bytes())
	return piece{mem, headRoom, headRoom + p.len()}
}

// sendEnd sends a chunked answer that is complete.
func (c *clientConn) sendEnd(head []byte, content piece, trailers *h1.Fields) error {
	if trailers == nil || trailers.Len() == 0 {
		if content.len() == 0 {
			return c.send(append(head, h1.LastChunk...))
		}
		content.to += copy(content.mem[content.to:], h1.LastChunk)
		return c.sendBoth(head, content)
	}
	if err := c.sendBoth(head, content); err != nil {
		return err
	}
	return c.end(trailers)
}

// sendBoth sends head and content, in one write where there is room for the head in front of the content.
func (c *clientConn) sendBoth(head []byte, content piece) error {
	switch {
	case content.len() == 0:
		return c.send(head)
	case len(head) <= content.from:
		from := content.from - len(head)
		copy(content.mem[from:], head) // it may lie in the same memory, and overlap
		return c.send(content.mem[from:content.to])
	}
	if err := c.send(head); err != nil {
		return err
	}
	return c.send(content.bytes())
}

// write implements front.
func (c *clientConn) write(p piece) error {
	if p.len() == 0 {
		return nil
	}
	if c.chunked {
		p.from, p.to = h1.FrameChunk(p.mem, p.from, p.to)
	}
	return c.send(p.bytes())
}

// end implements front.
func (c *clientConn) end(trailers *h1.Fields) error {
	if !c.chunked {
		return nil
	}
	out := c.proxy.buffers.takeSmall()
	defer out.free()
	return c.send(h1.AppendLastChunk(out.mem[:0], trailers))
}

// sink implements front.
func (c *clientConn) sink() *wire.Conn {
	if c.chunked || c.conn.TLS() != nil {
		return nil
	}
	return c.conn
}

// tunnel implements front.
func (c *clientConn) tunnel(res *h1.Response) (*wire.Conn, []byte, error) {
	c.last, c.silent = true, true // the connection belongs to the tunnel, which closes it
	out := c.proxy.buffers.takeSmall()
	defer out.free()
	head := appendInterim(out.mem[:0], c.x, res)
	head = append(bytes.TrimSuffix(head, []byte("\r\n")), "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
	ahead := c.in.mem[c.r:c.w]
	c.r = c.w
	return c.conn, ahead, c.send(head)
}

// abort implements front: a connection that is reset is no end of anything.
func (c *clientConn) abort() {
	c.last, c.silent = true, true
	_ = c.conn.Reset() // it fails only if the connection is gone already
}

// gone implements front. A client that has sent its last request may have closed its side, and still waits for the answer; only a
// reset says that it does not.
func (c *clientConn) gone() error {
	if c.conn.Dead() {
		return errGone
	}
	return nil
}
