package lb

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// gate is a member that answers with its name and the path when it is let go, and says so when a request is given up before.
type gate struct {
	slowMember
	name string
}

// answer is what it answers to a GET of a path: so long that it does not fit in what is read at first.
func (g *gate) answer(path string) string { return g.name + " " + path + strings.Repeat(".", 40<<10) }

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	g.asked <- struct{}{}
	select {
	case <-g.goOn:
		_, _ = io.WriteString(w, g.answer(r.URL.Path))
	case <-r.Context().Done():
		g.left <- struct{}{}
	}
}

func newGate(t *testing.T, name string) *gate {
	t.Helper()
	g := &gate{slowMember{asked: make(chan struct{}, 100), goOn: make(chan struct{}), left: make(chan struct{}, 100)}, name}
	g.addr = member(t, g.ServeHTTP)
	return g
}

// hedgeBench is a tryBench that hedges.
func hedgeBench(t *testing.T, change func(*PoolSpec)) *bench {
	t.Helper()
	return tryBench(t, func(s *PoolSpec) {
		s.Retry.Hedge, s.Health.MaxTimeouts = true, 5
		if change != nil {
			change(s)
		}
	})
}

// start sends a GET, and gives a function that waits for its answer.
func (b *bench) start(path string, header ...string) (answer func() string) {
	b.t.Helper()
	got := make(chan string, 1)
	go func() {
		res, text, err := b.do(http.MethodGet, path, nil, header...)
		switch {
		case err != nil:
			text = err.Error()
		case res.StatusCode != http.StatusOK:
			text = res.Status
		}
		got <- text
	}()
	return func() string { return <-got }
}

// settled waits until nothing runs on the members any more, and compares what was counted.
func (b *bench) settled(hedges [hedgeResults]float64, outcomes map[string]map[string]float64) {
	b.t.Helper()
	waitFor(b.t, func() bool { return b.inFlight() == 0 })
	for result, label := range hedgeLabels() {
		if n := b.count("elb_hedges_total", "result", label); n != hedges[result] {
			b.t.Errorf("%v hedges %s, want %v", n, label, hedges[result])
		}
	}
	for id, want := range outcomes {
		for _, label := range outcomeLabels() {
			if n := b.count("elb_upstream_requests_total", "member", id, "outcome", label); n != want[label] {
				b.t.Errorf("%s: %v attempts %s, want %v", id, n, label, want[label])
			}
		}
	}
}

// inFlight is how many requests run, and on how many members each.
func (b *bench) inFlight() int64 {
	n := b.proxy.running.Load()
	for _, t := range b.proxy.table.Load().pools[0].all() {
		n += t.load.inFlight.Load()
	}
	return n
}

// count sums the counters of a name whose labels are these.
func (b *bench) count(name string, labels ...string) (sum float64) {
	b.t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			matches := f.GetName() == name
			for _, l := range m.GetLabel() {
				for i := 0; i < len(labels); i += 2 {
					matches = matches && (l.GetName() != labels[i] || l.GetValue() == labels[i+1])
				}
			}
			if matches {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// one is a map of one outcome that was counted once.
func one(outcome string) map[string]float64 { return map[string]float64{outcome: 1} }

func (b *bench) strikes(id string) int32 {
	return b.targetOf(id).health.strikes[offenceTimeout].Load() + b.targetOf(id).health.strikes[offenceBreak].Load()
}

func TestHedge_FirstMemberAnswersFirst(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first, second := newGate(t, "first"), newGate(t, "second")
	b.members(first.addr, second.addr)
	answer := b.start("/a")
	<-first.asked
	<-second.asked
	for _, id := range []string{"m0", "m1"} {
		if n := b.targetOf(id).load.inFlight.Load(); n != 1 {
			t.Errorf("%d requests run on %s", n, id)
		}
	}
	close(first.goOn)
	if got := answer(); got != first.answer("/a") {
		t.Errorf("got %.20q, %d bytes", got, len(got))
	}
	<-second.left
	b.settled([hedgeResults]float64{hedgeLost: 1}, map[string]map[string]float64{"m0": one("ok"), "m1": one("outrun")})
	if b.strikes("m0")+b.strikes("m1") != 0 {
		t.Error("somebody was blamed")
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), " attempts=2 ") })
	if log := b.log.String(); !strings.Contains(log, "member=name-m0 ") || strings.Contains(log, "no_retry") {
		t.Errorf("the record is\n%s", log)
	}
	if _, text := b.get("/b"); text != first.answer("/b") { // on the same connection
		t.Errorf("then %.20q", text)
	}
}

func TestHedge_SecondMemberAnswersFirst(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first, second := newGate(t, "first"), newGate(t, "second")
	b.members(first.addr, second.addr)
	answer := b.start("/a")
	<-first.asked
	<-second.asked
	close(second.goOn)
	if got := answer(); got != second.answer("/a") {
		t.Errorf("got %.20q, %d bytes", got, len(got))
	}
	<-first.left
	b.settled([hedgeResults]float64{hedgeWon: 1}, map[string]map[string]float64{"m0": one("slow"), "m1": one("ok")})
	if b.strikes("m0") != 1 || b.strikes("m1") != 0 {
		t.Errorf("%d and %d strikes", b.strikes("m0"), b.strikes("m1"))
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), " attempts=2 ") })
	if log := b.log.String(); !strings.Contains(log, "member=name-m1 ") {
		t.Errorf("the record is\n%s", log)
	}
}

// Whatever becomes of the second attempt: the first one's answer is good.
func TestHedge_SecondAttemptFails(t *testing.T) {
	t.Parallel()
	says := func(text string) func(*testing.T) string {
		return func(t *testing.T) string {
			addr, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
				_, _ = io.WriteString(conn, text)
				reset(conn)
			})
			return addr
		}
	}
	for name, c := range map[string]struct {
		second func(t *testing.T) string
		want   string // what became of it
	}{
		"refused":       {refusedAddr, "connect"},
		"reset":         {says(""), "reset"},
		"no HTTP":       {says("hello\r\n\r\n"), "broken"},
		"a broken head": {says("HTTP/1.1 200 OK\r\nContent-Le"), "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hedgeBench(t, nil)
			first := newGate(t, "first")
			b.members(first.addr, c.second(t))
			answer := b.start("/a")
			<-first.asked
			waitFor(t, func() bool { return b.count("elb_upstream_requests_total", "member", "m1", "outcome", c.want) == 1 })
			close(first.goOn)
			if got := answer(); got != first.answer("/a") {
				t.Errorf("got %.20q, %d bytes", got, len(got))
			}
			b.settled([hedgeResults]float64{hedgeLost: 1}, map[string]map[string]float64{"m0": one("ok"), "m1": one(c.want)})
		})
	}
}

// The attempt that was set aside breaks off: the other one goes on, or is asked once more elsewhere.
func TestHedge_FirstAttemptBreaks(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{"the second answers": true, "neither does": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hedgeBench(t, nil)
			breakIt := make(chan struct{})
			first, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
				<-breakIt
				reset(conn)
			})
			second, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
				close(breakIt)
				<-time.After(testTry)
				if !good {
					reset(conn)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			})
			b.members(first, second)
			got := b.start("/a")()
			if good {
				if got != "ok" {
					t.Errorf("got %q", got)
				}
				b.settled([hedgeResults]float64{hedgeWon: 1}, map[string]map[string]float64{"m0": one("slow"), "m1": one("ok")})
				return
			}
			if got != "502 Bad Gateway" {
				t.Errorf("got %q", got)
			}
			b.settled([hedgeResults]float64{hedgeNone: 1}, map[string]map[string]float64{"m0": one("reset"), "m1": one("reset")})
		})
	}
}

// A third member may be asked, while the first goes on and the second is given up.
func TestHedge_ThirdAttempt(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first, second, third := newGate(t, "first"), newGate(t, "second"), newGate(t, "third")
	b.members(first.addr, second.addr, third.addr)
	answer := b.start("/a")
	<-first.asked
	<-second.left
	<-third.asked
	close(first.goOn)
	if got := answer(); got != first.answer("/a") {
		t.Errorf("got %.20q, %d bytes", got, len(got))
	}
	<-third.left
	b.settled([hedgeResults]float64{hedgeLost: 1}, map[string]map[string]float64{"m0": one("ok"), "m1": one("slow"), "m2": one("outrun")})
}

// leave ends a client's connection in a way that says that nobody waits for an answer.
func leave(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		reset(tcp)
	}
}

// A client that leaves ends both.
func TestHedge_ClientLeaves(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first, second := newGate(t, "first"), newGate(t, "second")
	b.members(first.addr, second.addr)
	conn := dial(t, b.front.addr)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-first.asked
	<-second.asked
	leave(conn)
	<-first.left
	<-second.left
	b.settled([hedgeResults]float64{hedgeNone: 1}, map[string]map[string]float64{"m0": one("client"), "m1": one("client")})
	if b.strikes("m0")+b.strikes("m1") != 0 {
		t.Error("somebody was blamed")
	}
}

// A client that leaves also ends the wait for the first member when no other one is asked any more.
func TestHedge_ClientLeavesTheFirst(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first := newGate(t, "first")
	b.members(first.addr, refusedAddr(t))
	conn := dial(t, b.front.addr)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-first.asked
	waitFor(t, func() bool { return b.count("elb_upstream_requests_total", "member", "m1", "outcome", "connect") == 1 })
	leave(conn)
	<-first.left
	b.settled([hedgeResults]float64{hedgeNone: 1}, map[string]map[string]float64{"m0": one("client"), "m1": one("connect")})
}

// A member that is found dead is waited for no more, aside or not.
func TestHedge_FirstMemberIsFoundDead(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first, second := newGate(t, "first"), newGate(t, "second")
	b.members(first.addr, second.addr)
	answer := b.start("/a")
	<-first.asked
	<-second.asked
	b.targetOf("m0").health.verdict.Store(verdictDead)
	close(second.goOn)
	if got := answer(); got != second.answer("/a") {
		t.Errorf("got %.20q, %d bytes", got, len(got))
	}
	<-first.left
	b.settled([hedgeResults]float64{hedgeWon: 1}, map[string]map[string]float64{"m0": one("slow"), "m1": one("ok")})
}

// The first answer does not wait for the connection to the second member.
func TestHedge_FirstAnswersWhileTheSecondIsConnected(t *testing.T) {
	t.Parallel()
	b := hedgeBench(t, nil)
	first := newGate(t, "first")
	var lc net.ListenConfig
	silent, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0") // it takes connections, and no TLS handshake comes to an end
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	b.members(first.addr, silent.Addr().String())
	upstream := b.targetOf("m1").upstream
	upstream.endpoints.Store(&[]*endpoint{{scheme: schemeHTTP, port: portIn(t, b.front.URL), secure: true, addr: silent.Addr().String()}})
	answer := b.start("/a")
	<-first.asked
	waitFor(t, func() bool { return b.targetOf("m1").load.inFlight.Load() == 1 })
	close(first.goOn)
	if got := answer(); got != first.answer("/a") {
		t.Errorf("got %.20q, %d bytes", got, len(got))
	}
	// Had it waited, that attempt would have failed to connect.
	b.settled([hedgeResults]float64{hedgeLost: 1}, map[string]map[string]float64{"m0": one("ok"), "m1": one("outrun")})
	upstream.stopDialing()
}

// Which slow requests go on at their member, and which are given up or waited for as ever.
func TestHedge_Table(t *testing.T) {
	t.Parallel()
	full := func(b *bench) { b.targetOf("m1").load.begin(0) }
	for _, c := range []struct {
		name, method, body string
		header             []string
		change             func(*PoolSpec)
		prepare            func(*bench)
		leaves, hedged     bool // the member; or it is hedged
	}{
		{name: "GET", method: "GET", hedged: true},
		{name: "HEAD", method: "HEAD", hedged: true},
		{name: "GET, conditional", method: "GET", header: []string{"If-None-Match", `"1"`}, hedged: true},
		{name: "GET with a body", method: "GET", body: "x", leaves: true},
		{name: "PUT", method: "PUT", body: "x"},
		{name: "DELETE", method: "DELETE"},
		{name: "POST", method: "POST", body: "x"},
		{name: "GET, switched off", method: "GET", change: func(s *PoolSpec) { s.Retry.Hedge = false }, leaves: true},
		{name: "GET, without a time", method: "GET", change: func(s *PoolSpec) { s.Retry = RetrySpec{} }},
		{name: "GET, the other is full", method: "GET", change: func(s *PoolSpec) { s.Limits.MaxInFlight = 1 }, prepare: full},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := hedgeBench(t, c.change)
			first, second := newGate(t, "first"), newGate(t, "second")
			b.members(first.addr, second.addr)
			if c.prepare != nil {
				c.prepare(b)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				res, got, err := b.do(c.method, "/a", strings.NewReader(c.body), c.header...)
				want := map[bool]string{false: first.answer("/a"), true: second.answer("/a")}[c.leaves]
				if c.method == http.MethodHead {
					want = ""
				}
				if err != nil || res.StatusCode != http.StatusOK || got != want {
					t.Errorf("%v, %v, %.20q of %d bytes", res, err, got, len(got))
				}
			})
			<-first.asked
			switch {
			case c.hedged:
				<-second.asked
			case c.leaves:
				<-first.left
				<-second.asked
				close(second.goOn)
			default:
				<-time.After(3 * testTry)
			}
			close(first.goOn)
			wg.Wait()
			if c.hedged != (len(second.left) == 1) {
				waitFor(t, func() bool { return c.hedged == (len(second.left) == 1) })
			}
			hedges := map[bool]float64{true: 1, false: 0}[c.hedged]
			// It is counted when the other attempt has ended, which may be after the client has its answer.
			waitFor(t, func() bool { return b.count("elb_hedges_total") == hedges })
			if retries := b.count("elb_retries_total", "reason", "slow"); (retries == 1) != (c.hedged || c.leaves) {
				t.Errorf("%v retries", retries)
			}
		})
	}
}

// A second attempt waits for no place, and leaves those to requests that have none.
func TestHedge_DoesNotStandInLine(t *testing.T) {
	t.Parallel()
	l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
	defer l.proxy.Close()
	x := l.request(-1)
	x.aside = &aside{}
	if got := x.choose(); got == nil {
		t.Fatal("there is room")
	}
	l.pool().line.waiting.Add(1)
	if got := x.choose(); got != nil {
		t.Error("it passed those who wait")
	}
	l.pool().line.waiting.Add(-1)
	x.aside.answered.Store(true)
	if got := x.choose(); got != nil {
		t.Error("its answer is there")
	}
	x.aside = &aside{}
	_ = x.choose()
	if got := x.choose(); got != nil {
		t.Error("there was room for a third")
	}
	if n := l.target(0).load.inFlight.Load() + l.target(1).load.inFlight.Load(); n != 2 {
		t.Errorf("%d places are taken", n)
	}
}

// Clients of HTTP/2 and members behind TLS: the one that was set aside goes on in the middle of its TLS session.
func TestHedge_HTTP2AndTLS(t *testing.T) {
	t.Parallel()
	for name, firstWins := range map[string]bool{"the first answers": true, "the second answers": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := hedgeBench(t, nil)
			var gates [2]*gate
			var members []membership.Member
			roots, config := x509.NewCertPool(), &tls.Config{}
			for i := range gates {
				gates[i] = newGate(t, "gate"+strconv.Itoa(i))
				s := httptest.NewTLSServer(gates[i])
				t.Cleanup(s.Close)
				roots.AddCert(s.Certificate())
				config.Certificates = s.TLS.Certificates
				members = append(members, membership.Member{ID: "m" + strconv.Itoa(i), Domain: testDomain, Host: "127.0.0.1", HTTPSPort: portIn(t, s.URL), State: membership.StateActive})
			}
			b.proxy.Set(Settings{Roots: roots})
			b.discovery.Update(testDomain, members)
			b.front = serveProxy(t, b.proxy, ServerConfig{TLS: config})
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}, ForceAttemptHTTP2: true}
			t.Cleanup(transport.CloseIdleConnections)
			b.client.Transport = transport
			answer := b.start("/a")
			<-gates[0].asked
			<-gates[1].asked
			winner, loser, hedges := gates[1], gates[0], [hedgeResults]float64{hedgeWon: 1}
			if firstWins {
				winner, loser, hedges = gates[0], gates[1], [hedgeResults]float64{hedgeLost: 1}
			}
			close(winner.goOn)
			if got := answer(); got != winner.answer("/a") {
				t.Errorf("got %.40q, %d bytes", got, len(got))
			}
			<-loser.left
			b.settled(hedges, nil)
		})
	}
}

// Two attempts that answer at once, resets and delays of all kinds: each request gets one whole answer of its own, and nothing stays behind.
func TestHedge_Chaos(t *testing.T) {
	t.Parallel()
	const clients, each = 20, 100
	b := hedgeBench(t, func(s *PoolSpec) {
		s.Limits = LimitSpec{MaxInFlight: clients, QueueLength: clients, QueueTime: 10 * time.Second}
		s.Retry.TryTimeout = 20 * time.Millisecond
	})
	var addrs []string
	for seed := range uint64(4) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		addrs = append(addrs, member(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			fate, size := random.IntN(100), random.IntN(100_000)
			mu.Unlock()
			switch {
			case fate < 40:
			case fate < 60: // about when it is set aside, and when the next one is
				<-time.After(15*time.Millisecond + time.Duration(fate-40)*2*time.Millisecond)
			case fate < 62:
				panic(http.ErrAbortHandler)
			case fate < 64:
				<-time.After(30 * time.Millisecond)
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("X-Path", r.URL.Path)
			_, _ = io.WriteString(w, r.URL.Path+" "+strings.Repeat(r.URL.Path[len(r.URL.Path)-1:], size)+" "+r.URL.Path)
		}))
	}
	b.members(addrs...)
	budget := b.proxy.table.Load().pools[0].budget
	var failed atomic.Int32
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := range each {
				budget.credit.Store(retrySavings)
				path := "/" + strconv.Itoa(client) + "/" + strconv.Itoa(i)
				res, text, err := b.do(http.MethodGet, path, nil)
				if err != nil || res.StatusCode != http.StatusOK {
					t.Logf("%s: %v, %.200q", path, err, text)
					failed.Add(1) // three members broke off, one after the other
					continue
				}
				if middle := strings.TrimSuffix(strings.TrimPrefix(text, path+" "), " "+path); res.Header.Get("X-Path") != path || len(text)-len(middle) != 2*len(path)+2 || strings.Trim(middle, path[len(path)-1:]) != "" {
					t.Errorf("the answer to %s is %.40q", path, text)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > clients*each/100 {
		t.Errorf("%d requests failed", n)
	}
	won, lost := b.count("elb_hedges_total", "result", "won"), b.count("elb_hedges_total", "result", "lost")
	if won == 0 || lost == 0 {
		t.Errorf("%v hedges won, %v lost", won, lost)
	}
	t.Logf("%v hedges won, %v lost, %d requests failed", won, lost, failed.Load())
	waitFor(t, func() bool { return b.inFlight() == 0 })
}
