package wire_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tick is the watch's in tests, and soon bounds what must happen.
const (
	tick = 5 * time.Millisecond
	soon = 10 * time.Second
)

// tcpPair is one connection, both ends: the one that connected and the one that was accepted. They are closed with the test.
func tcpPair(tb testing.TB) (near, far *net.TCPConn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { out.Close(); in.Close() })
	return out.(*net.TCPConn), in.(*net.TCPConn)
}

// watch is one that must have nothing left when the test ends.
func watch(tb testing.TB) *wire.Watch {
	tb.Helper()
	w := wire.NewWatch(tick)
	tb.Cleanup(func() {
		if n := w.Len(); n != 0 {
			tb.Errorf("%d connections are still watched", n)
			return
		}
		w.Wait()
	})
	return w
}

// conn is a watched connection and the plain far end of it, which was accepted.
func conn(tb testing.TB, w *wire.Watch) (*wire.Conn, *net.TCPConn) {
	tb.Helper()
	near, far := tcpPair(tb)
	c := wire.New(w, near)
	tb.Cleanup(func() { c.Close() })
	return c, far
}

// must gives v, or ends the test.
func must[T any](tb testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// wait ends the test if ch gives nothing soon.
func wait[T any](tb testing.TB, ch <-chan T, what string) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(soon):
		tb.Fatal("no " + what)
	}
	panic("unreachable")
}

// poll waits until the kernel reports one of the events: what it sends itself (FIN, RST, an acknowledgement) comes when it comes.
func poll(tb testing.TB, tcp syscall.Conn, events int16) {
	tb.Helper()
	raw := must[syscall.RawConn](tb)(tcp.SyscallConn())
	var err error
	n := 0
	if cerr := raw.Control(func(fd uintptr) {
		for {
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(soon/time.Millisecond))
			if err != unix.EINTR {
				return
			}
		}
	}); cerr != nil || err != nil || n != 1 {
		tb.Fatal("poll:", cerr, err, n)
	}
}

// openFiles counts the descriptors of this process.
func openFiles(tb testing.TB) int {
	tb.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	return len(names)
}

// tlsConfigs is a server's configuration and that of a client that trusts it.
func tlsConfigs(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	key := must[*ecdsa.PrivateKey](tb)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"member"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must[[]byte](tb)(x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key))
	roots := x509.NewCertPool()
	roots.AddCert(must[*x509.Certificate](tb)(x509.ParseCertificate(der)))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
		&tls.Config{RootCAs: roots, ServerName: "member", MinVersion: tls.VersionTLS12}
}

// buffer is a Lender that counts.
type buffer struct {
	space         []byte
	lent, returns int
	lending       chan struct{} // if not nil, told of every Lend
}

func (b *buffer) Lend() []byte {
	b.lent++
	if b.lending != nil {
		b.lending <- struct{}{}
	}
	return b.space
}

func (b *buffer) Return() { b.returns++ }
