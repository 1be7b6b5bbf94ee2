package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one TCP connection, plain or under TLS. One goroutine may read and another one write at the same time; Close, Reset,
// Interrupt, Reconsider, Revive, Written and Closed may be called by anybody.
type Conn struct {
	watch  *Watch
	slot   int // in watch.conns, -1 when not there; guarded by watch.mu
	tcp    *net.TCPConn
	raw    syscall.RawConn
	tls    *tls.Conn // nil: plain
	local  netip.AddrPort
	remote netip.AddrPort

	in  reading
	out writing

	stop    sync.Mutex   // serialises whatever sets deadlines of the socket
	stopped bool         // the socket has a deadline; guarded by stop
	lost    func() bool  // tells whether waiting has become pointless; guarded by stop
	parked  atomic.Int64 // due time while parked; closedInPark after that time
	acked   int64        // acknowledged bytes when a write was first seen waiting, or unknown; the watch's own
	gone    func()       // told when the time in the pool was over

	closing atomic.Bool // Close was called: TLS may still say goodbye, but must not wait
	closed  atomic.Bool
	half    atomic.Bool // CloseWrite was called
	ended   atomic.Bool // the peer ended its side in order
	broken  atomic.Bool // the connection broke: a reset, a time-out of TCP
}

// New wraps a connection and puts it on the watch. Nothing is set on the socket.
func New(w *Watch, tcp *net.TCPConn) *Conn {
	c := &Conn{watch: w, tcp: tcp, local: addrPort(tcp.LocalAddr()), remote: addrPort(tcp.RemoteAddr()), acked: unknown}
	raw, err := tcp.SyscallConn()
	if err != nil { // tcp is no connection; every use of it would fail in the same way
		raw = deadConn{err}
	}
	c.raw = raw
	c.in.step = c.onReadable
	c.in.peek = c.onPeek
	c.in.grab = c.onGrab
	c.out.step = c.onWritable
	w.add(c)
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// deadConn is the RawConn of a connection that has none.
type deadConn struct{ err error }

func (d deadConn) Control(func(uintptr)) error    { return d.err }
func (d deadConn) Read(func(uintptr) bool) error  { return d.err }
func (d deadConn) Write(func(uintptr) bool) error { return d.err }

// LocalAddr is this side's address, IPv4 as IPv4.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr is the peer's address, IPv4 as IPv4.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// Server puts TLS on the connection, as its server. It must be the first thing done with it; the handshake is the caller's.
func (c *Conn) Server(cfg *tls.Config) { c.tls = tls.Server(socket{c}, cfg) }

// Client puts TLS on the connection, as its client. It must be the first thing done with it; the handshake is the caller's.
func (c *Conn) Client(cfg *tls.Config) { c.tls = tls.Client(socket{c}, cfg) }

// Handshake does the TLS handshake, under the due times of reading and writing and until ctx ends, whatever is first. A context that
// can end costs a goroutine; context.Background with ReadBy and WriteBy costs none. On a plain connection it does nothing.
func (c *Conn) Handshake(ctx context.Context) error {
	if c.tls == nil {
		return nil
	}
	return c.tls.HandshakeContext(ctx)
}

// TLS is the TLS layer, nil on a plain connection.
func (c *Conn) TLS() *tls.Conn { return c.tls }

// Closed reports whether Close or Reset was called, or the time in the pool was over.
func (c *Conn) Closed() bool { return c.closed.Load() || c.closing.Load() }

// Close closes the connection; pending reads and writes fail with net.ErrClosed. TLS says goodbye (close_notify) if that can be done
// without waiting. It may be called by anybody, any number of times.
func (c *Conn) Close() error {
	if c.closing.Swap(true) {
		return nil
	}
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.shut()
}

// shut closes the socket.
func (c *Conn) shut() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.watch.remove(c)
	return c.tcp.Close()
}

// CloseWrite ends this side's half of the connection, under TLS with close_notify before. It is the writer's to call.
func (c *Conn) CloseWrite() error {
	c.half.Store(true)
	var goodbye error
	if c.tls != nil {
		goodbye = c.tls.CloseWrite()
	}
	return errors.Join(goodbye, c.tcp.CloseWrite())
}

// Reset closes the connection so that the peer cannot take it for an orderly end: TCP says RST, and TLS says nothing.
func (c *Conn) Reset() error {
	c.closing.Store(true)
	_ = c.tcp.SetLinger(0) // fails only when the connection is closed already
	return c.shut()
}

// Linger closes after an answer that the peer may not have expected yet. Closing while bytes of the peer are unread makes the kernel
// say RST, and RST makes the peer's kernel forget the answer (RFC 9112 section 9.6). So this side's half is closed first, then what
// comes is dropped: up to limit bytes, for at most d (and two ticks), until the peer ends too. The caller waits; nobody else may read.
func (c *Conn) Linger(limit int64, d time.Duration) {
	c.Revive()
	c.WriteBy(d) // for TLS's goodbye
	if c.CloseWrite() == nil {
		c.ReadBy(d)
		c.drop(limit)
	}
	_ = c.Close() // all was said
}
