package lb

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limited is a proxy with one pool, whose members are at addresses that nobody is sent to.
type limited struct {
	t       testing.TB
	spec    PoolSpec
	proxy   *Proxy
	members []Member
}

func newLimited(t testing.TB, limits LimitSpec, members ...Member) *limited {
	t.Helper()
	for i := range members {
		members[i].ID, members[i].Domain, members[i].Host, members[i].HTTPPort = strconv.Itoa(i), testDomain, "10.0.0."+strconv.Itoa(i+1), 80
	}
	l := &limited{t: t, members: members}
	l.spec = PoolSpec{Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Limits: limits, Affinity: AffinitySpec{Mode: AffinityCookie}, Balancer: BalancerSpec{Zone: "west"}}
	var err error
	if l.proxy, err = New(Config{Routes: l.routes()}); err != nil {
		t.Fatal(err)
	}
	l.use()
	return l
}

func (l *limited) routes() *Routes {
	l.t.Helper()
	r, err := NewRoutes([]PoolSpec{l.spec})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// use puts the members in use.
func (l *limited) use() { l.proxy.Use(NewTable(l.routes(), l.members)) }

func (l *limited) pool() *Pool { return l.proxy.table.Load().pools[0] }

// target is a member by its place in members.
func (l *limited) target(i int) *Target {
	l.t.Helper()
	for _, t := range l.pool().all() {
		if t.Member.ID == strconv.Itoa(i) {
			return t
		}
	}
	l.t.Fatalf("no member %d", i)
	return nil
}

// fill has every member run as many requests as it may, but for those that are left out.
func (l *limited) fill(but ...int) {
	for i := range l.members {
		t := l.target(i)
		for !t.full() {
			t.load.begin(t.limit)
		}
		for _, j := range but {
			if i == j {
				t.load.inFlight.Add(-1)
			}
		}
	}
}

// free ends a request of a member.
func (l *limited) free(i int) {
	l.target(i).load.inFlight.Add(-1)
	l.pool().line.look()
}

// request is a request that is about to choose, of the session of a member unless that is below 0.
func (l *limited) request(session int) *exchange {
	l.t.Helper()
	var cookies []string
	if session >= 0 {
		cookies = []string{DefaultAffinityCookie + "=" + l.target(session).token}
	}
	x := stickyRequest(l.t, l.pool(), cookies...)
	x.front = &leaver{}
	return x
}

// leaver is a client that may leave.
type leaver struct {
	front
	left atomic.Bool
}

var errLeft = errors.New("left")

func (c *leaver) gone() error {
	if c.left.Load() {
		return errLeft
	}
	return nil
}

// waiter is a request that chooses in a goroutine of its own.
type waiter struct {
	x    *exchange
	done chan struct{}
	got  *Target
	took time.Duration
}

// begin has a request choose, and returns when it has, or waits. It is for a synctest bubble.
func (l *limited) begin(x *exchange) *waiter {
	w := &waiter{x: x, done: make(chan struct{})}
	began := time.Now()
	go func() {
		w.got = x.choose()
		w.took = time.Since(began)
		close(w.done)
	}()
	synctest.Wait()
	return w
}

func (w *waiter) waits() bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// id is whom it got; "" = nobody. It waits for the end.
func (w *waiter) id() string {
	<-w.done
	if w.got == nil {
		return ""
	}
	return w.got.Member.ID
}

func TestLoad_NeverExceedsItsLimit(t *testing.T) {
	t.Parallel()
	var l load
	var refused, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if !l.begin(3) {
					refused.Add(1)
					continue
				}
				for now := l.inFlight.Load(); now > most.Load(); {
					most.Store(now)
				}
				l.inFlight.Add(-1)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || l.inFlight.Load() != 0 {
		t.Errorf("%d at once, %d in the end, %d refused", most.Load(), l.inFlight.Load(), refused.Load())
	}
}

// Whom a request gets when others are at their limits: members that are as good, but not those that are worse.
func TestChoose_WithoutRoom(t *testing.T) {
	t.Parallel()
	west := Member{Zone: "west"}
	for name, c := range map[string]struct {
		members []Member
		out     int // that member is ejected; -1: none
		but     []int
		session int
		queue   int
		want    string
		shed    shedReason
	}{
		"one has room":               {[]Member{west, west, west}, -1, []int{1}, -1, 0, "1", shedNone},
		"none has":                   {[]Member{west, west, west}, -1, nil, -1, 0, "", shedFull},
		"another zone has":           {[]Member{west, {Zone: "east"}}, -1, []int{1}, -1, 0, "1", shedNone},
		"a backup is no relief":      {[]Member{west, {Zone: "west", Backup: true}}, -1, []int{1}, -1, 0, "", shedFull},
		"nor is one that drains":     {[]Member{west, {Draining: true}}, -1, []int{1}, -1, 0, "", shedFull},
		"nor one that is ejected":    {[]Member{west, west}, 1, []int{1}, -1, 0, "", shedFull},
		"a backup in its own right":  {[]Member{west, {Zone: "west", Backup: true}}, 0, []int{1}, -1, 0, "1", shedNone},
		"its own zone's backup full": {[]Member{west, {Zone: "west", Backup: true}, {Zone: "east", Backup: true}}, 0, []int{2}, -1, 0, "2", shedNone},
		"a session without a queue":  {[]Member{west, west}, -1, []int{1}, 0, 0, "1", shedNone},
		"a session with room":        {[]Member{west, west}, -1, []int{0}, 0, 9, "0", shedNone},
		"nobody there":               {nil, -1, nil, -1, 9, "", shedNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLimited(t, LimitSpec{MaxInFlight: 2, QueueLength: c.queue, QueueTime: time.Second}, c.members...)
			defer l.proxy.Close()
			if c.out >= 0 {
				out(l.target(c.out), time.Now().UnixNano())
			}
			l.fill(c.but...)
			x := l.request(c.session)
			got := ""
			if target := x.choose(); target != nil {
				got = target.Member.ID
				if n := target.load.inFlight.Load(); n != 2 {
					t.Errorf("%d run there, want the limit", n)
				}
			}
			if got != c.want || x.shed != c.shed {
				t.Errorf("got %q, shed %q; want %q, %q", got, x.shed, c.want, c.shed)
			}
		})
	}
}

func TestLine_FirstInFirstOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
		defer l.proxy.Close()
		l.fill()
		var waiting []*waiter
		for range 5 {
			waiting = append(waiting, l.begin(l.request(-1)))
		}
		late := l.begin(l.request(-1))
		if late.waits() || late.got != nil || late.x.shed != shedFull || late.took != 0 {
			t.Fatalf("a request beyond the queue's length got %v, shed %q after %v", late.got, late.x.shed, late.took)
		}
		for i, w := range waiting {
			if !w.waits() {
				t.Fatalf("request %d does not wait", i)
			}
			l.free(i % 2)
			synctest.Wait()
			if w.waits() {
				t.Fatalf("a place is free, and request %d still waits", i)
			}
			if id := w.id(); id != strconv.Itoa(i%2) || w.x.queued != w.took {
				t.Errorf("request %d got member %q, the log says %v of %v", i, id, w.x.queued, w.took)
			}
		}
		if n := l.pool().line.waiting.Load(); n != 0 {
			t.Errorf("%d wait in the end", n)
		}
	})
}

func TestLine_TimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: 300 * time.Millisecond}, alike(2)...)
		defer l.proxy.Close()
		l.fill()
		w := l.begin(l.request(-1))
		if id := w.id(); id != "" || w.took != 300*time.Millisecond || w.x.shed != shedTime {
			t.Errorf("got %q after %v, shed %q", id, w.took, w.x.shed)
		}
		l.fill(1)
		// Its own member has no room until the end: another one then.
		w = l.begin(l.request(0))
		if id := w.id(); id != "1" || w.took != 300*time.Millisecond || w.x.shed != shedNone {
			t.Errorf("the request of a session got %q after %v, shed %q", id, w.took, w.x.shed)
		}
	})
}

// A request that waits for its session's member does not hold up others, and gets its member when that has room.
func TestLine_Sessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
		defer l.proxy.Close()
		l.fill(1)
		mine := l.begin(l.request(0))
		if !mine.waits() {
			t.Fatal("the session moved, though its member is well")
		}
		if other := l.begin(l.request(-1)); other.waits() || other.id() != "1" {
			t.Fatal("a request without a session waits behind it")
		}
		behind := l.begin(l.request(-1))
		l.free(1)
		synctest.Wait()
		if behind.waits() || behind.id() != "1" || !mine.waits() {
			t.Fatal("the place was not given to the one that it will do for")
		}
		l.free(0)
		if id := mine.id(); id != "0" {
			t.Errorf("the session got %q", id)
		}
		// Those beyond the queue's length go elsewhere if they can.
		for range 5 {
			l.begin(l.request(0))
		}
		l.free(1)
		if w := l.begin(l.request(0)); w.waits() || w.id() != "1" {
			t.Errorf("the queue is full: %q, shed %q", w.id(), w.x.shed)
		}
		l.proxy.Use(NewTable(l.routes(), nil)) // ends those that wait
	})
}

// Nor does one that was at a member already, which has room now.
func TestLine_Retries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
		defer l.proxy.Close()
		l.fill()
		x := l.request(-1)
		x.choice.tried = append(x.choice.tried, l.target(0))
		again, first := l.begin(x), l.begin(l.request(-1))
		l.free(0)
		if id := first.id(); id != "0" || !again.waits() {
			t.Errorf("the first attempt got %q", id)
		}
		l.free(1)
		if id := again.id(); id != "1" {
			t.Errorf("the second attempt got %q", id)
		}
	})
}

func TestLine_ClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(1)...)
		defer l.proxy.Close()
		l.fill()
		first, second := l.begin(l.request(-1)), l.begin(l.request(-1))
		client, ok := first.x.front.(*leaver)
		if !ok {
			t.Fatal("no leaver")
		}
		client.left.Store(true)
		if id := first.id(); id != "" || first.took > 2*lookEvery || !errors.Is(first.x.result.Err, errLeft) || first.x.result.Failure != FailureClient {
			t.Errorf("got %q after %v, %+v", id, first.took, first.x.result)
		}
		if l.pool().line.waiting.Load() != 1 {
			t.Error("it is still in the line")
		}
		l.free(0)
		if id := second.id(); id != "0" {
			t.Errorf("the next one got %q", id)
		}
	})
}

// What happens to members while requests wait for them.
func TestLine_MembersChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		session int
		change  func(l *limited)
		want    string
		within  time.Duration
	}{
		"the session's member is found dead": {0, func(l *limited) {
			l.free(1)
			dead := l.target(0)
			dead.health.verdict.Store(verdictDead)
			l.proxy.abandon(targetKey{l.pool().key(), "0"}, dead.upstream)
		}, "1", 0},
		"it drains": {0, func(l *limited) {
			l.free(1)
			l.members[0].Draining = true
			l.use()
		}, "1", 0},
		"it is gone":          {0, func(l *limited) { l.free(1); l.members = l.members[1:]; l.use() }, "1", 0},
		"it is ejected":       {0, func(l *limited) { l.free(1); out(l.target(0), time.Now().UnixNano()) }, "1", lookEvery},
		"a member comes":      {-1, func(l *limited) { l.members = append(l.members, newcomer(2)); l.use() }, "2", 0},
		"the limit is raised": {0, func(l *limited) { l.spec.Limits.MaxInFlight = 2; l.use() }, "0", 0},
		"the limit is lifted": {0, func(l *limited) { l.spec.Limits = LimitSpec{}; l.use() }, "0", 0},
		"all are gone":        {-1, func(l *limited) { l.members = nil; l.use() }, "", 0},
		"the pool is gone": {-1, func(l *limited) {
			l.spec.Domain = "other.domain"
			l.use()
		}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
				defer l.proxy.Close()
				l.fill()
				w := l.begin(l.request(c.session))
				if !w.waits() {
					t.Fatal("it does not wait")
				}
				c.change(l)
				if id := w.id(); id != c.want || w.took > c.within || w.x.shed != shedNone {
					t.Errorf("got %q after %v, shed %q; want %q", id, w.took, w.x.shed, c.want)
				}
			})
		})
	}
}

func newcomer(i int) Member {
	return Member{ID: strconv.Itoa(i), Domain: testDomain, Host: "10.0.0." + strconv.Itoa(i+1), HTTPPort: 80}
}

// A place that is given back in the moment in which a request joins the line is that request's at once, and not only when it looks again.
func TestLine_RoomComesWhileARequestJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(1)...)
		defer l.proxy.Close()
		x := l.request(-1)
		for round := range 20_000 {
			l.fill()
			began := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() { l.free(0) })
			got := x.choose()
			wg.Wait()
			if took := time.Since(began); got == nil || took != 0 {
				t.Fatalf("round %d: it got %v after %v", round, got, took)
			}
			l.free(0)
		}
	})
}

// A queue that a reload takes away does not stand in the way of others while the last of it wait.
func TestLine_TheQueueIsTakenAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Minute}, alike(2)...)
		defer l.proxy.Close()
		l.fill(1)
		mine := l.begin(l.request(0))
		l.spec.Limits = LimitSpec{MaxInFlight: 1}
		l.use()
		if w := l.begin(l.request(-1)); w.id() != "1" {
			t.Errorf("a request that there is room for got %q, shed %q", w.id(), w.x.shed)
		}
		l.free(0)
		if id := mine.id(); id != "0" {
			t.Errorf("the session got %q", id)
		}
	})
}

// A request leaves a slow member only for one that it would really get.
func TestPool_QuickerIsWhoWouldBeChosen(t *testing.T) {
	t.Parallel()
	west := Member{Zone: "west"}
	for name, c := range map[string]struct {
		others []Member // of the slow one, which is in the west
		but    []int    // those with room
		out    []int    // those that are ejected
		want   bool
	}{
		"nobody else":                    {nil, nil, nil, false},
		"an equal one":                   {[]Member{west}, []int{1}, nil, true},
		"an equal one without room":      {[]Member{west}, nil, nil, false},
		"an ejected one":                 {[]Member{west}, []int{1}, []int{1}, false},
		"another zone":                   {[]Member{{Zone: "east"}}, []int{1}, nil, true},
		"another zone beside a full one": {[]Member{west, {Zone: "east"}}, []int{2}, nil, true},
		"a backup":                       {[]Member{{Zone: "west", Backup: true}}, []int{1}, nil, true},
		"a backup beside a full one":     {[]Member{west, {Zone: "west", Backup: true}}, []int{2}, nil, false},
		"a backup beside an ejected one": {[]Member{west, {Zone: "west", Backup: true}}, []int{2}, []int{1}, true},
		"a backup, another zone is full": {[]Member{{Zone: "east"}, {Zone: "west", Backup: true}}, []int{2}, nil, false},
		"a backup afar":                  {[]Member{{Zone: "west", Backup: true}, {Zone: "east", Backup: true}}, []int{2}, nil, true},
		"one that drains":                {[]Member{{Draining: true}}, []int{1}, nil, false},
		"one that wants nothing":         {[]Member{{Weight: -1}}, []int{1}, nil, false},
		"one that gossip has lost":       {[]Member{{Suspect: true}}, []int{1}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLimited(t, LimitSpec{MaxInFlight: 1}, append([]Member{west}, c.others...)...)
			defer l.proxy.Close()
			l.fill(c.but...)
			now := time.Now().UnixNano()
			for _, i := range c.out {
				out(l.target(i), now)
			}
			if got := l.pool().quicker(nil, "0"); got != c.want {
				t.Errorf("quicker is %v, want %v", got, c.want)
			}
			chosen := l.pool().pick(&Selection{now: now, tried: []*Target{l.target(0)}})
			if c.want && chosen == nil {
				t.Error("it would leave, and nobody would be chosen")
			}
		})
	}
}

// Whatever happens while requests come, wait, run and leave: no place is lost, none is given twice, and nobody stays in the line.
func TestLine_Storm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimited(t, LimitSpec{MaxInFlight: 2, QueueLength: 20, QueueTime: 200 * time.Millisecond}, alike(4)...)
		defer l.proxy.Close()
		var got, shed, left atomic.Int64
		var wg sync.WaitGroup
		for i := range 400 {
			x := l.request(i%8 - 4)                                                                // half of them have a session
			pause, work := time.Duration(rand.N(40))*lookEvery, time.Duration(rand.N(4))*lookEvery // so that much happens in the same moment
			wg.Go(func() {
				time.Sleep(pause)
				client, ok := x.front.(*leaver)
				if !ok {
					t.Error("no leaver")
					return
				}
				if i%3 == 0 {
					time.AfterFunc(work/2, func() { client.left.Store(true) })
				}
				x.pool = l.proxy.table.Load().pools[0]
				switch target := x.choose(); {
				case target != nil:
					got.Add(1)
					time.Sleep(work)
					target.load.inFlight.Add(-1)
					x.pool.line.look()
				case x.result.Failure == FailureClient:
					left.Add(1)
				case x.shed != shedNone:
					shed.Add(1)
				}
			})
		}
		old := l.pool().all()
		for i := range 40 {
			time.Sleep(lookEvery)
			l.spec.Limits = [...]LimitSpec{{MaxInFlight: 1, QueueLength: 20, QueueTime: 100 * time.Millisecond}, {MaxInFlight: 2}, {MaxInFlight: 1, QueueLength: 3, QueueTime: time.Second}, {}}[i%4]
			l.members[i%4].Draining = i%8 < 4
			l.use()
		}
		wg.Wait()
		for _, target := range old {
			if n := target.load.inFlight.Load(); n != 0 {
				t.Errorf("%d run on member %s in the end", n, target.Member.ID)
			}
		}
		if n := l.pool().line.waiting.Load(); n != 0 || len(l.pool().line.list) != 0 {
			t.Errorf("%d wait in the end", n)
		}
		if got.Load() < 50 || shed.Load() == 0 || left.Load() == 0 {
			t.Errorf("the storm is none: %d got a place, %d were shed, %d left", got.Load(), shed.Load(), left.Load())
		}
	})
}

// A request that failed for an old connection, perhaps, goes to its member again rather than waiting for another one.
func TestLine_OldConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			but  []int // those with room
			want string
		}{
			"another one has room": {[]int{0, 1}, "1"},
			"its own one has room": {[]int{0}, "0"},
			"nobody has":           {nil, ""},
		} {
			l := newLimited(t, LimitSpec{MaxInFlight: 1, QueueLength: 5, QueueTime: time.Second}, alike(2)...)
			l.fill(c.but...)
			x := l.request(-1)
			x.target, x.result = l.target(0), Result{Failure: FailureReset, Kept: true}
			x.choice.tried = append(x.choice.tried, x.target)
			w := l.begin(x)
			if id := w.id(); id != c.want || (w.took == 0) != (c.want != "") {
				t.Errorf("%s: it got %q after %v", name, id, w.took)
			}
			l.proxy.Close()
		}
	})
}
