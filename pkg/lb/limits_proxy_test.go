package lb

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// limitedBench is a bench whose pool has limits.
func limitedBench(t *testing.T, limits LimitSpec, change func(*Config)) *bench {
	t.Helper()
	return newBench(t, func(c *Config) {
		var err error
		if c.Routes, err = NewRoutes([]PoolSpec{{Service: "s", Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Limits: limits}}); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(c)
		}
	})
}

// crowded is a member that counts how many requests it has at once, and holds each until it may go on.
type crowded struct {
	now, most atomic.Int64
	goOn      chan struct{}
}

func (c *crowded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	select {
	case <-c.goOn:
	case <-r.Context().Done(): // the test has failed
	}
	_, _ = io.WriteString(w, "fine")
}

func TestProxy_LimitsWithAQueue(t *testing.T) {
	b := limitedBench(t, LimitSpec{MaxInFlight: 3, QueueLength: 100, QueueTime: 10 * time.Second}, nil)
	members := [2]*crowded{{goOn: make(chan struct{})}, {goOn: make(chan struct{})}}
	b.members(member(t, members[0].ServeHTTP), member(t, members[1].ServeHTTP))
	const requests = 40
	var good atomic.Int64
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			if res, text, err := b.do("GET", "/", nil); err == nil && res.StatusCode == 200 && text == "fine" {
				good.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return value(t, b.metrics, "elb_queue_length") == requests-6 })
	waitFor(t, func() bool { return members[0].now.Load() == 3 && members[1].now.Load() == 3 })
	for _, m := range b.discovery.Members() {
		if !m.AtLimit() || m.InFlight != 3 {
			t.Errorf("%s: %d of %d in flight", m.ID, m.InFlight, m.MaxInFlight)
		}
	}
	if p := b.discovery.Overview().Pools[0]; p.Waiting != requests-6 || p.Queue != 100 {
		t.Errorf("the overview says %d of %d", p.Waiting, p.Queue)
	}
	for _, m := range members {
		close(m.goOn)
	}
	wg.Wait()
	if good.Load() != requests || members[0].most.Load() != 3 || members[1].most.Load() != 3 {
		t.Errorf("%d of %d answered; at most %d and %d at once", good.Load(), requests, members[0].most.Load(), members[1].most.Load())
	}
	for name, want := range map[string]float64{"elb_shed_total": 0, "elb_limit_hits_total": requests - 6, "elb_queue_length": 0} {
		if got := value(t, b.metrics, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	waitFor(t, func() bool { return strings.Count(b.log.String(), " queue=") == requests-6 })
}

func TestProxy_LimitsWithoutAQueue(t *testing.T) {
	b := limitedBench(t, LimitSpec{MaxInFlight: 1}, nil)
	busy := &crowded{goOn: make(chan struct{})}
	b.members(member(t, busy.ServeHTTP))
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = b.do("GET", "/", nil) })
	waitFor(t, func() bool { return busy.now.Load() == 1 })
	res, text := b.get("/", "Accept", "application/json")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" || !strings.Contains(text, "as many requests as they may") {
		t.Errorf("got %d %v %q", res.StatusCode, res.Header, text)
	}
	close(busy.goOn)
	wg.Wait()
	waitFor(t, func() bool { return b.targetOf("m0").load.inFlight.Load() == 0 }) // the answer is out before its place is free
	if res, _ = b.get("/"); res.StatusCode != 200 {
		t.Errorf("there is room, and the answer is %d", res.StatusCode)
	}
	waitFor(t, func() bool { return value(t, b.metrics, "elb_shed_total") == 1 })
	waitFor(t, func() bool {
		return strings.Contains(b.log.String(), " status=503 ") && strings.Contains(b.log.String(), " shed=queue_full")
	})
}

func TestProxy_LimitOfTheWhole(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxInFlight = 2 })
	busy := &crowded{goOn: make(chan struct{})}
	b.members(member(t, busy.ServeHTTP))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _, _ = b.do("GET", "/", nil) })
	}
	waitFor(t, func() bool { return busy.now.Load() == 2 })
	res, text, err := b.do("POST", "/", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" {
		t.Errorf("got %v %q, %v", res, text, err)
	}
	b.proxy.Set(Settings{MaxInFlight: 3, AccessLog: b.proxy.settings.Load().AccessLog})
	wg.Go(func() { _, _, _ = b.do("GET", "/", nil) })
	waitFor(t, func() bool { return busy.now.Load() == 3 })
	close(busy.goOn)
	wg.Wait()
	waitFor(t, func() bool { return strings.Contains(b.log.String(), " shed=max_in_flight") })
	if n := value(t, b.metrics, "elb_shed_total"); n != 1 {
		t.Errorf("%v shed", n)
	}
	waitFor(t, func() bool { return value(t, b.metrics, "elb_requests_in_flight") == 0 })
}

// A request that failed at one member may find the others full: it is told so, and what became of it.
func TestProxy_NoRoomForARetry(t *testing.T) {
	b := limitedBench(t, LimitSpec{MaxInFlight: 1}, nil)
	busy := &crowded{goOn: make(chan struct{})}
	b.members(member(t, busy.ServeHTTP), refusedAddr(t))
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = b.do("GET", "/", nil) })
	waitFor(t, func() bool { return busy.now.Load() == 1 })
	res, text := b.get("/")
	close(busy.goOn)
	wg.Wait()
	if res.StatusCode != 502 || !strings.Contains(text, "Nothing of the request was carried out") {
		t.Errorf("got %d %q", res.StatusCode, text)
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "no_retry=\""+stopNoRoom) })
}

// What is refused costs an HTTP/2 connection nothing: neither the connection nor its windows, whatever comes of the bodies.
func TestH2_RefusedForWantOfRoom(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"the whole": func(c *Config) { c.MaxInFlight = 1 },
		"a member": func(c *Config) {
			var err error
			if c.Routes, err = NewRoutes([]PoolSpec{{Domain: testDomain, Tenants: everybody(t), Hosts: []string{"app.example"}, Limits: LimitSpec{MaxInFlight: 1}}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, change)
			busy := &crowded{goOn: make(chan struct{})}
			b.members(member(t, busy.ServeHTTP))
			front, client := secureFront(t, b)
			ask := func(body int) (*http.Response, error) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+"/", strings.NewReader(strings.Repeat("x", body)))
				if err != nil {
					return nil, err
				}
				req.Host = "app.example"
				res, err := client.Do(req)
				if err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				return res, err
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				if res, err := ask(0); err != nil || res.StatusCode != 200 {
					t.Errorf("the request that there was room for: %v, %v", res, err)
				}
			})
			waitFor(t, func() bool { return busy.now.Load() == 1 })
			for range 100 {
				if res, err := ask(200_000); err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") != "1" || res.ProtoMajor != 2 {
					t.Fatalf("%v, %v", res, err)
				}
			}
			close(busy.goOn)
			wg.Wait()
			waitFor(t, func() bool { return b.proxy.running.Load() == 0 })
			if res, err := ask(200_000); err != nil || res.StatusCode != 200 {
				t.Errorf("afterwards: %v, %v", res, err)
			}
		})
	}
}
