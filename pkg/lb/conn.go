package lb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialer makes connections to members. Everything up to the end of the TLS handshake counts as connecting:
// nothing of a request was sent until then.
type dialer struct {
	timeouts Timeouts
	roots    *x509.CertPool
	sessions tls.ClientSessionCache // of one member, or nil
}

// connectError marks an error as one of connecting.
type connectError struct{ error }

// Unwrap gives the cause.
func (e *connectError) Unwrap() error { return e.error }

func (d *dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: d.timeouts.Connect, KeepAlive: 15 * time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, &connectError{err}
	}
	return newMemberConn(conn, d.timeouts), nil
}

func (d *dialer) secure(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Connect)
	defer cancel()
	raw, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, &connectError{err}
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	conn := tls.Client(raw, &tls.Config{
		RootCAs:            d.roots,
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		ClientSessionCache: d.sessions,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one to tell
		return nil, &connectError{err}
	}
	return newMemberConn(conn, d.timeouts), nil
}

// memberConn is a connection to a member that counts what is written, so that "nothing was sent" can be
// told for certain, and that gives up on a member that takes nothing more.
type memberConn struct {
	net.Conn
	stall   time.Duration
	written atomic.Int64
	closing sync.Once
	closed  chan struct{}
}

// lastWords is how long an answer may take to be read after writing failed.
const lastWords = 200 * time.Millisecond

func newMemberConn(conn net.Conn, t Timeouts) *memberConn {
	return &memberConn{Conn: conn, stall: t.Body, closed: make(chan struct{})}
}

// Write implements net.Conn. A member that refuses a body may answer and hang up while the body is still
// on its way. The answer is there then, but the failed write is seen first, and http.Transport reports
// whatever comes first. So a failure is held back until the reading side had its chance; if it meets no answer
// it closes the connection at once, and nothing waits.
func (c *memberConn) Write(p []byte) (int, error) {
	err := c.SetWriteDeadline(time.Now().Add(c.stall))
	n := 0
	if err == nil {
		// Counted before: a quick member may have read, acted and answered before Write returns, and "nothing was sent" must never be
		// said of such a request.
		c.written.Add(int64(len(p)))
		n, err = c.Conn.Write(p)
		c.written.Add(int64(n - len(p)))
	}
	if err != nil && !isTimeout(err) {
		select {
		case <-c.closed:
		case <-time.After(lastWords):
		}
	}
	return n, err
}

// Close implements net.Conn.
func (c *memberConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
