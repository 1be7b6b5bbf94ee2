package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// Server serves clients on one listener: HTTP/1 by its own code, and, over TLS, HTTP/2 by net/http's server in front
// of the same request path.
type Server struct {
	proxy    *Proxy
	timeouts ClientTimeouts
	tls      *tls.Config // nil: plain
	scheme   string
	port     int
	log      *slog.Logger

	h2       *http.Server
	h2Conns  *connQueue
	streams  sync.Pool    // of *stream
	handlers atomic.Int64 // streams that are being served
	closing  atomic.Bool  // answers end their connections
	stopping atomic.Bool  // no request begins any more

	mu       sync.Mutex // guards what follows
	listener net.Listener
	conns    map[*clientConn]struct{}
	running  sync.WaitGroup // connections and the HTTP/2 server
}

// ServerConfig is what a Server needs besides a Proxy.
type ServerConfig struct {
	TLS      *tls.Config // nil: plain HTTP
	Timeouts ClientTimeouts
	Logger   *slog.Logger // nil = no log
}

// ClientTimeouts bound the waits for a client that no request is running for. A zero field means its default.
type ClientTimeouts struct {
	ReadHeader time.Duration // a request's head, and a TLS handshake; default 10s
	Idle       time.Duration // between requests; default 2m
}

// How long and for how much a connection is read after the last answer, so that a client that still sends gets it.
const (
	lingerMost = 64 << 20
	lingerTime = 2 * time.Second

	handlersMost = 5 * time.Second // see awaitHandlers
)

// NewServer makes a server for a proxy. Serve starts it.
func NewServer(p *Proxy, c ServerConfig) *Server {
	s := &Server{proxy: p, timeouts: c.Timeouts, scheme: schemeHTTP, log: c.Logger, conns: map[*clientConn]struct{}{}}
	if s.timeouts.ReadHeader <= 0 {
		s.timeouts.ReadHeader = 10 * time.Second
	}
	if s.timeouts.Idle <= 0 {
		s.timeouts.Idle = 2 * time.Minute
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.TLS != nil {
		s.scheme = schemeHTTPS
		s.tls = c.TLS.Clone()
		s.tls.NextProtos = []string{"h2", "http/1.1"}
		s.tls.DynamicRecordSizingDisabled = true // an answer that fits one record leaves in one
		s.h2Conns = newConnQueue()
		s.h2 = s.http2Server()
		s.streams.New = func() any { return &stream{server: s} }
	}
	return s
}

// Serve accepts connections until Shutdown, or until accepting fails for good. It returns http.ErrServerClosed after
// a Shutdown. The listener must give TCP connections.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		s.port = addr.Port
	}
	if s.stopping.Load() {
		_ = l.Close() // it was stopped before it began
	} else if s.tls != nil {
		s.running.Go(func() { _ = s.h2.Serve(s.h2Conns) }) // it ends with the queue
	}
	s.mu.Unlock()
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.begin(conn)
		case s.stopping.Load():
			return http.ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		case errors.Is(err, syscall.ECONNABORTED):
			s.log.Debug("a connection could not be accepted", "error", err) // it ended before it was accepted
		default:
			// Descriptors and memory come back when connections end.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("a connection cannot be accepted; trying again", "error", err, "pause", pause)
			<-time.After(pause)
		}
	}
}

// begin starts the goroutine of a connection.
func (s *Server) begin(raw net.Conn) {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		s.log.Error("the listener gives no TCP connections")
		_ = raw.Close() // of no use
		return
	}
	c := &clientConn{server: s, proxy: s.proxy, conn: wire.New(s.proxy.watch, tcp)}
	c.state.Store(connBusy)
	c.from = client{scheme: s.scheme, port: s.port, major: 1, public: s.proxy.public, peer: c.conn.RemoteAddr().Addr().WithZone("")}
	c.from.trusted = s.proxy.trusted.has(c.from.peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		_ = c.conn.Close() // accepted just when the server stopped
		return
	}
	s.conns[c] = struct{}{}
	if s.tls == nil {
		s.running.Go(func() { s.serve(c) })
		return
	}
	// The handshake has a goroutine of its own, since it needs much stack, which the goroutine that serves would keep.
	s.running.Go(func() {
		if s.handshake(c) {
			s.running.Go(func() { s.serve(c) })
		} else {
			s.forget(c)
		}
	})
}

func (s *Server) serve(c *clientConn) {
	defer s.forget(c)
	c.serve()
}

func (s *Server) forget(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// handshake puts TLS on a connection, and hands it to the HTTP/2 server if that was agreed on. It reports whether the
// connection is ours to serve.
func (s *Server) handshake(c *clientConn) bool {
	c.conn.Server(s.tls)
	ctx, cancel := context.WithTimeout(context.Background(), s.timeouts.ReadHeader)
	defer cancel()
	if err := c.conn.Handshake(ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
			_, _ = io.WriteString(plain.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nThis port speaks HTTPS; the request came as plain HTTP.\n")
		}
		_ = c.conn.Close() // the client knows no more than that
		return false
	}
	state := c.conn.TLS().ConnectionState()
	c.from.tls = tls.VersionName(state.Version)
	if state.NegotiatedProtocol != "h2" {
		return true
	}
	c.conn.Release()
	c.conn.Gather()
	s.h2Conns.hand(c.conn.NetConn())
	return false
}

// looksLikeHTTP reports whether the first bytes on a TLS port are those of a plain request.
func looksLikeHTTP(head [5]byte) bool {
	switch string(head[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH":
		return true
	}
	return false
}

// StopKeepAlives ends each HTTP/1 connection with its next answer, so that clients move elsewhere while the listener still accepts. HTTP/2
// has a word for it, which Shutdown says.
func (s *Server) StopKeepAlives() {
	s.closing.Store(true)
}

// Shutdown stops accepting, closes the connections that wait for a request, and waits for running requests; when ctx
// ends first it breaks off what is left and gives the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	s.mu.Lock()
	s.stopping.Store(true)
	if s.listener != nil {
		_ = s.listener.Close() // an error would be that it is closed already
	}
	for c := range s.conns {
		if c.state.CompareAndSwap(connIdle, connClosed) {
			_ = c.conn.Close() // no request is on it
		}
	}
	s.mu.Unlock()
	var err error
	if s.h2 != nil {
		s.h2Conns.close()
		if err = s.h2.Shutdown(ctx); err != nil {
			_ = s.h2.Close() // the context's error is the one to tell
			s.awaitHandlers()
		}
	}
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		s.breakOff()
		<-ended
		return ctx.Err()
	}
}

// awaitHandlers waits for the handlers of streams that were cut off: net/http does not. They notice within a tick of the watch.
func (s *Server) awaitHandlers() {
	for begin := time.Now(); s.handlers.Load() > 0 && time.Since(begin) < handlersMost; {
		<-time.After(5 * time.Millisecond)
	}
}

// breakOff ends all connections.
func (s *Server) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.conn.Reset() // what is cut off must not look complete
	}
}
