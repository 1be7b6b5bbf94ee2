package lb

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// poolOf is a pool of n members, as Proxy would have prepared it.
func poolOf(n int) *Pool {
	p := &Pool{Domain: "d", balancer: &roundRobin{}, budget: newRetryBudget(time.Now()), ejecting: &sync.Mutex{}}
	for i := range n {
		p.active = append(p.active, &Target{Member: Member{ID: strconv.Itoa(i)}, health: &health{}, load: &load{}})
	}
	p.arrange()
	return p
}

func (p *Pool) pickNow(tried ...*Target) *Target {
	return p.pick(&Selection{now: time.Now().UnixNano(), tried: tried})
}

func TestRoundRobin_IsFairAndConcurrent(t *testing.T) {
	p := poolOf(3)
	const each = 200
	counts := make([][3]int, 8)
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			for range 3 * each {
				n, _ := strconv.Atoi(p.pickNow().Member.ID)
				counts[i][n]++
			}
		})
	}
	wg.Wait()
	var total [3]int
	for _, c := range counts {
		for i := range c {
			total[i] += c[i]
		}
	}
	if total != [3]int{8 * each, 8 * each, 8 * each} {
		t.Errorf("shares %v, want equal ones", total)
	}
}

func TestRoundRobin_SpreadsTheShareOfAnEjectedMember(t *testing.T) {
	p := poolOf(4)
	now := time.Now().UnixNano()
	if !p.eject(p.active[0], now, now) {
		t.Fatal("not ejected")
	}
	count := map[string]int{}
	for range 300 {
		count[p.pickNow().Member.ID]++
	}
	if count["0"] != 0 || count["1"] != 100 || count["2"] != 100 || count["3"] != 100 {
		t.Errorf("shares %v", count)
	}
}

func TestPool_NeverTheSameMemberTwice(t *testing.T) {
	p := poolOf(3)
	var tried []*Target
	for range 3 {
		next := p.pickNow(tried...)
		for _, before := range tried {
			if next == before {
				t.Fatalf("%s was tried before", next.Member.ID)
			}
		}
		tried = append(tried, next)
	}
	if next := p.pickNow(tried...); next != nil {
		t.Errorf("picked %s again", next.Member.ID)
	}
}

func TestPool_LastResorts(t *testing.T) {
	p := poolOf(1)
	p.draining = []*Target{{Member: Member{ID: "leaving", Draining: true}, health: &health{}, load: &load{}}}
	p.arrange()
	if got := p.pickNow(); got != p.active[0] {
		t.Errorf("picked %s while an active member is there", got.Member.ID)
	}
	now := time.Now().UnixNano()
	if p.eject(p.active[0], now, now) {
		t.Error("the last active member was ejected")
	}
	p.active[0].health.eject(now, now)
	if got := p.pickNow(); got != p.draining[0] {
		t.Error("a member that drains is alive and should be preferred to one that was ejected")
	}
	if got := p.pickNow(p.draining[0]); got != p.active[0] {
		t.Error("an ejected member is better than none")
	}
}

// Two requests that fail on the last two members at the same moment must not each count on the other one.
func TestPool_ConcurrentEjectionsLeaveOne(t *testing.T) {
	for range 20_000 {
		p := poolOf(2)
		now := time.Now().UnixNano()
		var ready atomic.Int32
		var ejected [2]bool
		var wg sync.WaitGroup
		for i, target := range p.active {
			wg.Go(func() {
				for ready.Add(1); ready.Load() < 2; {
					runtime.Gosched() // both start at the same moment, as near as can be
				}
				ejected[i] = p.eject(target, now, now)
			})
		}
		if wg.Wait(); ejected[0] == ejected[1] {
			t.Fatalf("ejected: %v, want one of two", ejected)
		}
	}
}

func TestHealth_EjectionDoublesAndIsProbedByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(2)
		sick := p.active[0]
		for round, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			now := time.Now().UnixNano()
			if !p.eject(sick, now, now) {
				t.Fatalf("round %d: not ejected", round)
			}
			if p.eject(sick, now, now-1) {
				t.Errorf("round %d: an older request ejected it again", round)
			}
			pause := time.Duration(sick.health.until.Load() - now)
			if pause < want*7/8 || pause > want*9/8 {
				t.Errorf("round %d: out for %v, want about %v", round, pause, want)
			}
			time.Sleep(pause - time.Millisecond)
			if sick.health.usable(time.Now().UnixNano()) {
				t.Errorf("round %d: in use too early", round)
			}
			time.Sleep(2 * time.Millisecond)
			probes := 0
			for range 10 {
				if p.pickNow() == sick {
					probes++
				}
			}
			if probes != 1 {
				t.Errorf("round %d: %d requests probe at once, want one", round, probes)
			}
		}
		sick.health.good(time.Now().Add(time.Millisecond).UnixNano())
		if !sick.health.usable(time.Now().UnixNano()) || sick.health.streak.Load() != 0 {
			t.Error("a success did not put the member back in use")
		}
	})
}

func TestHealth_OldSuccessProvesNothing(t *testing.T) {
	h := &health{}
	now := time.Now().UnixNano()
	h.eject(now, now)
	h.good(now - 1)
	if h.usable(now) {
		t.Error("an answer to a request from before the ejection ended it")
	}
}

func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRetryBudget(time.Now())
		spend := func() (n int) {
			for b.take(time.Now()) {
				n++
			}
			return n
		}
		if n := spend(); n != 100 {
			t.Errorf("%d retries at the start, want 100", n)
		}
		for range 1000 {
			b.earn()
		}
		if n := spend(); n != 200 {
			t.Errorf("1000 requests earned %d retries, want 200", n)
		}
		time.Sleep(time.Second)
		if n := spend(); n != 10 {
			t.Errorf("a second earned %d retries, want 10", n)
		}
		time.Sleep(time.Hour)
		for range 100_000 {
			b.earn()
		}
		if n := spend(); n > 1001 {
			t.Errorf("%d retries were saved up, want at most 1000", n)
		}
	})
}

func TestRetryBudget_ConcurrentTakersPayOnce(t *testing.T) {
	b := newRetryBudget(time.Now())
	now := time.Now()
	var wg sync.WaitGroup
	got := make([]int, 8)
	for i := range got {
		wg.Go(func() {
			for range 100 {
				if b.take(now) {
					got[i]++
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range got {
		sum += n
	}
	if sum != 100 {
		t.Errorf("%d retries paid for with a credit of 100", sum)
	}
}
