package lb

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
)

func BenchmarkLookup(b *testing.B) {
	t := NewTable(testRoutes(b, map[string][]string{testDomain: {"app.example", "*.wild.example"}}), nil)
	b.ReportAllocs()
	for b.Loop() {
		if pool, ok := t.Lookup("a.b.app.example:8280"); pool == nil || !ok {
			b.Fatal("not found")
		}
	}
}

// What choosing costs, by policy and size of the pool; with load, all members have requests running and a known latency.
func BenchmarkPick(b *testing.B) {
	for _, policy := range Policies() {
		for _, n := range []int{3, 50, 1000} {
			for _, state := range []string{"idle", "load", "weights", "third_out"} {
				b.Run(fmt.Sprintf("%s/%d/%s", policy, n, state), func(b *testing.B) {
					benchmarkPick(b, policy, n, state)
				})
			}
		}
	}
}

func benchmarkPick(b *testing.B, policy Policy, n int, state string) {
	b.Helper()
	members := alike(n)
	if state == "weights" {
		for i := range members {
			members[i].Weight = 1 + i%7
		}
	}
	p := balancing(BalancerSpec{Policy: policy, Key: HashKey{kind: keyPath}}, members...)
	now := time.Now().UnixNano()
	for i, t := range p.active {
		if state == "load" {
			t.load.inFlight.Store(int64(10 + i%5))
			t.load.note(time.Duration(1+i%3)*time.Millisecond, now)
		}
		if state == "third_out" && i%3 == 0 {
			out(t, now)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		s := Selection{now: now, keyed: true}
		for pb.Next() {
			s.key = mix(s.key + 1)
			if p.pick(&s) == nil {
				b.Error("nobody")
			}
		}
	})
}

// cannedMember answers whatever comes in one piece with the same bytes.
func cannedMember(tb testing.TB, answer string) string {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in, out := make([]byte, 2048), []byte(answer)
				for {
					if _, err := conn.Read(in); err != nil {
						return
					}
					if _, err := conn.Write(out); err != nil {
						return
					}
				}
			}()
		}
	}()
	tb.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// proxiedGets gives a function that sends a GET of 1 KiB through a proxy with everything switched on, over one kept-alive connection.
func proxiedGets(tb testing.TB) func() {
	tb.Helper()
	static, err := ParseStatic("http://" + cannedMember(tb, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"+strings.Repeat("x", 1024)))
	if err != nil {
		tb.Fatal(err)
	}
	routes, err := NewRoutes([]PoolSpec{{
		Service: "s", Domain: testDomain, Tenants: everybody(tb), Hosts: []string{"app.example"}, Static: []Member{static},
		Limits: LimitSpec{MaxInFlight: 10, QueueLength: 10, QueueTime: time.Second},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	access, err := accesslog.New(io.Discard, accesslog.JSON, accesslog.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = access.Close(context.Background()) })
	p, err := New(Config{Routes: routes, AccessLog: access, MaxInFlight: 100, Trace: TraceSpec{Start: true}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	front := serveProxy(tb, p, ServerConfig{})
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", front.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	request := []byte("GET /a/path?with=query HTTP/1.1\r\nHost: app.example\r\nUser-Agent: test\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	answer := make([]byte, 4096)
	whole := 0
	return func() {
		if _, err := conn.Write(request); err != nil {
			tb.Fatal(err)
		}
		for got := 0; got < max(whole, 1024); {
			n, err := conn.Read(answer[got:])
			if err != nil {
				tb.Fatal(err)
			}
			got += n
			if whole == 0 {
				end := bytes.Index(answer[:got], []byte("\r\n\r\n"))
				whole = end + 4 + 1024
			}
		}
	}
}

// A proxied keep-alive GET: client, proxy and member are in this process, so that B/op and allocs/op are those of all three.
func BenchmarkProxiedGet(b *testing.B) {
	get := proxiedGets(b)
	for range 100 {
		get()
	}
	b.ReportAllocs()
	for b.Loop() {
		get()
	}
}
