//go:build !race

package lb

import (
	"testing"
	"time"
)

// The race detector makes sync.Pool forget at random, so this is for builds without it; `make unit` runs it apart.
func TestProxiedGet_AllocatesNothing(t *testing.T) {
	get := proxiedGets(t)
	for range 500 {
		get()
	}
	if n := testing.AllocsPerRun(2000, get); n > 0 {
		t.Errorf("%v allocations for a request, in client, proxy and member together", n)
	}
}

// Nor does telling tenants apart, usual paths or not.
func TestScreenTenant_AllocatesNothing(t *testing.T) {
	few, err := ParseTenantRange("1-9")
	if err != nil {
		t.Fatal(err)
	}
	routes := newRoutes(t, []PoolSpec{{Domain: "few", Tenants: few, Hosts: []string{"h.example"}}, {Domain: "rest", Tenants: everybody(t), Hosts: []string{"h.example"}}})
	p := newProxy(t, Config{Routes: routes.WithTenants(tenantList{"a.com": 3})})
	for _, path := range []string{"/t/a.com/x?y", "/t/b.com/../A.com/%7ex;y"} {
		x := p.takeExchange()
		x.from = &client{scheme: schemeHTTP, major: 1}
		if _, err := x.req.Parse([]byte("GET " + path + " HTTP/1.1\r\nHost: h.example\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			if no := p.screen(x); no != nil || x.pool.Domain != "few" {
				t.Errorf("%s: %+v", path, no)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

// Choosing needs no memory, whatever the policy, the size of the pool and the state of its members.
func TestPick_AllocatesNothing(t *testing.T) {
	x := exchangeFor(t, "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-User: one\r\nCookie: a=b; SESSION=s\r\n\r\n")
	for _, policy := range Policies() {
		for _, key := range []HashKey{{keyHeader, "X-User"}, {keyCookie, "SESSION"}, {kind: keyPath}, {kind: keyClient}} {
			for _, n := range []int{1, 3, 200} {
				members := alike(n)
				for i := range members {
					members[i].Weight = 1 + i%3
					members[i].Zone = []string{"", "west", "east"}[i%3]
					members[i].StartedAt = time.Now().Add(-time.Duration(i%4) * 10 * time.Second)
				}
				p := balancing(BalancerSpec{Policy: policy, Key: key, SlowStart: time.Minute, Zone: "west"}, members...)
				if n > 1 {
					out(p.active[0], time.Now().UnixNano())
				}
				for _, target := range p.active {
					target.load.inFlight.Store(20)
				}
				s := &Selection{tried: p.active[n-1:]}
				if n := testing.AllocsPerRun(50, func() {
					s.now = time.Now().UnixNano()
					s.key, s.keyed = p.requestKey(x)
					if t := p.pick(s); t != nil {
						t.load.begin(0)
						t.load.note(time.Millisecond, s.now)
					}
				}); n != 0 {
					t.Errorf("%s by %v of %d: %v allocations", policy, key, len(members), n)
				}
			}
		}
	}
}

func TestTraffic_CountsWithoutMemory(t *testing.T) {
	m, x := newTraffic(time.Now()), afterAttempt(time.Millisecond, Result{Status: 200})
	if n := testing.AllocsPerRun(100, func() { m.count(x, x.started) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
