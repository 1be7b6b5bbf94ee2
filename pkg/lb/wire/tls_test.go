package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// tlsPair is a connection under TLS, both ends ours, after the handshake: first the client.
func tlsPair(t *testing.T, w *wire.Watch) (client, server *wire.Conn) {
	t.Helper()
	near, far := tcpPair(t)
	client, server = wire.New(w, near), wire.New(w, far)
	t.Cleanup(func() { client.Close(); server.Close() })
	forServer, forClient := tlsConfigs(t)
	client.Client(forClient)
	server.Server(forServer)
	shook := make(chan error, 1)
	go func() { shook <- server.Handshake(t.Context()) }()
	if err := errors.Join(client.Handshake(context.Background()), wait(t, shook, "handshake")); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestTLS_BothWays(t *testing.T) {
	client, server := tlsPair(t, watch(t))
	if client.TLS() == nil || wire.CanSplice(client, server) {
		t.Error("a connection under TLS is not one")
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	mark := client.Written()
	wrote := make(chan error, 1)
	go func() { _, err := client.Write(body); wrote <- errors.Join(err, client.CloseWrite()) }()
	got := must[[]byte](t)(io.ReadAll(server))
	if err := wait(t, wrote, "end of the write"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes: %v", len(got), err)
	}
	if sent := client.Written() - mark; sent <= int64(len(body)) {
		t.Errorf("counted %d bytes of a body of %d and its records", sent, len(body))
	}
	must[int](t)(server.Write([]byte("answer"))) // the other half is open
	server.Close()
	if got := must[[]byte](t)(io.ReadAll(client)); string(got) != "answer" {
		t.Errorf("read %q and a clean end", got)
	}
}

func TestTLS_ReadLazyTakesOneRecord(t *testing.T) {
	client, server := tlsPair(t, watch(t))
	l := &buffer{space: make([]byte, 4096)}
	server.ReadBy(2 * tick)
	if n, err := server.ReadLazy(l); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || l.lent != 0 {
		t.Fatalf("%d, %v; lent %d", n, err, l.lent)
	}
	server.Revive()
	for _, text := range []string{"x", "hello", "y"} { // a record of one byte has no rest to wait for
		must[int](t)(client.Write([]byte(text)))
		n, err := server.ReadLazy(l)
		if err != nil || string(l.space[:n]) != text {
			t.Errorf("read %q, %v; want %q", l.space[:n], err, text)
		}
	}
	if l.lent != 3 || l.returns != 0 {
		t.Errorf("lent %d, returned %d", l.lent, l.returns)
	}
}

func TestTLS_Alive(t *testing.T) {
	client, server := tlsPair(t, watch(t))
	must[int](t)(server.Write([]byte("answer")))
	must[int](t)(io.ReadFull(client, make([]byte, 6)))
	if !client.Alive() {
		t.Error("a quiet connection is not alive")
	}
	must[int](t)(server.Write([]byte("answer and more")))
	must[int](t)(client.Read(make([]byte, 6)))
	if client.Alive() {
		t.Error("there are unasked bytes in TLS's buffer")
	}
	must[int](t)(client.Read(make([]byte, 100)))
	server.Close()
	poll(t, client.TLS().NetConn().(syscall.Conn), unix.POLLIN)
	if client.Alive() {
		t.Error("the peer has closed")
	}
}

func TestTLS_CloseDoesNotWait(t *testing.T) {
	client, _ := tlsPair(t, watch(t))
	client.WriteBy(2 * tick)
	var err error
	for p := make([]byte, 1<<20); err == nil; { // until nothing goes any more
		_, err = client.Write(p)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	client.Revive()
	closed := make(chan struct{})
	go func() { defer close(closed); client.Close() }()
	select {
	case <-closed:
	case <-time.After(time.Second):
		t.Error("Close waits for a peer that takes nothing")
	}
}

func TestTLS_HandshakeInTime(t *testing.T) {
	c, _ := conn(t, watch(t))
	server, _ := tlsConfigs(t)
	c.Server(server)
	c.ReadBy(2 * tick)
	if err := c.Handshake(context.Background()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a time-out", err)
	}
}

func TestTLS_Unheard(t *testing.T) {
	client, server := tlsPair(t, watch(t))
	must[int](t)(client.Write([]byte("a request")))
	must[int](t)(io.ReadFull(server, make([]byte, 9)))
	must[int](t)(server.Write([]byte("answer")))
	must[int](t)(io.ReadFull(client, make([]byte, 6)))
	mark := client.Written()
	server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) { // close_notify
		t.Errorf("%v, want an end", err)
	}
	poll(t, client.TLS().NetConn().(syscall.Conn), unix.POLLRDHUP)
	_, err := client.Write([]byte("another"))
	if !client.Unheard(mark) {
		t.Errorf("heard by a peer that had closed (writing: %v)", err)
	}
}

// TestRelease_ToNetHTTP hands a connection on to net/http's server, as is done for HTTP/2.
