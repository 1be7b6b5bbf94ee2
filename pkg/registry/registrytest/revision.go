package registrytest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func (n *node) keepRevision(t testing.TB, p registry.Path) int64 {
	t.Helper()
	res, err := n.svc.KeepRevision(context.Background(), actor, registry.RevisionInput{Path: p})
	if err != nil {
		t.Fatalf("keep a revision of %s: %v", p, err)
	}
	return res.Resource.Version
}

func (n *node) removeRevision(p registry.Path, version int64) error {
	_, err := n.svc.RemoveRevision(context.Background(), actor, registry.RevisionInput{Path: p, Version: version})
	return err
}

// testRevisionsKept: what was kept survives retention, and a collection's revision holds what was below it then.
func testRevisionsKept(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	a.put(t, "/c/x", "one")
	if n := a.keepRevision(t, "/c/x"); n != 1 {
		t.Errorf("the revision of a resource is %d, want its version, 1", n)
	}
	tag := b.get(t, "/c/x").ETag()
	if n := b.keepRevision(t, "/c/x"); n != 1 || b.get(t, "/c/x").ETag() != tag {
		t.Errorf("kept twice the revision is %d, with the entity tag %s, was %s", n, b.get(t, "/c/x").ETag(), tag)
	}
	if n := b.keepRevision(t, "/c"); n != 2 {
		t.Errorf("the revision of a collection is %d, want a new version, 2", n)
	}
	a.put(t, "/c/x", "two")
	a.put(t, "/c/x", "three")
	a.put(t, "/c/y", "new")
	a.keep(t, "/c", 1, 0)
	if report := b.apply(t, time.Hour); report.Versions != 2 {
		t.Errorf("retention removed %+v; it was to remove version 1 of the collection and version 2 of x", report)
	}
	a.wantNumbers(t, map[registry.Path]string{"/c/x": "3 1", "/c": "2"})
	_, checkpoints, err := b.svc.Checkpoints(t.Context(), actor, "/c", registry.Freshness{})
	if err != nil || len(checkpoints) != 1 || checkpoints[0].Name != registry.RevisionName(2) {
		t.Fatalf("the collection has the checkpoints %+v, %v", checkpoints, err)
	}
	page, err := a.svc.ListAt(t.Context(), actor, "/c", registry.Moment{Seq: checkpoints[0].Seq.N}, "", 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Path != "/c/x" || page.Entries[0].Version != 1 {
		t.Errorf("the revision holds %+v, %v", page.Entries, err)
	}
	_, err = a.svc.KeepRevision(t.Context(), actor, registry.RevisionInput{Path: "/none"})
	wantCode(t, err, registry.CodeNotFound)
	_, err = a.svc.KeepRevision(t.Context(), actor, registry.RevisionInput{Path: "/c", If: registry.Precondition{Match: []string{`"x"`}}})
	wantCode(t, err, registry.CodePrecondition)
}

// testRevisionsRemoved: one version goes, on every node, with its content, unless something needs it.
func testRevisionsRemoved(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	hash := a.put(t, "/c/x", "one").Resource.Hash
	for _, text := range []string{"two", "three", "four"} {
		a.put(t, "/c/x", text)
	}
	b.text(t, "/c/x", 1) // into memory
	b.text(t, "/c/x", 2)
	tag := b.get(t, "/c/x").ETag()

	wantCode(t, b.removeRevision("/c/x", 4), registry.CodeConflict) // the current one
	wantCode(t, b.removeRevision("/c/x", 5), registry.CodeNotFound)
	wantCode(t, b.removeRevision("/c/x", 0), registry.CodeNotFound)
	wantCode(t, b.removeRevision("/none", 1), registry.CodeNotFound)
	if _, err := a.svc.SetLabel(t.Context(), actor, registry.LabelInput{Path: "/c/x", Name: "prod", Version: 3}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, b.removeRevision("/c/x", 3), registry.CodeConflict)
	a.wantNumbers(t, map[registry.Path]string{"/c/x": "4 3 2 1"})

	wantCode(t, a.removeRevision("/c/x", 1), "")
	wantCode(t, a.removeRevision("/c/x", 1), registry.CodeNotFound)
	for _, n := range nodes {
		n.wantNumbers(t, map[registry.Path]string{"/c/x": "4 3 2"})
		_, _, _, err := n.svc.Open(t.Context(), actor, "/c/x", 1, registry.Freshness{})
		wantCode(t, err, registry.CodeNotFound)
		if now := n.get(t, "/c/x").ETag(); now != tag {
			t.Errorf("the entity tag went from %s to %s", tag, now)
		}
	}
	if report := a.apply(t, 48*time.Hour); report.Contents != 1 {
		t.Errorf("the next run removed %+v; one content was left over", report)
	}
	third := open(t, func(testing.TB) Database { return nodes[0].db }, 1)[0]
	_, err := third.Open(t.Context(), hash)
	wantCode(t, err, registry.CodeNotFound)

	// A checkpoint above needs version 4 from now on, and the revisions of the collection are its own.
	first := a.keepRevision(t, "/c")
	a.put(t, "/c/x", "five")
	wantCode(t, b.removeRevision("/c/x", 4), registry.CodeConflict)
	second := b.keepRevision(t, "/c")
	wantCode(t, a.removeRevision("/c", second), registry.CodeConflict)
	wantCode(t, a.removeRevision("/c", first), "")
	if _, list, err := b.svc.Checkpoints(t.Context(), actor, "/c", registry.Freshness{}); err != nil || len(list) != 1 || list[0].Name != registry.RevisionName(second) {
		t.Errorf("the checkpoints left are %+v, %v", list, err)
	}
	wantCode(t, b.removeRevision("/c/x", 4), "") // nothing needs it any more

	// The same request, sent twice, removes once.
	once := actor
	once.Once = registry.NewOnce(actor.User, "key", "remove 2")
	for range 2 {
		_, err := b.svc.RemoveRevision(t.Context(), once, registry.RevisionInput{Path: "/c/x", Version: 2})
		wantCode(t, err, "")
	}
	a.wantNumbers(t, map[registry.Path]string{"/c/x": "5 3"})
	if got := a.text(t, "/c/x", 3); got != "three" {
		t.Errorf("version 3 holds %q", got)
	}
}

// testAssociatesAll: several associations are made in one change, or none.
func testAssociatesAll(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	for _, p := range []registry.Path{"/x", "/y", "/z"} {
		a.put(t, p, p.String())
	}
	list := func() string {
		page, err := b.svc.Associations(t.Context(), actor, registry.AssociationsInput{Path: "/x"}, registry.Freshness{})
		var s []string
		for _, l := range page.Associations {
			s = append(s, l.Type+" "+l.Target.Path.String()+l.Target.URI)
		}
		return errors.Join(err, errors.New(strings.Join(s, ", "))).Error()
	}
	add := func(l ...registry.NewAssociation) error {
		_, err := a.svc.AssociateAll(t.Context(), actor, "/x", l)
		return err
	}
	wantCode(t, add(), registry.CodeInvalid)
	wantCode(t, add(registry.NewAssociation{Type: "uses", Target: "/y"}, registry.NewAssociation{Type: "", Target: "/z"}), registry.CodeInvalid)
	wantCode(t, add(registry.NewAssociation{Type: "uses", Target: "/y"}, registry.NewAssociation{Type: "uses", Target: "/x"}), registry.CodeInvalid)
	if got := list(); got != "" {
		t.Errorf("refused requests left %q", got)
	}
	wantCode(t, add(
		registry.NewAssociation{Type: "uses", Target: "/z"}, registry.NewAssociation{Type: "uses", Target: "/none"},
		registry.NewAssociation{Type: "depends", Target: "/y"}, registry.NewAssociation{Type: "uses", Target: "/z"},
		registry.NewAssociation{Type: "uses", Target: "urn:x:y"},
	), "")
	if got := list(); got != "depends /y, uses urn:x:y, uses /z" {
		t.Errorf("the associations are %q", got)
	}
	_, err := a.svc.AssociateAll(t.Context(), actor, "/none", []registry.NewAssociation{{Type: "uses", Target: "/y"}})
	wantCode(t, err, registry.CodeNotFound)
}
