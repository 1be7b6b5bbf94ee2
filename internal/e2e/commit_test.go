package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// TestCommit_CutConnectionsAreNoticedByNobody cuts the connection between nodes and MariaDB at COMMIT, in turn before the server gets it and before the
// nodes get its answer: no client sees an error, though none asks twice; no version is lost, and none is there twice.
func TestCommit_CutConnectionsAreNoticedByNobody(t *testing.T) {
	slow(t)
	db := e2e.MariaDB(t)
	proxy := registrytest.StartCutProxy(t, fmt.Sprintf("127.0.0.1:%d", db.Server.Port()))
	db.DSN = strings.Replace(db.DSN, fmt.Sprintf("127.0.0.1:%d", db.Server.Port()), proxy.Addr, 1)
	c := e2e.StartCluster(t, e2e.Options{Database: db})
	doors := []*e2e.Client{c.Direct(0), c.Direct(1), c.Direct(2), c.ThroughELB()}
	const writers, shared = 24, 3 // the last paths have eight writers each
	put := make([]sync.Map, writers+shared)
	path := func(i int) string { return fmt.Sprintf("/_system/governance/cuts/%d.txt", i) }
	load := e2e.StartLoad(t, 2*writers, time.Millisecond, 20*time.Minute, func(ctx context.Context, tally *e2e.Tally, client int) {
		at := client
		if client >= writers {
			at = writers + client%shared
		}
		n := tally.Count("put")
		body := fmt.Appendf(nil, "client %d after %d, %d", client, n, time.Now().UnixNano())
		if n%16 == 0 {
			body = bytes.Repeat(body, 400) // one that is stored in pieces
		}
		tally.Timed(ctx, "put", func(ctx context.Context) error {
			a, err := doors[client%len(doors)].Put(ctx, path(at), body)
			if err != nil {
				return err
			}
			if other, twice := put[at].LoadOrStore(a.Version(), string(body)); twice {
				return fmt.Errorf("version %d of %s was given to %.40q and %.40q", a.Version(), path(at), other, body)
			}
			return nil
		})
	})
	cuts := e2e.Scale(1000, 50)
	for i := range cuts {
		proxy.CutNext(i%2 == 0)
		select {
		case <-proxy.Cut():
		case <-time.After(time.Minute):
			t.Fatalf("cut %d: nobody commits: %v", i, load.Tally)
		}
		if load.Failed() > 0 {
			break
		}
	}
	tally := load.Stop()
	t.Logf("%d cuts; %v", cuts, tally)
	if tally.Failed() > 0 {
		t.Errorf("clients saw errors: %v", tally)
	}
	for i := range put {
		checkVersions(t, doors[i%3], path(i), &put[i])
	}
	logRetries(t, c)
}

// checkVersions reads all versions of a resource: as many as were acknowledged, each with its content.
func checkVersions(t *testing.T, door *e2e.Client, path string, put *sync.Map) {
	t.Helper()
	acknowledged := 0
	put.Range(func(version, body any) bool {
		acknowledged++
		a, err := door.Get(t.Context(), fmt.Sprintf("%s?version=%d", path, version))
		if err != nil || string(a.Body) != body {
			t.Errorf("%s, version %d: %v, %.60q, want %.60q", path, version, err, a.Body, body)
		}
		return true
	})
	if a, err := door.Get(t.Context(), path); err != nil || a.Version() != int64(acknowledged) {
		t.Errorf("%s is at version %d, %v; %d were acknowledged", path, a.Version(), err, acknowledged)
	}
}

// logRetries tells what the stores ran again, and fails if they ran nothing again: then the test proves nothing.
func logRetries(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	sum := map[string]float64{}
	for _, n := range c.Nodes {
		for reason, count := range e2e.MetricBy(t, e2e.Scrape(t, n.AdminPort), "registry_store_retries_total", "reason") {
			sum[reason] += count
		}
	}
	t.Logf("run again: %v", sum)
	if len(sum) == 0 {
		t.Error("no transaction was run again")
	}
}

// TestPut_ManyMakeTheSameParents lets 64 clients of three nodes store resources below the same collections, which are all missing: each collection is
// made once, and nobody gets an error.
func TestPut_ManyMakeTheSameParents(t *testing.T) {
	slow(t)
	const clients = 64
	chain := []string{"a", "b", "c", "d", "e"}
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		doors := []*e2e.Client{c.Direct(0), c.Direct(1), c.Direct(2)}
		tally := e2e.NewTally()
		rounds := e2e.Scale(200, 10)
		for round := range rounds {
			top := fmt.Sprintf("/_system/governance/parents/%d", round)
			bottom := top + "/" + strings.Join(chain, "/")
			e2e.InParallel(clients, func(client int) {
				tally.Timed(t.Context(), "put", func(ctx context.Context) error {
					a, err := doors[client%3].Put(ctx, fmt.Sprintf("%s/%d.txt", bottom, client), []byte("x"))
					if err == nil && a.Status != 201 {
						err = fmt.Errorf("status %d", a.Status)
					}
					return err
				})
			})
			at := top
			for i, name := range chain {
				if names, _ := childrenOf(t, doors[(round+i)%3], at); len(names) != 1 || names[0] != name {
					t.Errorf("%s holds %v, not %s alone", at, names, name)
				}
				at += "/" + name
			}
			if names, _ := childrenOf(t, doors[round%3], bottom); len(names) != clients {
				t.Errorf("%s holds %d resources of %d: %v", bottom, len(names), clients, names)
			}
			if _, chains := childrenOf(t, doors[round%3], "/_system/governance/parents"); chains != round+1 {
				t.Errorf("there are %d chains after %d rounds", chains, round+1)
			}
		}
		t.Log(tally)
		if tally.Failed() > 0 || tally.Count("put") != rounds*clients {
			t.Errorf("of %d: %v", rounds*clients, tally)
		}
	})
}

// childrenOf gives the names of the first children of a collection, and how many it has.
func childrenOf(t *testing.T, door *e2e.Client, path string) (names []string, total int) {
	t.Helper()
	a, err := door.Do(t.Context(), "GET", "/api/v1/children"+path+"?limit=500&total=true", nil)
	if err != nil || a.Status != 200 {
		t.Fatalf("children of %s: %v, status %d %s", path, err, a.Status, a.Body)
	}
	var page struct {
		Entries []struct{ Name string }
		Total   int
	}
	if err := json.Unmarshal(a.Body, &page); err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		names = append(names, e.Name)
	}
	return names, page.Total
}
