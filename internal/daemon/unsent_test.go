package daemon

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// A client that reads nothing must not make the kernel take much for it.
func TestBind_LimitsUnsentBytes(t *testing.T) {
	t.Parallel()
	listener, err := Bind("http_port", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	taken := 0
	for piece := make([]byte, 64<<10); ; {
		// Nobody reads: a write that waits at all waits for ever.
		if err := conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Write(piece)
		if taken += n; errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if most := 2 * unsentMost; taken > most {
		t.Errorf("the kernel took %d bytes for a client that reads nothing, want at most %d", taken, most)
	}
}
