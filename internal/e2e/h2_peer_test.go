package e2e_test

// A client's end of an HTTP/2 connection, frame by frame: it can say what no client library can be brought to say, and tells what it hears.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// h2window is what a stream and a connection may send at first, RFC 9113 section 6.9.2.
	h2window = 65_535
	// h2frame is the largest payload of a frame unless a setting says otherwise, RFC 9113 section 6.5.2.
	h2frame = 16 << 10
	// h2most is the largest window, RFC 9113 section 6.9.1.
	h2most = 1<<31 - 1
)

// h2life is how long a client's connection may last at most, whatever comes on it.
const h2life = 2 * time.Minute

// h2peer is a client's connection. What it writes is held until it waits for something, or flush. One goroutine uses it.
type h2peer struct {
	conn    net.Conn
	framer  *http2.Framer
	out     *bufio.Writer
	encoder *hpack.Encoder
	block   bytes.Buffer
	next    uint32 // id of the next stream

	mute   bool            // nothing is acknowledged or given back by itself
	stingy map[uint32]bool // streams whose window is not given back

	streams  map[uint32]*h2answer
	settings map[http2.SettingID]uint32 // the server's
	acks     int                        // of our settings
	pong     uint64                     // the last PING that came back
	pings    uint64
	window   int64  // what the connection may still send
	goAway   *h2end // the last one
	over     error  // how the connection ended
	began    time.Time
}

// h2end is a GOAWAY.
type h2end struct {
	last uint32
	code http2.ErrCode
	text string
}

// h2answer is what came back on a stream.
type h2answer struct {
	interim  [][]hpack.HeaderField
	status   int
	fields   []hpack.HeaderField
	body     bytes.Buffer
	frames   int // of DATA
	largest  int // payload of one
	trailers []hpack.HeaderField
	ended    bool
	reset    bool
	code     http2.ErrCode
	window   int64 // what may still be sent
}

func (s *h2answer) String() string {
	return fmt.Sprintf("status %d, %d bytes (%.80q), ended %t, reset %t %v", s.status, s.body.Len(), s.body.Bytes()[:min(80, s.body.Len())], s.ended, s.reset, s.code)
}

// value is that of a field of the answer; "" without it.
func (s *h2answer) value(name string) string { return fieldValue(s.fields, name) }

func fieldValue(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// peer makes a connection and says the preface, with the client's settings.
func (a *attack) peer(settings ...http2.Setting) (*h2peer, error) {
	p, err := a.barePeer()
	if err != nil {
		return nil, err
	}
	_, err = p.out.WriteString(http2.ClientPreface)
	return p, errors.Join(err, p.framer.WriteSettings(settings...), p.flush())
}

// barePeer makes a connection on which nothing was said.
func (a *attack) barePeer() (*h2peer, error) {
	c, err := a.dialTLS("h2")
	if err != nil {
		return nil, err
	}
	return newH2Peer(c.Conn), nil
}

func newH2Peer(conn net.Conn) *h2peer {
	p := &h2peer{
		conn: conn, out: bufio.NewWriterSize(conn, 64<<10), next: 1, window: h2window, began: time.Now(),
		streams: map[uint32]*h2answer{}, stingy: map[uint32]bool{}, settings: map[http2.SettingID]uint32{},
	}
	p.framer = http2.NewFramer(p.out, bufio.NewReaderSize(conn, 64<<10))
	p.framer.AllowIllegalWrites = true
	p.framer.SetMaxReadFrameSize(h2frame) // whoever sends more has to ask first
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.encoder = hpack.NewEncoder(&p.block)
	return p
}

func (p *h2peer) flush() error {
	_ = p.conn.SetWriteDeadline(time.Now().Add(answerLimit))
	return p.out.Flush()
}

// write writes bytes as they are.
func (p *h2peer) write(b []byte) { _, _ = p.out.Write(b) }

// encode gives fields (name, value, …) as a block. It is good until the next call.
func (p *h2peer) encode(fields ...string) []byte {
	p.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = p.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // a buffer takes all
	}
	return p.block.Bytes()
}

// head gives the block of a request. The fields begin with :authority if it is not good.test.
func (p *h2peer) head(method, path string, fields ...string) []byte {
	all := []string{":method", method, ":scheme", "https", ":path", path}
	if len(fields) == 0 || fields[0] != ":authority" {
		all = append(all, ":authority", "good.test")
	}
	return p.encode(append(all, fields...)...)
}

// stream gives the id of a new stream, about which answers are kept.
func (p *h2peer) stream() uint32 {
	id := p.next
	p.next += 2
	window := int64(h2window)
	if w, ok := p.settings[http2.SettingInitialWindowSize]; ok {
		window = int64(w)
	}
	p.streams[id] = &h2answer{window: window}
	return id
}

// open sends a request's head on a new stream. What cannot be written shows when something is awaited.
func (p *h2peer) open(method, path string, end bool, fields ...string) uint32 {
	id := p.stream()
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.head(method, path, fields...), EndHeaders: true, EndStream: end})
	return id
}

func (p *h2peer) get(path string, fields ...string) uint32 {
	return p.open("GET", path, true, fields...)
}

// trail ends a stream with trailers.
func (p *h2peer) trail(id uint32, fields ...string) {
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode(fields...), EndHeaders: true, EndStream: true})
}

// data sends content whether the windows allow it or not.
func (p *h2peer) data(id uint32, end bool, data []byte) {
	_ = p.framer.WriteData(id, end, data)
	p.window -= int64(len(data))
	p.streams[id].window -= int64(len(data))
}

// room is how much the windows allow.
func (p *h2peer) room(id uint32) int64 { return min(p.window, p.streams[id].window) }

// upload sends content as the windows allow it. It is over early when the stream is.
func (p *h2peer) upload(id uint32, end bool, data []byte) error {
	s := p.streams[id]
	for len(data) > 0 || end {
		if err := p.until("room to send", func() bool { return p.room(id) > 0 || len(data) == 0 || s.reset || s.ended }); err != nil {
			return err
		}
		if s.reset || s.ended {
			return nil
		}
		n := min(int64(len(data)), p.room(id), h2frame)
		last := end && n == int64(len(data))
		p.data(id, last, data[:n])
		if data = data[n:]; last {
			break
		}
	}
	return p.flush()
}

// until reads frames until something is so. It fails when the connection ends before that, or answerLimit.
func (p *h2peer) until(what string, is func() bool) error {
	if err := p.flush(); err != nil && p.over == nil && !is() {
		p.drain()
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(answerLimit))
	for !is() {
		if p.over != nil {
			return fmt.Errorf("%s: the connection ended before: %w, %s", what, p.over, p.goAway)
		}
		if err := p.step(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (e *h2end) String() string {
	if e == nil {
		return "no GOAWAY"
	}
	return fmt.Sprintf("GOAWAY %v, last stream %d, %q", e.code, e.last, e.text)
}

// drain takes what came before the connection ended.
func (p *h2peer) drain() {
	_ = p.conn.SetReadDeadline(time.Now().Add(answerLimit))
	for p.over == nil && p.step() == nil {
	}
}

// step reads one frame. An error is a fault of the server, or a wait that was too long; the end of the connection is none.
func (p *h2peer) step() error {
	if time.Since(p.began) > h2life {
		return fmt.Errorf("no end after %v: %s", h2life, p)
	}
	f, err := p.framer.ReadFrame()
	var stream http2.StreamError
	switch {
	case err == nil:
	case isTimeout(err):
		return fmt.Errorf("nothing within %v: %s", answerLimit, p)
	case errors.As(err, &stream), errors.Is(err, http2.ErrFrameTooLarge), errors.As(err, new(http2.ConnectionError)):
		return fmt.Errorf("the server breaks the protocol: %w", errors.Join(err, p.framer.ErrorDetail()))
	default:
		p.over = err
		return nil
	}
	if err := p.take(f); err != nil {
		return err
	}
	if !p.mute && p.out.Buffered() > 0 {
		_ = p.flush() // the end of the connection shows in reading
	}
	return nil
}

func (p *h2peer) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.SettingsFrame:
		return p.takeSettings(f)
	case *http2.PingFrame:
		switch {
		case f.IsAck():
			p.pong, _ = strconv.ParseUint(string(f.Data[:]), 10, 64)
		case !p.mute:
			_ = p.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		p.goAway = &h2end{f.LastStreamID, f.ErrCode, string(f.DebugData())}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			p.window += int64(f.Increment)
		} else if s := p.streams[f.StreamID]; s != nil {
			s.window += int64(f.Increment)
		}
	case *http2.RSTStreamFrame:
		if f.StreamID >= p.next || f.StreamID%2 == 0 { // RFC 9113 section 6.4
			return fmt.Errorf("RST_STREAM on stream %d, which is idle", f.StreamID)
		}
		if s := p.streams[f.StreamID]; s != nil {
			s.reset, s.code = true, f.ErrCode
		}
	case *http2.DataFrame:
		return p.takeData(f)
	case *http2.MetaHeadersFrame:
		return p.takeHead(f)
	}
	return nil
}

func (p *h2peer) takeSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		p.acks++
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if s.ID == http2.SettingInitialWindowSize {
			before, ok := p.settings[s.ID]
			if !ok {
				before = h2window
			}
			for _, stream := range p.streams {
				stream.window += int64(s.Val) - int64(before)
			}
		}
		p.settings[s.ID] = s.Val
		return s.Valid()
	})
	if !p.mute {
		_ = p.framer.WriteSettingsAck()
	}
	return err
}

func (p *h2peer) takeData(f *http2.DataFrame) error {
	s := p.streams[f.StreamID]
	switch {
	case s == nil:
		return fmt.Errorf("DATA on stream %d, which is not there", f.StreamID)
	case s.ended || s.reset:
		return fmt.Errorf("DATA on stream %d, which is over: %v", f.StreamID, s)
	case s.status == 0:
		return fmt.Errorf("DATA on stream %d before its head", f.StreamID)
	}
	s.body.Write(f.Data())
	s.frames++
	s.largest = max(s.largest, int(f.Length))
	s.ended = f.StreamEnded()
	if f.Length > 0 && !p.mute {
		_ = p.framer.WriteWindowUpdate(0, f.Length)
		if !s.ended && !p.stingy[f.StreamID] {
			_ = p.framer.WriteWindowUpdate(f.StreamID, f.Length)
		}
	}
	return nil
}

func (p *h2peer) takeHead(f *http2.MetaHeadersFrame) error {
	s := p.streams[f.StreamID]
	if s == nil || s.ended || s.reset {
		return fmt.Errorf("HEADERS on stream %d, which is not open: %v", f.StreamID, s)
	}
	fields := slices.Clone(f.RegularFields())
	if s.status != 0 {
		if s.trailers = fields; !f.StreamEnded() || f.PseudoValue("status") != "" {
			return fmt.Errorf("trailers on stream %d that do not end it, or with a status: %v", f.StreamID, f)
		}
		s.ended = true
		return nil
	}
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil || status == 101 { // RFC 9113 section 8.6
		return fmt.Errorf("status %q on stream %d", f.PseudoValue("status"), f.StreamID)
	}
	if status < 200 {
		s.interim = append(s.interim, append([]hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(status)}}, fields...))
		if f.StreamEnded() {
			return errors.New("an interim answer ends the stream")
		}
		return nil
	}
	s.status, s.fields, s.ended = status, fields, f.StreamEnded()
	return nil
}

func (p *h2peer) String() string {
	return fmt.Sprintf("%d streams, %s, ended %v", len(p.streams), p.goAway, p.over)
}

var _ io.Closer = (*h2peer)(nil)

// Close ends the connection without a word.
func (p *h2peer) Close() error { return p.conn.Close() }
