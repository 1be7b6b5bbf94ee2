package lb

// Requests from frames: field blocks that begin streams or end bodies, and content.

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/h2"
)

// fieldBlock is a field block on its way in: the HEADERS frame, and CONTINUATION frames as long as it has not ended.
type fieldBlock struct {
	stream uint32 // 0: there is none
	kind   blockKind
	end    bool    // the client sends nothing on the stream after it
	fault  error   // what the HEADERS frame did wrong, if only its stream has to suffer
	text   *buffer // where it is decoded
}

type blockKind int

const (
	blockIgnored blockKind = iota // decoded all the same: the table of fields has to stay in step with the client's
	blockRequest
	blockTrailers
)

// headers takes in a HEADERS frame: a request, trailers, or something too late.
func (c *h2Conn) headers(f h2.Frame, payload []byte) error {
	fragment, fault := f.Fragment(payload)
	if fault != nil && !isStreamError(fault) {
		return fault
	}
	b := fieldBlock{stream: f.Stream, end: f.Has(h2.EndStream), fault: fault}
	c.mu.Lock()
	switch st := c.streams[f.Stream]; {
	case st != nil && st.over && st.ended, st == nil && f.Stream <= min(c.last, c.promised) && !c.resets.has(f.Stream):
		c.mu.Unlock()
		return errClosedStream
	case st != nil && st.over:
		b.fault = errStreamEnded
	case st != nil:
		b.kind = blockTrailers
	case f.Stream <= c.last: // it was on its way when we reset the stream, or said that it would not be carried out
	default:
		c.resets.reach(f.Stream)
		c.last = f.Stream
		switch {
		case c.final: // the client was told
		case c.full():
			b.fault = errStreamRefused
		default:
			b.kind = blockRequest
			c.heading = true
		}
	}
	c.mu.Unlock()
	b.text = c.proxy.buffers.takeBig()
	c.block = b
	if b.kind == blockTrailers {
		c.decoder.BeginTrailers(b.text.mem[:0])
	} else {
		c.decoder.Begin(b.text.mem[:0])
	}
	return c.fragment(fragment, f.Has(h2.EndHeaders))
}

// full reports whether as many requests are running as may be. A stream that has ended on both sides does not count (RFC 9113
// section 5.1.2), though its worker may still have to notice; one that was broken off does as long as it makes work. It is called with
// mu held.
func (c *h2Conn) full() bool {
	if c.active < h2Streams {
		return false
	}
	n := c.active
	for _, st := range c.streams {
		if st.over && st.ended {
			n--
		}
	}
	return n >= h2Streams
}

// fragment takes in a part of a field block, and does what the block says when it is whole.
func (c *h2Conn) fragment(p []byte, end bool) error {
	err := c.decoder.Write(p)
	if err == nil && !end {
		return nil
	}
	b := c.block
	c.block = fieldBlock{}
	var head h2.Head
	if err == nil {
		head, err = c.decoder.End()
	}
	switch {
	case err != nil:
	case b.kind == blockTrailers:
		err = c.trailers(&b, &head)
	case b.kind == blockRequest && b.fault == nil:
		c.request(&b, &head)
	default:
		err = b.fault
	}
	if b.text != nil {
		b.text.free()
	}
	return err
}

// request begins a stream.
func (c *h2Conn) request(b *fieldBlock, head *h2.Head) {
	st := c.server.takeStream()
	x := c.proxy.takeExchange()
	x.front, x.from = st, &st.from
	st.c, st.x, st.id, st.over, st.want = c, x, b.stream, b.end, -1
	st.coming.changed.L, st.going.changed.L = &c.mu, &c.mu
	text := st.keepText(b, head)
	st.refusal, st.malformed = st.parse(text, head)
	st.deaf = st.refusal != nil
	if n := x.req.Length(); st.refusal == nil && n >= 0 {
		st.want = n
	}
	c.mu.Lock()
	st.from = c.from
	st.window = c.out.initial
	st.recv = h2StreamWindow
	c.streams[st.id] = st
	c.heading = false
	c.active++
	c.mu.Unlock()
	c.server.crew.carryOut(st)
}

// keepText completes the text of the request's head, and moves it to memory of the stream.
func (st *h2Stream) keepText(b *fieldBlock, head *h2.Head) []byte {
	text := head.Text
	if !b.end && !head.HasLength {
		text = append(text, "Transfer-Encoding: chunked\r\n"...)
	}
	text = append(text, "\r\n"...)
	st.x.headSize = len(text)
	if len(text) > smallSize {
		st.memory, b.text = b.text, nil
		return text
	}
	st.memory = st.c.proxy.buffers.takeSmall()
	return append(st.memory.mem[:0], text...)
}

// parse reads the head. refusal is why the request is not carried out; malformed says that its stream ends by it.
func (st *h2Stream) parse(text []byte, head *h2.Head) (refusal error, malformed bool) {
	switch {
	case head.TooLarge:
		return errHeadTooLarge, false
	case head.Malformed != "":
		return &h1.Error{Status: http.StatusBadRequest, Text: head.Malformed}, true
	}
	n, err := st.x.req.Parse(text)
	switch {
	case err != nil:
		return err, false
	case n != len(text):
		return &h1.Error{Status: http.StatusBadRequest, Text: "the field block is no head of a request"}, false
	case st.over && st.x.req.Length() > 0:
		return errWrongLength, true
	}
	return nil, false
}

// trailers takes in what follows a body.
func (c *h2Conn) trailers(b *fieldBlock, head *h2.Head) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.streams[b.stream]
	switch {
	case st == nil:
		return nil // it ended meanwhile
	case b.fault != nil:
		return b.fault
	case !b.end || head.Malformed != "" || head.TooLarge:
		return errStreamTrailers
	}
	if len(head.Text) > 0 {
		st.tail = append([]byte(nil), head.Text...)
	}
	return c.endBody(st)
}

// data takes in content of a body.
func (c *h2Conn) data(f h2.Frame, payload []byte) error {
	content, err := f.Content(payload)
	if err != nil {
		return err
	}
	if len(content) == 0 && !f.Has(h2.EndStream) {
		if err := c.spend(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	size := int64(f.Length)
	if c.recv -= size; c.recv < 0 {
		return errWindow
	}
	st := c.streams[f.Stream]
	if st == nil {
		c.giveBack(size)
		switch {
		case f.Stream > c.last:
			return errIdleStream
		case c.final || c.resets.has(f.Stream):
			return nil // it was on its way
		}
		return errStreamEnded
	}
	st.recv -= size
	c.giveBack(size - int64(len(content))) // padding is used up at once
	st.giveBack(size - int64(len(content)))
	st.got += int64(len(content))
	switch {
	case st.recv < 0:
		err = errStreamWindow
	case st.over:
		err = errStreamEnded
	case st.want >= 0 && st.got > st.want:
		err = errStreamLength
	case st.deaf:
		c.giveBack(int64(len(content)))
		st.giveBack(int64(len(content)))
	default:
		st.store(content)
		content = nil
	}
	if err != nil {
		c.giveBack(int64(len(content)))
		return err
	}
	if f.Has(h2.EndStream) {
		return c.endBody(st)
	}
	st.coming.changed.Signal()
	return nil
}

// endBody notes that the client has ended its side of the stream.
func (c *h2Conn) endBody(st *h2Stream) error {
	if st.want >= 0 && st.got != st.want {
		return errStreamLength
	}
	st.over = true
	st.coming.changed.Signal()
	return nil
}

// giveBack lets the client send n more bytes, of any stream. It is told when they are worth a frame.
func (c *h2Conn) giveBack(n int64) {
	if c.owed += n; c.owed < h2ConnWindow/4 || c.ended {
		return
	}
	c.out.open(c.proxy)
	c.out.pending = h2.AppendWindowUpdate(c.out.pending, 0, uint32(c.owed))
	c.recv += c.owed
	c.owed = 0
}
