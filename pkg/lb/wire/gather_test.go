package wire_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
)

// gathered gives a TLS connection whose writes are gathered, as it is handed to somebody else, and the peer.
func gathered(t *testing.T) (net.Conn, *tls.Conn) {
	t.Helper()
	client, server := tlsPair(t, watch(t))
	server.Release()
	server.Gather()
	client.Release()
	return server.NetConn(), client.TLS()
}

func TestGather_AllBytesInOrder(t *testing.T) {
	near, far := gathered(t)
	var sent bytes.Buffer
	got := make(chan []byte, 1)
	go func() {
		all, err := io.ReadAll(far)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	for i := range 3000 { // far more than may be pending
		p := bytes.Repeat([]byte{byte(i)}, i%700)
		sent.Write(p)
		must[int](t)(near.Write(p))
	}
	if err := near.Close(); err != nil { // sends what is left
		t.Fatal(err)
	}
	if all := wait(t, got, "all bytes"); !bytes.Equal(all, sent.Bytes()) {
		t.Errorf("%d bytes came, other than the %d that were sent", len(all), sent.Len())
	}
}

func TestGather_ErrorsAreToldLater(t *testing.T) {
	near, far := gathered(t)
	tcp, _ := far.NetConn().(interface{ Close() error })
	if err := tcp.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := near.Write(make([]byte, 1000)); err != nil {
			break // the peer is gone
		}
	}
	_ = near.Close() // the connection broke before
}

// A peer that takes nothing makes writers wait, and Close ends that.
func TestGather_IsBounded(t *testing.T) {
	near, _ := gathered(t)
	wrote := make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			if i == 1 {
				close(begun)
			}
			if _, err := near.Write(make([]byte, 64<<10)); err != nil {
				wrote <- err
				return
			}
		}
	}()
	<-begun
	_ = near.Close() // it says that the last bytes did not leave
	if err := wait(t, wrote, "the end of writing"); err == nil {
		t.Error("wrote for ever")
	}
}
