package registrytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// locked is a [registry.Authorizer] that keeps everybody but one out of some paths.
type locked struct {
	registry.SignedIn
	path  registry.Path
	calls *int
}

// Authorize implements [registry.Authorizer].
func (l locked) Authorize(_ context.Context, a registry.Actor, _ registry.Right, p registry.Path) error {
	if l.path.Covers(p) && a.User != actor.User {
		return registry.Errorf(registry.CodeDenied, "no")
	}
	return nil
}

// Readable implements [registry.Authorizer].
func (l locked) Readable(ctx context.Context, a registry.Actor, parent registry.Resource, children []registry.Resource) ([]registry.Resource, error) {
	*l.calls++
	var kept []registry.Resource
	for _, c := range children {
		if c.Path.Parent() == parent.Path && l.Authorize(ctx, a, registry.RightRead, c.Path) == nil {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

func testSearchRights(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	for i := range 30 {
		n.put(t, registry.Path(fmt.Sprintf("/secret/s%02d.txt", i)), "plan plan plan")
		n.put(t, registry.Path(fmt.Sprintf("/open/o%02d.txt", i)), "plan and some other words")
	}
	mounts, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: n.Store, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for name, auth := range map[string]registry.Authorizer{"a double": locked{path: "/secret", calls: &calls}} {
		svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: auth})
		var paths []string
		cursor := ""
		for pages := 0; pages == 0 || cursor != ""; pages++ {
			page, err := svc.Search(t.Context(), joe, registry.SearchInput{Query: "plan", Limit: 20, Cursor: cursor})
			if err != nil || page.Total != 30 || len(page.Facets.Collections) != 1 || page.Facets.Collections[0] != (registry.Facet{Value: "/open", Count: 30}) {
				t.Fatalf("%s: total %d, facets %+v: %v", name, page.Total, page.Facets, err)
			}
			for _, h := range page.Hits {
				paths = append(paths, h.Path.String())
			}
			if len(page.Hits) != []int{20, 10}[pages] {
				t.Errorf("%s: page %d has %d hits", name, pages, len(page.Hits))
			}
			cursor = page.Next
		}
		slices.Sort(paths)
		if len(slices.Compact(paths)) != 30 || !strings.HasPrefix(paths[0], "/open/") || !strings.HasPrefix(paths[29], "/open/") {
			t.Errorf("%s: %q", name, paths)
		}
		page, err := svc.Search(t.Context(), actor, registry.SearchInput{Query: "plan", Limit: 100})
		if err != nil || page.Total != 60 || !strings.HasPrefix(page.Hits[0].Path.String(), "/secret/") {
			t.Errorf("%s: the owner finds %d: %v", name, page.Total, err)
		}
	}
	if calls == 0 || calls > 9 {
		t.Errorf("asked %d times for the children of two collections", calls)
	}
}

// testSearchPermissions: what a permission takes away on one node no search on another shows, indexed or not.
func testSearchPermissions(t *testing.T, fresh func(testing.TB) Database) {
	nodes := guardedNodes(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	for _, p := range []registry.Path{"/s/open/doc", "/s/secret/doc", "/s/secret/deep/doc", "/s/one"} {
		if _, err := a.svc.Put(t.Context(), admin, registry.PutInput{Path: p, Body: strings.NewReader("plan"), MediaType: "text/plain"}); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"/s/one", "/s/open/doc", "/s/secret/deep/doc", "/s/secret/doc"}
	check := func(who registry.Actor, want ...string) {
		t.Helper()
		for i, n := range nodes {
			if got := n.find(t, who, "plan"); !slices.Equal(got, want) {
				t.Errorf("node %d: %s finds %q, want %q", i, who.User, got, want)
			}
		}
	}
	for range 2 {
		check(joe, all...)
		b.grant(t, "/s/secret", "everyone -read")
		check(joe, "/s/one", "/s/open/doc")
		a.grant(t, "/s/one", "everyone -read")
		check(joe, "/s/open/doc")
		if _, err := a.svc.Move(t.Context(), admin, registry.MoveInput{From: "/s/open", To: "/s/secret/open"}); err != nil {
			t.Fatal(err)
		}
		check(joe)
		check(admin, "/s/one", "/s/secret/deep/doc", "/s/secret/doc", "/s/secret/open/doc")
		if _, err := b.svc.Move(t.Context(), admin, registry.MoveInput{From: "/s/secret/open", To: "/s/open"}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []registry.Path{"/s/one", "/s/secret"} {
			b.grant(t, p)
		}
		b.index(t)
	}
}
