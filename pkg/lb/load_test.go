package lb

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// What an attempt tells of its member: the time to the first byte, a slow answer for a failure, or nothing.
func TestLoad_End(t *testing.T) {
	t.Parallel()
	const usual = 20 * time.Millisecond // known before
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		result    Result
		status    int // of the answer that the client got; 0 = none
		firstByte time.Duration
		waited    time.Duration // before the attempt
		streamed  bool
		over      time.Duration // since the attempt began
		want      time.Duration // usual = nothing was learnt
	}{
		"answer":             {Result{Status: 200, Answered: true}, 200, 30 * time.Millisecond, 0, false, time.Hour, 30 * time.Millisecond},
		"of a later attempt": {Result{Status: 200, Answered: true}, 200, 90 * time.Millisecond, 50 * time.Millisecond, false, 50 * time.Millisecond, 40 * time.Millisecond},
		"404":                {Result{Status: 404, Answered: true}, 404, time.Millisecond, 0, false, time.Millisecond, time.Millisecond},
		"streamed upload":    {Result{Status: 200, Answered: true}, 200, time.Minute, 0, true, time.Minute, usual},
		"500":                {Result{Status: 500, Answered: true}, 500, time.Millisecond, 0, false, time.Millisecond, failureLeast},
		"503, but slower":    {Result{Status: 503, Answered: true}, 503, 3 * time.Second, 0, false, 3 * time.Second, 3 * time.Second},
		"501 is an answer":   {Result{Status: 501, Answered: true}, 501, time.Millisecond, 0, false, time.Millisecond, time.Millisecond},
		"refused":            {Result{Failure: FailureConnect, Err: refused}, 0, 0, 0, false, time.Millisecond, failureLeast},
		"timeout":            {Result{Failure: FailureTimeout, Err: refused}, 0, 0, 0, false, time.Minute, time.Minute},
		"reset":              {Result{Failure: FailureReset, Err: refused}, 0, 0, 0, false, time.Millisecond, failureLeast},
		"broken off":         {Result{Status: 200, Answered: true, Failure: FailureBroken, Err: refused}, 200, time.Millisecond, 0, false, time.Second / 2, failureLeast},
		"no descriptors":     {Result{Failure: FailureConnect, Err: syscall.EMFILE}, 0, 0, 0, false, time.Millisecond, usual},
		"client left at once": {
			Result{Failure: FailureClient, Err: refused}, 0, 0, 0, false, time.Millisecond, usual,
		},
		"client waited in vain": {Result{Failure: FailureClient, Err: refused}, 0, 0, 0, false, 5 * time.Second, 5 * time.Second},
		"client left an upload": {Result{Failure: FailureClient, Err: refused}, 0, 0, 0, true, 5 * time.Second, usual},
		"client left an answer": {Result{Status: 200, Answered: true, Failure: FailureClient, Err: refused}, 200, 50 * time.Millisecond, 0, false, time.Hour, 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := &load{}
				l.note(usual, time.Now().UnixNano())
				time.Sleep(time.Hour) // so that it is forgotten as soon as there is anything newer
				started := time.Now()
				x := newExchange()
				x.started = started.Add(-c.waited)
				x.result, x.status, x.firstByte, x.waited, x.body.streamed = c.result, c.status, c.firstByte, c.waited, c.streamed
				l.begin(0)
				time.Sleep(c.over)
				l.end(x, started)
				if got := time.Duration(l.mean()); got.Round(time.Microsecond) != c.want {
					t.Errorf("latency %v, want %v", got, c.want)
				}
				if n := l.inFlight.Load(); n != 0 {
					t.Errorf("%d in flight", n)
				}
			})
		})
	}
}

// Where answers take long anyway, a failure counts as more than the average, but never without end.
func TestLoad_FailuresOfSlowMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &load{}
		l.note(5*time.Second, time.Now().UnixNano())
		x := newExchange()
		x.result = Result{Failure: FailureConnect, Err: errors.New("refused")}
		for _, want := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
			time.Sleep(time.Hour)
			l.begin(0)
			l.end(x, time.Now())
			if got := time.Duration(l.mean()); got.Round(time.Millisecond) != want {
				t.Errorf("latency %v, want %v", got, want)
			}
		}
	})
}

func TestLoad_NewerLatenciesCountMore(t *testing.T) {
	t.Parallel()
	l := &load{}
	at := int64(time.Hour)
	if _, known := l.latency(at); known != 0 {
		t.Error("a latency is known before the first")
	}
	l.note(100*time.Millisecond, at)
	l.note(time.Hour, at)   // at the same moment
	l.note(time.Hour, at-1) // a late one
	if mean, known := l.latency(at); time.Duration(mean) != 100*time.Millisecond || known != 1 {
		t.Errorf("%v, %v", mean, known)
	}
	l.note(200*time.Millisecond, at+int64(memory))
	mean, known := l.latency(at + 2*int64(memory))
	if got := time.Duration(mean).Round(time.Millisecond); got != 163*time.Millisecond { // 100/e + 200 (1 - 1/e)
		t.Errorf("mean %v", got)
	}
	if known < 0.36 || known > 0.37 {
		t.Errorf("after the memory it is worth %v", known)
	}
	if l.forget(); l.heard.Load() != 0 {
		t.Error("not forgotten")
	}
	l.note(time.Millisecond, at)
	if got := time.Duration(l.mean()); got != time.Millisecond {
		t.Errorf("what was forgotten counts: %v", got)
	}
}

func TestLoad_Concurrently(t *testing.T) {
	t.Parallel()
	l := &load{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				l.begin(0)
				l.note(time.Millisecond, int64(time.Hour)+int64(i))
				l.inFlight.Add(-1)
			}
		})
	}
	wg.Wait()
	if mean, _ := l.latency(int64(time.Hour)); time.Duration(mean+0.5) != time.Millisecond || l.inFlight.Load() != 0 {
		t.Errorf("mean %v of equal latencies, %d in flight", time.Duration(mean), l.inFlight.Load())
	}
}

// A long answer is in flight until its end, and its latency is that of its beginning.
func TestProxy_LongAnswersAreInFlight(t *testing.T) {
	b := newBench(t, nil)
	begin, finish := make(chan struct{}), make(chan struct{})
	b.members(member(t, func(w http.ResponseWriter, _ *http.Request) {
		<-begin
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
		_ = http.NewResponseController(w).Flush()
		<-finish
	}))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.front.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "app.example"
	started := time.Now()
	answers := make(chan *http.Response, 1)
	go func() {
		answer, err := b.client.Do(request)
		if err != nil {
			t.Error(err)
		}
		answers <- answer
	}()
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_inflight") == 1 })
	if n, err := testutil.GatherAndCount(b.metrics, "elb_member_latency_seconds"); err != nil || n != 0 {
		t.Errorf("%d latencies before the first answer, %v", n, err)
	}
	close(begin)
	answer := <-answers
	if answer == nil {
		t.FailNow()
	}
	defer answer.Body.Close()
	<-time.After(200 * time.Millisecond) // it has begun: this is no part of the latency
	close(finish)
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
	took := time.Since(started)
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_inflight") == 0 })
	if got := value(t, b.metrics, "elb_member_latency_seconds"); got <= 0 || got > took.Seconds()-0.2 {
		t.Errorf("latency %v s of an answer that took %v to its end", got, took)
	}
	if list := b.discovery.Members(); list[0].Weight != 1 || list[0].InFlight != 0 {
		t.Errorf("%+v", list[0])
	}
}

func TestProxy_TunnelsAreInFlight(t *testing.T) {
	b := newBench(t, nil)
	ws, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	b.members(ws)
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	if _, err := conn.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if got := value(t, b.metrics, "elb_member_inflight"); got != 1 {
		t.Errorf("%v in flight with a websocket open", got)
	}
	_ = conn.Close()
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_inflight") == 0 })
	if got := value(t, b.metrics, "elb_member_latency_seconds"); got <= 0 || got > 5 {
		t.Errorf("latency %v", got)
	}
}

// However attempts end, nothing stays in flight, and the series of members go with them.
func TestProxy_NothingStaysInFlight(t *testing.T) {
	b := newBench(t, nil)
	hanging := member(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b.members(refusedAddr(t), goodMember(t, "good"), startDying(t, false, false).addr)
	for range 6 {
		b.get("/x")
	}
	b.members(hanging)
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_inflight") == 1 })
	<-time.After(50 * time.Millisecond)
	reset(conn.(*net.TCPConn))
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_inflight") == 0 })
	// The client waited in vain, which says that the member takes longer than that.
	waitFor(t, func() bool { return value(t, b.metrics, "elb_member_latency_seconds") >= 0.04 })
	b.members()
	for _, name := range []string{"elb_member_inflight", "elb_member_weight", "elb_member_latency_seconds"} {
		if n, err := testutil.GatherAndCount(b.metrics, name); err != nil || n != 0 {
			t.Errorf("%s: %d series of members that are gone, %v", name, n, err)
		}
	}
}

// An ejected member pays for its failure by its rest. It must not count as slow as well when it is back.
func TestProxy_EjectionForgetsTheLatency(t *testing.T) {
	b := newBench(t, nil)
	b.members(refusedAddr(t), goodMember(t, "good"))
	b.get("/")
	b.get("/")
	pool, _ := b.proxy.table.Load().Lookup("app.example")
	now := time.Now().UnixNano()
	if _, known := pool.active[0].load.latency(now); known != 0 || pool.active[0].health.usable(now) {
		t.Errorf("usable: %t, its latency is worth %v", pool.active[0].health.usable(now), known)
	}
	if _, known := pool.active[1].load.latency(now); known == 0 {
		t.Error("the latency of the other one is not known")
	}
}

// What requests meet reaches the balancer: one of five members that is much slower gets few of them.
func TestProxy_TwoChoicesSpareASlowMember(t *testing.T) {
	b := newBench(t, func(c *Config) {
		specs := []PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Balancer: BalancerSpec{Policy: PolicyTwoChoices}}}
		var err error
		if c.Routes, err = NewRoutes(specs); err != nil {
			t.Fatal(err)
		}
	})
	b.discovery = NewDiscovery(b.proxy, b.proxy.table.Load().routes, b.proxy.log)
	var counts [5]atomic.Int64
	var addrs []string
	for i := range counts {
		pause := 10 * time.Millisecond
		if i == 3 {
			pause *= 4
		}
		addrs = append(addrs, member(t, func(http.ResponseWriter, *http.Request) {
			counts[i].Add(1)
			<-time.After(pause)
		}))
	}
	b.members(addrs...)
	const clients, each = 10, 60
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if _, _, err := b.do(http.MethodGet, "/", nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if share := float64(counts[3].Load()) / (clients * each); share > 0.12 {
		t.Errorf("the slow member has %.3f of the requests", share)
	}
}

// Requests of all policies run while members come, go, move and drain: each is picked from the table in hand, and in the end
// nothing is in flight. The race detector watches.
func TestProxy_BalancersWhileMembersComeAndGo(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			spec := BalancerSpec{Policy: policy, Key: HashKey{kind: keyPath}, SlowStart: time.Minute, Zone: "west"}
			routes := newRoutes(t, []PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Balancer: spec}})
			p, err := New(Config{Routes: routes})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			tables := func(round int) []Member {
				var members []Member
				for i := range 20 {
					if (round+i)%3 == 0 && i != 0 {
						continue
					}
					m := Member{ID: string(rune('a' + i)), Domain: testDomain, Host: "127.0.0.1", HTTPPort: 1 + i, Weight: i % 4, StartedAt: time.Now()}
					m.Draining, m.Backup = (round+i)%7 == 1, i%5 == 4
					if i%2 == 0 {
						m.Zone = "east"
					}
					if (round+i)%11 == 5 {
						m.HTTPPort = 1000 + round
					}
					members = append(members, m)
				}
				return members
			}
			p.Use(NewTable(routes, tables(0)))
			var picking sync.WaitGroup
			for g := range 4 {
				picking.Go(func() { pickAndFail(t, p, g) })
			}
			for round := range 200 {
				p.Use(NewTable(routes, tables(round)))
			}
			picking.Wait()
			for key, target := range p.targets {
				if n := target.load.inFlight.Load(); n != 0 {
					t.Errorf("%v: %d in flight", key, n)
				}
			}
		})
	}
}

// pickAndFail does what requests do to a pool, with failures and ejections among them.
func pickAndFail(t *testing.T, p *Proxy, g int) {
	t.Helper()
	x := newExchange()
	for i := range 2000 {
		pool, _ := p.table.Load().Lookup("app.example")
		now := time.Now()
		s := &Selection{now: now.UnixNano(), keyed: i%3 > 0, key: mix(uint64(i*4 + g))}
		for range maxAttempts {
			target := pool.pick(s)
			if target == nil {
				t.Error("nobody is there")
				return
			}
			found := false
			for _, other := range append(pool.active[:len(pool.active):len(pool.active)], pool.draining...) {
				found = found || other == target
			}
			if !found {
				t.Errorf("%s is not in the table", target.Member.ID)
			}
			target.load.begin(0)
			x.result, x.status, x.firstByte = Result{Status: 200}, 200, time.Millisecond
			if i%17 == 0 {
				x.result, x.status = Result{Failure: FailureReset, Err: io.EOF}, 0
			}
			target.load.end(x, now)
			if x.result.Failure == FailureNone {
				target.health.good(now.UnixNano())
				break
			}
			pool.eject(target, now.UnixNano(), now.UnixNano())
			s.tried = append(s.tried, target)
		}
	}
}
