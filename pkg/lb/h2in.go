package lb

import (
	"errors"
	"net/http"
	"slices"
	"time"

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

// Made beforehand: hostile clients cause these most.
var (
	errNoSettings   = &h2.Error{Code: h2.ProtocolError, Text: "the first frame is not SETTINGS"}
	errInterrupted  = &h2.Error{Code: h2.ProtocolError, Text: "a field block was interrupted"}
	errNoBlock      = &h2.Error{Code: h2.ProtocolError, Text: "CONTINUATION without a field block"}
	errIdleStream   = &h2.Error{Code: h2.ProtocolError, Text: "a frame for a stream that was never opened"}
	errClosedStream = &h2.Error{Code: h2.StreamClosed, Text: "HEADERS for a stream that is closed"}
	errWindow       = &h2.Error{Code: h2.FlowControlError, Text: "more content than the connection's window takes"}
	errWindowSize   = &h2.Error{Code: h2.FlowControlError, Text: "a window above 2^31-1"}
	errNoIncrement  = &h2.Error{Code: h2.ProtocolError, Text: "WINDOW_UPDATE by nothing"}
	errCalm         = &h2.Error{Code: h2.EnhanceYourCalm, Text: "too many frames that bring nothing on"}

	errStreamRefused     = &h2.Error{Code: h2.RefusedStream, Stream: true, Text: "too many requests at a time"}
	errStreamEnded       = &h2.Error{Code: h2.StreamClosed, Stream: true, Text: "a frame for a stream that the client has ended"}
	errStreamWindow      = &h2.Error{Code: h2.FlowControlError, Stream: true, Text: "more content than the stream's window takes"}
	errStreamWindowSize  = &h2.Error{Code: h2.FlowControlError, Stream: true, Text: "a window above 2^31-1"}
	errStreamNoIncrement = &h2.Error{Code: h2.ProtocolError, Stream: true, Text: "WINDOW_UPDATE by nothing"}
	errStreamLength      = &h2.Error{Code: h2.ProtocolError, Stream: true, Text: "content-length is not that of the body"}
	errStreamTrailers    = &h2.Error{Code: h2.ProtocolError, Stream: true, Text: "malformed trailers"}
)

// frames takes in the frames that are here whole.
func (c *h2Conn) frames() error {
	for {
		have := c.waiting()
		if len(have) < h2.HeaderSize {
			return nil
		}
		f := h2.ParseFrame(have)
		fault := f.Check()
		if fault != nil && !isStreamError(fault) {
			return fault // also if it is too long to be taken
		}
		if len(have) < h2.HeaderSize+f.Length {
			return nil
		}
		payload := have[h2.HeaderSize : h2.HeaderSize+f.Length]
		c.r += h2.HeaderSize + f.Length
		if fault == nil {
			fault = c.frame(f, payload)
		}
		c.taken = c.taken || c.block.stream == 0
		if isStreamError(fault) {
			fault = c.refuse(f.Stream, fault)
		}
		if fault != nil {
			return fault
		}
	}
}

func isStreamError(err error) bool {
	e, ok := err.(*h2.Error) //nolint:errorlint // they are never wrapped, and this is asked for every frame
	return ok && e.Stream
}

// frame takes in one frame. Its head was checked.
func (c *h2Conn) frame(f h2.Frame, payload []byte) error {
	switch {
	case c.block.stream != 0 && (f.Type != h2.Continuation || f.Stream != c.block.stream):
		return errInterrupted
	case !c.settled && (f.Type != h2.Settings || f.Has(h2.Ack)):
		return errNoSettings
	}
	switch f.Type {
	case h2.Data:
		return c.data(f, payload)
	case h2.Headers:
		return c.headers(f, payload)
	case h2.Continuation:
		if c.block.stream == 0 {
			return errNoBlock
		}
		return c.fragment(payload, f.Has(h2.EndHeaders))
	case h2.Settings:
		return c.settings(f, payload)
	case h2.WindowUpdate:
		return c.windowUpdate(f, payload)
	case h2.RstStream:
		return c.reset(f)
	case h2.Ping:
		return c.ping(f, payload)
	case h2.GoAway:
		return c.goAway()
	case h2.Priority:
		if err := h2.PriorityFault(f, payload); err != nil {
			return err
		}
	case h2.PushPromise: // was refused
	}
	return c.spend() // priorities are not followed, and unknown frames ignored
}

// refuse resets a stream for something that the client did wrong on it.
func (c *h2Conn) refuse(stream uint32, fault error) error {
	code := h2.ProtocolError
	var e *h2.Error
	if errors.As(fault, &e) {
		code = e.Code
	}
	c.mu.Lock()
	if st := c.streams[stream]; st != nil {
		if st.fault == nil {
			st.fault = fault
		}
		st.kill()
		delete(c.streams, stream)
	}
	c.appendReset(stream, code)
	c.heading = false // if there was one, it was this stream's
	c.mu.Unlock()
	return c.spend()
}

// appendReset appends an RST_STREAM, and remembers that frames of this stream may still be on their way.
func (c *h2Conn) appendReset(stream uint32, code h2.Code) {
	c.out.open(c.proxy)
	c.out.pending = h2.AppendReset(c.out.pending, stream, code)
	c.resets[c.nextReset%len(c.resets)] = stream
	c.nextReset++
}

// headers takes in a HEADERS frame: a request, trailers, or something too late.
func (c *h2Conn) headers(f h2.Frame, payload []byte) error {
	fragment, fault := f.Fragment(payload)
	if fault != nil && !isStreamError(fault) {
		return fault
	}
	b := fieldBlock{stream: f.Stream, end: f.Has(h2.EndStream), fault: fault}
	c.mu.Lock()
	switch st := c.streams[f.Stream]; {
	case st != nil && st.over:
		b.fault = errStreamEnded
	case st != nil:
		b.kind = blockTrailers
	case f.Stream <= c.last:
		if !slices.Contains(c.resets[:], f.Stream) {
			c.mu.Unlock()
			return errClosedStream
		}
	default:
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
	text := head.Text
	if !b.end && !head.HasLength {
		text = append(text, "Transfer-Encoding: chunked\r\n"...)
	}
	text = append(text, "\r\n"...)
	if len(text) <= smallSize {
		st.memory = c.proxy.buffers.takeSmall()
		text = append(st.memory.mem[:0], text...)
	} else {
		st.memory, b.text = b.text, nil
	}
	x.headSize = len(text)
	switch {
	case head.TooLarge:
		st.refusal = errHeadTooLarge
	case head.Malformed != "":
		st.refusal, st.malformed = &h1.Error{Status: http.StatusBadRequest, Text: head.Malformed}, true
	default:
		n, err := x.req.Parse(text)
		switch {
		case err != nil:
			st.refusal = err
		case n != len(text):
			st.refusal = &h1.Error{Status: http.StatusBadRequest, Text: "the field block is no head of a request"}
		case b.end && x.req.Length() > 0:
			st.refusal, st.malformed = errWrongLength, true
		}
	}
	st.c, st.x, st.id = c, x, b.stream
	st.coming.changed.L, st.going.changed.L = &c.mu, &c.mu
	st.over, st.deaf = b.end, st.refusal != nil
	st.want = -1
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
		case c.final || slices.Contains(c.resets[:], f.Stream):
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

// settings takes in what the client wishes.
func (c *h2Conn) settings(f h2.Frame, payload []byte) error {
	if f.Has(h2.Ack) {
		return c.spend()
	}
	c.settled = true
	c.mu.Lock()
	defer c.mu.Unlock()
	initial := c.out.initial
	for id, value := range h2.EachSetting(payload) {
		if err := id.Check(value); err != nil {
			return err
		}
		if id == h2.InitialWindowSize { // there is no push and no table of fields, and no frame is longer than the least that all must take
			initial = int64(value) // there may be thousands of them, of which the last counts
		}
	}
	if change := initial - c.out.initial; change != 0 {
		c.out.initial = initial
		for _, st := range c.streams {
			if st.window += change; st.window > h2.MaxWindow {
				return errWindowSize
			}
		}
		c.wake()
	}
	c.out.open(c.proxy)
	c.out.pending = h2.AppendSettingsAck(c.out.pending)
	return c.spend()
}

// windowUpdate lets us send more.
func (c *h2Conn) windowUpdate(f h2.Frame, payload []byte) error {
	n := int64(h2.Increment(payload))
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Stream == 0 {
		if n == 0 {
			return errNoIncrement
		}
		if c.out.window += n; c.out.window > h2.MaxWindow {
			return errWindowSize
		}
		c.out.opened++
		c.wake()
		return nil
	}
	st := c.streams[f.Stream]
	switch {
	case f.Stream > c.last:
		return errIdleStream
	case n == 0:
		return errStreamNoIncrement
	case st == nil:
		return nil
	}
	if st.window += n; st.window > h2.MaxWindow {
		return errStreamWindowSize
	}
	if st.stalled && c.open(st) {
		st.going.changed.Signal()
	}
	return nil
}

// reset is the client's end of a stream.
func (c *h2Conn) reset(f h2.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Stream > c.last {
		return errIdleStream
	}
	if st := c.streams[f.Stream]; st != nil {
		st.kill()
		delete(c.streams, f.Stream)
	}
	return c.spend()
}

func (c *h2Conn) ping(f h2.Frame, payload []byte) error {
	data := [8]byte(payload)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !f.Has(h2.Ack):
		c.out.open(c.proxy)
		c.out.pending = h2.AppendPing(c.out.pending, true, data)
	case data == farewellPing:
		c.lastCall()
	}
	return c.spend()
}

// goAway is the client's word that it will begin no more streams.
func (c *h2Conn) goAway() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving = true
	c.lastCall()
	return c.spend()
}

// patience is how many frames a client may send that bring nothing on, but make work: resets, pings, settings, frames for streams that
// are over. Clients do that now and then, and attacks on HTTP/2 consist of it (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2025-8671).
// It comes back with time, and with what is useful, content and answers: some clients send a ping with every round trip, and a proxy in
// front of us gives up as many requests as its clients do.
type patience struct {
	left  int64
	since int64 // on the watch's clock: when left was last looked at
}

const (
	patienceMost    = 1000
	patienceRegains = int64(time.Second / 100) // the time in which one comes back
)

func newPatience(now int64) patience { return patience{left: patienceMost, since: now} }

// spend takes one, and reports false if none is left.
func (p *patience) spend(now int64) bool {
	if back := (now - p.since) / patienceRegains; back > 0 {
		p.left = min(p.left+back, patienceMost)
		p.since += back * patienceRegains
	}
	p.left--
	return p.left >= 0
}

// earn gives back what n useful things are worth.
func (p *patience) earn(n int) { p.left = min(p.left+int64(n), patienceMost) }

func (c *h2Conn) spend() error {
	if !c.patience.spend(c.proxy.watch.Now()) {
		return errCalm
	}
	return nil
}
