package lb

import (
	"bytes"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// byKey is a pool that goes by a key.
func byKey(members ...Member) *Pool {
	return balancing(BalancerSpec{Policy: PolicyHash, Key: HashKey{kind: keyPath}}, members...)
}

// homes gives the members of n keys, by address.
func homes(t testing.TB, p *Pool, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		target := p.pick(&Selection{now: 1, keyed: true, key: hashBytes("/key/" + strconv.Itoa(i))})
		if target == nil {
			t.Fatal("nobody was picked")
		}
		list[i] = target.Member.Host
	}
	return list
}

// When a member comes or goes, its own keys move, and no others.
func TestHash_OnlyTheOwnShareMoves(t *testing.T) {
	t.Parallel()
	const keys = 20_000
	for _, n := range []int{2, 5, 50} {
		members := alike(n)
		for i := range members {
			members[i] = Member{ID: strconv.Itoa(i), Host: "10.1.0." + strconv.Itoa(i), HTTPPort: 9763, Weight: 1 + i%3}
		}
		sum := 0
		for _, m := range members {
			sum += m.Weight
		}
		all, fewer := homes(t, byKey(members...), keys), homes(t, byKey(members[:n-1]...), keys)
		lost, moved := members[n-1].Host, 0
		for i := range all {
			if all[i] != fewer[i] {
				moved++
				if all[i] != lost {
					t.Fatalf("of %d: key %d moves from %s to %s, while %s went", n, i, all[i], fewer[i], lost)
				}
			}
		}
		want := float64(members[n-1].Weight) / float64(sum)
		if share := float64(moved) / keys; math.Abs(share-want) > 0.02 || share == 0 {
			t.Errorf("of %d: %.4f of the keys move, want %.4f", n, share, want)
		}
	}
}

func TestHash_SharesByWeight(t *testing.T) {
	t.Parallel()
	const keys = 50_000
	weights := []int{1, 1, 2, 5, 10}
	p := byKey(weighted(weights...)...)
	count := map[string]int{}
	for _, host := range homes(t, p, keys) {
		count[host]++
	}
	for i, target := range p.active {
		want := float64(weights[i]) / 19
		if share := float64(count[target.Member.Host]) / keys; math.Abs(share-want) > 0.1*want {
			t.Errorf("weight %d: %.4f, want %.4f", weights[i], share, want)
		}
	}
}

// All load balancers, of whatever version, must find the same. So these may never change.
func TestHash_IsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	p := byKey(
		Member{ID: "x", Host: "node1.example", HTTPPort: 9764, HTTPSPort: 9444},
		Member{ID: "y", Host: "node2.example", HTTPPort: 9764, HTTPSPort: 9444},
		Member{ID: "z", Host: "node3.example", HTTPPort: 9764, HTTPSPort: 9444},
	)
	var got []byte
	for _, host := range homes(t, p, 24) {
		got = append(got, host[4])
	}
	if want := "313113233311331321233123"; string(got) != want {
		t.Errorf("keys 0 to 23 are at %s, want %s", got, want)
	}
}

// A member that was restarted has another id and the same keys.
func TestHash_ARestartMovesNothing(t *testing.T) {
	t.Parallel()
	members := []Member{{ID: "1"}, {ID: "2"}, {ID: "3"}}
	for i := range members {
		members[i].Host, members[i].HTTPPort = "10.2.0."+strconv.Itoa(i), 80
	}
	before := homes(t, byKey(members...), 1000)
	members[1].ID = "0" // the order of members is by id
	for i, host := range homes(t, byKey(members...), 1000) {
		if host != before[i] {
			t.Fatalf("key %d moved from %s to %s", i, before[i], host)
		}
	}
}

// The keys of a member that is out are spread over all others, and come back with it.
func TestHash_EjectedMember(t *testing.T) {
	t.Parallel()
	p := byKey(alike(5)...)
	before := homes(t, p, 5000)
	gone := p.active[2]
	out(gone, 1)
	got := map[string]int{}
	for i, host := range homes(t, p, 5000) {
		if before[i] != gone.Member.Host && host != before[i] {
			t.Fatalf("key %d moved from %s", i, before[i])
		}
		if before[i] == gone.Member.Host {
			got[host]++
		}
	}
	for _, target := range p.active {
		if n := got[target.Member.Host]; target != gone && n < 200 {
			t.Errorf("%d of about 250 keys went to %s", n, target.Member.Host)
		}
	}
	gone.health.until.Store(0)
	for i, host := range homes(t, p, 5000) {
		if host != before[i] {
			t.Fatalf("key %d did not come back", i)
		}
	}
}

// While a member's share grows, keys move to it and nowhere else.
func TestHash_SlowStartTakesOnlyToItself(t *testing.T) {
	t.Parallel()
	start := time.Now()
	members := alike(4)
	members[3].StartedAt = start
	p := balancing(BalancerSpec{Policy: PolicyHash, Key: HashKey{kind: keyPath}, SlowStart: time.Minute}, members...)
	young := p.active[3]
	var last []*Target
	for _, after := range []time.Duration{0, 15 * time.Second, 30 * time.Second, time.Minute} {
		var now []*Target
		taken := 0.0
		for i := range 4000 {
			target := p.pick(&Selection{now: start.Add(after).UnixNano(), keyed: true, key: mix(uint64(i))})
			now = append(now, target)
			if last != nil && target != last[i] && target != young {
				t.Fatalf("after %v key %d moved to %s", after, i, target.Member.ID)
			}
			if target == young {
				taken++
			}
		}
		part := max(0.1, min(1, after.Minutes()))
		if want := part / (3 + part) * 4000; math.Abs(taken-want) > 0.1*4000 {
			t.Errorf("after %v it has %.0f keys, want %.0f", after, taken, want)
		}
		last = now
	}
}

// However many requests have the same key, no member has much more than its share in flight.
func TestHash_BoundedLoad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound   float64
		weights []int
		out     int // so many are out
	}{
		{1.25, []int{1, 1, 1, 1, 1}, 0},
		{1.25, []int{1, 1, 1, 1, 1}, 2},
		{2, []int{1, 1, 1, 1}, 0},
		{1.25, []int{1, 3, 6}, 0},
		{math.Inf(1), []int{1, 1, 1}, 0},
	} {
		p := balancing(BalancerSpec{Policy: PolicyHash, Key: HashKey{kind: keyPath}, LoadBound: c.bound}, weighted(c.weights...)...)
		sum := 0
		for i, target := range p.active {
			if i < c.out {
				out(target, 1)
			} else {
				sum += target.weight
			}
		}
		for n := 1; n <= 400; n++ {
			target := p.pick(&Selection{now: 1, keyed: true, key: 7})
			target.load.begin(0)
			most := max(boundLeast, math.Ceil(c.bound*float64(n)*float64(target.weight)/float64(sum)))
			if running := target.load.inFlight.Load(); float64(running) > most {
				t.Fatalf("%+v: %d of %d in flight on %s, at most %v", c, running, n, target.Member.ID, most)
			}
		}
		home := p.pick(&Selection{now: 1, keyed: true, key: 7})
		for _, target := range p.active {
			target.load.inFlight.Store(0)
		}
		if again := p.pick(&Selection{now: 1, keyed: true, key: 7}); math.IsInf(c.bound, 1) && again != home {
			t.Errorf("%+v: the key left its member", c)
		}
	}
}

// A few requests at once stay together, however few the pool has.
func TestHash_AFewRequestsStayTogether(t *testing.T) {
	t.Parallel()
	p := byKey(alike(10)...)
	home := p.pick(&Selection{now: 1, keyed: true, key: 7})
	for range boundLeast {
		if target := p.pick(&Selection{now: 1, keyed: true, key: 7}); target != home {
			t.Fatalf("%d in flight: another member", home.load.inFlight.Load())
		}
		home.load.begin(0)
	}
}

func TestParseHashKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]HashKey{
		"header X-User":    {keyHeader, "X-User"},
		" cookie  SESSION": {keyCookie, "SESSION"},
		"path":             {keyPath, ""},
		"client":           {keyClient, ""},
	} {
		if got, err := ParseHashKey(in); err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "header", "cookie", "path x", "header a b", "body", "header a:b", "cookie a=b", "header ä", "Path"} {
		if got, err := ParseHashKey(in); err == nil {
			t.Errorf("%q gives %+v", in, got)
		}
	}
}

// exchangeFor is an exchange with this request head.
func exchangeFor(t testing.TB, head string) *exchange {
	t.Helper()
	x := newExchange()
	if _, err := x.req.Parse([]byte(head)); err != nil {
		t.Fatal(err)
	}
	x.asked = netip.MustParseAddr("192.0.2.7")
	return x
}

func TestPool_RequestKey(t *testing.T) {
	t.Parallel()
	const head = "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nx-user: one\r\nX-User: two\r\nX-Empty:\r\nCookie: a=b; SESSION=s=1 ;c\r\ncookie: late=x; SESSION=2\r\n\r\n"
	x := exchangeFor(t, head)
	for key, want := range map[string]string{
		"header X-User":  "one",
		"header x-USER":  "one",
		"header Host":    "h",
		"header X-None":  "",
		"header X-Empty": "",
		"cookie SESSION": "s=1",
		"cookie session": "",
		"cookie a":       "b",
		"cookie late":    "x",
		"cookie c":       "",
		"cookie b":       "",
		"path":           "/a/b",
	} {
		parsed, err := ParseHashKey(key)
		if err != nil {
			t.Fatal(err)
		}
		p := &Pool{spec: BalancerSpec{Policy: PolicyHash, Key: parsed}}
		got, ok := p.requestKey(x)
		if ok != (want != "") || ok && got != hashBytes(want) {
			t.Errorf("%s: %x, %t, want that of %q", key, got, ok, want)
		}
	}
	p := &Pool{spec: BalancerSpec{Policy: PolicyHash, Key: HashKey{kind: keyClient}}}
	first, ok := p.requestKey(x)
	x.asked = netip.MustParseAddr("192.0.2.8")
	second, _ := p.requestKey(x)
	x.asked = netip.MustParseAddr("::ffff:192.0.2.7")
	third, _ := p.requestKey(x)
	if !ok || first == second || first != third {
		t.Errorf("clients: %x, %x, %x", first, second, third)
	}
	if _, ok := (&Pool{}).requestKey(x); ok {
		t.Error("round robin needs no key")
	}
}

// FuzzCookie: no cookie field breaks it, and what net/http finds it finds.
func FuzzCookie(f *testing.F) {
	for _, seed := range []string{"SESSION=1", "a=b; SESSION=2;", ";;SESSION=;=", "SESSION", " SESSION =1;\tSESSION=2", "xSESSION=1; SESSION=\"q\"", "SESSION=a=b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		var r h1.Request
		head := append([]byte("GET / HTTP/1.1\r\nHost: h\r\nCookie: "), field...)
		if n, err := r.Parse(append(head, "\r\n\r\n"...)); err != nil || n == 0 {
			return
		}
		got := cookie(&r, "SESSION")
		if got != nil && !bytes.Contains(field, append([]byte("="), got...)) {
			t.Errorf("%q gives %q", field, got)
		}
		cookies, err := http.ParseCookie(string(r.First(h1.Cookie)))
		if err != nil {
			return // it holds what net/http takes for no cookie
		}
		for _, c := range cookies {
			if c.Name == "SESSION" && !c.Quoted {
				if string(got) != c.Value {
					t.Errorf("%q gives %q, net/http finds %q", field, got, c.Value)
				}
				return
			}
			if c.Name == "SESSION" {
				return
			}
		}
	})
}

// A request with a key goes to the same member every time, one without takes turns.
func TestProxy_Hash(t *testing.T) {
	b := newBench(t, func(c *Config) {
		key, err := ParseHashKey("header X-User")
		if err != nil {
			t.Fatal(err)
		}
		specs := []PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Balancer: BalancerSpec{Policy: PolicyHash, Key: key}}}
		if c.Routes, err = NewRoutes(specs); err != nil {
			t.Fatal(err)
		}
	})
	b.routes = b.proxy.table.Load().routes
	b.discovery = NewDiscovery(b.proxy, b.routes, b.proxy.log)
	b.members(goodMember(t, "a"), goodMember(t, "b"), goodMember(t, "c"))
	seen := map[string]bool{}
	for user := range 20 {
		_, first := b.get("/", "X-User", strconv.Itoa(user))
		for range 3 {
			if _, again := b.get("/", "X-User", strconv.Itoa(user)); again != first {
				t.Errorf("user %d went to %q and %q", user, first, again)
			}
		}
		seen[first] = true
	}
	if len(seen) < 2 {
		t.Errorf("all users are at %v", seen)
	}
	clear(seen)
	for range 3 {
		_, text := b.get("/")
		seen[text] = true
	}
	if len(seen) != 3 {
		t.Errorf("without a key: %v", seen)
	}
}
