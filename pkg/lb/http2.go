package lb

import (
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// http2Server makes net/http's server for the connections that agreed on HTTP/2.
func (s *Server) http2Server() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(s.serveStream),
		ReadHeaderTimeout: s.timeouts.ReadHeader,
		IdleTimeout:       s.timeouts.Idle,
		WriteTimeout:      s.streamMost(),
		MaxHeaderBytes:    h1.MaxHead,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), // panics, above all
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			MaxReadFrameSize:     16 << 10, // the protocol's default; a frame must fit in a stream's window
			// By default one stream may fill the window of its whole connection: an upload whose member takes nothing would then
			// hold up all others.
			MaxReceiveBufferPerStream:     256 << 10,
			MaxReceiveBufferPerConnection: 4<<20 - 1,
		},
		ConnContext: s.newStreamConn,
	}
}

// connQueue is a listener that gives connections which were accepted elsewhere.
type connQueue struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newConnQueue() *connQueue {
	return &connQueue{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (q *connQueue) hand(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		_ = c.Close() // the server stops
	}
}

func (q *connQueue) close() { q.once.Do(func() { close(q.done) }) }

// Accept implements net.Listener.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *connQueue) Close() error {
	q.close()
	return nil
}

// Addr implements net.Listener.
func (q *connQueue) Addr() net.Addr { return &net.TCPAddr{} }
