package registrytest

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// CutProxy stands between stores and a server of the MySQL family. It passes bytes, until it is told to cut a connection at its next COMMIT: the store
// then cannot know whether the transaction took effect. Safe for concurrent use.
type CutProxy struct {
	Addr string // where it listens, host:port

	to    string
	armed atomic.Int32
	cuts  chan struct{} // one for each cut
}

// What an armed proxy does.
const (
	passAll   = 0
	cutBefore = 1 // the COMMIT does not reach the server
	cutAfter  = 2 // it does, but its answer does not come back
)

// StartCutProxy starts a proxy to the server at an address; it ends with the test.
func StartCutProxy(t testing.TB, to string) *CutProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &CutProxy{Addr: l.Addr().String(), to: to, cuts: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(client) })
		}
	})
	return p
}

// CutNext cuts the connection that commits next: after the server has got the COMMIT if forward is true, before that otherwise.
func (p *CutProxy) CutNext(forward bool) {
	select {
	case <-p.cuts: // an earlier one, for which nobody waited
	default:
	}
	if forward {
		p.armed.Store(cutAfter)
		return
	}
	p.armed.Store(cutBefore)
}

// Armed tells whether the next COMMIT is still to come.
func (p *CutProxy) Armed() bool { return p.armed.Load() != passAll }

// Cut gives a value when the connection has been cut.
func (p *CutProxy) Cut() <-chan struct{} { return p.cuts }

func (p *CutProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	var answers sync.WaitGroup
	var cut atomic.Bool
	answers.Go(func() {
		defer client.Close() // when the server has gone, the store must learn it
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if cut.Load() || err != nil {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		if how := p.armed.Load(); how != passAll && bytes.HasSuffix(buf[:n], []byte("\x03COMMIT")) && p.armed.CompareAndSwap(how, passAll) {
			cut.Store(true)
			if how == cutAfter {
				_, _ = server.Write(buf[:n])
				answers.Wait() // the server has answered: the commit took effect
			}
			p.cuts <- struct{}{}
			break
		}
		if _, err := server.Write(buf[:n]); err != nil {
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	answers.Wait()
}
