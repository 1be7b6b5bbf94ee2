package lb

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestProxy_AnswersByAccept(t *testing.T) {
	b := newBench(t, nil)
	b.members(refusedAddr(t))
	for _, c := range []struct {
		host   string
		accept string
		status int
		kind   string
		words  string
	}{
		{"unknown.example", "", 404, kindText, "404 Not Found: No service is configured for the host unknown.example."},
		{"unknown.example", "*/*", 404, kindText, "404 Not Found"},
		{"unknown.example", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 404, kindHTML, "<h1>404 Not Found</h1>"},
		{"unknown.example", "application/json", 404, kindJSON, `"status":404`},
		{"unknown.example", "text/html;q=0.1, application/problem+json", 404, kindJSON, `"status":404`},
		{"unknown.example", "application/soap+xml, text/xml", 404, kindXML, "<status>404</status>"},
		{"unknown.example", "application/json;q=0", 404, kindText, "404"},
		{"unknown.example", "image/png", 404, kindText, "404"},
		{"empty.example", "application/xml", 503, kindXML, "No member of empty.domain"},
		{"app.example", "application/json", 502, kindJSON, "Nothing of the request was carried out"},
		{"app.example", "application/json", 502, kindJSON, `"code":"unavailable"`},
		{"empty.example", "application/json", 503, kindJSON, `"code":"unavailable"`},
		{"empty.example", "application/xml", 503, kindXML, "<code>unavailable</code>"},
	} {
		res, body := b.get("/", "Host", c.host, "Accept", c.accept)
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.kind || !strings.Contains(body, c.words) {
			t.Errorf("%s with Accept %q: %d %s %q", c.host, c.accept, res.StatusCode, res.Header.Get("Content-Type"), body)
		}
		if (res.Header.Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%d with Retry-After %q", c.status, res.Header.Get("Retry-After"))
		}
	}
}

func TestProxy_RefusesWhatCannotBeRouted(t *testing.T) {
	b := newBench(t, nil)
	b.members(goodMember(t, "good"))
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n", 200},
		{"GET http://app.example/ HTTP/1.1\r\nHost: app.example\r\n\r\n", 200},
		{"GET http://app.example/ HTTP/1.1\r\nHost: unknown.example\r\n\r\n", 400}, // one of the two is a lie
		{"GET https://app.example/ HTTP/1.1\r\nHost: app.example\r\n\r\n", 421},
		{"GET / HTTP/1.0\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: \r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: app.example\r\nHost: app.example\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: user@app.example\r\n\r\n", 400},
		{"TRACE / HTTP/1.1\r\nHost: app.example\r\n\r\n", 405},
		{"CONNECT app.example:80 HTTP/1.1\r\nHost: app.example:80\r\n\r\n", 405},
		{"GET / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
	} {
		conn := dial(t, b.front.addr)
		if _, err := io.WriteString(conn, c.request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", c.request, err)
			continue
		}
		if res.Body.Close(); res.StatusCode != c.status {
			t.Errorf("%q: %d, want %d", c.request, res.StatusCode, c.status)
		}
	}
}

func TestProxy_StreamsBothWays(t *testing.T) {
	b := newBench(t, nil)
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		in := bufio.NewScanner(r.Body)
		for in.Scan() {
			_, _ = fmt.Fprintf(w, "got %s\n", in.Text())
			_ = rc.Flush()
		}
	}))
	body, send := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.front.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example"
	go func() { _, _ = io.WriteString(send, "one\n") }()
	res, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for _, word := range []string{"one", "two", "three"} {
		if !lines.Scan() || lines.Text() != "got "+word {
			t.Fatalf("got %q, want the answer to %q at once", lines.Text(), word)
		}
		if word != "three" {
			next := map[string]string{"one": "two\n", "two": "three\n"}[word]
			if _, err := io.WriteString(send, next); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = send.Close()
}

func TestProxy_Websocket(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.UpgradeIdle = 200 * time.Millisecond })
	ws, _ := rawMember(t, func(conn *net.TCPConn, head string) {
		if !strings.Contains(strings.ToLower(head), "upgrade: websocket\r\n") || !strings.Contains(head, "Connection: Upgrade\r\n") || !strings.Contains(head, "X-Forwarded-For: 127.0.0.1\r\n") {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: "+strconv.Itoa(len(head))+"\r\n\r\n"+head)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(conn, conn)
	})
	b.members(refusedAddr(t), ws) // the handshake is retried like any request
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: app.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	defer res.Body.Close()
	for _, word := range []string{"hello\n", "again\n"} {
		_, _ = io.WriteString(conn, word)
		if got, err := in.ReadString('\n'); err != nil || got != word {
			t.Fatalf("echo %q, %v", got, err)
		}
	}
	started := time.Now()
	if _, err := in.ReadByte(); err == nil || time.Since(started) > 5*time.Second {
		t.Errorf("a websocket without traffic was not closed: %v after %v", err, time.Since(started))
	}
}

func TestProxy_OtherUpgradesAreStripped(t *testing.T) {
	b := newBench(t, nil)
	b.members(echoMember(t))
	for _, upgrade := range []string{"h2c", "websocket, h2c", "TLS/1.2"} {
		h := b.seen("Connection", "Upgrade, HTTP2-Settings", "Upgrade", upgrade, "HTTP2-Settings", "AAMAAABkAAQAAP__")
		for _, name := range []string{"Upgrade", "Http2-Settings", "Connection"} {
			if h[name] != nil {
				t.Errorf("Upgrade: %s: %s: %q got through", upgrade, name, h[name])
			}
		}
	}
}

func TestProxy_DrainingMemberGetsNothingNew(t *testing.T) {
	b := newBench(t, nil)
	leaving, staying := goodMember(t, "leaving"), goodMember(t, "staying")
	b.members(leaving, staying)
	for range 4 {
		b.get("/")
	}
	change := func(m int, state membership.State, all ...string) {
		b.members(all...)
		list := b.discovery.groups[testDomain]
		list[m].State = state
		b.discovery.Update(testDomain, list)
	}
	change(0, membership.StateDraining, leaving, staying)
	for range 10 {
		if _, text := b.get("/"); !strings.HasPrefix(text, "staying") {
			t.Fatalf("%q answered", text)
		}
	}
	change(0, membership.StateMaintenance, leaving, staying)
	change(0, membership.StateDraining, leaving)
	if _, text := b.get("/"); !strings.HasPrefix(text, "leaving") {
		t.Errorf("the last member is draining but still there; got %q", text)
	}
	for _, state := range []membership.State{membership.StateJoining, membership.StateMaintenance} {
		change(0, state, leaving)
		if res, _ := b.get("/"); res.StatusCode != 503 {
			t.Errorf("a member that is %s got a request: %d", state, res.StatusCode)
		}
	}
}

func TestProxy_TLSEndToEnd(t *testing.T) {
	handler := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://"+r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()+"/next")
			_, _ = io.WriteString(w, name+" "+r.Header.Get("X-Forwarded-Proto"))
		}
	}
	secure := httptest.NewTLSServer(handler("secure"))
	defer secure.Close()
	plain := httptest.NewServer(handler("plain"))
	defer plain.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	b := newBench(t, func(c *Config) { c.Roots = roots })
	b.discovery.Update(testDomain, []membership.Member{{
		ID: "x", Domain: testDomain, Host: "127.0.0.1", HTTPPort: portIn(t, plain.URL), HTTPSPort: portIn(t, secure.URL), State: membership.StateActive,
	}})
	front := serveProxy(t, b.proxy, ServerConfig{TLS: &tls.Config{Certificates: secure.TLS.Certificates}})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	if _, text := b.get("/"); text != "plain http" {
		t.Errorf("over http: %q", text)
	}
	res, err := client.Get(front.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || string(text) != "secure https" || res.ProtoMajor != 2 {
		t.Errorf("over https: %q, %v, HTTP/%d", text, err, res.ProtoMajor)
	}
	if got, want := res.Header.Get("Location"), front.URL+"/next"; got != want {
		t.Errorf("Location is %s, want %s", got, want)
	}
}

func TestProxy_DoesNotTrustAMemberWithoutOurCA(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	b := newBench(t, func(c *Config) { c.Roots = x509.NewCertPool() })
	b.discovery.Update(testDomain, []membership.Member{{ID: "x", Domain: testDomain, Host: "127.0.0.1", HTTPSPort: portIn(t, secure.URL), State: membership.StateActive}})
	if res, text := b.get("/"); res.StatusCode != 502 {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "failure=connect") })
	if log := b.log.String(); !strings.Contains(log, "certificate signed by unknown authority") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestProxy_PortMapping(t *testing.T) {
	b := newBench(t, nil)
	mapped := goodMember(t, "mapped")
	b.discovery.Update(testDomain, []membership.Member{{
		ID: "x", Domain: testDomain, Host: "127.0.0.1", HTTPPort: portIn(t, "http://"+goodMember(t, "usual")), State: membership.StateActive,
		PortMappings: map[int]int{portIn(t, b.front.URL): portIn(t, "http://"+mapped)},
	}})
	if _, text := b.get("/"); !strings.HasPrefix(text, "mapped") {
		t.Errorf("got %q", text)
	}
}

func TestProxy_StaticMembers(t *testing.T) {
	static, err := ParseStatic("http://" + goodMember(t, "static"))
	if err != nil {
		t.Fatal(err)
	}
	routes := newRoutes(t, []PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Static: []Member{static}}})
	b := newBench(t, func(c *Config) { c.Routes = routes })
	if _, text := b.get("/"); text != "static GET 0" {
		t.Errorf("got %q", text)
	}
	b.discovery = NewDiscovery(b.proxy, routes, b.proxy.log)
	b.members(goodMember(t, "found"))
	seen := map[string]bool{}
	for range 4 {
		_, text := b.get("/")
		seen[text] = true
	}
	if len(seen) != 2 {
		t.Errorf("static and announced members share the pool; got %v", seen)
	}
	if list := b.discovery.Members(); len(list) != 2 || !list[0].Static || list[0].ID != static.ID {
		t.Errorf("members: %+v", list)
	}
}

func portIn(t *testing.T, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
