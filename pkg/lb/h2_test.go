package lb

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/regent-registry/regent/pkg/lb/h2"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// h2Peer is a client that says frame by frame what a test wants said. It opens windows only when it is told to.
type h2Peer struct {
	*http2.Framer
	t     *testing.T
	conn  *tls.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
	next  uint32 // stream
}

// dialH2 opens a connection, with the settings that the test wishes.
func dialH2(t *testing.T, s *testServer, settings ...http2.Setting) *h2Peer {
	t.Helper()
	raw := dial(t, s.addr)
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	p := &h2Peer{t: t, conn: conn, Framer: http2.NewFramer(conn, conn), next: 1}
	p.enc = hpack.NewEncoder(&p.block)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.AllowIllegalWrites = true
	p.must(io.WriteString(conn, http2.ClientPreface))
	p.ok(p.WriteSettings(settings...))
	p.await("settings", func(f http2.Frame) bool { return f.Header().Type == http2.FrameSettings })
	return p
}

// narrow makes what is not read soon wait at the sender.
func (p *h2Peer) narrow(size int) {
	if tcp, ok := p.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(size)
	}
}

func (p *h2Peer) must(_ int, err error) { p.t.Helper(); p.ok(err) }

func (p *h2Peer) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// head encodes the field block of a request for app.example.
func (p *h2Peer) head(method, path string, fields ...string) []byte {
	p.block.Reset()
	all := append([]string{":method", method, ":scheme", "https", ":authority", "app.example", ":path", path}, fields...)
	for i := 0; i < len(all); i += 2 {
		p.ok(p.enc.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}))
	}
	return p.block.Bytes()
}

// open begins a request, and gives its stream.
func (p *h2Peer) open(end bool, method, path string, fields ...string) uint32 {
	p.t.Helper()
	id := p.next
	p.next += 2
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.head(method, path, fields...), EndStream: end, EndHeaders: true}))
	return id
}

// await reads frames until one is what the test waits for.
func (p *h2Peer) await(what string, is func(http2.Frame) bool) {
	p.t.Helper()
	for {
		f, err := p.ReadFrame()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", what, err)
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			p.ok(p.WriteSettingsAck())
		}
		if is(f) {
			return
		}
		if g, ok := f.(*http2.GoAwayFrame); ok && g.ErrCode != http2.ErrCodeNo {
			p.t.Fatalf("waiting for %s: %v, %v", what, g, g.ErrCode)
		}
	}
}

// ended is an await for the end of a stream, by END_STREAM or by a reset, whose code it stores.
func ended(id uint32, got *int, code *http2.ErrCode) func(http2.Frame) bool {
	return func(f http2.Frame) bool {
		if f.Header().StreamID != id {
			return false
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			*got += len(f.Data())
			return f.StreamEnded()
		case *http2.MetaHeadersFrame:
			return f.StreamEnded()
		case *http2.RSTStreamFrame:
			*code = f.ErrCode
			return true
		}
		return false
	}
}

// finish waits for the end of a stream, and gives how much content came.
func (p *h2Peer) finish(id uint32) (got int, code http2.ErrCode) {
	p.t.Helper()
	p.await("the end of a stream", ended(id, &got, &code))
	return got, code
}

// h2Bench is a bench with a TLS listener, of whose connections there is one at a time.
func h2Bench(t *testing.T, timeouts Timeouts, client ClientTimeouts, members ...string) (*bench, *testServer) {
	t.Helper()
	b := newBench(t, func(c *Config) { c.Timeouts = timeouts })
	b.members(members...)
	certificates := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(certificates.Close)
	front := serveProxy(t, b.proxy, ServerConfig{TLS: &tls.Config{Certificates: certificates.TLS.Certificates}, Timeouts: client})
	return b, front
}

// h2ConnOf is the one connection of a server, when its handshake is done.
func h2ConnOf(t *testing.T, s *testServer) (c *h2Conn) {
	t.Helper()
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for one := range s.conns {
			if h, ok := one.(*h2Conn); ok {
				c = h
			}
		}
		return c != nil
	})
	return c
}

// counter answers with the number of bytes of the body.
func counter(t *testing.T) string {
	t.Helper()
	return member(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			_, _ = io.WriteString(w, strings.Repeat("x", int(min(n, 1000))))
		}
	})
}

// The time for a frame is that of one frame: a body whose frames never end where a read ends is not late as a whole.
func TestH2_SteadyUploadIsNotLate(t *testing.T) {
	_, front := h2Bench(t, Timeouts{Body: 500 * time.Millisecond}, ClientTimeouts{ReadHeader: 500 * time.Millisecond}, counter(t))
	p := dialH2(t, front)
	id := p.open(false, "POST", "/")
	var bytesOut bytes.Buffer
	frames := http2.NewFramer(&bytesOut, nil)
	for i := range 75 {
		p.ok(frames.WriteData(id, i == 74, make([]byte, 91))) // 100 bytes each
	}
	for at, next := 0, 104; at < bytesOut.Len(); at, next = next, min(next+100, bytesOut.Len()) {
		p.must(p.conn.Write(bytesOut.Bytes()[at:next]))
		<-time.After(20 * time.Millisecond)
	}
	if got, code := p.finish(id); got != 1000 || code != 0 {
		t.Errorf("%d bytes, %v", got, code)
	}
}

// duplex answers n bytes at once, then awaits the end of the body.
func duplex(t *testing.T, n int) string {
	t.Helper()
	return member(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if control.EnableFullDuplex() != nil {
			return
		}
		_, _ = w.Write(make([]byte, n))
		_ = control.Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	})
}

// A window that opens wakes the answer that waits for it, not the body's reader, who waits on the same stream.
func TestH2_WindowWakesTheAnswer(t *testing.T) {
	t.Parallel()
	const size = 200 << 10
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, duplex(t, size))
	p := dialH2(t, front, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	id := p.open(false, "POST", "/")
	got := 0
	count := func(want int) func(http2.Frame) bool {
		return func(f http2.Frame) bool {
			if d, ok := f.(*http2.DataFrame); ok {
				got += len(d.Data())
			}
			return got == want
		}
	}
	p.await("what the window lets through", count(65535))
	c := h2ConnOf(t, front)
	waitFor(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.stalled == 1 })
	p.ok(p.WriteWindowUpdate(0, 1<<20))
	_ = p.conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	p.await("the rest", count(size))
	p.ok(p.WriteData(id, true, nil))
	p.finish(id)
}

// The wait for a body is bounded, whatever waits the answer of the same stream has had meanwhile.
func TestH2_BodyIsLateBesideAnAnswer(t *testing.T) {
	t.Parallel()
	_, front := h2Bench(t, Timeouts{Body: 300 * time.Millisecond}, ClientTimeouts{}, duplex(t, 200<<10))
	p := dialH2(t, front, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
	id := p.open(false, "POST", "/")
	c := h2ConnOf(t, front)
	waitFor(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.stalled == 1 })
	p.ok(p.WriteWindowUpdate(0, 1<<20))
	_ = p.conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, code := p.finish(id); code != http2.ErrCodeInternal {
		t.Errorf("ended with %v", code)
	}
}

// What waits to be sent is bounded also when it is no content.
func TestH2_HeadsForAClientThatReadsNothingAreBounded(t *testing.T) {
	addr := member(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("A", strings.Repeat("a", 30<<10)) })
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	p.narrow(16 << 10)
	c := h2ConnOf(t, front)
	most := 0
	for range 400 {
		p.open(true, "HEAD", "/")
		c.mu.Lock()
		most = max(most, len(c.out.pending))
		c.mu.Unlock()
		<-time.After(time.Millisecond)
	}
	if most > h2PendingMost+64<<10 {
		t.Errorf("%d bytes waited to be sent", most)
	}
}

// A client that has as many requests running as it may, and begins one as soon as another has ended, is not refused.
func TestH2_FullConnectionTakesTheNextRequest(t *testing.T) {
	addr := cannedMember(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	begun := 0
	for ; begun < h2Streams; begun++ {
		p.open(true, "GET", "/")
	}
	over, refused := 0, 0
	p.await("all answers", func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			refused++
		case *http2.DataFrame:
			if !f.StreamEnded() {
				return false
			}
		default:
			return false
		}
		if over++; begun < 2000 {
			begun++
			p.open(true, "GET", "/")
			if begun%100 == 0 { // settings may come at any time
				p.ok(p.WriteSettings())
				p.ok(p.WriteWindowUpdate(0, 1<<10))
			}
		}
		return over == begun
	})
	if refused > 0 {
		t.Errorf("%d of %d were refused", refused, begun)
	}
}

// A request that had begun before the last GOAWAY, which promises an answer, gets it, though its head comes in pieces.
func TestH2_HeadInPiecesOutlivesAStop(t *testing.T) {
	t.Parallel()
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, goodMember(t, "m"))
	p := dialH2(t, front)
	block := bytes.Clone(p.head("GET", "/"))
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:5], EndStream: true}))
	c := h2ConnOf(t, front)
	waitFor(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.last == 1 })
	c.shutDown(false)
	c.mu.Lock()
	c.lastCall()
	c.post()
	last := uint32(1 << 31)
	p.await("the last GOAWAY", func(f http2.Frame) bool {
		if g, ok := f.(*http2.GoAwayFrame); ok {
			last = g.LastStreamID
		}
		return last == 1
	})
	p.ok(p.WriteContinuation(1, true, block[5:]))
	if got, code := p.finish(1); got == 0 || code != 0 {
		t.Errorf("%d bytes, %v", got, code)
	}
}

// Downloads that share a slow line are not late as long as the client takes what comes.
func TestH2_DownloadsOnASlowLineAreNotLate(t *testing.T) {
	const size, streams = 300 << 10, 40
	addr := member(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
	_, front := h2Bench(t, Timeouts{Write: 250 * time.Millisecond}, ClientTimeouts{}, addr)
	p := dialH2(t, front, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	p.narrow(256 << 10)
	p.ok(p.WriteWindowUpdate(0, 1<<30))
	for range streams {
		p.open(true, "GET", "/")
	}
	over, frames := 0, 0
	p.await("all", func(f http2.Frame) bool {
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			t.Fatalf("%d were whole, then: %v", over, f)
		case *http2.DataFrame:
			if frames++; frames%20 == 0 {
				<-time.After(40 * time.Millisecond)
			}
			if f.StreamEnded() {
				over++
			}
		}
		return over == streams
	})
}

// The first frame is SETTINGS (RFC 9113 section 3.4), also when the server stops in that moment.
func TestH2_SettingsComeFirst(t *testing.T) {
	t.Parallel()
	b, front := h2Bench(t, Timeouts{}, ClientTimeouts{})
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer := dial(t, l.Addr().String())
	raw, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	tcp, _ := raw.(*net.TCPConn)
	c := newH2Conn(front.Server, wire.New(b.proxy.watch, tcp), client{})
	c.shutDown(false)
	done := make(chan struct{})
	go func() { c.serve(); close(done) }()
	f, err := http2.NewFramer(nil, peer).ReadFrame()
	if _, ok := f.(*http2.SettingsFrame); !ok || err != nil {
		t.Errorf("the first frame is %v, %v", f, err)
	}
	_ = peer.Close()
	<-done
}

// Pings that go with content are no flood: some clients measure the way with them all the time.
func TestH2_PingsBesideContentAreFine(t *testing.T) {
	const size = 24 << 20
	addr := member(t, func(w http.ResponseWriter, _ *http.Request) {
		for range size >> 20 {
			_, _ = w.Write(make([]byte, 1<<20))
		}
	})
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	p.ok(p.WriteWindowUpdate(0, 1<<30))
	id := p.open(true, "GET", "/")
	got := 0
	p.await("the end", func(f http2.Frame) bool {
		d, ok := f.(*http2.DataFrame)
		if !ok {
			return false
		}
		got += len(d.Data())
		p.ok(p.WritePing(false, [8]byte{}))
		return d.StreamEnded()
	})
	if got != size {
		t.Errorf("%d bytes of stream %d", got, id)
	}
}

// No credit is lost, whatever becomes of the bodies: 100 MiB go through one connection of which many streams are broken off.
func TestH2_WindowsAreGivenBack(t *testing.T) {
	addr := member(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	var credit atomic.Int64 // what may be sent, of all streams
	credit.Store(65535)
	go func() { // all that is needed of the answers are the windows
		for {
			f, err := p.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.GoAwayFrame:
				t.Errorf("%v: %v", f, f.ErrCode)
			case *http2.WindowUpdateFrame:
				if f.StreamID == 0 {
					credit.Add(int64(f.Increment))
				}
			}
		}
	}()
	c := h2ConnOf(t, front)
	content := make([]byte, 16<<10-256)
	pad := make([]byte, 200)
	rounds := 800
	if testing.Short() {
		rounds = 50
	}
	for i := range rounds {
		waitFor(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return credit.Load() > 10*h2.MaxFrame && c.active < 20
		})
		path, fields := "/", []string(nil)
		switch i % 4 {
		case 1:
			path = "/no"
		case 2:
			fields = []string{"content-length", "48384"} // kept: 3 of 8 frames, then it is too long
		case 3:
			fields = []string{"content-length", "1000000"}
		}
		id := p.open(false, "POST", path, fields...)
		for range 8 {
			p.ok(p.WriteDataPadded(id, false, content, pad))
			credit.Add(-int64(len(content) + len(pad) + 1))
		}
		if i%3 == 0 {
			p.ok(p.WriteRSTStream(id, http2.ErrCodeCancel))
		} else {
			p.ok(p.WriteData(id, true, content))
			credit.Add(-int64(len(content)))
		}
	}
	waitFor(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.active == 0 && c.recv+c.owed == h2ConnWindow && credit.Load() == c.recv
	})
}

// A time-out for a connection without requests that comes together with a request does that one no harm.
func TestH2_IdleTimeoutDoesNotMeetARequest(t *testing.T) {
	t.Parallel()
	begun, proceed := make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(proceed) })
	addr := member(t, func(http.ResponseWriter, *http.Request) { close(begun); <-proceed })
	t.Cleanup(free) // before the member waits for its requests
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	id := p.open(true, "GET", "/")
	<-begun
	h2ConnOf(t, front).conn.Interrupt() // as the watch does, when the reader has the request in hands
	p.ok(p.WritePing(false, [8]byte{1}))
	p.await("a pong", func(f http2.Frame) bool { _, ok := f.(*http2.PingFrame); return ok })
	free()
	if _, code := p.finish(id); code != 0 {
		t.Errorf("ended with %v", code)
	}
}

// The last request's end does not make a connection that is over wait for another one.
func TestH2_LingerIsShort(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	addr := member(t, func(_ http.ResponseWriter, r *http.Request) { close(begun); <-r.Context().Done() })
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	p.open(true, "GET", "/")
	<-begun
	c := h2ConnOf(t, front)
	p.ok(p.WritePing(true, [8]byte{})) // fine
	p.ok(p.WriteRawFrame(http2.FramePushPromise, 0, 1, []byte{0, 0, 0, 0}))
	for {
		if f, err := p.ReadFrame(); err != nil {
			break
		} else if g, ok := f.(*http2.GoAwayFrame); ok && (g.ErrCode != http2.ErrCodeProtocol || g.LastStreamID != 1) {
			t.Errorf("%v", g)
		}
	}
	began := time.Now()
	waitFor(t, func() bool { return c.conn.Closed() })
	if took := time.Since(began); took > lingerTime+2*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// A request that comes after the last GOAWAY is ignored, all of it, and those that came before are carried out.
func TestH2_LateRequestSpoilsNoStop(t *testing.T) {
	t.Parallel()
	begun, proceed := make(chan struct{}, 1), make(chan struct{})
	free := sync.OnceFunc(func() { close(proceed) })
	addr := member(t, func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-proceed })
	t.Cleanup(free) // before the member waits for its requests
	_, front := h2Bench(t, Timeouts{}, ClientTimeouts{}, addr)
	p := dialH2(t, front)
	early := p.open(true, "GET", "/")
	<-begun
	c := h2ConnOf(t, front)
	c.shutDown(false)
	c.mu.Lock()
	c.lastCall()
	c.post()
	late := p.open(false, "POST", "/")
	p.ok(p.WriteData(late, false, []byte("x")))
	p.block.Reset()
	p.ok(p.enc.WriteField(hpack.HeaderField{Name: "x-checksum", Value: "1"}))
	p.ok(p.WriteHeaders(http2.HeadersFrameParam{StreamID: late, BlockFragment: p.block.Bytes(), EndStream: true, EndHeaders: true}))
	p.ok(p.WritePing(false, [8]byte{1}))
	p.await("a pong", func(f http2.Frame) bool {
		ping, ok := f.(*http2.PingFrame)
		return ok && ping.IsAck()
	})
	free()
	if _, code := p.finish(early); code != 0 {
		t.Errorf("ended with %v", code)
	}
	waitFor(t, c.conn.Closed) // nothing is left to do
}
