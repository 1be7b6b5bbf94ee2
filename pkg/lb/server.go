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

// Server serves clients on one listener: HTTP/1, and over TLS HTTP/2, in front of the same request path.
type Server struct {
	proxy  *Proxy
	limits atomic.Pointer[ClientTimeouts]
	tls    *tls.Config // nil: plain
	scheme string
	port   int
	log    *slog.Logger

	crew     crew
	streams  sync.Pool   // of *h2Stream
	closing  atomic.Bool // answers end their connections
	retired  atomic.Bool // nothing is accepted any more; connections end by themselves
	stopping atomic.Bool // no request begins any more

	mu       sync.Mutex // guards what follows
	listener net.Listener
	conns    map[served]struct{}
	running  sync.WaitGroup // connections

	accepting sync.WaitGroup // Serve
}

// served is a connection of a client.
type served interface {
	serve()
	// shutDown ends the connection as soon as the requests on it are done. It does not wait.
	// One on which no request has come yet is spared, unless late is set.
	shutDown(late bool)
	// retire lets the connection end by itself, as soon as that surprises nobody. It does not wait.
	retire()
	// breakOff ends it at once.
	breakOff()
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
)

// NewServer makes a server for a proxy. Serve starts it.
func NewServer(p *Proxy, c ServerConfig) *Server {
	s := &Server{proxy: p, scheme: schemeHTTP, log: c.Logger, conns: map[served]struct{}{}}
	s.SetTimeouts(c.Timeouts)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.TLS != nil {
		s.scheme = schemeHTTPS
		s.tls = c.TLS.Clone()
		s.tls.NextProtos = []string{"h2", "http/1.1"}
		s.tls.DynamicRecordSizingDisabled = true // an answer that fits one record leaves in one
		s.streams.New = func() any { return &h2Stream{} }
	}
	return s
}

// SetTimeouts sets the timeouts for the waits that begin from now on.
func (s *Server) SetTimeouts(t ClientTimeouts) {
	if t.ReadHeader <= 0 {
		t.ReadHeader = 10 * time.Second
	}
	if t.Idle <= 0 {
		t.Idle = 2 * time.Minute
	}
	s.limits.Store(&t)
}

func (s *Server) timeouts() *ClientTimeouts { return s.limits.Load() }

// Serve accepts connections until Shutdown or Retire, or until accepting fails for good. It returns http.ErrServerClosed after
// these two. The listener must give TCP connections.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		s.port = addr.Port
	}
	if s.retired.Load() {
		s.mu.Unlock()
		_ = l.Close() // it was stopped before it began
		return http.ErrServerClosed
	}
	s.accepting.Add(1)
	s.mu.Unlock()
	defer s.accepting.Done()
	for pause := time.Duration(0); ; {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.begin(conn)
		case s.retired.Load():
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
	conn := wire.New(s.proxy.watch, tcp)
	from := client{scheme: s.scheme, port: s.port, major: 1, peer: conn.RemoteAddr().Addr().WithZone("")}
	from.use(s.proxy.settings.Load())
	c := &clientConn{server: s, proxy: s.proxy, conn: conn, from: from}
	c.state.Store(connBusy)
	if !s.admit(c) {
		_ = conn.Close() // accepted just when the server stopped
		return
	}
	if s.tls == nil {
		s.running.Go(func() { s.serve(c) })
		return
	}
	// The handshake has a goroutine of its own, since it needs much stack, which the goroutine that serves would keep.
	s.running.Go(func() {
		next := s.handshake(c)
		s.forget(c)
		if next == nil || !s.admit(next) {
			_ = conn.Close() // the handshake failed, or the server stopped meanwhile
			return
		}
		if s.retired.Load() {
			next.retire()
		}
		s.running.Go(func() { s.serve(next) })
	})
}

// admit puts a connection among those that a stop looks after. It reports false if it is too late.
func (s *Server) admit(c served) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) serve(c served) {
	defer s.forget(c)
	c.serve()
}

func (s *Server) forget(c served) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// handshake puts TLS on a connection, and gives the connection of the protocol that was agreed on; nil if it failed.
func (s *Server) handshake(c *clientConn) served {
	c.conn.Server(s.tls)
	ctx, cancel := context.WithTimeout(context.Background(), s.timeouts().ReadHeader)
	defer cancel()
	if err := c.conn.Handshake(ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
			_, _ = io.WriteString(plain.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nThis port speaks HTTPS; the request came as plain HTTP.\n")
		}
		return nil
	}
	state := c.conn.TLS().ConnectionState()
	c.from.tls = tls.VersionName(state.Version)
	if state.NegotiatedProtocol == "h2" {
		return newH2Conn(s, c.conn, c.from)
	}
	return c
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

// Retire stops accepting and lets the connections that are there come to their end: an HTTP/1 connection with its next answer, or when it was
// idle for its time; an HTTP/2 one when what its client had asked for before it heard of the end is answered; a WebSocket when one of its ends closes
// it. It waits for that, and gives the context's error if ctx ends first; Shutdown ends what is left then.
func (s *Server) Retire(ctx context.Context) error {
	s.StopAccepting()
	s.accepting.Wait()
	s.mu.Lock()
	for c := range s.conns {
		c.retire()
	}
	s.mu.Unlock()
	select {
	case <-s.ended():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended gives a channel that is closed when all connections have ended. Nothing may be accepted any more.
func (s *Server) ended() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		s.crew.close()
		close(ended)
	}()
	return ended
}

// Shutdown stops accepting, closes the connections that wait for another request, and waits for running requests; when ctx
// ends first it breaks off what is left and gives the context's error. A connection on which no request has come yet has freshMost
// to bring one: its client is likely about to.
func (s *Server) Shutdown(ctx context.Context) error {
	s.StopAccepting()
	s.accepting.Wait() // whoever was accepted is served
	s.mu.Lock()
	s.stopping.Store(true)
	for c := range s.conns {
		c.shutDown(false)
	}
	s.mu.Unlock()
	late := time.AfterFunc(freshMost, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			c.shutDown(true)
		}
	})
	defer late.Stop()
	ended := s.ended()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		s.breakOff()
		<-ended
		return ctx.Err()
	}
}

// freshMost is how long a server that stops waits for the first request of a connection.
const freshMost = 500 * time.Millisecond

// StopAccepting closes the listener, so that its port is free when it returns, and ends Serve. Answers end their connections from now on. Retire and
// Shutdown begin with it.
func (s *Server) StopAccepting() {
	s.closing.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired.Store(true)
	if s.listener != nil {
		_ = s.listener.Close() // an error would be that it is closed already
	}
}

// breakOff ends all connections.
func (s *Server) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.breakOff()
	}
}

func (s *Server) takeStream() *h2Stream {
	st, _ := s.streams.Get().(*h2Stream)
	return st
}

func (s *Server) freeStream(st *h2Stream) {
	if st.reset() {
		s.streams.Put(st)
	}
}
