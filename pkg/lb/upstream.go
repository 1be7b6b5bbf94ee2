package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// upstream is one member as requests reach it: its addresses, and the connections to them that no request
// uses. A member that moves is another upstream, so a restarted member never meets connections of its past.
type upstream struct {
	proxy   *Proxy
	member  Member
	retired atomic.Bool // no connection is kept any more: the member drains, is gone, or moved

	mu        sync.Mutex // guards additions to endpoints, and what follows
	endpoints atomic.Pointer[[]*endpoint]
	sessions  tls.ClientSessionCache
	hope      context.Context // of those who connect; it ends when the member is found dead
	end       context.CancelFunc
}

func newUpstream(p *Proxy, m Member) *upstream {
	u := &upstream{proxy: p, member: m, sessions: newSessionCache()}
	u.endpoints.Store(&[]*endpoint{})
	u.hope, u.end = context.WithCancel(context.Background())
	return u
}

// stopDialing makes attempts to connect that are under way fail.
func (u *upstream) stopDialing() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.end()
	u.hope, u.end = context.WithCancel(context.Background())
}

// dialing is the context of an attempt to connect.
func (u *upstream) dialing() (context.Context, context.CancelFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return context.WithTimeout(u.hope, u.proxy.timeouts().Connect)
}

// endpoint is the address for requests that come to one of our ports by one scheme.
type endpoint struct {
	scheme string // the client's
	port   int    // ours
	secure bool
	addr   string

	mu   sync.Mutex
	idle []*wire.Conn // newest last
	old  bool         // another one took its place
}

// idleMost bounds the unused connections of an endpoint; the oldest go first.
const idleMost = 1024

// endpoint finds the address for a request.
func (u *upstream) endpoint(scheme string, port int) *endpoint {
	for _, e := range *u.endpoints.Load() {
		if e.port == port && e.scheme == scheme {
			return e
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known := *u.endpoints.Load()
	for _, e := range known {
		if e.port == port && e.scheme == scheme {
			return e
		}
	}
	to, addr := u.member.endpoint(scheme, port) // a member without ports is in no table
	e := &endpoint{scheme: scheme, port: port, secure: to == schemeHTTPS, addr: addr}
	grown := slices.Concat(known, []*endpoint{e})
	u.endpoints.Store(&grown)
	return e
}

// take gives the newest unused connection, or nil. Whether it is still alive is found out when a request is about to be
// written to it.
func (e *endpoint) take() *wire.Conn {
	for {
		e.mu.Lock()
		n := len(e.idle)
		if n == 0 {
			e.mu.Unlock()
			return nil
		}
		c := e.idle[n-1]
		e.idle[n-1] = nil
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		if c.Unpark() {
			return c
		}
	}
}

// keep puts a connection back for the next request.
func (u *upstream) keep(e *endpoint, c *wire.Conn) {
	if u.retired.Load() {
		_ = c.Close() // nothing is lost with it
		return
	}
	c.Park(u.proxy.timeouts().MemberIdle, nil)
	e.mu.Lock()
	dead := 0
	for dead < len(e.idle) && (e.idle[dead].Closed() || len(e.idle)-dead >= idleMost) {
		_ = e.idle[dead].Close() // closing twice is harmless
		dead++
	}
	if dead > 0 {
		e.idle = append(e.idle[:0], e.idle[dead:]...)
	}
	e.idle = append(e.idle, c)
	old := e.old
	e.mu.Unlock()
	if old || u.retired.Load() {
		e.drop() // it was retired meanwhile
	}
}

// drop closes the unused connections.
func (e *endpoint) drop() {
	e.mu.Lock()
	idle := e.idle
	e.idle = nil
	e.mu.Unlock()
	for _, c := range idle {
		_ = c.Close() // nothing is lost with it
	}
}

// retire closes the unused connections, and those in use when their requests end.
func (u *upstream) retire() {
	u.retired.Store(true)
	u.drop()
}

// revive lets connections be kept again: a member that drained is back.
func (u *upstream) revive() { u.retired.Store(false) }

// distrust closes the unused connections, those in use when their requests end, and forgets the TLS sessions: those whom we trust are others now, so each member has to show its
// certificate again.
func (u *upstream) distrust() {
	u.mu.Lock()
	u.sessions = newSessionCache()
	old := u.endpoints.Swap(&[]*endpoint{})
	u.mu.Unlock()
	for _, e := range *old {
		e.mu.Lock()
		e.old = true
		e.mu.Unlock()
		e.drop()
	}
}

func (u *upstream) sessionCache() tls.ClientSessionCache {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sessions
}

func newSessionCache() tls.ClientSessionCache { return tls.NewLRUClientSessionCache(8) }

// dial makes a connection. Everything up to the end of the TLS handshake counts as connecting: nothing of a
// request was sent until then. h is what goes on beside; nil = nothing.
func (u *upstream) dial(e *endpoint, h *aside) (conn *wire.Conn, err error) {
	if h != nil {
		return u.dialBeside(e, h)
	}
	// In a goroutine of its own: connecting, and TLS even more so, needs much stack, which the goroutine of the client's
	// connection would keep for as long as that connection lives.
	done := make(chan struct{})
	go func() {
		conn, err = u.connect(e)
		close(done)
	}()
	<-done
	return conn, err
}

func (u *upstream) connect(e *endpoint) (*wire.Conn, error) {
	ctx, cancel := u.dialing()
	defer cancel()
	raw, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", e.addr)
	if err != nil {
		return nil, hopeless(ctx, err)
	}
	conn := wire.New(u.proxy.watch, raw.(*net.TCPConn)) //nolint:forcetypeassert // "tcp" gives nothing else
	if !e.secure {
		return conn, nil
	}
	conn.Client(u.tlsConfig(e.addr))
	if err := conn.Handshake(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one to tell
		return nil, hopeless(ctx, err)
	}
	return conn, nil
}

// hopeless gives the error of connecting: that the member was found dead, if that ended it.
func hopeless(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errMemberDown
	}
	return err
}

// tlsConfig is how the member is spoken to, and whom it must prove to be.
func (u *upstream) tlsConfig(addr string) *tls.Config {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	sessions := u.sessionCache() // before the roots: those of other roots must not come into the new cache
	return &tls.Config{
		RootCAs:                     u.proxy.settings.Load().Roots,
		ServerName:                  host,
		MinVersion:                  tls.VersionTLS12,
		NextProtos:                  []string{"http/1.1"},
		ClientSessionCache:          sessions,
		DynamicRecordSizingDisabled: true,
	}
}

// drop closes the unused connections: nobody is there to answer on them.
func (u *upstream) drop() {
	for _, e := range *u.endpoints.Load() {
		e.drop()
	}
}
