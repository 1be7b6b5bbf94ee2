package lb

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// sticky gives all pools of a bench an affinity.
func sticky(spec AffinitySpec, secrets ...[]byte) func(*Config) {
	return func(c *Config) {
		for i := range c.Routes.pools {
			c.Routes.pools[i].Affinity = spec
		}
		c.AffinityKeys = secrets
	}
}

// namedMember answers with its name and the Cookie fields that it got.
func namedMember(t *testing.T, name string) string {
	t.Helper()
	return member(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name+"|"+strings.Join(r.Header["Cookie"], "|"))
	})
}

// sticks counts the results of elb_sticky_total, once they are n in all.
func (b *bench) sticks(n int) map[string]int {
	b.t.Helper()
	waitFor(b.t, func() bool { return value(b.t, b.metrics, "elb_sticky_total") == float64(n) }) // it is counted after the answer
	count := map[string]int{}
	for _, result := range stickyLabels() {
		if v := testutil.ToFloat64(b.proxy.metrics.sticky.With(prometheus.Labels{"domain": testDomain, "result": result})); v > 0 {
			count[result] = int(v)
		}
	}
	return count
}

func wantCounts(t *testing.T, got, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// cookieOf gives "name=value" of the answer's only Set-Cookie field, and its attributes; "" if there is none.
func cookieOf(t *testing.T, res *http.Response) (pair, attributes string) {
	t.Helper()
	fields := res.Header["Set-Cookie"]
	if len(fields) > 1 {
		t.Fatalf("%q", fields)
	}
	if len(fields) == 1 {
		pair, attributes, _ = strings.Cut(fields[0], "; ")
	}
	return pair, attributes
}

func TestAffinity_CookieKeepsASession(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}))
	addrs := []string{namedMember(t, "a"), namedMember(t, "b"), namedMember(t, "c")}
	b.members(addrs...)
	res, body := b.get("/", "Cookie", "x=1")
	cookie, attributes := cookieOf(t, res)
	home, seen, _ := strings.Cut(body, "|")
	if !regexp.MustCompile(`^elb_route=[A-Za-z0-9_-]{40}$`).MatchString(cookie) || attributes != "Path=/; HttpOnly; SameSite=Lax" || seen != "x=1" {
		t.Fatalf("%q; %q, the member saw %q", cookie, attributes, seen)
	}
	for range 6 {
		res, body := b.get("/", "Cookie", "x=1; "+cookie+"; y=2")
		if again, _ := cookieOf(t, res); body != home+"|x=1; y=2" || again != "" {
			t.Errorf("%q, new cookie %q", body, again)
		}
	}
	if _, body := b.get("/", "Cookie", cookie); body != home+"|" {
		t.Errorf("%q", body)
	}
	wantCounts(t, b.sticks(8), map[string]int{"hit": 7, "miss": 1})
	waitFor(t, func() bool {
		return strings.Contains(b.log.String(), " affinity=hit ") && strings.Contains(b.log.String(), " affinity=miss ")
	})

	// Its member goes: the session moves once, and stays when that member is back.
	b.membersBut(addrs, int(home[0]-'a'))
	res, body = b.get("/", "Cookie", cookie)
	moved, _ := cookieOf(t, res)
	if res.StatusCode != 200 || moved == "" || moved == cookie || body == home+"|" {
		t.Fatalf("%d %q, cookie %q", res.StatusCode, body, moved)
	}
	b.members(addrs...)
	for range 4 {
		res, again := b.get("/", "Cookie", moved)
		if pair, _ := cookieOf(t, res); again != body || pair != "" {
			t.Errorf("%q, not %q; cookie %q", again, body, pair)
		}
	}
	wantCounts(t, b.sticks(13), map[string]int{"hit": 11, "miss": 1, "moved": 1})
}

// membersBut puts all members but one into the table, each with the id that members gives it.
func (b *bench) membersBut(addrs []string, gone int) {
	b.t.Helper()
	b.members(addrs...)
	groups := b.discovery.groups[testDomain]
	b.discovery.Update(testDomain, slices.Delete(slices.Clone(groups), gone, gone+1))
}

// A cookie never costs an answer: with a member that refuses, the request goes elsewhere, and the cookie is issued anew.
func TestAffinity_RetriesElsewhere(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}))
	b.members(refusedAddr(t), namedMember(t, "good"))
	dead := "elb_route=" + b.proxy.table.Load().Pool(t, testDomain).tokenOf("m0", time.Now())
	res, body := b.get("/", "Cookie", dead)
	cookie, _ := cookieOf(t, res)
	if res.StatusCode != 200 || body != "good|" || cookie == "" || cookie == dead {
		t.Fatalf("%d %q, cookie %q", res.StatusCode, body, cookie)
	}
	res, _ = b.get("/", "Cookie", cookie)
	if again, _ := cookieOf(t, res); again != "" {
		t.Errorf("a second cookie: %q", again)
	}
	wantCounts(t, b.sticks(2), map[string]int{"hit": 1, "moved": 1})
}

// Pool finds the pool of a domain.
func (t *Table) Pool(tb testing.TB, domain string) *Pool {
	tb.Helper()
	for _, p := range t.pools {
		if p.Domain == domain {
			return p
		}
	}
	tb.Fatalf("no pool of %s", domain)
	return nil
}

func TestAffinity_BadCookiesAreNone(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}))
	b.members(namedMember(t, "a"), namedMember(t, "b"))
	pool := b.proxy.table.Load()
	good := pool.Pool(t, testDomain).tokenOf("m0", time.Now())
	bad := []string{
		"", "x", strings.Repeat("A", tokenText), good[:39], good + "A", good + good, `"` + good + `"`, "\x80\xfe\xff", strings.Repeat("A", 40<<10),
		"http://127.0.0.1:1/", "m0", good[1:] + good[:1],
	}
	for i, value := range bad {
		// By hand: no client of the standard library would send all of these.
		conn := dial(t, b.front.addr)
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: app.example\r\nCookie: elb_route=%s; x=1\r\n\r\n", value)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		cookie, _ := cookieOf(t, res)
		if res.StatusCode != 200 || !strings.HasSuffix(string(body), "|x=1") || cookie == "" {
			t.Errorf("%d: %d %q, cookie %q", i, res.StatusCode, body, cookie)
		}
		_ = conn.Close()
	}
	wantCounts(t, b.sticks(len(bad)), map[string]int{"invalid": len(bad)})
}

// Every answer of a member carries the cookie, whatever it is; an answer of ours never does.
func TestAffinity_AllAnswersOfMembers(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityApplication, Cookie: "R"}))
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "JSESSIONID=abc; Path=/")
		switch r.URL.Path {
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
		case "/redirect":
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusFound)
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/long":
			_, _ = w.Write(make([]byte, keepMost+1))
		case "/chunked":
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
		}
	}))
	token := b.proxy.table.Load().Pool(t, testDomain).tokenOf("m0", time.Now())
	for _, method := range []string{"GET", "HEAD", "POST"} {
		for _, path := range []string{"/", "/early", "/redirect", "/error", "/nothing", "/long", "/chunked"} {
			res, _, err := b.do(method, path, nil, "Cookie", "JSESSIONID=old")
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(res.Header["Set-Cookie"], " & ")
			if want := "JSESSIONID=abc." + token + "; Path=/ & R=" + token + "; Path=/; HttpOnly; SameSite=Lax"; got != want {
				t.Errorf("%s %s: %d with %q", method, path, res.StatusCode, got)
			}
		}
	}
	res, _ := b.get("/", "Host", "empty.example", "Cookie", "JSESSIONID=old")
	if got := res.Header["Set-Cookie"]; res.StatusCode != 503 || got != nil {
		t.Errorf("an answer of ours: %d with %q", res.StatusCode, got)
	}
	b.members(refusedAddr(t))
	if res, _ = b.get("/", "Cookie", "JSESSIONID=old"); res.StatusCode != 502 || res.Header["Set-Cookie"] != nil {
		t.Errorf("an answer of ours: %d with %q", res.StatusCode, res.Header["Set-Cookie"])
	}
}

// The application's cookie carries the token there and back; when its member is gone, a cookie of ours keeps the session at the next one.
func TestAffinity_ApplicationCookie(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityApplication}))
	application := func(name string) string {
		return member(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "abc", Path: "/app"})
			}
			_, _ = io.WriteString(w, name+"|"+strings.Join(r.Header["Cookie"], "|"))
		})
	}
	addrs := []string{application("a"), application("b"), application("c")}
	b.members(addrs...)
	if res, _ := b.get("/"); res.Header["Set-Cookie"] != nil {
		t.Errorf("a cookie without a session: %q", res.Header["Set-Cookie"])
	}
	res, body := b.get("/login")
	session, attributes := cookieOf(t, res)
	home, _, _ := strings.Cut(body, "|")
	if !strings.HasPrefix(session, "JSESSIONID=abc.") || attributes != "Path=/app" {
		t.Fatalf("%q; %q", session, attributes)
	}
	for range 5 {
		res, body := b.get("/", "Cookie", session+"; x=1")
		if body != home+"|JSESSIONID=abc; x=1" || res.Header["Set-Cookie"] != nil {
			t.Errorf("%q, cookies %q", body, res.Header["Set-Cookie"])
		}
	}
	dead := int(home[0] - 'a')
	addrs[dead] = refusedAddr(t)
	b.members(addrs...)
	res, body = b.get("/", "Cookie", session)
	ours, _ := cookieOf(t, res)
	next, seen, _ := strings.Cut(body, "|")
	if next == home || seen != "JSESSIONID=abc" || !strings.HasPrefix(ours, "elb_route=") {
		t.Fatalf("%q, cookie %q", body, ours)
	}
	for range 5 {
		res, body := b.get("/", "Cookie", session+"; "+ours)
		if body != next+"|JSESSIONID=abc" || res.Header["Set-Cookie"] != nil {
			t.Errorf("%q, cookies %q", body, res.Header["Set-Cookie"])
		}
	}
	wantCounts(t, b.sticks(13), map[string]int{"hit": 10, "miss": 2, "moved": 1})
}

// A websocket begins a session, too, and follows one.
func TestAffinity_Websocket(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}))
	socket := func(name string) string {
		addr, _ := rawMember(t, func(conn *net.TCPConn, head string) {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: a=1\r\n\r\n"+name)
			if strings.Contains(head, "elb_route") {
				t.Errorf("the member got %q", head)
			}
		})
		return addr
	}
	b.members(socket("a"), socket("b"), socket("c"))
	open := func(cookie string) (name string, res *http.Response) {
		conn := dial(t, b.front.addr)
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+cookie+"\r\n")
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != 101 {
			t.Fatalf("%v, %v", res, err)
		}
		rest, _ := io.ReadAll(r)
		return string(rest), res
	}
	home, res := open("")
	fields := res.Header["Set-Cookie"]
	if len(fields) != 2 || fields[0] != "a=1" {
		t.Fatalf("%q", fields)
	}
	cookie, _, _ := strings.Cut(fields[1], ";")
	for range 5 {
		name, res := open("Cookie: " + cookie + "\r\n")
		if fields := res.Header["Set-Cookie"]; name != home || len(fields) != 1 {
			t.Errorf("%s, not %s; cookies %q", name, home, fields)
		}
	}
}

func TestAffinity_OverHTTP2(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityApplication, SessionTimeout: time.Hour}))
	application := func(name string) string {
		return member(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "JSESSIONID=abc")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, name+"|"+strings.Join(r.Header["Cookie"], "|"))
		})
	}
	b.members(application("a"), application("b"), application("c"))
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	defer certified.Close()
	front := serveProxy(t, b.proxy, ServerConfig{TLS: &tls.Config{Certificates: certified.TLS.Certificates}})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ask := func(cookie string) (body string, cookies []string) {
		var early []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			early = h["Set-Cookie"]
			return nil
		}}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", front.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = "app.example"; cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.ProtoMajor != 2 {
			t.Fatalf("%v, HTTP/%d", err, res.ProtoMajor)
		}
		cookies = res.Header["Set-Cookie"]
		if len(early) != 1 || early[0] != cookies[0] {
			t.Errorf("cookies of the early hints: %q", early)
		}
		return string(text), cookies
	}
	body, cookies := ask("JSESSIONID=unknown; x=1")
	home, seen, _ := strings.Cut(body, "|")
	if len(cookies) != 2 || seen != "JSESSIONID=unknown; x=1" || !strings.HasSuffix(cookies[1], "; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure") {
		t.Fatalf("%q, cookies %q", body, cookies)
	}
	ours, _, _ := strings.Cut(cookies[1], ";")
	for _, cookie := range []string{cookies[0], ours, "y=2; " + ours + "; " + cookies[0]} {
		body, again := ask(cookie)
		if name, seen, _ := strings.Cut(body, "|"); name != home || len(again) != 1 || again[0] != cookies[0] || strings.Contains(seen, "elb_route") || strings.Contains(seen, ".") {
			t.Errorf("%q: %q, cookies %q", cookie, body, again)
		}
	}
}

// Interim answers may set the application's cookie; ours comes with the final one.
func TestAffinity_InterimAnswers(t *testing.T) {
	b := newBench(t, sticky(AffinitySpec{Mode: AffinityApplication}))
	addr, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: JSESSIONID=a; Path=/\r\nSet-Cookie: x=1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	b.members(addr)
	token := b.proxy.table.Load().Pool(t, testDomain).tokenOf("m0", time.Now())
	conn := dial(t, b.front.addr)
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\nCookie: JSESSIONID=b\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	interim, final, _ := strings.Cut(string(got), "\r\n\r\n")
	if interim != "HTTP/1.1 103 Early Hints\r\nSet-Cookie: JSESSIONID=a."+token+"; Path=/\r\nSet-Cookie: x=1" || strings.Count(final, "Set-Cookie: elb_route=") != 1 {
		t.Errorf("%s", got)
	}
}

// The bar: a thousand sessions through two load balancers that share nothing but a key. Always the same member; when one of five goes, its
// sessions alone move, each once; a load balancer that starts anew moves none.
func TestAffinity_ThousandSessionsOverTwoBalancers(t *testing.T) {
	const sessions, members = 1000, 5
	var addrs []string
	for i := range members {
		addrs = append(addrs, cannedMember(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", i)))
	}
	balancers := []*bench{newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}, secretA)), newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}, secretA, secretB))}
	for _, b := range balancers {
		b.members(addrs...)
	}
	home, cookies, moves := make([]string, sessions), make([]string, sessions), make([]int, sessions)
	round := func(n int) {
		t.Helper()
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := worker; i < sessions; i += 4 {
					var header []string
					if cookies[i] != "" {
						header = []string{"Cookie", cookies[i]}
					}
					res, body, err := balancers[(i+n)%len(balancers)].do("GET", "/", nil, header...)
					if err != nil || res.StatusCode != 200 {
						t.Errorf("session %d: %v %v", i, res, err)
						return
					}
					if home[i] != "" && home[i] != body {
						moves[i]++
					}
					home[i] = body
					if pair, _ := cookieOf(t, res); pair != "" {
						cookies[i] = pair
					}
				}
			})
		}
		all.Wait()
	}
	moved := func() (sum int) {
		for i, n := range moves {
			if sum += n; n > 1 {
				t.Errorf("session %d moved %d times", i, n)
			}
		}
		return sum
	}
	for n := range 4 {
		round(n)
	}
	if n := moved(); n > 0 {
		t.Fatalf("%d sessions moved without a reason", n)
	}
	lost := 0
	for _, h := range home {
		if h == "4" {
			lost++
		}
	}
	for _, b := range balancers {
		b.members(addrs[:members-1]...)
	}
	for n := range 4 {
		round(n)
	}
	if n := moved(); n != lost || n > sessions/members+sessions*2/100 {
		t.Errorf("%d sessions moved; %d were at the member that went", n, lost)
	}
	again := newBench(t, sticky(AffinitySpec{Mode: AffinityCookie}, secretA))
	again.members(addrs[:members-1]...)
	balancers[0] = again
	for n := range 2 {
		round(n)
	}
	if n := moved(); n != lost {
		t.Errorf("%d sessions moved when a load balancer was started anew", n-lost)
	}
}

// Whoever comes and goes: a session stays as long as its member is there. One whose data the application keeps somewhere goes back there.
func TestAffinity_TablesMayChange(t *testing.T) {
	t.Parallel()
	ids := []string{"m1", "m2", "m3", "m4", "m5"}
	rapid.Check(t, func(r *rapid.T) {
		mode := rapid.SampledFrom([]AffinityMode{AffinityCookie, AffinityApplication}).Draw(r, "mode")
		routes, err := NewRoutes([]PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"a.example"}, Affinity: AffinitySpec{Mode: mode}}})
		if err != nil {
			r.Fatal(err)
		}
		p, err := New(Config{Routes: routes})
		if err != nil {
			r.Fatal(err)
		}
		defer p.Close()
		const sessions = 5
		var ours, app, home, made [sessions]string
		for range rapid.IntRange(1, 8).Draw(r, "tables") {
			present := rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, -1, rapid.ID).Draw(r, "present")
			p.Use(NewTable(routes, stickyMembers("d", present)))
			pool := p.table.Load().pools[0]
			for i := range sessions {
				x := stickyRequest(t, pool, "JSESSIONID=s"+app[i]+ours[i])
				x.target = x.pick()
				id := idOf(x.target)
				for _, want := range []string{made[i], home[i]} {
					if slices.Contains(present, want) {
						if id != want {
							r.Fatalf("session %d went to %s, though %s is there", i, id, want)
						}
						break
					}
				}
				home[i] = id
				if x.issues() {
					pair, _, _ := strings.Cut(string(x.oursValue()), ";")
					ours[i] = "; " + pair
				}
				if mode == AffinityApplication && app[i] == "" {
					value, _ := x.routed([]byte("JSESSIONID=s"))
					app[i], made[i] = strings.TrimPrefix(string(value), "JSESSIONID=s"), id
				}
			}
		}
	})
}
