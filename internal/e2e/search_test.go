package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// found asks for a query and gives the paths of the hits.
func found(ctx context.Context, c *e2e.Client, query string) ([]string, error) {
	a, err := c.Do(ctx, "GET", "/api/v1/search?limit=100&q="+url.QueryEscape(query), nil)
	if err != nil {
		return nil, err
	}
	if a.Status != 200 {
		return nil, fmt.Errorf("search %s: status %d: %s", query, a.Status, a.Body)
	}
	var page struct {
		Hits     []struct{ Path string }
		Complete bool
	}
	if err := json.Unmarshal(a.Body, &page); err != nil {
		return nil, fmt.Errorf("search %s: %w: %s", query, err, a.Body)
	}
	paths := []string{}
	for _, h := range page.Hits {
		paths = append(paths, h.Path)
	}
	if !page.Complete {
		err = fmt.Errorf("search %s is not complete", query)
	}
	return paths, err
}

// TestSearch_FindsEachWrite writes through the load balancer and then searches through it: each time another node may answer, and each time what was
// written is found, and what was there before is not.
func TestSearch_FindsEachWrite(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		const clients = 4
		rounds := e2e.Scale(10_000, 52) / clients
		tally := e2e.NewTally()
		began := time.Now()
		e2e.InParallel(clients, func(client int) {
			elb := c.ThroughELB()
			for round := range rounds {
				// Most are new resources, so that the index grows; some are written again and again.
				path := fmt.Sprintf("/_system/governance/search/c%d/r%d.txt", client, round)
				again := round%4 == 0
				if again {
					path = fmt.Sprintf("/_system/governance/search/c%d/again.txt", client)
				}
				word, before := fmt.Sprintf("w%dx%d", client, round), fmt.Sprintf("w%dx%d", client, round-4)
				tally.Timed(t.Context(), "put and search", func(ctx context.Context) error {
					if _, err := elb.Put(ctx, path, []byte("some words with "+word+" and others")); err != nil {
						return err
					}
					paths, err := found(ctx, elb, word)
					if err == nil && (len(paths) != 1 || paths[0] != path) {
						err = fmt.Errorf("%s finds %q, want %s", word, paths, path)
					}
					return err
				})
				if again && round > 0 {
					tally.Timed(t.Context(), "search what was replaced", func(ctx context.Context) error {
						paths, err := found(ctx, elb, before)
						if err == nil && len(paths) != 0 {
							err = fmt.Errorf("%s finds %q, which was replaced", before, paths)
						}
						return err
					})
				}
			}
		})
		t.Logf("%d times in %v: %v", rounds*clients, time.Since(began).Round(time.Millisecond), tally)
		if tally.Failed() > 0 || tally.Count("put and search") != rounds*clients {
			t.Errorf("of %d: %v", rounds*clients, tally)
		}
		paths, err := found(t.Context(), c.Direct(1), `name:again "some words"`)
		if err != nil || len(paths) != clients || !strings.HasSuffix(paths[0], "again.txt") {
			t.Errorf("at the end: %q, %v", paths, err)
		}
	})
}
