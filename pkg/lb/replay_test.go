package lb

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// dyingMember answers requests for /warm and keeps the connection. It takes any other request whole, as if it
// carried it out, and breaks the connection. It counts those.
type dyingMember struct {
	addr    string
	carried atomic.Int32
	l       net.Listener
	restart bool // what comes on connections made after the first death is answered
	last    bool // the first death closes the listener
	died    atomic.Bool
	open    atomic.Int32 // connections
}

// startDying starts a member. With restart it dies once only, as one that was restarted meets connections of
// its past. With last, its first death is also the end of its listener.
func startDying(t *testing.T, restart, last bool) *dyingMember {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &dyingMember{addr: l.Addr().String(), l: l, restart: restart, last: last}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer context.AfterFunc(t.Context(), func() { _ = conn.Close() })()
				defer conn.Close()
				m.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return m
}

func (m *dyingMember) serve(conn net.Conn) {
	m.open.Add(1)
	defer m.open.Add(-1)
	healthy := m.restart && m.died.Load()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if r.URL.Path != "/warm" {
			m.carried.Add(1)
			if !healthy {
				m.died.Store(true)
				if m.last {
					_ = m.l.Close()
				}
				return
			}
		}
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
		if r.Method != http.MethodHead {
			answer += "ok"
		}
		_, _ = io.WriteString(conn, answer)
	}
}

// http.Transport repeats a request whose kept connection broke if the client gave it an Idempotency-Key. A
// request that was sent and may not be repeated is sent once all the same, and the answer does not say that
// nothing happened.
func TestProxy_NoHeaderMakesARequestBeSentTwice(t *testing.T) {
	keys := map[string][]string{
		"plain":             nil,
		"Idempotency-Key":   {"Idempotency-Key", "k1"},
		"X-Idempotency-Key": {"X-Idempotency-Key", "k1"},
		"empty key":         {"Idempotency-Key", ""},
	}
	for _, c := range []struct {
		method string
		body   string
		header []string
	}{
		{"POST", "body", nil},
		{"POST", "", nil},
		{"PATCH", "body", nil},
		{"PUT", "body", []string{"If-Match", `"v1"`}},
		{"DELETE", "", []string{"If-Match", `"v1"`}},
	} {
		for name, key := range keys {
			for _, last := range []bool{false, true} { // true: whoever dials again is refused
				t.Run(fmt.Sprintf("%s %q, %s, listener closed %t", c.method, c.body, name, last), func(t *testing.T) {
					b := newBench(t, nil)
					first, second := startDying(t, false, last), startDying(t, false, last)
					b.members(first.addr, second.addr)
					b.get("/warm")
					b.get("/warm")
					res, text, err := b.do(c.method, "/act", bodyOf(c.body), slices.Concat(c.header, key)...)
					if err != nil {
						t.Fatal(err)
					}
					if n := first.carried.Load() + second.carried.Load(); n != 1 || res.StatusCode != 502 || !strings.Contains(text, "not sent again") {
						t.Errorf("carried out %d times, the client got %d %q", n, res.StatusCode, text)
					}
					waitFor(t, func() bool { return strings.Contains(b.log.String(), "failure=reset") })
					if log := b.log.String(); !strings.Contains(log, "attempts=1") {
						t.Errorf("log:\n%s", log)
					}
				})
			}
		}
	}
}

func bodyOf(s string) io.Reader {
	if s == "" {
		return nil
	}
	return strings.NewReader(s)
}

// A kept connection that turns out to be dead costs the client nothing if its request may be repeated, and it
// is repeated on a new connection: the other kept ones are as old.
func TestProxy_DeadKeptConnectionsAreNotNoticed(t *testing.T) {
	for method, body := range map[string]string{"GET": "", "HEAD": "", "PUT": "body", "DELETE": ""} {
		for _, alone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, alone %t", method, alone), func(t *testing.T) {
				b := newBench(t, nil)
				m := startDying(t, true, false)
				keepConnections(t, b, m.addr, 5)
				if !alone {
					b.members(m.addr, goodMember(t, "good"))
				}
				for range 4 { // members take turns
					if res, text, err := b.do(method, "/act", bodyOf(body)); err != nil || res.StatusCode != 200 {
						t.Errorf("got %v %q, %v", res, text, err)
					}
				}
				if n := value(t, b.metrics, "elb_retries_total"); n != 1 {
					t.Errorf("%v retries, want one", n)
				}
			})
		}
	}
}

// keepConnections makes the proxy keep n connections to a member that answers /warm.
func keepConnections(t *testing.T, b *bench, addr string, n int) {
	t.Helper()
	b.members(addr)
	pool, _ := b.proxy.table.Load().Lookup("app.example")
	up := pool.active[0].upstream
	to := up.endpoint(schemeHTTP, portIn(t, b.front.URL))
	var conns []*wire.Conn
	for range n {
		c, err := up.dial(to, nil)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, "GET /warm HTTP/1.1\r\nHost: app.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	for _, c := range conns {
		up.keep(to, c)
	}
}

// A request that was sent, and then finds nobody else, may have been carried out.
func TestProxy_RefusedRetryDoesNotDenyThatTheRequestWasSent(t *testing.T) {
	for name, others := range map[string][]string{"alone": nil, "with one that is down": {refusedAddr(t)}} {
		b := newBench(t, nil)
		m := startDying(t, false, true)
		b.members(m.addr)
		b.get("/warm")
		b.get("/warm") // an even number, so that it is this member's turn again
		b.members(append([]string{m.addr}, others...)...)
		res, text, err := b.do("PUT", "/act", strings.NewReader("body"), "Accept", kindJSON)
		if err != nil || res.StatusCode != 502 || strings.Contains(text, "Nothing of the request") || strings.Contains(text, `"code"`) || m.carried.Load() != 1 {
			t.Errorf("%s: carried out %d times, the client got %v %q, %v", name, m.carried.Load(), res, text, err)
		}
	}
}

// A request that is broken off every time reaches a lone member on one kept connection and one new one, not on
// all that are kept.
func TestProxy_PoisonousRequestDoesNotEatTheKeptConnections(t *testing.T) {
	b := newBench(t, nil)
	m := startDying(t, false, false)
	keepConnections(t, b, m.addr, 5)
	if res, text := b.get("/act"); res.StatusCode != 502 || m.carried.Load() != 2 {
		t.Errorf("got %d %q after %d attempts, want 502 after two", res.StatusCode, text, m.carried.Load())
	}
}
