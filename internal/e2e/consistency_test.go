package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestRead_IsNeverStale puts on one node and reads at once on another.
func TestRead_IsNeverStale(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		const clients = 4
		rounds := e2e.Scale(10_000, 1000) / clients
		nodes := []*e2e.Client{c.Direct(0), c.Direct(1), c.Direct(2)}
		tally := e2e.NewTally()
		e2e.InParallel(clients, func(client int) {
			path := fmt.Sprintf("/_system/governance/stale/%d.txt", client)
			for round := range rounds {
				writer := (client + round) % 3
				reader := (writer + 1 + round%2) % 3
				body := fmt.Sprintf("client %d, round %d", client, round)
				tally.Timed(t.Context(), "put and read elsewhere", func(ctx context.Context) error {
					put, err := nodes[writer].Put(ctx, path, []byte(body))
					if err != nil {
						return err
					}
					got, err := nodes[reader].Get(ctx, path)
					if err == nil && (string(got.Body) != body || got.Version() != put.Version()) {
						err = fmt.Errorf("stale: version %d put on node%d, node%d gave version %d, %q", put.Version(), writer+1, reader+1, got.Version(), got.Body)
					}
					return err
				})
			}
		})
		if tally.Failed() > 0 || tally.Count("put and read elsewhere") != rounds*clients {
			t.Errorf("of %d: %v", rounds*clients, tally)
		} else {
			t.Log(tally)
		}
	})
}

// TestUpdate_IfMatchLosesNone lets many clients count up in few resources, each step guarded by the entity tag of what was read.
func TestUpdate_IfMatchLosesNone(t *testing.T) {
	slow(t)
	const clients, resources = 64, 8
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		nodes := []*e2e.Client{c.Direct(0), c.Direct(1), c.Direct(2)}
		counters := make([]*counter, resources)
		for i := range counters {
			counters[i] = &counter{path: fmt.Sprintf("/_system/governance/counters/%d.txt", i), steps: map[int64]int{}}
			if _, err := nodes[0].Put(t.Context(), counters[i].path, []byte("0")); err != nil {
				t.Fatal(err)
			}
		}
		perClient := e2e.Scale(20, 4)
		tally := e2e.NewTally()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		e2e.InParallel(clients, func(client int) {
			random := rand.New(rand.NewPCG(1, uint64(client)))
			for done := 0; done < perClient && ctx.Err() == nil && tally.Failed() == 0; {
				if counters[client%resources].step(ctx, tally, nodes[random.IntN(3)], nodes[random.IntN(3)]) {
					done++
				}
			}
		})
		t.Log(tally)
		if tally.Failed() > 0 || tally.Count("update") != clients*perClient {
			t.Errorf("of %d updates: %v", clients*perClient, tally)
		}
		for i, k := range counters {
			k.check(t, nodes[i%3])
		}
	})
}

// counter is a number in a resource.
type counter struct {
	path  string
	mu    sync.Mutex
	steps map[int64]int // version -> the number it was acknowledged with
}

// step reads the number on one node and stores the next one on another, if nobody was faster; that is no failure.
func (k *counter) step(ctx context.Context, tally *e2e.Tally, reader, writer *e2e.Client) (won bool) {
	kind := "update"
	began := time.Now()
	read, err := reader.Get(ctx, k.path)
	if err != nil {
		tally.Record("read", time.Since(began), err)
		return false
	}
	n, err := strconv.Atoi(string(read.Body))
	if err != nil {
		tally.Record("read", time.Since(began), err)
		return false
	}
	a, err := writer.Do(ctx, "PUT", "/api/v1/content"+k.path, []byte(strconv.Itoa(n+1)), "If-Match", read.Header.Get("ETag"), "Content-Type", "text/plain")
	switch {
	case err != nil:
	case a.Status == 412:
		kind = "lost race"
	case a.Status != 200:
		err = fmt.Errorf("status %d: %s", a.Status, a.Body)
	default:
		won = true
		k.mu.Lock()
		if old, twice := k.steps[a.Version()]; twice {
			err = fmt.Errorf("version %d was given twice: for %d and for %d", a.Version(), old, n+1)
		}
		k.steps[a.Version()] = n + 1
		k.mu.Unlock()
	}
	tally.Record(kind, time.Since(began), err)
	return won && err == nil
}

// check tells whether the versions are 2, 3, 4… and each counted one up.
func (k *counter) check(t *testing.T, node *e2e.Client) {
	t.Helper()
	for i, version := range slices.Sorted(maps.Keys(k.steps)) {
		if version != int64(i+2) || k.steps[version] != i+1 {
			t.Errorf("%s: update %d became version %d with the number %d; want %d and %d", k.path, i+1, version, k.steps[version], i+2, i+1)
			break
		}
	}
	a, err := node.Get(t.Context(), k.path)
	if err != nil || string(a.Body) != strconv.Itoa(len(k.steps)) || a.Version() != int64(len(k.steps)+1) {
		t.Errorf("%s: %v, %q in version %d after %d updates", k.path, err, a.Body, a.Version(), len(k.steps))
	}
}

// TestRead_CachedCostsAlmostNoStatement counts what 64 clients who read the same things cost the database: almost nothing, and yet each read asks.
func TestRead_CachedCostsAlmostNoStatement(t *testing.T) {
	slow(t)
	const clients, resources = 64, 16
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		path := func(i int) string { return fmt.Sprintf("/_system/governance/cached/%d.txt", i%resources) }
		for i := range resources {
			if _, err := c.Direct(0).Put(t.Context(), path(i), []byte("content of "+path(i))); err != nil {
				t.Fatal(err)
			}
		}
		reader := c.Direct(1)
		read := func(ctx context.Context, i int) error {
			a, err := reader.Get(ctx, path(i))
			if err == nil && string(a.Body) != "content of "+path(i) {
				err = fmt.Errorf("%s: %q", path(i), a.Body)
			}
			return err
		}
		for i := range resources { // the first read of each fills the cache
			if err := read(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		statements := func() map[string]float64 {
			return e2e.MetricBy(t, e2e.Scrape(t, c.Nodes[1].AdminPort), "registry_store_statements_total", "op")
		}
		before := statements()
		tally := e2e.NewTally()
		rounds := e2e.Scale(200, 40)
		e2e.InParallel(clients, func(client int) {
			for round := range rounds {
				tally.Timed(t.Context(), "get", func(ctx context.Context) error { return read(ctx, client+round) })
			}
		})
		var sent []string
		total := 0.0
		for op, n := range statements() {
			if n -= before[op]; n > 0 {
				sent = append(sent, fmt.Sprintf("%s %v", op, n))
				total += n
			}
		}
		each := total / float64(clients*rounds)
		t.Logf("%.3f statements per cached GET (%s); %v", each, strings.Join(sent, ", "), tally)
		if tally.Failed() > 0 {
			t.Errorf("reads failed: %v", tally)
		}
		if each >= 0.2 {
			t.Errorf("%.3f statements per cached GET, want fewer than 0.2", each)
		}
	})
}
