package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestDrain_FromTheConsole drains a node by the console of another one, while requests run through the load balancer: the drained node finishes what it has,
// gets nothing new, sends away who watches, and works again when it was put back. Nobody notices.
func TestDrain_FromTheConsole(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	elb, drained := c.ThroughELB(), c.Nodes[1]
	const path = "/_system/governance/drain/doc.txt"
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
	uploads := startUploads(t, c, 6)
	e2e.Await(t, time.Minute, "an upload at each node", func() error {
		for _, n := range c.Nodes {
			if running := e2e.SumMetric(t, e2e.Scrape(t, n.AdminPort), "registry_http_requests_in_flight"); running < 1 {
				return fmt.Errorf("%v requests at %s", running, n.Name)
			}
		}
		return nil
	})
	watchers := startWatchers(t, elb, 9)

	orderMember(t, c, drained.Name, "drain")
	awaitState(t, c, drained.Name, "draining")
	before := doorRequests(t, drained)
	awaitCount(t, load, "get", 500)
	if now := doorRequests(t, drained); now > before+loadClients { // what was under way when the load balancer heard of it
		t.Errorf("the drained node answered %v requests", now-before)
	}
	before = doorRequests(t, drained)
	awaitCount(t, load, "get", 500)
	if now := doorRequests(t, drained); now != before {
		t.Errorf("the drained node got %v new requests", now-before)
	}
	uploads.finish(t)
	if _, err := elb.Put(t.Context(), "/_system/governance/drain/last.txt", body); err != nil {
		t.Fatal(err)
	}
	if n := watchers.await(t); n <= 9 {
		t.Errorf("the watchers had %d connections: the drained node sent nobody away", n)
	}

	orderMember(t, c, drained.Name, "undrain")
	c.AwaitActive(3)
	e2e.Await(t, time.Minute, "the node works again", func() error {
		if n := doorRequests(t, drained); n < before+100 {
			return fmt.Errorf("%v requests since it was put back", n-before)
		}
		return nil
	})
	if tally := load.Stop(); tally.Failed() > 0 {
		t.Errorf("requests failed: %v", tally)
	} else {
		t.Log(tally)
	}
}

// awaitState waits until the load balancer knows that a member is in a state.
func awaitState(t *testing.T, c *e2e.Cluster, name, state string) {
	t.Helper()
	e2e.Await(t, time.Minute, name+" is "+state, func() error {
		members, err := c.Members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Name == name && m.State == state {
				return nil
			}
		}
		return fmt.Errorf("the members are %+v", members)
	})
}

// orderMember sends the form of the cluster page to the first node.
func orderMember(t *testing.T, c *e2e.Cluster, name, do string) {
	t.Helper()
	members, err := c.Members()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Name != name {
			continue
		}
		form := url.Values{"member": {m.ID}, "do": {do}}.Encode()
		a, err := c.Direct(0).Do(t.Context(), http.MethodPost, "/console/drain", []byte(form), "Content-Type", "application/x-www-form-urlencoded")
		if err != nil || a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/console/cluster?note="+do+"ed" {
			t.Fatalf("%s %s: %d %v %s", do, name, a.Status, err, a.Body)
		}
		return
	}
	t.Fatalf("no member is called %s: %+v", name, members)
}

// uploads are requests through the load balancer whose bodies have begun and not ended.
type uploads struct {
	ends    []*io.PipeWriter
	running sync.WaitGroup
	failed  chan error
}

func startUploads(t *testing.T, c *e2e.Cluster, n int) *uploads {
	t.Helper()
	u := &uploads{failed: make(chan error, n)}
	client := &http.Client{Timeout: loadLimit}
	for i := range n {
		r, w := io.Pipe()
		u.ends = append(u.ends, w)
		address := fmt.Sprintf("http://127.0.0.1:%d/api/v1/content/_system/governance/drain/upload-%d.txt", c.ELB.HTTPPort, i)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, r)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "governance.localhost"
		req.SetBasicAuth("admin", e2e.AdminPassword)
		u.running.Go(func() {
			res, err := client.Do(req)
			if err == nil {
				_ = res.Body.Close()
				if res.StatusCode != http.StatusCreated {
					err = fmt.Errorf("status %d", res.StatusCode)
				}
			}
			if err != nil {
				u.failed <- err
			}
		})
		if _, err := w.Write([]byte("first piece\n")); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func (u *uploads) finish(t *testing.T) {
	t.Helper()
	for _, w := range u.ends {
		_ = w.Close() // the request tells what goes wrong
	}
	u.running.Wait()
	close(u.failed)
	for err := range u.failed {
		t.Errorf("an upload that ran while its node was drained: %v", err)
	}
}

// watchers follow a collection through the load balancer until last.txt.
type watchers struct {
	all     []*e2e.Watcher
	running sync.WaitGroup
	failed  chan error
}

func startWatchers(t *testing.T, elb *e2e.Client, n int) *watchers {
	t.Helper()
	w := &watchers{failed: make(chan error, n)}
	first, err := elb.Put(t.Context(), "/_system/governance/drain/first.txt", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{}, n)
	for range n {
		one := elb.Watch("/_system/governance/drain", first.Header.Get("Registry-Seq"))
		w.all = append(w.all, one)
		w.running.Go(func() {
			heard := false
			err := one.Follow(t.Context(), func(e e2e.WatchedEvent) bool {
				if !heard {
					heard = true
					begun <- struct{}{}
				}
				return e.Path != "/_system/governance/drain/last.txt"
			})
			if err != nil {
				w.failed <- err
			}
		})
	}
	if _, err := elb.Put(t.Context(), "/_system/governance/drain/second.txt", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range n {
		<-begun
	}
	return w
}

// await waits until all have heard of the last change, and tells how many connections they had.
func (w *watchers) await(t *testing.T) int {
	t.Helper()
	w.running.Wait()
	close(w.failed)
	for err := range w.failed {
		t.Errorf("a watcher: %v", err)
	}
	connections := 0
	for _, one := range w.all {
		connections += one.Connections
	}
	return connections
}
