package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Server is one HTTP listener. Its port is bound by [Listen], so that a port in use is known before anything else starts.
type Server struct {
	name     string
	listener net.Listener
	http     *http.Server
	log      *slog.Logger
	done     chan struct{} // closed when serving has ended
}

// Timeouts of a listener. Zero means the default, and for Body and Write that the handler bounds them itself.
type Timeouts struct {
	ReadHeader time.Duration // default 10 s
	Idle       time.Duration // default 120 s
	Body       time.Duration // for each piece of a request's body
	Write      time.Duration // for the client to take each piece of an answer
}

// Listen binds addr for the handler, with TLS when tlsConfig is not nil. key names the configuration key in the error for a port in use.
func Listen(name, key, addr string, h http.Handler, tlsConfig *tls.Config, t Timeouts, log *slog.Logger) (*Server, error) {
	listener, err := Bind(key, addr)
	if err != nil {
		return nil, err
	}
	if t.ReadHeader == 0 {
		t.ReadHeader = 10 * time.Second
	}
	if t.Idle == 0 {
		t.Idle = 120 * time.Second
	}
	if t.Body > 0 && t.Write > 0 {
		h = patience{next: h, body: t.Body, write: t.Write}
	}
	return &Server{
		name:     name,
		listener: listener,
		log:      log,
		done:     make(chan struct{}),
		http: &http.Server{
			Handler:           h,
			TLSConfig:         tlsConfig,
			ReadHeaderTimeout: t.ReadHeader,
			IdleTimeout:       t.Idle,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(log.With("listener", name).Handler(), slog.LevelDebug),
		},
	}, nil
}

// Bind binds a TCP port. key names the configuration key in the error for a port in use.
func Bind(key, addr string) (net.Listener, error) {
	config := net.ListenConfig{Control: limitUnsent}
	config.SetMultipathTCP(false) // its connections inherit no options, and are not what pkg/lb/wire knows of TCP
	listener, err := config.Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another process; stop that one or change %s", addr, key)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w; change %s", addr, err, key)
	}
	return listener, nil
}

// Addr is the bound address.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Start serves in the background until [Server.Shutdown]. failed is called, once, when serving ends for another reason.
func (s *Server) Start(failed func(error)) {
	s.log.Info("listening", "listener", s.name, "addr", s.Addr(), "tls", s.http.TLSConfig != nil)
	go func() {
		var err error
		if s.http.TLSConfig != nil {
			err = s.http.ServeTLS(s.listener, "", "")
		} else {
			err = s.http.Serve(s.listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("%s: %w", s.name, err))
		}
		close(s.done)
	}()
}

// Shutdown stops accepting and waits for running requests; when ctx ends first it closes what is left and says so.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("%s: requests were still running: %w", s.name, errors.Join(err, s.http.Close()))
	}
	<-s.done
	return err
}

// Close releases a listener that was never started.
func (s *Server) Close() error { return s.listener.Close() }

// Name is the name that the server was given.
func (s *Server) Name() string { return s.name }

// Port is the bound port.
func (s *Server) Port() int {
	addr, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return addr.Port
}
