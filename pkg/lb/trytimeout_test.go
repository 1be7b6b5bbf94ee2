package lb

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowMember answers "slow" when it is let go, and says so when a request is given up before.
type slowMember struct {
	addr  string
	asked chan struct{} // gets a token for each request
	goOn  chan struct{}
	left  chan struct{} // gets a token for each request that was given up
}

func newSlowMember(t *testing.T) *slowMember {
	t.Helper()
	m := &slowMember{asked: make(chan struct{}, 100), goOn: make(chan struct{}), left: make(chan struct{}, 100)}
	m.addr = member(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		m.asked <- struct{}{}
		select {
		case <-m.goOn:
			_, _ = io.WriteString(w, "slow "+r.Method+" "+strconv.Itoa(len(body)))
		case <-r.Context().Done():
			m.left <- struct{}{}
		}
	})
	return m
}

const testTry = 40 * time.Millisecond

// tryBench is a bench whose pool gives each attempt testTry.
func tryBench(t *testing.T, change func(*PoolSpec)) *bench {
	t.Helper()
	return newBench(t, func(c *Config) {
		spec := PoolSpec{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Retry: RetrySpec{TryTimeout: testTry}}
		if change != nil {
			change(&spec)
		}
		var err error
		if c.Routes, err = NewRoutes([]PoolSpec{spec}); err != nil {
			t.Fatal(err)
		}
	})
}

// Which requests leave a member that is slow, and which wait for it as ever.
func TestProxy_TryTimeoutTable(t *testing.T) {
	t.Parallel()
	off := func(s *PoolSpec) { s.Retry = RetrySpec{} }
	for _, c := range []struct {
		name, method string
		body         int
		header       []string
		change       func(*PoolSpec)
		prepare      func(b *bench)
		leaves       bool
	}{
		{name: "GET", method: "GET", leaves: true},
		{name: "GET, conditional", method: "GET", header: []string{"If-None-Match", `"1"`}, leaves: true},
		{name: "GET, largest body kept", method: "GET", body: keepMost, leaves: true},
		{name: "GET, big body", method: "GET", body: 4 * keepMost},
		{name: "PUT", method: "PUT", body: 10},
		{name: "DELETE", method: "DELETE"},
		{name: "PUT, conditional", method: "PUT", body: 10, header: []string{"If-Match", `"1"`}},
		{name: "POST", method: "POST", body: 10},
		{name: "GET, switched off", method: "GET", change: off},
		{name: "GET, the other is full", method: "GET", change: func(s *PoolSpec) { s.Limits.MaxInFlight = 1 }, prepare: func(b *bench) { b.targetOf("m1").load.begin(0) }},
		{name: "GET, the other is ejected", method: "GET", prepare: func(b *bench) { out(b.targetOf("m1"), time.Now().UnixNano()) }},
		{name: "GET, no retry is left", method: "GET", prepare: func(b *bench) {
			budget := b.proxy.table.Load().pools[0].budget
			budget.credit.Store(0)
			budget.refilled.Store(time.Now().Add(time.Hour).UnixNano())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := tryBench(t, c.change)
			slow := newSlowMember(t)
			b.members(slow.addr, goodMember(t, "good"))
			if c.prepare != nil {
				c.prepare(b)
			}
			var wg sync.WaitGroup
			var text string
			var took time.Duration
			wg.Go(func() {
				began := time.Now()
				res, got, err := b.do(c.method, "/", strings.NewReader(strings.Repeat("x", c.body)), c.header...)
				if took = time.Since(began); err != nil || res.StatusCode != 200 {
					t.Errorf("%v, %v", res, err)
				}
				text = got
			})
			<-slow.asked
			if c.leaves {
				<-slow.left
			} else {
				<-time.After(3 * testTry)
			}
			close(slow.goOn)
			wg.Wait()
			want := map[bool]string{true: "good ", false: "slow "}[c.leaves] + c.method + " " + strconv.Itoa(c.body)
			if text != want || took < testTry {
				t.Errorf("got %q after %v, want %q", text, took, want)
			}
			retries := map[bool]float64{true: 1, false: 0}[c.leaves]
			if n := value(t, b.metrics, "elb_retries_total"); n != retries {
				t.Errorf("%v retries, want %v", n, retries)
			}
		})
	}
}

// targetOf is a member in the table, by its id.
func (b *bench) targetOf(id string) *Target {
	b.t.Helper()
	for _, t := range b.proxy.table.Load().pools[0].all() {
		if t.Member.ID == id {
			return t
		}
	}
	b.t.Fatalf("no member %s", id)
	return nil
}

// The last attempt has all the time that an answer may take; what went before counts against the members that were slow.
func TestProxy_TryTimeoutOfTheLastAttempt(t *testing.T) {
	t.Parallel()
	b := tryBench(t, func(s *PoolSpec) { s.Health.MaxTimeouts = 5 })
	members := [4]*slowMember{newSlowMember(t), newSlowMember(t), newSlowMember(t), newSlowMember(t)}
	b.members(members[0].addr, members[1].addr, members[2].addr, members[3].addr)
	var wg sync.WaitGroup
	wg.Go(func() {
		if res, text := b.get("/"); res.StatusCode != 200 || text != "slow GET 0" {
			t.Errorf("%d %q", res.StatusCode, text)
		}
	})
	<-members[0].left
	<-members[1].left
	<-members[2].asked
	<-time.After(3 * testTry)
	close(members[2].goOn)
	wg.Wait()
	if len(members[2].left)+len(members[3].asked) > 0 {
		t.Error("the third attempt was not the last")
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), " attempts=3 ") })
	for i, want := range []int32{1, 1, 0} {
		if got := b.targetOf("m" + strconv.Itoa(i)).health.strikes[offenceTimeout].Load(); got != want {
			t.Errorf("member %d has %d strikes, want %d", i, got, want)
		}
	}
}

// A session stays at its member, slow or not: no other knows it.
func TestProxy_TryTimeoutOfASession(t *testing.T) {
	t.Parallel()
	b := tryBench(t, func(s *PoolSpec) { s.Affinity = AffinitySpec{Mode: AffinityCookie} })
	slow := newSlowMember(t)
	b.members(goodMember(t, "good"), slow.addr)
	cookie := DefaultAffinityCookie + "=" + b.targetOf("m1").token
	var wg sync.WaitGroup
	wg.Go(func() {
		if res, text := b.get("/", "Cookie", cookie); res.StatusCode != 200 || text != "slow GET 0" {
			t.Errorf("%d %q", res.StatusCode, text)
		}
	})
	<-slow.asked
	<-time.After(3 * testTry)
	close(slow.goOn)
	wg.Wait()
}

// A time beyond what the clock can count is never over.
func TestExchange_Late(t *testing.T) {
	t.Parallel()
	l := newLimited(t, LimitSpec{}, alike(1)...)
	defer l.proxy.Close()
	x := l.request(-1)
	x.try.p, x.target = l.proxy, l.target(0)
	watch := l.proxy.watch
	for due, want := range map[int64]bool{0: false, watch.Now(): true, watch.Due(time.Minute): false, watch.Due(math.MaxInt64): false} {
		if x.try.due = due; x.late() != want {
			t.Errorf("due at %d of %d: late is %v", due, watch.Now(), !want)
		}
	}
}
