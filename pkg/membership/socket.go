package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// socketTransport is memberlist's own transport over UDP and TCP, with outgoing connections that end when it is shut down: memberlist would
// otherwise wait for a dial or for a silent peer until the timeouts, and a stopping process with it.
type socketTransport struct {
	*memberlist.NetTransport
	ctx  context.Context // ends at Shutdown
	stop context.CancelFunc
}

var _ memberlist.NodeAwareTransport = (*socketTransport)(nil)

// bindAttempts is how often a free port is looked for when none is asked for: the kernel picks it for TCP, and UDP may have it taken.
const bindAttempts = 10

// listen binds TCP and UDP on one port. A port that is taken gives an error that names the address and key.
func listen(c memberlist.NetTransportConfig, bind netip.Addr, key string) (*socketTransport, error) {
	c.BindAddrs = []string{bind.String()}
	attempts := 1
	if c.BindPort == 0 {
		attempts = bindAttempts
	}
	var err error
	for range attempts {
		var t *memberlist.NetTransport
		if t, err = memberlist.NewNetTransport(&c); err == nil {
			ctx, stop := context.WithCancel(context.Background())
			return &socketTransport{NetTransport: t, ctx: ctx, stop: stop}, nil
		}
	}
	addr := netip.AddrPortFrom(bind, uint16(c.BindPort))
	if inUse(addr) {
		return nil, fmt.Errorf("listen on %s (tcp and udp): the port is in use by another process; stop that one or change %s", addr, key)
	}
	return nil, fmt.Errorf("listen on %s (tcp and udp): %w", addr, err)
}

// inUse asks the kernel again, since memberlist's error keeps only the text of the cause.
func inUse(addr netip.AddrPort) bool {
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = tcp.Close()
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return errors.Is(err, syscall.EADDRINUSE)
	}
	_ = udp.Close()
	return false
}

// DialTimeout opens a stream to addr.
func (t *socketTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout opens a stream that is closed at Shutdown at the latest.
func (t *socketTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.DialContext(t.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return &dialedConn{Conn: conn, forget: context.AfterFunc(t.ctx, func() { _ = conn.Close() })}, nil
}

// Shutdown closes the sockets and waits for their readers, which it frees of what nobody takes from them: before memberlist has started
// there is no other taker.
func (t *socketTransport) Shutdown() error {
	t.stop()
	var discarding sync.WaitGroup
	down := make(chan struct{})
	discarding.Go(func() {
		for {
			select {
			case conn := <-t.StreamCh():
				_ = conn.Close()
			case <-t.PacketCh():
			case <-down:
				return
			}
		}
	})
	err := t.NetTransport.Shutdown()
	close(down)
	discarding.Wait()
	return err
}

// dialedConn takes itself off the list of what Shutdown closes.
type dialedConn struct {
	net.Conn
	forget func() bool
}

func (c *dialedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
