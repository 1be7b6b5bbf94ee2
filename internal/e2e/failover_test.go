package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

const (
	loadClients = 8
	loadPause   = 10 * time.Millisecond // so at most 800 requests a second
	loadLimit   = 3 * time.Minute
)

func TestNode_KilledUnderReadsIsNotNoticed(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	elb := c.ThroughELB()
	const path = "/_system/governance/doc.txt"
	body := bytes.Repeat([]byte("read me "), 512)
	if _, err := elb.Put(t.Context(), path, body); err != nil {
		t.Fatal(err)
	}
	load := e2e.StartLoad(t, loadClients, loadPause, loadLimit, func(ctx context.Context, tally *e2e.Tally, _ int) {
		tally.Timed(ctx, "get", func(ctx context.Context) error {
			a, err := elb.Get(ctx, path)
			if err == nil && !bytes.Equal(a.Body, body) {
				err = fmt.Errorf("%d bytes, want %d", len(a.Body), len(body))
			}
			return err
		})
	})
	awaitCount(t, load, "get", 200)
	for range e2e.Scale(3, 1) {
		c.Nodes[1].Kill()
		awaitCount(t, load, "get", 500)
		c.AwaitActive(2) // the load goes on while gossip finds out
		awaitCount(t, load, "get", 200)

		if doorRequests(t, c.Nodes[0]) == 0 || doorRequests(t, c.Nodes[2]) == 0 {
			t.Error("another node got no request, so this test proves nothing")
		}
		c.Nodes[1].Start()
		c.AwaitReady()
		e2e.Await(t, time.Minute, "the restarted node serves again", func() error {
			if n := doorRequests(t, c.Nodes[1]); n < 50 {
				return fmt.Errorf("%v requests so far", n)
			}
			return nil
		})
	}
	if tally := load.Stop(); tally.Failed() > 0 {
		t.Errorf("requests failed: %v", tally)
	} else {
		t.Log(tally)
	}
}

// TestNode_FrozenIsLeftOutAndComesBack stops a node where it is: it refuses nothing and answers nothing. Once gossip has found out, no request
// goes there, and the others are as quick as before; thawed, the node is a member again.
func TestNode_FrozenIsLeftOutAndComesBack(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	elb := c.ThroughELB()
	const path = "/_system/governance/doc.txt"
	if _, err := elb.Put(t.Context(), path, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	c.Nodes[1].Freeze()
	c.AwaitActive(2)
	tally := e2e.NewTally()
	for range 100 {
		tally.Timed(t.Context(), "get", func(ctx context.Context) error {
			_, err := elb.Get(ctx, path)
			return err
		})
	}
	if tally.Failed() > 0 || tally.Slowest() > 5*time.Second {
		t.Errorf("with one node frozen: %v", tally)
	}
	c.Nodes[1].Thaw()
	c.AwaitReady()
	for range 30 {
		if a, err := elb.Get(t.Context(), path); err != nil || string(a.Body) != "still here" {
			t.Errorf("after the thaw: %v, %q", err, a.Body)
		}
	}
}

// doorRequests is how many requests a node has answered, but for health checks; 0 before its first.
func doorRequests(t *testing.T, n *e2e.Node) float64 {
	t.Helper()
	text := e2e.Scrape(t, n.AdminPort)
	if !bytes.Contains(text, []byte("\nregistry_http_requests_total")) {
		return 0
	}
	sum := 0.0
	for door, n := range e2e.MetricBy(t, text, "registry_http_requests_total", "door") {
		if door != "health" {
			sum += n
		}
	}
	return sum
}

// awaitCount waits until a load has done more operations than it had.
func awaitCount(t *testing.T, load *e2e.Load, kind string, more int) {
	t.Helper()
	want := load.Count(kind) + more
	e2e.Await(t, time.Minute, fmt.Sprintf("%d more of %s", more, kind), func() error {
		if n := load.Count(kind); n < want {
			return fmt.Errorf("%d of %d so far: %v", n, want, load.Tally)
		}
		return nil
	})
}

// notebook is what one client of the rolling restart has put and was told is stored.
type notebook struct {
	mu   sync.Mutex
	path string
	acks map[int64]string // version -> content
	last string
	n    int
}

// TestNodes_RollingRestartLosesNothing restarts all nodes, one after the other, while clients read and write through the load balancer.
func TestNodes_RollingRestartLosesNothing(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db, RealDrain: true})
		elb := c.ThroughELB()
		books := make([]*notebook, loadClients)
		for i := range books {
			books[i] = &notebook{path: fmt.Sprintf("/_system/governance/rolling/%d.txt", i), acks: map[int64]string{}}
		}
		load := e2e.StartLoad(t, loadClients, 2*loadPause, loadLimit, func(ctx context.Context, tally *e2e.Tally, i int) {
			books[i].step(ctx, tally, elb, i)
		})
		awaitCount(t, load, "put", 50)
		for _, n := range c.Nodes {
			n.Stop()
			awaitCount(t, load, "put", 20)
			n.Start()
			c.AwaitReady()
			awaitCount(t, load, "put", 20)
		}
		tally := load.Stop()
		if tally.Failed() > 0 {
			t.Errorf("requests failed: %v", tally)
		} else {
			t.Log(tally)
		}
		for _, b := range books {
			b.check(t, c)
		}
	})
}

// step puts the next content, or reads the last one back, which must be what was put.
func (b *notebook) step(ctx context.Context, tally *e2e.Tally, elb *e2e.Client, client int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n++; b.n%3 == 0 {
		tally.Timed(ctx, "get", func(ctx context.Context) error {
			a, err := elb.Get(ctx, b.path)
			if err == nil && string(a.Body) != b.last {
				err = fmt.Errorf("read %q after %q was put", a.Body, b.last)
			}
			return err
		})
		return
	}
	body := fmt.Sprintf("client %d, content %d", client, b.n)
	tally.Timed(ctx, "put", func(ctx context.Context) error {
		a, err := elb.Put(ctx, b.path, []byte(body))
		if err != nil {
			return err
		}
		if _, twice := b.acks[a.Version()]; twice || a.Version() == 0 {
			return fmt.Errorf("version %d was given twice, or none", a.Version())
		}
		b.acks[a.Version()], b.last = body, body
		return nil
	})
}

// check reads every acknowledged version back, from one node after the other.
func (b *notebook) check(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	clients := []*e2e.Client{c.Direct(0), c.Direct(1), c.Direct(2)}
	for version, body := range b.acks {
		a, err := clients[version%3].Get(t.Context(), fmt.Sprintf("%s?version=%d", b.path, version))
		if err != nil || string(a.Body) != body {
			t.Errorf("%s, version %d: %v, %q, want %q", b.path, version, err, a.Body, body)
		}
	}
	for n := range int64(len(b.acks)) {
		if b.acks[n+1] == "" {
			t.Errorf("%s: %d versions were acknowledged, but not version %d", b.path, len(b.acks), n+1)
		}
	}
}
