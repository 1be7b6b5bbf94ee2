package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestELB_IsolatedGoesOnServing cuts a load balancer off from all gossip, while HTTP stays open: it is given another gossip key than everybody else, so
// that what it sends and what it gets is refused. It goes on with the members that answer its checks, says that it is isolated, and is back by itself when
// the cut ends.
func TestELB_IsolatedGoesOnServing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes; not in -short")
	}
	cut := time.Duration(Scale(180, 20)) * time.Second
	line, key := gossipKey(t)
	otherLine, otherKey := gossipKey(t)
	c := startKeyedCluster(t, line)
	load := c.requests()
	c.awaitView("in sight of all", false, 3, 0)

	c.writeKeys(0, otherLine)
	c.awaitKeys(0, otherKey)
	began := time.Now()
	c.awaitView("isolated", true, 0, 3)
	t.Logf("isolated after %v", time.Since(began).Round(time.Millisecond))
	before := load.Count("GET")
	end := time.After(cut)
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for over := false; !over; {
		select {
		case <-end:
			over = true
		case <-look.C:
			if err := c.view(true, 0, 3); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			if err := expectStatus(t, c.ELB.AdminPort, "/readyz", 200); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := load.Count("GET") - before; n < 100 {
		t.Errorf("only %d requests while it was isolated", n)
	}
	a, err := NewClient(c.ELB.AdminPort).Do(t.Context(), "GET", "/", nil)
	if err != nil || !strings.Contains(string(a.Body), "<strong>Isolated:</strong>") {
		t.Errorf("the page does not say that it is isolated: %v", err)
	}

	c.writeKeys(0, line)
	c.awaitKeys(0, key)
	began = time.Now()
	c.awaitView("in sight of all again", false, 3, 0)
	t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
	load.Stop()
	t.Log(load.Tally)
	if load.Failed() > 0 {
		t.Errorf("requests failed: %s", load.Tally)
	}
}

// view tells whether the load balancer says that it is isolated, and has so many members up and suspect.
func (c *keyedCluster) view(isolated bool, up, suspect int) error {
	a, err := NewClient(c.ELB.AdminPort).Do(c.t.Context(), "GET", "/status", nil)
	if err != nil {
		return err
	}
	var s struct {
		Isolated bool
		Pools    []struct{ Members []struct{ Condition string } }
	}
	if err := json.Unmarshal(a.Body, &s); err != nil {
		return err
	}
	counts := map[string]int{}
	for _, m := range s.Pools[0].Members {
		counts[m.Condition]++
	}
	gauge := SumMetric(c.t, Scrape(c.t, c.ELB.AdminPort), "elb_isolated")
	if s.Isolated != isolated || (gauge == 1) != isolated || counts["up"] != up || counts["suspect"] != suspect {
		return fmt.Errorf("isolated %t (metric %v), members %v", s.Isolated, gauge, counts)
	}
	return nil
}

func (c *keyedCluster) awaitView(what string, isolated bool, up, suspect int) {
	c.t.Helper()
	Await(c.t, time.Minute, what, func() error { return c.view(isolated, up, suspect) })
}
