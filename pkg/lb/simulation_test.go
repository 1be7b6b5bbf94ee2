package lb

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// simulation sends requests to a pool in a time of its own: one event after the other, nothing real waits.
type simulation struct {
	pool   *Pool
	random *rand.Rand
	exact  bool // all requests take as long
	now    time.Duration
	ends   endings
	// took gives the time that a member takes for a request that comes now; 0 = it fails at once, below 0 = it never answers.
	took func(member int, running int64) time.Duration

	count []int           // requests by member
	times []time.Duration // of all answers
}

type ending struct {
	at     time.Duration
	target *Target
	took   time.Duration
	failed bool
}

// endings is a heap, the earliest first.
type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// simulate prepares a simulation of n members that take about usual, spread as exponential and constant times half and half.
func simulate(spec BalancerSpec, n int, usual time.Duration) *simulation {
	s := &simulation{pool: balancing(spec, alike(n)...), random: rand.New(rand.NewPCG(1, 2)), now: time.Hour}
	if b, ok := s.pool.balancer.(*twoChoices); ok {
		b.random = rand.New(rand.NewPCG(3, 4)).Uint64
	}
	s.took = func(int, int64) time.Duration { return s.about(usual) }
	return s
}

func (s *simulation) about(d time.Duration) time.Duration {
	if s.exact {
		return d
	}
	return d/2 + time.Duration(s.random.ExpFloat64()*float64(d)/2)
}

// run sends rate requests a second for d, at random moments, and counts anew.
func (s *simulation) run(t testing.TB, d time.Duration, rate float64) {
	t.Helper()
	s.count, s.times = make([]int, len(s.pool.active)), nil
	for until := s.now + d; s.now < until; {
		s.now += time.Duration(s.random.ExpFloat64() / rate * float64(time.Second))
		for len(s.ends) > 0 && s.ends[0].at <= s.now {
			s.end(heap.Pop(&s.ends).(ending))
		}
		target := s.pool.pick(&Selection{now: int64(s.now)})
		i := index(t, target)
		s.count[i]++
		took := s.took(i, target.load.inFlight.Load())
		target.load.begin(0)
		switch {
		case took > 0:
			heap.Push(&s.ends, ending{s.now + took, target, took, false})
		case took == 0:
			heap.Push(&s.ends, ending{s.now + time.Millisecond, target, failureLeast, true})
		}
	}
}

func (s *simulation) end(e ending) {
	e.target.load.inFlight.Add(-1)
	e.target.load.note(e.took, int64(e.at))
	if !e.failed {
		s.times = append(s.times, e.took)
	}
}

// share is the part of the requests that a member got.
func (s *simulation) share(member int) float64 {
	sum := 0
	for _, n := range s.count {
		sum += n
	}
	return float64(s.count[member]) / float64(sum)
}

// percentile of the times of answers.
func (s *simulation) percentile(p float64) time.Duration {
	slices.Sort(s.times)
	return s.times[int(p*float64(len(s.times)-1))]
}

// A member that becomes four times slower gets at most 12 % of five within seconds, and its share again when it has recovered.
func TestTwoChoices_ASlowMemberGetsLittle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		took  time.Duration
		rate  float64 // requests a second
		exact bool    // all requests take as long
	}{
		{"quick, busy", 2 * time.Millisecond, 2000, false},
		{"quick, quiet", 2 * time.Millisecond, 50, false},
		{"usual, busy", 20 * time.Millisecond, 1000, false},
		{"usual, quiet", 20 * time.Millisecond, 20, false},
		{"slow", 500 * time.Millisecond, 20, false},
		{"crowded", 50 * time.Millisecond, 4000, false},
		{"constant, busy", 20 * time.Millisecond, 1000, true},
		{"constant, quiet", 20 * time.Millisecond, 50, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, c.took)
			s.exact = c.exact
			s.run(t, time.Minute, c.rate)
			s.took = func(member int, _ int64) time.Duration {
				if member == 2 {
					return s.about(4 * c.took)
				}
				return s.about(c.took)
			}
			s.run(t, 5*time.Second, c.rate)
			if share := s.share(2); share > 0.12 {
				t.Errorf("in the first seconds: %.3f", share)
			}
			s.run(t, time.Minute, c.rate)
			if share := s.share(2); share > 0.12 || s.count[2] == 0 {
				t.Errorf("slow: %d of %v requests, %.3f", s.count[2], s.count, share)
			}
			slow := s.percentile(0.99)
			turns := simulate(BalancerSpec{}, 5, c.took)
			turns.took = s.took
			turns.run(t, time.Minute, c.rate)
			t.Logf("share %.4f, p99 %v, round robin %v", s.share(2), slow, turns.percentile(0.99))
			if float64(slow) > 0.7*float64(turns.percentile(0.99)) {
				t.Errorf("p99 is %v, that of round robin %v", slow, turns.percentile(0.99))
			}
			s.took = func(int, int64) time.Duration { return s.about(c.took) }
			s.run(t, 30*time.Second, c.rate)
			s.run(t, time.Minute, c.rate)
			if share := s.share(2); share < 0.15 {
				t.Errorf("recovered: %v, %.3f", s.count, share)
			}
		})
	}
}

// Where the quick members alone cannot do the work, the slow one has to help. Each member works on eight requests at a time: the quick ones
// do 400 a second, the slow one 100.
func TestTwoChoices_ASlowMemberHelpsWhenTheOthersAreFull(t *testing.T) {
	t.Parallel()
	s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, 0)
	var workers [5][8]time.Duration // when each is free
	s.took = func(member int, _ int64) time.Duration {
		d := s.about(20 * time.Millisecond)
		if member == 2 {
			d *= 4
		}
		first := 0
		for i, free := range workers[member] {
			if free < workers[member][first] {
				first = i
			}
		}
		workers[member][first] = max(workers[member][first], s.now) + d
		return workers[member][first] - s.now
	}
	s.run(t, 30*time.Second, 1650)
	s.run(t, time.Minute, 1650)
	if share, p99 := s.share(2), s.percentile(0.99); share < 0.02 || p99 > 250*time.Millisecond {
		t.Errorf("%v, share %.3f, p99 %v", s.count, share, p99)
	}
}

// None of equal members starves, whatever the noise.
func TestTwoChoices_EqualMembersShareEqually(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1, 20, 300, 3000} {
		s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, 20*time.Millisecond)
		s.run(t, time.Duration(20_000/rate*float64(time.Second)), rate)
		for i := range 5 {
			if share := s.share(i); math.Abs(share-0.2) > 0.03 {
				t.Errorf("%v a second: member %d has %.3f", rate, i, share)
			}
		}
	}
}

// Weights hold where there is something to measure; with few requests the noise of latencies evens shares out a little.
func TestTwoChoices_SharesByWeight(t *testing.T) {
	t.Parallel()
	for rate, tolerance := range map[float64]float64{20: 0.09, 2000: 0.03} {
		s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 2, 20*time.Millisecond)
		s.pool = balancing(s.pool.spec, weighted(3, 1, 2)...)
		s.pool.balancer = &twoChoices{random: rand.New(rand.NewPCG(5, 6)).Uint64}
		s.run(t, time.Duration(20_000/rate*float64(time.Second)), rate)
		for i, want := range []float64{3. / 6, 1. / 6, 2. / 6} {
			if share := s.share(i); math.Abs(share-want) > tolerance {
				t.Errorf("%v a second: member %d has %.3f, want %.3f", rate, i, share, want)
			}
		}
	}
}

// A new member, of which nothing is known, is not run over.
func TestTwoChoices_ANewMemberGetsNoMoreThanOthers(t *testing.T) {
	t.Parallel()
	s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, 100*time.Millisecond)
	s.run(t, 20*time.Second, 500)
	s.pool.active[3].load.forget()
	s.pool.active[3].load.inFlight.Store(s.pool.active[2].load.inFlight.Load())
	s.run(t, time.Second, 500)
	if share := s.share(3); share < 0.1 || share > 0.3 {
		t.Errorf("%v", s.count)
	}
}

// A member that fails at once is the quickest of all, and must not get all the requests for it.
func TestTwoChoices_AFailingMemberAttractsNothing(t *testing.T) {
	t.Parallel()
	s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, 50*time.Millisecond)
	s.run(t, 20*time.Second, 300)
	s.took = func(member int, _ int64) time.Duration {
		if member == 1 {
			return 0
		}
		return s.about(50 * time.Millisecond)
	}
	s.run(t, time.Minute, 300)
	if share := s.share(1); share > 0.05 {
		t.Errorf("%v", s.count)
	}
}

// A member that answers nothing any more is found out by what piles up on it.
func TestTwoChoices_AHungMemberGetsAFewRequests(t *testing.T) {
	t.Parallel()
	s := simulate(BalancerSpec{Policy: PolicyTwoChoices}, 5, 50*time.Millisecond)
	s.run(t, 20*time.Second, 300)
	s.took = func(member int, _ int64) time.Duration {
		if member == 1 {
			return -1
		}
		return s.about(50 * time.Millisecond)
	}
	s.run(t, time.Minute, 300) // 15 are in flight at a time
	if s.count[1] > 25 {
		t.Errorf("%v", s.count)
	}
}

// The member that waits for its probe is taken as soon as it is drawn.
func TestTwoChoices_ProbesAMemberWhoseRestIsOver(t *testing.T) {
	t.Parallel()
	p := balancing(BalancerSpec{Policy: PolicyTwoChoices}, alike(2)...)
	now := int64(time.Hour)
	p.active[0].load.note(time.Minute, now)
	p.active[1].load.note(time.Millisecond, now)
	p.active[0].health.until.Store(now)
	if got := p.pick(&Selection{now: now}); got != p.active[0] {
		t.Error("another one was picked")
	}
	if got := p.pick(&Selection{now: now}); got != p.active[1] {
		t.Error("it was picked again before the probe came back")
	}
}

// Slow start holds back with two choices as with turns.
func TestTwoChoices_SlowStart(t *testing.T) {
	t.Parallel()
	start := time.Now()
	p := balancing(BalancerSpec{Policy: PolicyTwoChoices, SlowStart: time.Minute}, Member{}, Member{}, Member{}, Member{}, Member{StartedAt: start})
	got := picks(t, p, start.UnixNano(), 10_000)
	if share := float64(got[4]) / 10_000; share > 0.05 || share < 0.01 {
		t.Errorf("a tenth of a fifth is 0.02, got %.4f", share)
	}
}

// Latencies count with least_inflight too: a slow member gets less because requests stay on it longer.
func TestLeastInFlight_ASlowMemberGetsLess(t *testing.T) {
	t.Parallel()
	s := simulate(BalancerSpec{Policy: PolicyLeastInFlight}, 5, 20*time.Millisecond)
	s.took = func(member int, _ int64) time.Duration {
		if member == 2 {
			return s.about(80 * time.Millisecond)
		}
		return s.about(20 * time.Millisecond)
	}
	s.run(t, time.Minute, 1000)
	if share := s.share(2); share > 0.08 { // (1/4) / (4 + 1/4) = 0.059
		t.Errorf("%v", s.count)
	}
	for _, i := range []int{0, 1, 3, 4} {
		if share := s.share(i); math.Abs(share-0.235) > 0.02 {
			t.Errorf("member %d has %.3f", i, share)
		}
	}
}
