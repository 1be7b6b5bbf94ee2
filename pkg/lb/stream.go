package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// streamConn is what the streams of one connection share.
type streamConn struct {
	from client // but for what depends on the host
	last atomic.Pointer[client]
}

type streamConnKey struct{}

// newStreamConn is called by net/http for every connection.
func (s *Server) newStreamConn(ctx context.Context, conn net.Conn) context.Context {
	c := &streamConn{from: client{scheme: s.scheme, port: s.port, major: 2, public: s.proxy.public}}
	if secure, ok := conn.(*tls.Conn); ok {
		c.from.tls = tls.VersionName(secure.ConnectionState().Version)
	}
	if peer, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		c.from.peer = peer.Addr().Unmap().WithZone("")
	}
	c.from.trusted = s.proxy.trusted.has(c.from.peer)
	c.last.Store(&c.from)
	return context.WithValue(ctx, streamConnKey{}, c)
}

// stream is one request over HTTP/2. Its head is written as an HTTP/1 head and goes through the same parser,
// so nothing that HTTP/1 could not say gets to a member.
type stream struct {
	server  *Server
	proxy   *Proxy
	from    client
	w       http.ResponseWriter
	r       *http.Request
	x       *exchange
	memory  *buffer
	tail    h1.Chunks // checks the trailers
	aborted bool      // the answer must not look complete

	// Scratch of setHeader.
	names []string
	ends  []int
}

var (
	errStreamGone  = errors.New("the client gave the request up")
	errWrongLength = &h1.Error{Status: http.StatusBadRequest, Text: "Content-Length is not that of the body"} // RFC 9113 section 8.1.1
)

// serveStream is called by net/http for every HTTP/2 request.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request) {
	s.handlers.Add(1)
	defer s.handlers.Add(-1)
	conn, ok := r.Context().Value(streamConnKey{}).(*streamConn)
	if !ok {
		panic(http.ErrAbortHandler) // newStreamConn was called for every connection
	}
	st, _ := s.streams.Get().(*stream)
	st.server, st.proxy, st.w, st.r = s, s.proxy, w, r
	st.from = *conn.last.Load()
	st.memory = s.proxy.buffers.takeSmall()
	x := s.proxy.takeExchange()
	x.front, x.from = st, &st.from
	st.x = x
	defer st.free() // a panic is on its way, perhaps
	head := st.appendHead(st.memory.mem[:0])
	x.headSize = len(head)
	_, err := x.req.Parse(head)
	if err == nil && x.req.Length() != r.ContentLength {
		err = errWrongLength
	}
	if err != nil {
		s.proxy.serveBroken(x, err)
	} else {
		s.proxy.serve(x)
	}
	if st.aborted {
		panic(http.ErrAbortHandler) // net/http's way to reset a stream
	}
	if last := conn.last.Load(); len(st.from.block) > 0 && (st.from.host != last.host || st.from.table != last.table) {
		conn.last.Store(new(st.from)) // most clients ask for one host all the time
	}
}

func (st *stream) free() {
	st.proxy.freeExchange(st.x)
	st.memory.free()
	st.tail.Reset()
	clear(st.names)
	*st = stream{server: st.server, tail: st.tail, names: st.names[:0], ends: st.ends[:0]}
	st.server.streams.Put(st)
}

// appendHead writes the request's head in the words of HTTP/1.
func (st *stream) appendHead(dst []byte) []byte {
	r := st.r
	dst = append(dst, r.Method...)
	dst = append(dst, ' ')
	dst = append(dst, r.RequestURI...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = appendField(dst, "Host", r.Host)
	for name, values := range r.Header {
		if name == "Host" && len(values) == 1 && values[0] == r.Host {
			continue // net/http took it for want of :authority, or it says the same
		}
		for _, value := range values {
			dst = appendField(dst, name, value)
		}
	}
	if r.ContentLength < 0 {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if len(r.Trailer) > 0 { // net/http has taken the announcement out
		dst = appendField(dst, "Trailer", strings.ToLower(strings.Join(slices.Sorted(maps.Keys(r.Trailer)), ", ")))
	}
	return append(dst, "\r\n"...)
}

// takeBody implements front.
func (st *stream) takeBody() error {
	b := &st.x.body
	n := st.x.req.Length()
	switch {
	case n == 0:
		return nil
	case n < 0 || n > keepMost:
		b.streamed, b.length, b.waiting = true, n, st.x.req.Continue()
		return nil
	}
	b.memory = st.proxy.buffers.takeBig()
	b.kept = piece{b.memory.mem, headRoom, headRoom}
	for b.kept.len() < int(n) {
		got, err := st.read(b.memory.mem[b.kept.to : headRoom+int(n)])
		b.kept.to += got
		if err != nil && b.kept.len() < int(n) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			b.note(err)
			return err
		}
	}
	return nil
}

// read implements front.
func (st *stream) read(p []byte) (int, error) {
	control := http.NewResponseController(st.w)
	_ = control.SetReadDeadline(time.Now().Add(st.proxy.timeouts.Body)) // net/http's own streams support it
	n, err := st.r.Body.Read(p)
	_ = control.SetReadDeadline(time.Time{})                             // the time that the member takes is not the client's
	_ = control.SetWriteDeadline(time.Now().Add(st.server.streamMost())) // a long upload is no slow answer
	return n, err
}

// setHeader gives the answer's fields to net/http. It wants strings and slices; two allocations make them all.
func (st *stream) setHeader(a *answer) {
	res, h := a.head, st.w.Header()
	text := a.room[:0]
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade, h1.Trailer, h1.RequestID:
			continue
		case h1.Location:
			if location, changed := st.x.publicLocation(res.Value(i)); changed {
				text = st.add(append(text, location...), "Location")
				continue
			}
		default:
			if res.Hop(i) {
				continue
			}
		}
		text = st.add(append(text, res.Value(i)...), canonicalName(res.Name(i)))
	}
	text = st.add(append(text, st.x.id...), "X-Request-Id")
	if res.Count(h1.ContentType) == 0 {
		h["Content-Type"] = nil // net/http must not guess
	}
	if a.length >= 0 {
		text = st.add(strconv.AppendInt(text, a.length, 10), "Content-Length")
	}
	all, values := string(text), make([]string, len(st.names))
	from := 0
	for i, name := range st.names {
		values[i] = all[from:st.ends[i]]
		from = st.ends[i]
		if had := h[name]; had != nil {
			h[name] = append(had, values[i])
		} else {
			h[name] = values[i : i+1 : i+1]
		}
	}
}

// add notes that the value of a field ends here.
func (st *stream) add(text []byte, name string) []byte {
	st.names = append(st.names, name)
	st.ends = append(st.ends, len(text))
	return text
}

// canonicalName gives a field's name as net/http wants it, without allocating for those that most answers have.
func canonicalName(name []byte) string {
	switch string(name) {
	case "Content-Type", "content-type":
		return "Content-Type"
	case "Date", "date":
		return "Date"
	case "Server", "server":
		return "Server"
	case "Cache-Control", "cache-control":
		return "Cache-Control"
	case "ETag", "Etag", "etag":
		return "Etag"
	case "Last-Modified", "last-modified":
		return "Last-Modified"
	case "Vary", "vary":
		return "Vary"
	case "Set-Cookie", "set-cookie":
		return "Set-Cookie"
	case "Content-Encoding", "content-encoding":
		return "Content-Encoding"
	case "X-Content-Type-Options":
		return "X-Content-Type-Options"
	case "Content-Security-Policy":
		return "Content-Security-Policy"
	}
	return http.CanonicalHeaderKey(string(name))
}

// trailers implements front.
func (st *stream) trailers() *h1.Fields {
	if len(st.r.Trailer) == 0 {
		return nil
	}
	// In the words of HTTP/1, so that the same rules hold for them.
	text := []byte("0\r\n")
	for name, values := range st.r.Trailer {
		for _, value := range values {
			text = appendField(text, name, value)
		}
	}
	if _, _, done, err := st.tail.Decode(append(text, "\r\n"...)); err != nil || !done {
		return nil // what is malformed is no trailer
	}
	return st.tail.Trailers()
}

// stopReading implements front.
func (st *stream) stopReading() {
	_ = http.NewResponseController(st.w).SetReadDeadline(time.Unix(1, 0)) // net/http's own streams support it
}

// source implements front.
func (st *stream) source() *wire.Conn { return nil }

// carryOn implements front. net/http says it by itself when the body is read.
func (st *stream) carryOn() error { return nil }

// interim implements front.
func (st *stream) interim(res *h1.Response) error {
	h := st.w.Header()
	copyFields(h, res)
	st.w.WriteHeader(res.Status())
	clear(h)
	return nil
}

func copyFields(h http.Header, res *h1.Response) {
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade, h1.Trailer, h1.RequestID:
		default:
			if !res.Hop(i) {
				h.Add(string(res.Name(i)), string(res.Value(i)))
			}
		}
	}
}

// begin implements front.
func (st *stream) begin(a *answer) error {
	st.setHeader(a)
	st.w.WriteHeader(a.head.Status())
	if a.empty {
		return nil
	}
	if a.whole {
		if a.first.len() > 0 {
			if err := st.put(a.first.bytes()); err != nil {
				return err
			}
		}
		return st.end(a.tail)
	}
	return st.write(a.first)
}

// promptMost is the size of content that net/http takes without waiting for the client.
const promptMost = 4 << 10

// put hands content to net/http. A client that takes nothing of it (HTTP/2 has flow control) has its time for it. Setting that is
// not cheap, and a deadline of HTTP/2 bites even when nothing is being written; so short answers are left to the server's own limit.
func (st *stream) put(p []byte) error {
	if len(p) <= promptMost {
		_, err := st.w.Write(p)
		return err
	}
	defer st.patience()()
	_, err := st.w.Write(p)
	return err
}

// patience bounds what is written until the function that it gives is called.
func (st *stream) patience() func() {
	control := http.NewResponseController(st.w)
	_ = control.SetWriteDeadline(time.Now().Add(st.proxy.timeouts.Write)) // net/http's own streams support it
	return func() { _ = control.SetWriteDeadline(time.Now().Add(st.server.streamMost())) }
}

// streamMost bounds every wait of a stream that nothing else bounds: for a client that does not take the end of its answer.
func (s *Server) streamMost() time.Duration {
	t := s.proxy.timeouts
	return t.Body + maxAttempts*t.Connect + max(t.ResponseHeader, t.Stream) + t.Write
}

// write implements front. What comes in pieces is passed on at once.
func (st *stream) write(p piece) error {
	defer st.patience()()
	if p.len() > 0 {
		if _, err := st.w.Write(p.bytes()); err != nil {
			return err
		}
	}
	return http.NewResponseController(st.w).Flush()
}

// end implements front.
func (st *stream) end(trailers *h1.Fields) error {
	if trailers == nil {
		return nil
	}
	h := st.w.Header()
	for i := range trailers.Len() {
		h.Add(http.TrailerPrefix+string(trailers.Name(i)), string(trailers.Value(i)))
	}
	return nil
}

// sink implements front.
func (st *stream) sink() *wire.Conn { return nil }

var errNoTunnel = errors.New("HTTP/2 streams are no tunnels")

// tunnel implements front. It is not called: an HTTP/2 request asks for no upgrade.
func (st *stream) tunnel(*h1.Response) (*wire.Conn, []byte, error) { return nil, nil, errNoTunnel }

// gone implements front.
func (st *stream) gone() error {
	if st.r.Context().Err() != nil {
		return errStreamGone
	}
	return nil
}

// abort implements front.
func (st *stream) abort() { st.aborted = true }
