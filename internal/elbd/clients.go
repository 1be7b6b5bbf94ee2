package elbd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/regent-registry/regent/pkg/lb"
)

// clientPort is a port that clients come to. It is bound before anything starts, and served when everything is there.
type clientPort struct {
	name     string
	listener net.Listener
	tls      *tls.Config   // nil: plain HTTP
	server   *lb.Server    // from start on
	done     chan struct{} // closed when the port was given up and its last connection has ended
}

func (p *clientPort) isDone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ofClients are the timeouts of a listener.
func (t Timeouts) ofClients() lb.ClientTimeouts {
	return lb.ClientTimeouts{ReadHeader: t.ReadHeader, Idle: t.Idle}
}

// start serves in the background until the server is shut down. failed is called, once, when serving ends for another reason.
func (p *clientPort) start(proxy *lb.Proxy, t Timeouts, log *slog.Logger, failed func(error)) {
	p.server = lb.NewServer(proxy, lb.ServerConfig{
		TLS:      p.tls,
		Timeouts: t.ofClients(),
		Logger:   log.With("listener", p.name),
	})
	log.Info("listening", "listener", p.name, "addr", p.listener.Addr().String(), "tls", p.tls != nil)
	go func() {
		if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("%s: %w", p.name, err))
		}
	}()
}

func (p *clientPort) port() int {
	addr, ok := p.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return addr.Port
}
