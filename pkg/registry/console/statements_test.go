package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// maxStatements is how many statements a page may send to the store, whatever there is to show. With memory for rows it sends fewer.
const maxStatements = 60

// Every page sends the same number of statements whether there are a hundred entries, versions, comments, tags and associations, or a thousand.
func TestStatements_DoNotGrow(t *testing.T) {
	few := statementsOf(t, 100)
	many := statementsOf(t, 400)
	if !testing.Short() {
		many = statementsOf(t, 1000)
	}
	for address, n := range many {
		if strings.HasPrefix(address, "/console/archive/") {
			continue // a file with the contents of all resources, each read when its turn comes
		}
		// A search reads blocks of the index until it has enough, an export and the picker read page after page, a deletion looks for what points to a lot of
		// nodes at a time: bounded, by the limit below.
		pages := slices.ContainsFunc([]string{"search?", "activity-csv/", "pick/", "delete/"}, func(page string) bool { return strings.HasPrefix(address, "/console/"+page) })
		switch was := few[address]; {
		case n > was+2 && !pages: // a page more or less to ask for
			t.Errorf("%s sends %d statements with a hundred entries and %d with many: one for each?", address, was, n)
		case n > maxStatements:
			t.Errorf("%s sends %d statements, the limit is %d", address, n, maxStatements)
		}
	}
	if len(many) != len(few) || len(many) < 45 {
		t.Errorf("%d pages with few, %d with many", len(few), len(many))
	}
	t.Logf("%v", many)
}

// statementsOf counts the statements of each page of a site with n of everything, whose store remembers no row.
func statementsOf(t *testing.T, n int) map[string]int {
	t.Helper()
	s := newSiteOn(t, sqlstore.Config{CacheBytes: 1})
	const tree, doc registry.Path = "/_system/governance/many", "/_system/governance/many/e0000.txt"
	ctx := t.Context()
	for i := range n {
		p := registry.Path(fmt.Sprintf("%s/e%04d.txt", tree, i))
		_, err := s.service.Put(ctx, s.admin, registry.PutInput{Path: p, Body: strings.NewReader(fmt.Sprintf("content %d\n", i)), MediaType: "text/plain", Comment: "so"})
		must(t, err)
		gone := registry.Path(fmt.Sprintf("%s/gone%04d.txt", tree, i))
		_, err = s.service.CreateCollection(ctx, s.admin, registry.CollectionInput{Path: gone})
		must(t, err)
		_, err = s.service.Delete(ctx, s.admin, gone, registry.Precondition{})
		must(t, err)
		_, err = s.service.Put(ctx, s.admin, registry.PutInput{Path: doc, Body: strings.NewReader(fmt.Sprintf("version %d\n", i)), MediaType: "text/plain"})
		must(t, err)
		if i < 100 || i%10 == 0 { // these have limits of their own
			_, err = s.service.AddTags(ctx, s.admin, p, []string{"tag", fmt.Sprint("tag", i)})
			must(t, err)
			_, _, err = s.service.AddComment(ctx, s.admin, doc, fmt.Sprint("comment ", i), 0)
			must(t, err)
			if i > 0 {
				_, _, _, err = s.service.Associate(ctx, s.admin, doc, "depends", p.String())
				must(t, err)
			}
		}
		if i < 100 { // the limit
			_, err = s.service.SetCheckpoint(ctx, s.admin, registry.CheckpointInput{Path: tree, Name: fmt.Sprint("c", i)})
			must(t, err)
		}
	}
	b := s.signedIn()
	counted := map[string]int{}
	gets, _ := routePatterns(t)
	queries := map[string]string{"/console/search": "?q=content", "/console/suggest": "?q=" + url.QueryEscape(string(tree)+"/e"), "/console/tagged": "?tag=tag", "/console/go": "?to=" + url.QueryEscape(string(doc))}
	for _, pattern := range gets {
		for _, p := range []registry.Path{tree, doc} {
			address := addressOf(pattern, p) + queries[pattern]
			b.get(address) // what is remembered of users, mounts and permissions is
			before := s.sent()
			if r := b.get(address); r.StatusCode >= http.StatusInternalServerError {
				t.Errorf("%s: status %d", address, r.StatusCode)
			}
			counted[address] = int(s.sent() - before)
		}
	}
	return counted
}

// Of copies the log does not tell what was at the other path: that is asked of the store's memory, not of the database for each.
func TestStatements_ActivityOfCopies(t *testing.T) {
	s := newSiteOn(t, sqlstore.Config{})
	const doc registry.Path = "/_system/governance/copies/source.txt"
	ctx := t.Context()
	_, err := s.service.Put(ctx, s.admin, registry.PutInput{Path: doc, Body: strings.NewReader("content\n"), MediaType: "text/plain"})
	must(t, err)
	for i := range 40 {
		_, err := s.service.Copy(ctx, s.admin, registry.MoveInput{From: doc, To: registry.Path(fmt.Sprintf("/_system/governance/copies/c%02d.txt", i))})
		must(t, err)
	}
	b := s.signedIn()
	for address, most := range map[string]int{"/console/": 16, "/console/activity/": 12} {
		b.get(address)
		before := s.sent()
		b.get(address).wantStatus(http.StatusOK).wantText("c39.txt")
		if n := int(s.sent() - before); n > most {
			t.Errorf("%s sends %d statements for 40 copies, the limit is %d", address, n, most)
		} else {
			t.Logf("%s: %d statements", address, n)
		}
	}
}
