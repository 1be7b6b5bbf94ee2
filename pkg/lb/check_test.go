package lb

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// checkOnce makes one check of a member at a URL, as a pool with that specification would.
func checkOnce(t *testing.T, rawURL string, spec HealthSpec, roots *x509.CertPool) checkResult {
	t.Helper()
	m, err := ParseStatic(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &Proxy{}
	proxy.settings.Store(&Settings{Roots: roots})
	p := newProbe(newUpstream(proxy, m), "", &spec, "app.example")
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), spec.Timeout)
	defer cancel()
	return judgeCheck(p.run(ctx), began, time.Since(began), time.Hour)
}

func checkSpec(path string) HealthSpec {
	s := DefaultHealth()
	s.Path = path
	s.Timeout = time.Second
	return s
}

func TestProbe_AsksAndJudges(t *testing.T) {
	raw := func(answer string) func(*net.TCPConn, string) {
		return func(conn *net.TCPConn, _ string) { _, _ = io.WriteString(conn, answer) }
	}
	for name, c := range map[string]struct {
		serve func(*net.TCPConn, string)
		want  checkKind
		words string
	}{
		"good":              {raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), checkPassed, ""},
		"good, no content":  {raw("HTTP/1.1 204 No Content\r\n\r\n"), checkPassed, ""},
		"HTTP/1.0":          {raw("HTTP/1.0 200 OK\r\n\r\nok"), checkPassed, ""},
		"interim first":     {raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), checkPassed, ""},
		"many interims":     {raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20) + "HTTP/1.1 200 OK\r\n\r\n"), checkWrong, "interim"},
		"not ready":         {raw("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), checkWrong, "503 Service Unavailable"},
		"redirect":          {raw("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"), checkWrong, "302 Found"},
		"switch":            {raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), checkWrong, "101"},
		"no HTTP":           {raw("SSH-2.0-OpenSSH_9.2\r\n"), checkWrong, ""},
		"endless head":      {raw("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 9000)), checkWrong, "too large"},
		"half an answer":    {raw("HTTP/1.1 200 O"), checkLost, "without an answer"},
		"silence, then end": {raw(""), checkLost, "without an answer"},
		"reset":             {func(conn *net.TCPConn, _ string) { reset(conn) }, checkLost, "reset"},
		"never answers":     {func(conn *net.TCPConn, _ string) { _, _ = io.Copy(io.Discard, conn) }, checkSilent, ""},
		"huge answer is not waited for": {func(conn *net.TCPConn, _ string) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
			for chunk := make([]byte, 1<<16); ; {
				if _, err := conn.Write(chunk); err != nil {
					return
				}
			}
		}, checkPassed, ""},
		"slow head": {func(conn *net.TCPConn, _ string) {
			for _, c := range "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 1000) {
				if _, err := io.WriteString(conn, string(c)); err != nil {
					return
				}
				<-time.After(20 * time.Millisecond)
			}
		}, checkSilent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 1)
			addr, _ := rawMember(t, func(conn *net.TCPConn, head string) {
				asked <- head
				c.serve(conn, head)
			})
			got := checkOnce(t, "http://"+addr, checkSpec("/healthz?deep=0"), nil)
			if got.kind != c.want || got.kind != checkPassed && !strings.Contains(got.err.Error(), c.words) {
				t.Errorf("%s: %v, want %s with %q", got.kind, got.err, c.want, c.words)
			}
			if head := <-asked; !strings.HasPrefix(head, "GET /healthz?deep=0 HTTP/1.1\r\nHost: app.example\r\n") {
				t.Errorf("asked %q", head)
			}
		})
	}
}

func TestProbe_StatusIsConfigured(t *testing.T) {
	addr, _ := rawMember(t, func(conn *net.TCPConn, _ string) { _, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\n\r\n") })
	spec := checkSpec("/")
	if got := checkOnce(t, "http://"+addr, spec, nil); got.kind != checkWrong {
		t.Errorf("401: %s", got.kind)
	}
	spec.Status = StatusRange{200, 499}
	if got := checkOnce(t, "http://"+addr, spec, nil); got.kind != checkPassed {
		t.Errorf("401, and 200-499 is good: %s %v", got.kind, got.err)
	}
}

func TestProbe_WithoutAPathAConnectionIsEnough(t *testing.T) {
	if got := checkOnce(t, "http://"+goodMember(t, "a"), checkSpec(""), nil); got.kind != checkPassed {
		t.Errorf("%s %v", got.kind, got.err)
	}
	if got := checkOnce(t, "http://"+refusedAddr(t), checkSpec(""), nil); got.kind != checkRefused {
		t.Errorf("nobody there: %s %v", got.kind, got.err)
	}
	if got := checkOnce(t, "https://"+goodMember(t, "a"), checkSpec(""), nil); got.kind != checkWrong {
		t.Errorf("no TLS there: %s %v", got.kind, got.err)
	}
	silent, _ := rawMember(t, func(*net.TCPConn, string) {})
	spec := checkSpec("")
	spec.Timeout = 50 * time.Millisecond
	if got := checkOnce(t, "https://"+silent, spec, nil); got.kind != checkSilent && got.kind != checkLost {
		t.Errorf("no TLS, and no word: %s %v", got.kind, got.err)
	}
}

// Certificates are verified as for requests: by our roots, for the address that is asked.
func TestProbe_VerifiesCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	for _, path := range []string{"", "/healthz"} {
		if got := checkOnce(t, s.URL, checkSpec(path), trusted); got.kind != checkPassed {
			t.Errorf("%q: %s %v", path, got.kind, got.err)
		}
		if got := checkOnce(t, s.URL, checkSpec(path), x509.NewCertPool()); got.kind != checkWrong || !strings.Contains(got.err.Error(), "unknown authority") {
			t.Errorf("%q, unknown authority: %s %v", path, got.kind, got.err)
		}
		if got := checkOnce(t, "https://localhost:"+u.Port(), checkSpec(path), trusted); got.kind != checkWrong || !strings.Contains(got.err.Error(), "localhost") {
			t.Errorf("%q, wrong name: %s %v", path, got.kind, got.err)
		}
	}
}

func TestProbe_PathIsTheMembersOwnElseThePools(t *testing.T) {
	u := newUpstream(&Proxy{}, Member{Host: "10.0.0.1", HTTPPort: 80})
	for _, c := range []struct{ announced, configured, host, want string }{
		{"/readyz", "/other", "app.example", "GET /readyz HTTP/1.1\r\nHost: app.example\r\n"},
		{"", "/other", "", "GET /other HTTP/1.1\r\nHost: 10.0.0.1:80\r\n"},
		{"readyz", "/other", "h", "GET /other HTTP/1.1\r\n"},
		{"/a b", "", "h", ""},
		{"/a HTTP/1.1\r\nX: y", "", "h", ""},
		{"", "", "h", ""},
	} {
		spec := checkSpec(c.configured)
		if got := newProbe(u, c.announced, &spec, c.host).request; !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%q, %q: %q", c.announced, c.configured, got)
		}
	}
}

func TestParseStatusRange(t *testing.T) {
	for text, want := range map[string]StatusRange{"200": {200, 200}, "200-399": {200, 399}, "204 - 299": {204, 299}} {
		if got, err := ParseStatusRange(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "ok", "100", "199-299", "600", "299-200", "200-", "-200", "200-300-400", "2e2"} {
		if got, err := ParseStatusRange(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for want, hosts := range map[string][]string{
		"": {"*.example.com"}, "a.example": {"*.example.com", "A.example", "b.example"}, "[::1]": {"::1"}, "10.0.0.1": {"10.0.0.1"},
	} {
		if got := checkHost(hosts); got != want {
			t.Errorf("%v: %q", hosts, got)
		}
	}
}

// checkedBench is a bench whose members are checked often.
func checkedBench(t *testing.T, more ...PoolSpec) *bench {
	t.Helper()
	spec := DefaultHealth()
	spec.Interval, spec.Timeout, spec.Path = 300*time.Millisecond, 200*time.Millisecond, "/check"
	specs := append([]PoolSpec{{Service: "s", Domain: testDomain, Hosts: []string{"app.example"}}}, more...)
	for i := range specs {
		specs[i].Tenants, specs[i].Health = everybody(t), spec
	}
	routes, err := NewRoutes(specs)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(c *Config) {
		c.Routes = routes
		c.Timeouts.Connect = 2 * time.Second
	})
	b.routes = routes
	b.discovery = NewDiscovery(b.proxy, routes, b.proxy.log)
	return b
}

// standing is what the proxy makes of member i.
func (b *bench) standing(i int) MemberStatus { return b.discovery.Members()[i] }

func (b *bench) awaitStanding(i int, want string) {
	b.t.Helper()
	waitFor(b.t, func() bool { return b.standing(i).Standing == want })
}

func TestChecks_AnUnprovenMemberGetsNothingWhileAnotherIsThere(t *testing.T) {
	b := checkedBench(t)
	sick := member(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "sick")
	})
	b.members(sick)
	if _, text := b.get("/"); text != "sick" {
		t.Errorf("the only member was not asked: %q", text)
	}
	b.awaitStanding(0, StandingDown)
	if s := b.standing(0); !strings.Contains(s.Reason, "503") || s.LastCheck == nil || s.LastCheck.Result != "wrong" {
		t.Errorf("status %+v", s)
	}
	b.members(sick, goodMember(t, "well"))
	b.awaitStanding(1, StandingUp)
	for range 10 {
		if _, text := b.get("/"); !strings.HasPrefix(text, "well") {
			t.Errorf("answered by %q", text)
		}
	}
	log := b.log.String()
	if strings.Count(log, `msg="member is down: it is not ready"`) != 1 || strings.Count(log, `msg="member passed its first check"`) != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// stopping is a member that can be made to take requests and checks and answer none, as a process that is stopped.
type stopping struct {
	addr    string
	stopped chan struct{}
	asked   chan string // methods of requests that came while it stood
}

func newStopping(t *testing.T) *stopping {
	t.Helper()
	s := &stopping{stopped: make(chan struct{}), asked: make(chan string, 100)}
	over := make(chan struct{})
	s.addr = member(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.stopped:
			if r.URL.Path != "/check" {
				s.asked <- r.Method
			}
			select {
			case <-r.Context().Done():
			case <-over:
			}
		default:
			_, _ = io.WriteString(w, "stopping")
		}
	})
	t.Cleanup(func() { close(over) })
	return s
}

func TestChecks_RequestsLeaveAMemberThatIsDown(t *testing.T) {
	for _, c := range []struct {
		method, body string
		header       []string
		leaves       bool
	}{
		{"GET", "", nil, true},
		{"HEAD", "", nil, true},
		{"OPTIONS", "", nil, true},
		{"PUT", "data", nil, false},
		{"DELETE", "", nil, false},
		{"PUT", "data", []string{"If-Match", `"1"`}, false},
		{"POST", "data", nil, false},
	} {
		t.Run(c.method+strings.Join(c.header, ""), func(t *testing.T) {
			t.Parallel()
			b := checkedBench(t)
			s := newStopping(t)
			b.members(s.addr, goodMember(t, "well"))
			b.awaitStanding(0, StandingUp)
			b.awaitStanding(1, StandingUp)
			close(s.stopped)
			type answer struct {
				res  *http.Response
				text string
				err  error
			}
			answers := make(chan answer, 100)
			sent := 0
			for ; len(s.asked) == 0 && sent < 100; sent++ { // one of the first two goes to the stopped member
				go func() {
					res, text, err := b.do(c.method, "/", strings.NewReader(c.body), c.header...)
					answers <- answer{res, text, err}
				}()
				<-time.After(2 * time.Millisecond)
			}
			b.awaitStanding(0, StandingDown)
			for range sent {
				select {
				case a := <-answers:
					if a.err != nil || a.res.StatusCode != 200 {
						t.Errorf("got %v %q, %v", a.res, a.text, a.err)
					}
				case <-time.After(3 * time.Second):
					if c.leaves {
						t.Error("a request waits for the member that is down")
					}
					return
				}
			}
			if !c.leaves {
				t.Error("a request left the member that may carry it out yet")
			}
			if n := value(t, b.metrics, "elb_retries_total"); n == 0 {
				t.Error("no retry was counted")
			}
		})
	}
}

func TestChecks_StreamsOfHTTP2LeaveAMemberThatIsDown(t *testing.T) {
	b := checkedBench(t)
	s := newStopping(t)
	b.members(s.addr, goodMember(t, "well"))
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingUp)
	front, client := secureFront(t, b)
	close(s.stopped)
	answers := make(chan string, 10)
	for range cap(answers) {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/", http.NoBody)
			if err != nil {
				answers <- err.Error()
				return
			}
			r.Host = "app.example"
			res, err := client.Do(r)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			answers <- string(text)
		}()
	}
	for range cap(answers) {
		if text := <-answers; text != "well GET 0" {
			t.Errorf("got %q", text)
		}
	}
	if len(s.asked) == 0 {
		t.Error("the stopped member was not asked")
	}
}

// With nobody else there, a request waits on: the member may only have paused.
func TestChecks_RequestsWaitOnIfNobodyElseIsThere(t *testing.T) {
	b := checkedBench(t)
	goOn := make(chan struct{})
	checks := make(chan struct{})
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-checks:
			<-goOn
		default:
		}
		_, _ = io.WriteString(w, "at last")
	}))
	b.awaitStanding(0, StandingUp)
	close(checks)
	got := make(chan string, 1)
	go func() {
		_, text, err := b.do("GET", "/", nil)
		got <- text
		if err != nil {
			t.Error(err)
		}
	}()
	b.awaitStanding(0, StandingDown)
	close(goOn)
	if text := <-got; text != "at last" {
		t.Errorf("got %q", text)
	}
	b.awaitStanding(0, StandingUp)
}

// A download from a member that stands still is not given up: its client may get the rest yet.
func TestChecks_AnAnswerThatHasBegunIsNotGivenUp(t *testing.T) {
	b := checkedBench(t)
	goOn, stand, begun := make(chan struct{}), make(chan struct{}), make(chan struct{})
	pausing := member(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/check" {
			select {
			case <-stand:
				<-goOn
			default:
			}
			return
		}
		w.Header().Set("Content-Length", "300000")
		_, _ = io.WriteString(w, strings.Repeat("a", 150000))
		_ = http.NewResponseController(w).Flush()
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, strings.Repeat("b", 150000))
	})
	b.members(pausing, goodMember(t, "well"))
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingUp)
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 2)
	for range 2 { // one for each member
		go func() {
			_, text, err := b.do("GET", "/", nil)
			got <- answer{text, err}
		}()
	}
	<-begun
	close(stand)
	b.awaitStanding(0, StandingDown)
	<-time.After(500 * time.Millisecond) // the watch has looked
	close(goOn)
	long := 0
	for range 2 {
		a := <-got
		if a.err != nil {
			t.Error(a.err)
		}
		long = max(long, len(a.text))
	}
	if long != 300000 {
		t.Errorf("the download has %d bytes", long)
	}
}

// Answers 503 from all members, as clients can bring them about, eject half of the members at most.
func TestChecks_ErrorsInARowEjectHalf(t *testing.T) {
	routes := newRoutes(t, []PoolSpec{{Service: "s", Domain: testDomain, Hosts: []string{"app.example"}, Tenants: everybody(t), Health: HealthSpec{MaxErrors: 2}}})
	b := newBench(t, func(c *Config) { c.Routes = routes })
	b.discovery = NewDiscovery(b.proxy, routes, b.proxy.log)
	busy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	b.members(member(t, busy), member(t, busy), member(t, busy))
	for range 12 {
		if res, _ := b.get("/"); res.StatusCode != 503 {
			t.Errorf("got %d", res.StatusCode)
		}
	}
	ejected := 0
	for _, m := range b.discovery.Members() {
		if m.Ejected && m.Ejections == 1 && strings.Contains(m.Reason, "503") {
			ejected++
		}
	}
	if ejected != 1 || !strings.Contains(b.log.String(), "reason=error status=503") {
		t.Errorf("%d of three are ejected, want one; log:\n%s", ejected, b.log)
	}
}

// stayingFront is a client that stays.
type stayingFront struct{ front }

func (stayingFront) gone() error { return nil }

// A request that left its member has paid for its next attempt already.
func TestStopReason_ARequestThatLeftHasPaid(t *testing.T) {
	x := newExchange()
	x.front, x.method, x.pool = stayingFront{}, http.MethodGet, &Pool{budget: &retryBudget{}}
	x.pool.budget.refilled.Store(time.Now().Add(time.Hour).UnixNano()) // it earns nothing
	if got := x.stopReason(Result{Failure: FailureDown}); got != stopNone {
		t.Errorf("stopped: %s", got)
	}
	if got := x.stopReason(Result{Failure: FailureReset}); got != stopBudget {
		t.Errorf("after a reset: %q, want %q", got, stopBudget)
	}
}

// haltingListener takes connections, and from halt on hands none of them out: nobody says a word on them.
type haltingListener struct {
	net.Listener
	halted atomic.Bool
	held   chan net.Conn
}

func (l *haltingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.halted.Load() {
			return conn, err
		}
		l.held <- conn
	}
}

// A request that is still connecting to a member, here in the TLS handshake, when the member is found dead goes elsewhere at once, whatever its
// method: nothing of it was sent.
func TestChecks_ConnectingToAMemberThatIsDownEnds(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "halting") }))
	l := &haltingListener{Listener: s.Listener, held: make(chan net.Conn, 100)}
	s.Listener = l
	s.StartTLS()
	t.Cleanup(s.Close)
	b := checkedBench(t)
	settings := *b.proxy.settings.Load()
	settings.Roots, settings.Timeouts.Connect = x509.NewCertPool(), time.Hour
	settings.Roots.AddCert(s.Certificate())
	b.proxy.Set(settings)
	halting := gossiped(t, "a", l.Addr().String())
	halting.HTTPSPort, halting.HTTPPort = halting.HTTPPort, 0
	b.discovery.Update(testDomain, []membership.Member{halting, gossiped(t, "b", goodMember(t, "well"))})
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingUp)
	l.halted.Store(true)
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() {
			_, text, err := b.do("POST", "/", strings.NewReader("data"))
			if err != nil {
				text = err.Error()
			}
			answers <- text
		}()
	}
	for range cap(answers) {
		if text := <-answers; text != "well POST 4" {
			t.Errorf("got %q", text)
		}
	}
	if b.standing(0).Standing == StandingUp || len(l.held) == 0 {
		t.Errorf("the halted member is %s, and was asked %d times", b.standing(0).Standing, len(l.held))
	}
	if log := b.log.String(); strings.Contains(log, "member ejected") || strings.Count(log, "member is down: it does not answer") != 1 {
		t.Errorf("log:\n%s", log)
	}
	for range len(l.held) {
		_ = (<-l.held).Close()
	}
}
