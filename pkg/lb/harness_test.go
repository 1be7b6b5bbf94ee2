package lb

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
	"github.com/regent-registry/regent/pkg/membership"
)

const testDomain = "test.domain"

// bench is a Proxy behind real listeners, with members that a test chooses.
type bench struct {
	t         *testing.T
	proxy     *Proxy
	discovery *Discovery
	routes    *Routes
	metrics   *prometheus.Registry
	log       *logBuffer
	front     *testServer
	client    *http.Client
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newBench starts the proxy for the host app.example, which leads to testDomain.
func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, metrics: prometheus.NewRegistry(), log: &logBuffer{}}
	b.routes = testRoutes(t, map[string][]string{testDomain: {"app.example", "127.0.0.1"}, "empty.domain": {"empty.example"}})
	access, err := accesslog.New(b.log, accesslog.Text, accesslog.Options{FlushEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = access.Close(context.Background()) })
	c := Config{
		Routes: b.routes, Registerer: b.metrics, AccessLog: access,
		Logger: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	b.routes = c.Routes
	if b.proxy, err = New(c); err != nil {
		t.Fatal(err)
	}
	b.discovery = NewDiscovery(b.proxy, b.routes, c.Logger)
	t.Cleanup(func() {
		b.proxy.Close()
		waitFor(t, func() bool { return b.proxy.watch.Len() == 0 }) // nothing is left open
	})
	b.front = serveProxy(t, b.proxy, ServerConfig{})
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// testServer is a Server on a free port.
type testServer struct {
	*Server
	URL  string
	addr string
}

func serveProxy(t testing.TB, p *Proxy, c ServerConfig) *testServer {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{Server: NewServer(p, c), addr: l.Addr().String()}
	s.URL = s.scheme + "://" + s.addr
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx) // tests leave requests running
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return s
}

// members puts active members at these addresses into the table, with ids "m0", "m1", …
func (b *bench) members(addrs ...string) {
	b.t.Helper()
	var list []membership.Member
	for i, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			b.t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			b.t.Fatal(err)
		}
		id := "m" + strconv.Itoa(i)
		list = append(list, membership.Member{ID: id, Name: "name-" + id, Domain: testDomain, Host: host, HTTPPort: n, State: membership.StateActive})
	}
	b.discovery.Update(testDomain, list)
}

// do sends a request for app.example.
func (b *bench) do(method, path string, body io.Reader, header ...string) (*http.Response, string, error) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.front.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Host = "app.example"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	res, err := b.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// get is do that must succeed.
func (b *bench) get(path string, header ...string) (*http.Response, string) {
	b.t.Helper()
	res, body, err := b.do(http.MethodGet, path, nil, header...)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, body
}

// goodMember answers every request with 200 and its name; it returns its address.
func goodMember(t *testing.T, name string) string {
	t.Helper()
	return member(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = io.WriteString(w, name+" "+r.Method+" "+strconv.Itoa(len(body)))
	})
}

func member(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// rawMember hands every connection to serve, after the first bytes of a request came, and closes it after. calls counts connections.
func rawMember(t *testing.T, serve func(conn *net.TCPConn, head string)) (addr string, calls func() int) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	count := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			count++
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				head := readHead(conn)
				if tcp, ok := conn.(*net.TCPConn); ok && head != "" {
					serve(tcp, head)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

func readHead(conn net.Conn) string {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			return ""
		}
		if line == "\r\n" {
			return head.String()
		}
	}
}

// reset makes the connection end in a way that the peer cannot take for an orderly end.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// refusedAddr is an address at which nobody listens.
func refusedAddr(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
