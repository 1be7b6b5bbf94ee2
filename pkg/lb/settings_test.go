package lb

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// answering is a member that answers with what came to it.
func answering(t *testing.T) Member {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-For"), r.URL.Path)
	}))
	t.Cleanup(s.Close)
	m, err := ParseStatic(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// listening is a proxy with a server.
type listening struct {
	proxy  *Proxy
	server *Server
	addr   string
	served chan error
}

func startFront(t *testing.T, r prometheus.Registerer, specs ...PoolSpec) *listening {
	t.Helper()
	routes, err := NewRoutes(specs)
	if err != nil {
		t.Fatal(err)
	}
	f := &listening{served: make(chan error, 1)}
	if f.proxy, err = New(Config{Routes: routes, Registerer: r}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.proxy.Close)
	f.server = NewServer(f.proxy, ServerConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	go func() { f.served <- f.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return f
}

// keptConn is a client's connection that goes on.
type keptConn struct {
	net.Conn
	in *bufio.Reader
}

func (f *listening) dial(t *testing.T) *keptConn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &keptConn{c, bufio.NewReader(c)}
}

// ask sends a request and gives the answer's body, and whether the connection ends with it.
func (c *keptConn) ask(path, host, forwarded string) (status int, body string, last bool, err error) {
	if _, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: %s\r\n\r\n", path, host, forwarded); err != nil {
		return 0, "", false, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, "", false, err
	}
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.Close, err
}

// TestProxy_SetOnRunningConnections: a connection that is there takes up new settings with its next request.
func TestProxy_SetOnRunningConnections(t *testing.T) {
	f := startFront(t, nil, PoolSpec{Service: "s", Domain: "d", Hosts: []string{"h.test"}, Static: []Member{answering(t)}, Tenants: TenantRange{all: true}})
	c := f.dial(t)
	for i, step := range []struct {
		trusted []netip.Prefix
		want    string
	}{
		{nil, "127.0.0.1 /x"},
		{[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "192.0.2.1, 127.0.0.1 /x"},
		{nil, "127.0.0.1 /x"},
	} {
		f.proxy.Set(Settings{TrustedProxies: step.trusted})
		if _, body, _, err := c.ask("/x", "h.test", "192.0.2.1"); err != nil || body != step.want {
			t.Errorf("%d: %q, %v; want %q", i, body, err, step.want)
		}
	}
	f.server.SetTimeouts(ClientTimeouts{Idle: 50 * time.Millisecond})
	f.proxy.Set(Settings{Timeouts: Timeouts{Connect: 40 * time.Millisecond}}) // which makes the watch look more often
	if _, _, _, err := c.ask("/x", "h.test", ""); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := c.SetReadDeadline(begin.Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) || time.Since(begin) > 2*time.Second {
		t.Errorf("the idle connection ended with %v after %v", err, time.Since(begin))
	}
}

// TestServer_Retire: nothing new is accepted; a connection that is there gets one more answer, and Retire ends with it.
func TestServer_Retire(t *testing.T) {
	f := startFront(t, nil, PoolSpec{Service: "s", Domain: "d", Hosts: []string{"h.test"}, Static: []Member{answering(t)}, Tenants: TenantRange{all: true}})
	c := f.dial(t)
	if _, _, last, err := c.ask("/x", "h.test", ""); err != nil || last {
		t.Fatalf("%t, %v", last, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.server.Retire(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with an open connection: %v", err)
	}
	if err := <-f.served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve ended with %v", err)
	}
	if conn, err := net.Dial("tcp", f.addr); err == nil {
		conn.Close()
		t.Error("it listens")
	}
	done := make(chan error, 1)
	go func() { done <- f.server.Retire(t.Context()) }()
	if status, _, last, err := c.ask("/x", "h.test", ""); err != nil || !last || status != 200 {
		t.Errorf("%d, %t, %v", status, last, err)
	}
	c.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end with its last connection")
	}
}

// TestProxy_UseOtherRoutes: what is known of a member that stays, and its connections, stay; pools that go take their series along.
func TestProxy_UseOtherRoutes(t *testing.T) {
	registry := prometheus.NewRegistry()
	one, two := answering(t), answering(t)
	spec := func(domain, host string, m Member) PoolSpec {
		return PoolSpec{
			Service: "s", Domain: domain, Hosts: []string{host}, Static: []Member{m}, Tenants: TenantRange{all: true},
			Affinity: AffinitySpec{Mode: AffinityCookie}, Health: DefaultHealth(),
		}
	}
	series := func(domain string) map[string]int { return seriesWith(t, registry, domain) }
	f := startFront(t, registry, spec("one", "one.test", one), spec("two", "two.test", two))
	c := f.dial(t)
	for _, host := range []string{"one.test", "two.test"} {
		if status, _, _, err := c.ask("/", host, ""); status != 200 || err != nil {
			t.Fatal(status, err)
		}
	}
	for _, name := range []string{"elb_requests_total", "elb_request_duration_seconds", "elb_sticky_total", "elb_checks_total", "elb_check_duration_seconds", "elb_member_up"} {
		waitFor(t, func() bool { return series("two")[name] > 0 }) // there is one to remove; a request is counted after its answer
	}
	before := f.proxy.table.Load().pools[0].active[0]
	before.health.until.Store(1)
	routes := newRoutes(t, []PoolSpec{spec("one", "more.test", one)})
	f.proxy.Use(NewTable(routes, nil))
	after := f.proxy.table.Load().pools[0].active[0]
	if after.health != before.health || after.upstream != before.upstream || after.metrics != before.metrics {
		t.Error("the member that stays was forgotten")
	}
	for host, want := range map[string]int{"more.test": 200, "one.test": 404, "two.test": 404} {
		if status, _, _, err := c.ask("/", host, ""); status != want || err != nil {
			t.Errorf("%s: %d, %v", host, status, err)
		}
	}
	if left := series("two"); len(left) > 0 {
		t.Errorf("left of the pool that is gone: %v", left)
	}
	if found := series("one"); len(found) == 0 || len(f.proxy.pools) != 1 {
		t.Errorf("%d series of the domain that stays; %d pools", len(found), len(f.proxy.pools))
	}
}

// seriesWith counts the series with a label of that value, by name.
func seriesWith(t *testing.T, registry *prometheus.Registry, value string) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if strings.Contains(m.String(), `value:"`+value+`"`) {
				found[family.GetName()]++
			}
		}
	}
	return found
}

// TestProxy_RequestsThatOutliveTheirPool: they end as they would have, and bring no series of the pool back.
func TestProxy_RequestsThatOutliveTheirPool(t *testing.T) {
	registry := prometheus.NewRegistry()
	come, answer := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(come)
		<-answer
	}))
	t.Cleanup(slow.Close)
	m, err := ParseStatic(slow.URL)
	if err != nil {
		t.Fatal(err)
	}
	all := TenantRange{all: true}
	other := PoolSpec{Service: "s", Domain: "other", Hosts: []string{"other.test"}, Static: []Member{answering(t)}, Tenants: all}
	f := startFront(t, registry, other, PoolSpec{Service: "s", Domain: "d", Hosts: []string{"h.test"}, Static: []Member{m}, Tenants: all})
	done := make(chan error, 1)
	c := f.dial(t)
	go func() {
		status, _, _, err := c.ask("/", "h.test", "")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		done <- err
	}()
	<-come
	pool := f.proxy.table.Load().pools[1]
	routes, err := NewRoutes([]PoolSpec{other})
	if err != nil {
		t.Fatal(err)
	}
	f.proxy.Use(NewTable(routes, nil))
	pool.metrics.retry(FailureReset)
	pool.metrics.ejected(offenceBreak)
	close(answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if status, _, _, err := c.ask("/", "h.test", ""); status != http.StatusNotFound || err != nil { // by now the first is counted
		t.Errorf("%d, %v", status, err)
	}
	if left := seriesWith(t, registry, "d"); len(left) > 0 {
		t.Errorf("left of the pool that is gone: %v", left)
	}
}

// TestProxy_MemberThatChangesItsPool: its numbers go on when the configuration moves it to another sub-domain, or takes it out of one of two.
func TestProxy_MemberThatChangesItsPool(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := answering(t)
	spec := func(subDomain string, members ...Member) PoolSpec {
		return PoolSpec{Service: "s", Domain: "d", SubDomain: subDomain, Hosts: []string{subDomain + ".test"}, Static: members, Tenants: TenantRange{all: true}}
	}
	f := startFront(t, registry, spec("a", m), spec("b"))
	c := f.dial(t)
	for i, step := range []struct {
		host  string
		pools []PoolSpec
	}{
		{"a.test", []PoolSpec{spec("a", m), spec("b")}},
		{"b.test", []PoolSpec{spec("a"), spec("b", m)}},
		{"a.test", []PoolSpec{spec("a", m), spec("b", m)}},
		{"b.test", []PoolSpec{spec("a"), spec("b", m)}},
	} {
		routes, err := NewRoutes(step.pools)
		if err != nil {
			t.Fatal(err)
		}
		f.proxy.Use(NewTable(routes, nil))
		if status, _, _, err := c.ask("/", step.host, ""); status != http.StatusOK || err != nil {
			t.Fatalf("%d: %d, %v", i, status, err)
		}
		if n := seriesWith(t, registry, m.ID)["elb_upstream_requests_total"]; n != int(outcomeCount) {
			t.Errorf("%d: %d series of the member's attempts, want %d", i, n, outcomeCount)
		}
	}
}

// TestProxy_SetOtherRoots: a member whose certificate is trusted no more gets no request, not even on a connection that it has.
func TestProxy_SetOtherRoots(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	m, err := ParseStatic(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := startFront(t, nil, PoolSpec{Service: "s", Domain: "d", Hosts: []string{"h.test"}, Static: []Member{m}, Tenants: TenantRange{all: true}})
	c := f.dial(t)
	good := x509.NewCertPool()
	good.AddCert(s.Certificate())
	same := good.Clone()
	for i, step := range []struct {
		roots *x509.CertPool
		want  int
	}{{good, 200}, {same, 200}, {x509.NewCertPool(), 502}} {
		before := f.proxy.table.Load().pools[0].active[0].upstream.sessionCache()
		f.proxy.Set(Settings{Roots: step.roots})
		if kept := before == f.proxy.table.Load().pools[0].active[0].upstream.sessionCache(); kept != (step.roots == same) {
			t.Errorf("%d: sessions are kept: %t", i, kept)
		}
		if status, _, _, err := c.ask("/", "h.test", ""); err != nil || status != step.want {
			t.Errorf("%d: %d, %v; want %d", i, status, err, step.want)
		}
	}
}
