package lb

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"
)

// balancing is a pool of these members as Proxy would have prepared it. Members without an id get "0", "1", … and an address.
func balancing(spec BalancerSpec, members ...Member) *Pool {
	p := &Pool{Domain: "d", spec: spec, balancer: newBalancer(spec), budget: newRetryBudget(time.Now()), ejecting: &sync.Mutex{}}
	for i, m := range members {
		if m.ID == "" {
			m.ID = strconv.Itoa(i)
		}
		if m.Host == "" {
			m.Host, m.HTTPPort = "10.0."+strconv.Itoa(i/250)+"."+strconv.Itoa(i%250), 9763
		}
		p.add(m)
	}
	for _, list := range [][]*Target{p.active, p.draining} {
		for _, t := range list {
			t.health, t.load = &health{}, &load{}
		}
	}
	p.arrange()
	return p
}

// weighted are members of these weights.
func weighted(weights ...int) []Member {
	members := make([]Member, len(weights))
	for i, w := range weights {
		members[i].Weight = w
	}
	return members
}

// alike are n members of weight 1.
func alike(n int) []Member { return make([]Member, n) }

// index is the place of a picked member, by its id.
func index(t testing.TB, picked *Target) int {
	t.Helper()
	if picked == nil {
		t.Fatal("nobody was picked")
	}
	i, err := strconv.Atoi(picked.Member.ID)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// picks counts n picks by member, nothing else happening.
func picks(t testing.TB, p *Pool, now int64, n int) []int {
	t.Helper()
	counts := make([]int, len(p.active)+len(p.draining))
	for range n {
		counts[index(t, p.pick(&Selection{now: now}))]++
	}
	return counts
}

// out takes a member out of use.
func out(target *Target, now int64) { target.health.until.Store(now + int64(time.Hour)) }

func TestRoundRobin_WeightsAreExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		weights []int
		out     []int // members that are out
		want    []int // of as many picks as they add up to
	}{
		{"alike", []int{1, 1, 1}, nil, []int{1, 1, 1}},
		{"not announced counts as 1", []int{0, 2}, nil, []int{1, 2}},
		{"3:2:1", []int{3, 2, 1}, nil, []int{3, 2, 1}},
		{"3:2:1, the middle is out", []int{3, 2, 1}, []int{1}, []int{3, 0, 1}},
		{"3:2:1, the first is out", []int{3, 2, 1}, []int{0}, []int{0, 2, 1}},
		{"alike, neighbours out", []int{1, 1, 1, 1, 1}, []int{1, 2}, []int{1, 0, 0, 1, 1}},
		{"only one left", []int{5, 7, 1}, []int{0, 1}, []int{0, 0, 1}},
		{"common factor", []int{200, 100, 300}, nil, []int{2, 1, 3}},
		{"far apart", []int{1000, 1, 1}, nil, []int{1000, 1, 1}},
		{"beyond the largest", []int{MaxWeight * 1000, MaxWeight}, nil, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := balancing(BalancerSpec{}, weighted(c.weights...)...)
			now := time.Now().UnixNano()
			for _, i := range c.out {
				out(p.active[i], now)
			}
			sum := 0
			for _, n := range c.want {
				sum += n
			}
			for round := range 5 { // any stretch of that length, not only the first
				got := picks(t, p, now, sum)
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Fatalf("round %d: %v, want %v", round, got, c.want)
				}
				p.pick(&Selection{now: now})
			}
		})
	}
}

// The turns of a member lie as far apart as its weight allows.
func TestRoundRobin_IsSmooth(t *testing.T) {
	t.Parallel()
	weights := []int{7, 3, 2, 1}
	p := balancing(BalancerSpec{}, weighted(weights...)...)
	last := map[int]int{}
	for turn := range 13 * 10 {
		i := index(t, p.pick(&Selection{now: 1}))
		if before, ok := last[i]; ok {
			if gap, ideal := turn-before, 13/float64(weights[i]); math.Abs(float64(gap)-ideal) > 2 {
				t.Errorf("turn %d: member of weight %d after %d turns, ideally %.1f", turn, weights[i], gap, ideal)
			}
		}
		last[i] = turn
	}
}

func TestRoundRobin_WeightsAreExactForConcurrentRequests(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 8, 100
	p := balancing(BalancerSpec{}, weighted(3, 2, 1)...)
	out(p.active[1], 1)
	counts := make([][]int, goroutines)
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() { counts[i] = picks(t, p, 1, 4*rounds) })
	}
	wg.Wait()
	var total [3]int
	for _, c := range counts {
		for i := range total {
			total[i] += c[i]
		}
	}
	if total != [3]int{3 * goroutines * rounds, 0, goroutines * rounds} {
		t.Errorf("shares %v, want 3:0:1", total)
	}
}

// Weights that would need more turns than are kept are rounded, by little.
func TestSchedule_RoundsManyWeights(t *testing.T) {
	t.Parallel()
	members := make([]Member, 100)
	sum := 0
	for i := range members {
		members[i].Weight = 997 - i*9
		sum += members[i].Weight
	}
	p := balancing(BalancerSpec{}, members...)
	turns := p.groups[0].turns
	if len(turns) > 2*turnsMost {
		t.Errorf("%d turns", len(turns))
	}
	got := picks(t, p, 1, len(turns))
	for i, n := range got {
		want := float64(members[i].Weight) / float64(sum)
		if share := float64(n) / float64(len(turns)); math.Abs(share-want) > 0.0002 {
			t.Errorf("weight %d: share %.5f, want %.5f", members[i].Weight, share, want)
		}
	}
}

// Members of a rank get requests only while none of the ranks before can be used.
func TestPool_Ranks(t *testing.T) {
	t.Parallel()
	members := []Member{
		{ID: "0", Zone: "west"},
		{ID: "1"}, // near to everybody
		{ID: "2", Zone: "east"},
		{ID: "3", Zone: "west", Backup: true},
		{ID: "4", Zone: "east", Backup: true},
		{ID: "5", Zone: "west", Weight: WeightNone},
		{ID: "6", Zone: "west", Weight: WeightNone, Backup: true},
		{ID: "7", Zone: "west", Draining: true},
	}
	for zone, ranks := range map[string][][]int{
		"west": {{0, 1}, {2}, {3}, {4}, {5, 6}, {7}},
		"east": {{1, 2}, {0}, {4}, {3}, {5, 6}, {7}},
		"":     {{0, 1, 2}, {3, 4}, {5, 6}, {7}},
	} {
		for _, policy := range Policies() {
			t.Run(zone+"/"+string(policy), func(t *testing.T) {
				t.Parallel()
				p := balancing(BalancerSpec{Policy: policy, Zone: zone, Key: HashKey{kind: keyPath}}, members...)
				now := time.Now().UnixNano()
				for desperate := range 2 {
					var tried []*Target
					for _, rank := range ranks {
						left := map[int]bool{}
						for _, i := range rank {
							left[i] = true
						}
						for range rank { // each request tries all members, one after the other
							next := p.pick(&Selection{now: now, tried: tried, keyed: true, key: 99})
							if i := index(t, next); !left[i] {
								t.Fatalf("picked %d after %d others, want one of %v", i, len(tried), rank)
							}
							delete(left, index(t, next))
							tried = append(tried, next)
						}
					}
					if next := p.pick(&Selection{now: now, tried: tried}); next != nil {
						t.Errorf("round %d: picked %s twice", desperate, next.Member.ID)
					}
					for _, target := range tried {
						out(target, now) // and then all are out, but the order is the same
					}
				}
			})
		}
	}
}

// An ejected member of the best rank comes after healthy ones of any other.
func TestPool_HealthyBackupBeforeEjected(t *testing.T) {
	t.Parallel()
	p := balancing(BalancerSpec{}, Member{ID: "0"}, Member{ID: "1", Backup: true}, Member{ID: "2", Draining: true})
	now := time.Now().UnixNano()
	out(p.active[0], now)
	for _, want := range []string{"1", "2", "0"} {
		got := p.pick(&Selection{now: now})
		if got.Member.ID != want {
			t.Errorf("picked %s, want %s", got.Member.ID, want)
		}
		out(got, now)
		if want == "2" {
			break
		}
	}
	if got := p.pick(&Selection{now: now}); got != p.active[0] {
		t.Errorf("with all out %s is picked", got.Member.ID)
	}
}

// The share of a member grows from a tenth of its weight to all of it, from when its process started.
func TestSlowStart_Ramp(t *testing.T) {
	t.Parallel()
	const window = 30 * time.Second
	start := time.Now()
	for _, c := range []struct {
		name            string
		started, seen   time.Time
		after           time.Duration // since start
		want            float64       // of its weight
		weight, picking int
	}{
		{"at once", start, start, 0, 0.1, 1, 4200},
		{"before a tenth", start, start, 2 * time.Second, 0.1, 1, 4200},
		{"half", start, start, window / 2, 0.5, 1, 5000},
		{"half, weight 3", start, start, window / 2, 0.5, 3, 7000},
		{"nearly", start, start, window * 9 / 10, 0.9, 1, 5800},
		{"over", start, start, window, 1, 1, 6000},
		{"old at first sight", start.Add(-time.Hour), start, 0, 1, 1, 6000},
		{"half of it was before we saw it", start.Add(-window / 2), start, 0, 0.5, 1, 5000},
		{"its clock is ahead", start.Add(time.Hour), start, window / 2, 0.5, 1, 5000},
		{"unknown", time.Time{}, start, 0, 1, 1, 6000},
	} {
		for _, policy := range []Policy{PolicyRoundRobin, PolicyLeastInFlight} {
			t.Run(string(policy)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				p := balancing(BalancerSpec{Policy: policy, SlowStart: window},
					Member{}, Member{}, Member{Weight: c.weight, StartedAt: c.started, Since: c.seen})
				now := start.Add(c.after).UnixNano()
				got := picks(t, p, now, c.picking)
				want := c.want * float64(c.weight) / (2 + c.want*float64(c.weight)) * float64(c.picking)
				if math.Abs(float64(got[2])-want) > 0.01*float64(c.picking) {
					t.Errorf("%d of %d, want %.0f", got[2], c.picking, want)
				}
				if math.Abs(float64(got[0]-got[1])) > 0.01*float64(c.picking) {
					t.Errorf("the others have %d and %d", got[0], got[1])
				}
				if weight := p.active[2].weightNow(now); math.Abs(weight-c.want*float64(c.weight)) > 0.001 {
					t.Errorf("weight %v", weight)
				}
			})
		}
	}
}

// When all members are new there is nobody to spare them: the shares are equal, and nobody is refused.
func TestSlowStart_AllNew(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, policy := range Policies() {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			members := alike(3)
			for i := range members {
				members[i].StartedAt = start
			}
			p := balancing(BalancerSpec{Policy: policy, SlowStart: time.Minute, Key: HashKey{kind: keyPath}}, members...)
			got := make([]int, 3)
			for i := range 3000 {
				got[index(t, p.pick(&Selection{now: start.UnixNano(), keyed: true, key: mix(uint64(i))}))]++
			}
			for _, n := range got {
				if n < 900 || n > 1100 {
					t.Errorf("shares %v", got)
				}
			}
		})
	}
}

func TestPool_NeverTheSameMemberTwiceWithAnyPolicy(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		for _, n := range []int{1, 2, 3, 100} {
			p := balancing(BalancerSpec{Policy: policy, Key: HashKey{kind: keyPath}}, alike(n)...)
			for round := range 20 {
				seen := map[*Target]bool{}
				s := &Selection{now: 1, keyed: true, key: mix(uint64(round))}
				for range min(n, maxAttempts) {
					next := p.pick(s)
					if next == nil || seen[next] {
						t.Fatalf("%s of %d: attempt %d has %v", policy, n, len(s.tried)+1, next)
					}
					seen[next] = true
					s.tried = append(s.tried, next)
				}
			}
		}
	}
}

func TestLeastInFlight(t *testing.T) {
	t.Parallel()
	// fill sends n requests that do not end.
	fill := func(t *testing.T, p *Pool, n int) []int {
		t.Helper()
		for range n {
			p.pick(&Selection{now: 1}).load.begin(0)
		}
		var got []int
		for _, target := range p.active {
			got = append(got, int(target.load.inFlight.Load()))
		}
		return got
	}
	least := BalancerSpec{Policy: PolicyLeastInFlight}
	t.Run("idle members take turns by weight", func(t *testing.T) {
		t.Parallel()
		if got := picks(t, balancing(least, weighted(3, 1)...), 1, 400); got[0] != 300 {
			t.Errorf("%v", got)
		}
	})
	t.Run("a busy one does not help its neighbour", func(t *testing.T) {
		t.Parallel()
		p := balancing(least, alike(3)...)
		p.active[0].load.begin(0) // a long download
		if got := picks(t, p, 1, 300); got[0] != 0 || got[1] != 150 || got[2] != 150 {
			t.Errorf("%v", got)
		}
	})
	t.Run("equals behind many busier ones take turns", func(t *testing.T) {
		t.Parallel()
		p := balancing(least, alike(8)...)
		for i, target := range p.active {
			target.load.inFlight.Store(5)
			if i >= 6 {
				target.load.inFlight.Store(1)
			}
		}
		if got := picks(t, p, 1, 100); got[6] != 50 || got[7] != 50 {
			t.Errorf("%v", got)
		}
	})
	t.Run("fills up evenly", func(t *testing.T) {
		t.Parallel()
		p := balancing(least, alike(3)...)
		p.active[1].load.inFlight.Store(10)
		if got := fill(t, p, 20); fmt.Sprint(got) != "[10 10 10]" {
			t.Errorf("%v", got)
		}
	})
	t.Run("fills up by weight", func(t *testing.T) {
		t.Parallel()
		if got := fill(t, balancing(least, weighted(4, 2, 1)...), 70); fmt.Sprint(got) != "[40 20 10]" {
			t.Errorf("%v", got)
		}
	})
	t.Run("looks past those that are out", func(t *testing.T) {
		t.Parallel()
		p := balancing(least, alike(500)...)
		for _, target := range p.active[:499] {
			out(target, 1)
		}
		if got := picks(t, p, 1, 50); got[499] != 50 {
			t.Errorf("%v", got)
		}
	})
	t.Run("in a large group", func(t *testing.T) {
		t.Parallel()
		p := balancing(least, alike(1000)...)
		for i, target := range p.active {
			target.load.inFlight.Store(int64(i%2) * 10)
		}
		for _, n := range fill(t, p, 5000) {
			if n > 12 { // exactly 10 if all were compared
				t.Errorf("%d on one member", n)
			}
		}
	})
}

// A balancer outlives the table, unless the pool is configured anew.
func TestProxy_BalancersOutliveTables(t *testing.T) {
	t.Parallel()
	routesOf := func(spec BalancerSpec) *Routes {
		routes := newRoutes(t, []PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Balancer: spec}})
		return routes
	}
	members := []Member{{ID: "a", Domain: testDomain, Host: "127.0.0.1", HTTPPort: 1}, {ID: "b", Domain: testDomain, Host: "127.0.0.1", HTTPPort: 2}}
	routes := routesOf(BalancerSpec{})
	p, err := New(Config{Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	use := func(r *Routes, members []Member) *Pool {
		p.Use(NewTable(r, members))
		pool, _ := p.table.Load().Lookup("app.example")
		return pool
	}
	first := use(routes, members)
	first.active[0].load.begin(0)
	second := use(routes, members[:1])
	if second.balancer != first.balancer || second.active[0].load != first.active[0].load {
		t.Error("a new table forgot what was known")
	}
	moved := members[0]
	moved.HTTPPort = 9
	if third := use(routes, []Member{moved}); third.active[0].load == first.active[0].load {
		t.Error("a member that moved has the load of its old address")
	}
	if fourth := use(routesOf(BalancerSpec{Policy: PolicyTwoChoices}), members); fourth.balancer == first.balancer {
		t.Error("another policy has the old balancer")
	}
}

func TestNewRoutes_RefusesBalancers(t *testing.T) {
	t.Parallel()
	for _, spec := range []BalancerSpec{
		{Policy: "first"},
		{Policy: PolicyHash},
		{Policy: PolicyHash, Key: HashKey{kind: keyPath}, LoadBound: 1},
		{Policy: PolicyHash, Key: HashKey{kind: keyPath}, LoadBound: math.NaN()},
	} {
		if _, err := NewRoutes([]PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"a"}, Balancer: spec}}); err == nil {
			t.Errorf("%+v is accepted", spec)
		}
	}
}
