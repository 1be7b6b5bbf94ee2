package lb

// Frames from a client, and what each does to its connection.

import (
	"errors"

	"github.com/regent-registry/regent/pkg/lb/h2"
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
	if stream > c.last {
		c.mu.Unlock()
		return &h2.Error{Code: code, Text: "for a stream that was never opened: " + fault.Error()} // no RST_STREAM may name it (section 6.4)
	}
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
	c.resets.add(stream)
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
