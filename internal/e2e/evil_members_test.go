package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// evilTimeouts are the load balancer's in these suites: short, and long enough for a busy machine with the race detector on.
const evilTimeouts = "timeouts: {read_header: 2s, idle: 3s, body: 2s, write: 2s, connect: 2s, response_header: 2s, stream: 2s, member_idle: 2s, upgrade_idle: 2s}\n"

// atOnce is how many behaviours are tried at the same time. The slow ones only wait, and do not count.
const atOnce = 10

// TestELB_EvilMembers lets members do everything that a broken, overloaded or hostile server can do, and looks at three kinds of clients: those of a
// pool with the evil member alone, who get an honest error or a valid answer; those of a pool that also has a good member, who should notice
// nothing; and those of another pool, who must notice nothing. In the end nothing of it may be left in the load balancer.
func TestELB_EvilMembers(t *testing.T) {
	slow(t)
	good := startGoodMember(t)
	services := []loneService{{"good.test", []string{good}}}
	trials := make([]*trial, 0, 160)
	for i, b := range evilBehaviours() {
		m := startEvilMember(t, b)
		trials = append(trials, &trial{evilMember: m, number: i})
		services = append(services, loneService{fmt.Sprintf("solo%d.test", i), []string{m.addr}}, loneService{fmt.Sprintf("mixed%d.test", i), []string{m.addr, good}})
	}
	// Without checks, so that a member is known by its answers alone, and none of hundreds is left out before it was asked.
	elb := startLoneELB(t, evilTimeouts+"health: {interval: 0s}\n", services)
	http2 := newHTTP2Front(elb)
	bystanders := startBystanders(t, elb)

	var all sync.WaitGroup
	queue := make(chan *trial, len(trials))
	for _, x := range trials {
		if x.slow() {
			all.Go(func() { x.run(t.Context(), elb, http2) })
		} else {
			queue <- x
		}
	}
	close(queue)
	for range atOnce {
		all.Go(func() {
			for x := range queue {
				x.run(t.Context(), elb, http2)
			}
		})
	}
	all.Wait()
	for _, x := range trials {
		t.Run(x.name, func(t *testing.T) {
			for _, f := range slices.Concat(x.failed, x.found()) {
				t.Error(f)
			}
		})
	}
	bystanders.check(t)
	http2.close()
	elb.checkBase(30 * time.Second)
}

// trial is one behaviour under test. run fills in what it finds, from one goroutine.
type trial struct {
	*evilMember
	number int
	failed []string
	tokens int
}

func (x *trial) failf(format string, args ...any) {
	x.failed = append(x.failed, fmt.Sprintf(format, args...))
}

func (x *trial) run(ctx context.Context, elb *loneELB, http2 front) {
	x.solo(ctx, "HTTP/2", http2)
	plain := &rawFront{dial: elb.dial, version: "1.1"}
	defer plain.close()
	x.solo(ctx, "HTTP/1.1", plain)
	x.mixedPool(ctx, plain)
	old := &rawFront{dial: elb.dial, version: "1.0"}
	defer old.close()
	x.solo(ctx, "HTTP/1.0", old)
	if e2e.Full() || x.number%4 == 0 { // handshakes are most of the work
		secure := &rawFront{dial: func() (net.Conn, error) { return elb.dialTLS("http/1.1") }, version: "1.1"}
		defer secure.close()
		x.solo(ctx, "TLS", secure)
	}
}

// question makes a request with a token of its own.
func (x *trial) question(pool string) (q question, token string) {
	x.tokens++
	token = fmt.Sprintf("%d-%d", x.number, x.tokens)
	q = question{method: "GET", host: fmt.Sprintf("%s%d.test", pool, x.number), path: "/" + pool + "/" + token}
	if x.ask != nil {
		x.ask(&q)
	}
	return q, token
}

// solo asks the pool with the evil member alone, twice, since what one request left may hit the next; then the good pool, on the same connection.
func (x *trial) solo(ctx context.Context, name string, f front) {
	times := 2
	if x.slow() {
		times = 1
	}
	for n := range times {
		q, token := x.question("solo")
		began := time.Now()
		r := f.ask(ctx, q)
		if saw := x.judge(r, q, token); !allowed(saw, x.sees) {
			x.failf("%s, request %d, %s (%v): the client sees %s; it may see %s: %.200q", name, n+1, token, time.Since(began).Round(time.Millisecond), saw, x.sees, r.body)
		}
		if err := x.awaitCalm(); err != nil {
			x.failf("%s, after request %d: %v", name, n+1, err)
			return
		}
	}
	x.tokens++
	token := fmt.Sprintf("%d-%d", x.number, x.tokens)
	if err := expectGood(f.ask(ctx, question{method: "GET", host: "good.test", path: "/after/" + token}), token); err != nil {
		x.failf("%s: the next request on the client's connection, to a good member: %v", name, err)
	}
}

// mixedPool asks the pool with the evil and the good member.
func (x *trial) mixedPool(ctx context.Context, f front) {
	times := 4
	may := "good|" + x.sees
	switch {
	case x.retryable():
		may = "good"
	case x.slow():
		times = 2
	}
	before, goods := x.accepted.Load(), 0
	for n := range times {
		q, token := x.question("mixed")
		r := f.ask(ctx, q)
		saw := x.judge(r, q, token)
		if !allowed(saw, may) && (saw != "200" || q.method != "HEAD") {
			x.failf("with a good second member, request %d, %s: the client sees %s; it may see %s: %.200q", n+1, token, saw, may, r.body)
		}
		if saw == "good" {
			goods++
		}
		if err := x.awaitCalm(); err != nil {
			x.failf("with a good second member, after request %d: %v", n+1, err)
			return
		}
	}
	if goods == 0 && x.wants == nil {
		x.failf("with a good second member: none of %d requests reached it", times)
	}
	if x.mixed.Load() == 0 && x.accepted.Load() == before && !x.deaf && !x.gone {
		x.failf("with a good second member: the evil one was never asked, so this shows nothing")
	}
}

func expectGood(r reply, token string) error {
	if r.err != nil || r.status != 200 || string(r.body) != goodBody(token) {
		return errors.Join(fmt.Errorf("%s, body %.80q, want %q", r.verdict(), r.body, goodBody(token)), r.err)
	}
	return nil
}

// bystanders are clients of the good pool, who must notice nothing.
type bystanders struct {
	*e2e.Load
	late atomic.Int64 // answers that took noticeably long
}

// A delay is noticeable when it is near the deadlines that the evil run into. Two busy cores alone cost one now and then.
const (
	noticeable = 1500 * time.Millisecond
	mayBeLate  = 5
)

func startBystanders(t *testing.T, elb *loneELB) *bystanders {
	t.Helper()
	const clients = 2
	fronts := [clients]front{&rawFront{dial: elb.dial, version: "1.1"}, newHTTP2Front(elb)}
	var n atomic.Int64
	b := &bystanders{}
	b.Load = e2e.StartLoad(t, clients, 20*time.Millisecond, 5*time.Minute, func(ctx context.Context, tally *e2e.Tally, client int) {
		token := fmt.Sprintf("bystander-%d", n.Add(1))
		began := time.Now()
		tally.Timed(ctx, "good", func(ctx context.Context) error {
			return expectGood(fronts[client].ask(ctx, question{method: "GET", host: "good.test", path: "/" + token}), token)
		})
		if time.Since(began) > noticeable {
			b.late.Add(1)
		}
	})
	t.Cleanup(func() {
		b.Stop()
		for _, f := range fronts {
			f.close()
		}
	})
	return b
}

// check ends the load; nobody may have noticed anything.
func (b *bystanders) check(t *testing.T) {
	t.Helper()
	tally := b.Stop()
	t.Logf("bystanders: %s", tally)
	switch {
	case tally.Failed() > 0:
		t.Error("bystanders noticed")
	case tally.Count("good") == 0:
		t.Error("no bystander asked anything")
	case b.late.Load() > mayBeLate:
		t.Errorf("bystanders had to wait for more than %v %d times", noticeable, b.late.Load())
	}
}
