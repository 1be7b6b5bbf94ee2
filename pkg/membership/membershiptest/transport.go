package membershiptest

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Transport is one host's part in a [Network].
type Transport struct {
	net     *Network
	addr    netip.AddrPort
	crashed bool // guarded by net.mu

	packets chan *memberlist.Packet
	streams chan net.Conn

	mu    sync.Mutex
	conns map[*conn]struct{} // open ends on this host; Shutdown closes them
	down  chan struct{}      // closed by Shutdown
}

var _ memberlist.NodeAwareTransport = (*Transport)(nil)

// FinalAdvertiseAddr is the host's own address, whatever is asked for.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.Addr().AsSlice(), int(t.addr.Port()), nil
}

// WriteTo sends one packet; like UDP it reports no loss.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	if t.isDown() {
		return time.Time{}, opError("write", to, net.ErrClosed)
	}
	t.net.send(t, slices.Clone(b), to)
	return time.Now(), nil
}

// WriteToAddress is WriteTo; names of nodes are not looked at.
func (t *Transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

// PacketCh gives the packets that arrive.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh gives the streams that others dial.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// receive queues a packet, unless the host died while it travelled.
func (t *Transport) receive(payload []byte, from netip.AddrPort) {
	t.net.mu.Lock()
	crashed := t.crashed
	t.net.mu.Unlock()
	if crashed || t.isDown() {
		return
	}
	select {
	case t.packets <- &memberlist.Packet{Buf: payload, From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}:
	default: // the queue is full: lost
	}
}

// DialTimeout opens a stream. It takes a round trip; to silence it takes the timeout.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	peer, refused := t.net.peer(t, to)
	wait := 2 * t.net.latency()
	silent := peer == nil && !refused || wait > timeout
	if silent {
		wait = timeout
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.down:
		return nil, opError("dial", to, net.ErrClosed)
	}
	switch {
	case silent:
		return nil, opError("dial", to, os.ErrDeadlineExceeded)
	case refused:
		return nil, opError("dial", to, errRefused)
	}
	near, far := newConnPair(t, peer)
	if !t.hold(near) {
		return nil, opError("dial", to, net.ErrClosed)
	}
	if !peer.hold(far) {
		_ = near.Close()
		return nil, opError("dial", to, errRefused)
	}
	select {
	case peer.streams <- far:
		return near, nil
	default: // its backlog is full
		_, _ = near.Close(), far.Close()
		return nil, opError("dial", to, errRefused)
	}
}

// DialAddressTimeout is DialTimeout; names of nodes are not looked at.
func (t *Transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

// Shutdown ends the process on the host: open streams are closed, dials to it are refused from now on. It may be called more than once.
func (t *Transport) Shutdown() error {
	t.mu.Lock()
	if t.isDown() {
		t.mu.Unlock()
		return nil
	}
	close(t.down)
	open := make([]*conn, 0, len(t.conns))
	for c := range t.conns {
		open = append(open, c)
	}
	t.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	return nil
}

func (t *Transport) isDown() bool {
	select {
	case <-t.down:
		return true
	default:
		return false
	}
}

// hold notes an open end, to be closed by Shutdown; false when that has happened.
func (t *Transport) hold(c *conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isDown() {
		return false
	}
	t.conns[c] = struct{}{}
	return true
}

func (t *Transport) release(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}
