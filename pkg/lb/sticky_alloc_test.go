//go:build !race

package lb

import (
	"testing"
	"time"
)

// The race detector makes sync.Pool forget at random, so this is for builds without it; `make unit` runs it apart.
func TestSticky_AllocatesNothing(t *testing.T) {
	for name, spec := range map[string]AffinitySpec{
		"cookie":          {Mode: AffinityCookie},
		"cookie, timeout": {Mode: AffinityCookie, SessionTimeout: time.Hour},
		"application":     {Mode: AffinityApplication, SessionTimeout: time.Hour},
	} {
		request, p := stickyBench(t, spec)
		x, from := newExchange(), &client{scheme: schemeHTTP, major: 1}
		dst := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(1000, func() { dst = stickyRound(t, x, p, from, request, dst) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkSticky(b *testing.B) {
	for name, spec := range map[string]AffinitySpec{
		"none":    {},
		"cookie":  {Mode: AffinityCookie},
		"timeout": {Mode: AffinityCookie, SessionTimeout: time.Hour},
	} {
		b.Run(name, func(b *testing.B) {
			request, p := stickyBench(b, spec)
			x, from := newExchange(), &client{scheme: schemeHTTP, major: 1}
			dst := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				dst = stickyRound(b, x, p, from, request, dst)
			}
		})
	}
}

func stickyBench(tb testing.TB, spec AffinitySpec) (request []byte, p *Pool) {
	tb.Helper()
	p = stickyPool(tb, spec, [][]byte{secretA, secretB}, "d", "m1", "m2", "m3")
	cookie := "a=1; elb_route=x; JSESSIONID=abc"
	if spec.On() {
		token := p.tokenOf("m2", time.Now().Add(-time.Minute))
		cookie = "a=1; elb_route=" + token + "; JSESSIONID=abc." + token + "; b=2"
	}
	return []byte("GET / HTTP/1.1\r\nHost: app.example\r\nAccept: */*\r\nCookie: " + cookie + "\r\n\r\n"), p
}

// stickyRound is all that a request of a session costs in addition.
func stickyRound(tb testing.TB, x *exchange, p *Pool, from *client, request, dst []byte) []byte {
	tb.Helper()
	x.reset()
	if _, err := x.req.Parse(request); err != nil {
		tb.Fatal(err)
	}
	x.pool, x.from = p, from
	x.choice.now = time.Now().UnixNano()
	x.readSticky()
	x.target = x.pick()
	dst = x.appendCookie(dst[:0], 2)
	if x.issues() {
		tb.Fatal("a cookie is issued")
	}
	if p.affinity == nil {
		return dst
	}
	if result, _ := x.stickyResult(); result != stickyHit || idOf(x.target) != "m2" {
		tb.Fatalf("%s to %s", stickyLabels()[result], idOf(x.target))
	}
	_ = x.oursValue() // what a new one would cost
	return dst
}
