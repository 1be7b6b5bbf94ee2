package lb

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a bad member does to a request, whether the request may go to the good member after it, and what the
// client gets if it may not.
func TestProxy_RetryTable(t *testing.T) {
	resetAtOnce := func(conn *net.TCPConn, _ string) { reset(conn) }
	resetInBody := func(conn *net.TCPConn, _ string) {
		_, _ = io.ReadFull(conn, make([]byte, 1))
		reset(conn)
	}
	closeAtOnce := func(*net.TCPConn, string) {}
	breakInShortBody := func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly the beginning")
	}
	garbage := func(conn *net.TCPConn, _ string) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n") }
	unasked101 := func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	}
	big := strings.Repeat("x", 4*keepMost)
	for _, c := range []struct {
		name    string
		serve   func(*net.TCPConn, string) // nil: nobody listens
		method  string
		body    string
		header  []string
		retried bool
		status  int // when it is not retried
	}{
		{"GET refused", nil, "GET", "", nil, true, 0},
		{"POST refused", nil, "POST", "data", nil, true, 0},
		{"PATCH refused", nil, "PATCH", "data", nil, true, 0},
		{"PUT refused, big body", nil, "PUT", big, nil, true, 0},
		{"POST refused, big body", nil, "POST", big, nil, true, 0},
		{"GET reset", resetAtOnce, "GET", "", nil, true, 0},
		{"HEAD reset", resetAtOnce, "HEAD", "", nil, true, 0},
		{"OPTIONS reset", resetAtOnce, "OPTIONS", "", nil, true, 0},
		{"DELETE reset", resetAtOnce, "DELETE", "", nil, true, 0},
		{"GET closed", closeAtOnce, "GET", "", nil, true, 0},
		{"PUT reset, small body", resetAtOnce, "PUT", "data", nil, true, 0},
		{"PUT reset, largest body kept", resetAtOnce, "PUT", big[:keepMost], nil, true, 0},
		{"PUT reset, big body", resetInBody, "PUT", big, nil, false, 502},
		{"PUT reset, conditional", resetAtOnce, "PUT", "data", []string{"If-Match", `"1"`}, false, 502},
		{"DELETE reset, conditional", resetAtOnce, "DELETE", "", []string{"If-Match", `"1"`}, false, 502},
		{"PUT refused, conditional", nil, "PUT", "data", []string{"If-Match", `"1"`}, true, 0},
		{"GET reset, conditional", resetAtOnce, "GET", "", []string{"If-None-Match", `"1"`}, true, 0},
		{"POST reset", resetAtOnce, "POST", "data", nil, false, 502},
		{"POST closed", closeAtOnce, "POST", "", nil, false, 502},
		{"PROPPATCH reset", resetAtOnce, "PROPPATCH", "data", nil, false, 502},
		{"GET broken in short body", breakInShortBody, "GET", "", nil, true, 0},
		{"POST broken in short body", breakInShortBody, "POST", "data", nil, false, 502},
		{"POST garbage", garbage, "POST", "data", nil, false, 502},
		{"GET garbage", garbage, "GET", "", nil, true, 0},
		{"POST unasked upgrade", unasked101, "POST", "data", nil, false, 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, nil)
			bad, badCalls := refusedAddr(t), func() int { return 1 }
			if c.serve != nil {
				bad, badCalls = rawMember(t, c.serve)
			}
			b.members(bad, goodMember(t, "good"))
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			res, text, err := b.do(c.method, "/", body, c.header...)
			if err != nil {
				t.Fatal(err)
			}
			if badCalls() == 0 {
				t.Fatal("the bad member was not asked")
			}
			if c.retried {
				want := "good " + c.method + " " + strconv.Itoa(len(c.body))
				if c.method == "HEAD" {
					want = ""
				}
				if res.StatusCode != 200 || text != want {
					t.Errorf("got %d %q, want the good member's answer %q", res.StatusCode, text, want)
				}
			} else if res.StatusCode != c.status || badCalls() != 1 {
				t.Errorf("got %d %q after %d attempts at the bad member, want %d after one", res.StatusCode, text, badCalls(), c.status)
			}
		})
	}
}

// A streamed body of unknown length goes out once; it may go elsewhere only while nothing was read from it.
func TestProxy_StreamedBody(t *testing.T) {
	b := newBench(t, nil)
	bad, calls := rawMember(t, func(conn *net.TCPConn, _ string) { reset(conn) })
	b.members(bad, goodMember(t, "good"))
	long := strings.Repeat("some data ", keepMost)
	stream := func() io.Reader { return io.MultiReader(strings.NewReader(long)) } // hides the length
	res, text, err := b.do("PUT", "/", stream())
	if err != nil || res.StatusCode != 502 || calls() != 1 {
		t.Errorf("got %v %q %v after %d attempts, want 502 after one", res.Status, text, err, calls())
	}
	b = newBench(t, nil)
	b.members(refusedAddr(t), goodMember(t, "good"))
	if res, text, err = b.do("POST", "/", stream()); err != nil || text != "good POST "+strconv.Itoa(len(long)) {
		t.Errorf("got %v %q %v, want the good member's answer", res.Status, text, err)
	}
}

func TestProxy_AnswerThatBreaksOffIsNotEndedCleanly(t *testing.T) {
	for name, head := range map[string]string{
		"long":    "Content-Length: 200000\r\n",
		"chunked": "Transfer-Encoding: chunked\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			bad, calls := rawMember(t, func(conn *net.TCPConn, _ string) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+head+"\r\n"+"5\r\nbegin\r\n")
			})
			b.members(bad)
			res, text, err := b.do("GET", "/", nil)
			if err == nil {
				t.Fatalf("the client got a clean end: %d %q", res.StatusCode, text)
			}
			if calls() != 1 {
				t.Errorf("%d attempts; the answer had begun", calls())
			}
			waitFor(t, func() bool { return strings.Contains(b.log.String(), "failure=broken") })
		})
	}
}

func TestProxy_EjectsARefusingMember(t *testing.T) {
	b := newBench(t, nil)
	b.members(refusedAddr(t), goodMember(t, "good"), goodMember(t, "good"))
	for range 30 {
		if res, text := b.get("/"); res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, text)
		}
	}
	if n := strings.Count(b.log.String(), "member ejected"); n != 1 {
		t.Errorf("ejected %d times, want once", n)
	}
	if n := value(t, b.metrics, "elb_retries_total"); n != 1 {
		t.Errorf("%v retries, want one: later requests should not meet the member", n)
	}
	if n := value(t, b.metrics, "elb_ejections_total"); n != 1 {
		t.Errorf("elb_ejections_total is %v", n)
	}
	members := b.discovery.Members()
	if !members[0].Ejected || members[1].Ejected || members[2].Ejected {
		t.Errorf("status does not show the ejection: %+v", members)
	}
}

// One request that makes every member break off must not take the pool out of use for the others.
func TestProxy_PoisonousRequestDoesNotEjectThePool(t *testing.T) {
	b := newBench(t, nil)
	poisoned := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/poison" {
			panic(http.ErrAbortHandler)
		}
	}
	b.members(member(t, poisoned), member(t, poisoned), member(t, poisoned))
	for range 3 {
		if res, _, err := b.do("GET", "/poison", nil); err != nil || res.StatusCode != 502 {
			t.Fatalf("got %v, %v", res, err)
		}
		for range 3 {
			b.get("/")
		}
	}
	if strings.Contains(b.log.String(), "member ejected") {
		t.Error("a poisonous request ejected a member")
	}
}

func TestProxy_StopsAfterThreeAttempts(t *testing.T) {
	b := newBench(t, nil)
	var calls atomic.Int32
	var addrs []string
	for range 5 {
		addr, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
			calls.Add(1)
			reset(conn)
		})
		addrs = append(addrs, addr)
	}
	b.members(addrs...)
	if res, text := b.get("/"); res.StatusCode != 502 || calls.Load() != maxAttempts {
		t.Errorf("got %d %q after %d attempts", res.StatusCode, text, calls.Load())
	}
}

// A client that resets its connection while its answer is streamed is nobody's fault, and its member is told by the end of the connection.
func TestProxy_ClientThatLeavesIsNobodysFault(t *testing.T) {
	b := newBench(t, nil)
	gone := make(chan struct{})
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "more and more"); err != nil {
				return
			}
		}
	}))
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	tcp, _ := conn.(*net.TCPConn)
	reset(tcp)
	<-gone
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "failure=client") })
	if log := b.log.String(); strings.Contains(log, "ejected") || !strings.Contains(log, "INF request ") {
		t.Errorf("log:\n%s", log)
	}
}

// A client that resets its connection while the member is at work sets the member free.
func TestProxy_ResetClientFreesItsMember(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.Connect = 100 * time.Millisecond }) // makes the watch look often
	asked, free := make(chan struct{}), make(chan struct{})
	b.members(member(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(free)
	}))
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
	<-asked
	tcp, _ := conn.(*net.TCPConn)
	reset(tcp)
	<-free
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "status=499") })
	if log := b.log.String(); strings.Contains(log, "ejected") || !strings.Contains(log, "failure=client") {
		t.Errorf("log:\n%s", log)
	}
}

// A client that has said all it has to say may close its side: it gets its answer all the same.
func TestProxy_HalfClosedClientGetsItsAnswer(t *testing.T) {
	b := newBench(t, nil)
	closed := make(chan struct{})
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		<-closed
		_, _ = io.WriteString(w, "here it is")
	}))
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
	tcp, _ := conn.(*net.TCPConn)
	if err := tcp.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	close(closed)
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(answer), "\r\n\r\nhere it is") {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestProxy_SlowMemberGives504(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.ResponseHeader = 50 * time.Millisecond })
	slow := member(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b.members(slow, slow)
	res, text := b.get("/", "Accept", "application/json")
	if res.StatusCode != 504 || !strings.Contains(text, `"status":504`) {
		t.Errorf("got %d %q", res.StatusCode, text)
	}
	if n := value(t, b.metrics, "elb_retries_total"); n != 0 {
		t.Errorf("%v retries: a slow member may still be at work", n)
	}
}

func TestProxy_StalledAnswerIsAborted(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.Stream = 50 * time.Millisecond })
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	if _, text, err := b.do("GET", "/", nil); err == nil {
		t.Errorf("clean end after %q", text)
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "failure=timeout") })
}

func TestProxy_ClientBodyThatStopsGives408(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.Body = 50 * time.Millisecond })
	b.members(goodMember(t, "good"))
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "PUT / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 100\r\n\r\nhalf")
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("got %q, %v", answer, err)
	}
}

// kill -9 of one of three members, seen from the client: nothing.
func TestProxy_KilledMemberCostsNoRequest(t *testing.T) {
	b := newBench(t, nil)
	victim := &killable{}
	victim.start(t)
	b.members(victim.addr, goodMember(t, "a"), goodMember(t, "b"))
	var wg sync.WaitGroup
	var failed, done atomic.Int64
	stop := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, text, err := b.do("GET", "/", nil)
				if done.Add(1); err != nil || res.StatusCode != 200 {
					failed.Add(1)
					t.Logf("failed: %v %q %v", res, text, err)
				}
			}
		})
	}
	waitFor(t, func() bool { return done.Load() > 200 })
	victim.kill()
	at := done.Load()
	waitFor(t, func() bool { return done.Load() > at+500 })
	close(stop)
	wg.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), done.Load())
	}
}

// killable is a member whose listener and connections can be reset all at once, in the middle of answers.
type killable struct {
	addr  string
	mu    sync.Mutex
	l     net.Listener
	conns map[*net.TCPConn]bool
}

func (k *killable) start(t *testing.T) {
	t.Helper()
	k.conns = map[*net.TCPConn]bool{}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.l, k.addr = l, l.Addr().String()
	s := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20000")
			_, _ = io.WriteString(w, strings.Repeat("a", 10000))
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, strings.Repeat("b", 10000))
		}),
		ConnState: func(c net.Conn, state http.ConnState) {
			if tcp, ok := c.(*net.TCPConn); ok && state == http.StateNew {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.conns[tcp] = true
			}
		},
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

func (k *killable) kill() {
	_ = k.l.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		reset(c)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// waitFor polls until cond holds; there is no event to wait for on the other side of a socket.
func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			t.Fatal("waited for too long")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func TestIsTimeout(t *testing.T) {
	if !isTimeout(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}) || isTimeout(errors.New("x")) || isTimeout(nil) {
		t.Error("wrong")
	}
}
