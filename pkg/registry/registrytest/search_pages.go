package registrytest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// pages gives the paths of all hits, page by page; between looks at each page before the next is asked for.
func (n *node) pages(t testing.TB, query string, limit int, between func(page int, p registry.SearchPage)) []string {
	t.Helper()
	var paths []string
	cursor := ""
	for i := 1; i == 1 || cursor != ""; i++ {
		page, err := n.svc.Search(t.Context(), actor, registry.SearchInput{Query: query, Limit: limit, Cursor: cursor})
		if err != nil {
			t.Fatalf("search %s: %v", query, err)
		}
		for _, h := range page.Hits {
			paths = append(paths, h.Path.String())
		}
		between(i, page)
		cursor = page.Next
	}
	return paths
}

// testSearchPlace: when the hit that a page ends with goes or changes, the next page misses none of the others.
func testSearchPlace(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	const many = 20
	for _, query := range []string{"word", "kind:resource path:/p"} {
		for name, change := range map[string]func(registry.Path){
			"deleted": func(p registry.Path) { n.remove(t, p) },
			"changed": func(p registry.Path) { n.put(t, p, "word word word again") },
			"indexed": func(registry.Path) { n.index(t) },
			"same":    func(registry.Path) {},
		} {
			for i := range many {
				n.put(t, registry.Path(fmt.Sprintf("/p/r%02d.txt", i)), "one word")
			}
			seen := map[string]int{}
			var changed string
			for _, p := range n.pages(t, query, 6, func(page int, p registry.SearchPage) {
				if page == 1 {
					changed = p.Hits[len(p.Hits)-1].Path.String()
					change(registry.Path(changed))
				}
				if b, err := base64.RawURLEncoding.DecodeString(p.Next); err != nil || p.Next != "" && strings.Count(string(b), ".") != 3 {
					t.Errorf("the cursor is %q: %v", b, err)
				}
			}) {
				seen[p]++
			}
			repeated := 0
			for i := range many {
				p := fmt.Sprintf("/p/r%02d.txt", i)
				if repeated += max(seen[p]-1, 0); seen[p] == 0 {
					t.Errorf("%s, %s: %s is on no page", query, name, p)
				}
			}
			if repeated > 1 || repeated > 0 && (name == "same" || name == "indexed") {
				t.Errorf("%s, %s: %d hits came twice: %v", query, name, repeated, seen)
			}
		}
	}
}

// testSearchPaths: a tree is searched as a whole, however small a part of the store it is and whenever it was written, also after moves.
func testSearchPaths(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	for i := range 6 {
		a.put(t, registry.Path(fmt.Sprintf("/old/deep/%d/r.txt", i%3+3*(i/3))), "haystack needle")
	}
	for i := range 30 {
		b.put(t, registry.Path(fmt.Sprintf("/new/r%d.txt", i)), "haystack")
	}
	want := func(query, form string, n int) {
		t.Helper()
		var paths []string
		for i := range n {
			paths = append(paths, fmt.Sprintf(form, i))
		}
		wantFound(t, nodes, query, paths...)
	}
	for range 2 {
		want("path:/old haystack", "/old/deep/%d/r.txt", 6)
		want("path:/old/deep needle -path:/new", "/old/deep/%d/r.txt", 6)
		want("path:/old kind:resource type:text/*", "/old/deep/%d/r.txt", 6)
		want("path:/new haystack", "/new/r%d.txt", 30)
		want("path:/new needle", "", 0)
		wantFound(t, nodes, "path:/old/deep/1", "/old/deep/1", "/old/deep/1/r.txt")
		wantFound(t, nodes, "path:/old/deep/1/r.txt", "/old/deep/1/r.txt")
		want("path:/none haystack", "", 0)
		want("path:/ needle", "/old/deep/%d/r.txt", 6)
		a.index(t)
	}
	if _, err := a.svc.Move(t.Context(), actor, registry.MoveInput{From: "/old/deep", To: "/new/deep"}); err != nil {
		t.Fatal(err)
	}
	want("path:/new/deep needle", "/new/deep/%d/r.txt", 6)
	want("path:/new needle", "/new/deep/%d/r.txt", 6)
	wantFound(t, nodes, "path:/old", "/old")
}

// testSearchPurgedTarget: the sources of associations to something that was deleted for good are not found by them any more.
func testSearchPurgedTarget(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	for _, indexed := range []bool{false, true} {
		for _, p := range []registry.Path{"/src/one", "/src/two", "/dst/gone", "/dst/kept"} {
			a.put(t, p, "x")
		}
		a.link(t, "/src/one", "uses", "/dst/gone")
		b.link(t, "/src/two", "uses", "/dst/gone")
		b.link(t, "/src/two", "uses", "/dst/kept")
		if indexed {
			b.index(t)
		}
		wantFound(t, nodes, "assoc:uses", "/src/one", "/src/two")
		a.remove(t, "/dst/gone")
		if _, err := b.svc.Purge(t.Context(), actor, "/dst/gone", b.trash(t, "/dst/gone", 1)[0].ID); err != nil {
			t.Fatal(err)
		}
		wantFound(t, nodes, "assoc:uses", "/src/two")
		a.index(t)
		wantFound(t, nodes, "assoc:uses", "/src/two")
	}
}
