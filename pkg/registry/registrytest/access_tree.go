package registrytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// What moves, copies, deletes or lists much at once asks for the permissions of all of it.

// team is a guarded node with the role dev, which may do everything below /t and /u, and with ann, who has it.
func team(t *testing.T, fresh func(testing.TB) Database) (n *node, ann, joe registry.Actor) {
	t.Helper()
	n = guardedNodes(t, fresh, 1)[0]
	ann, joe = registry.Actor{User: "ann", Roles: []registry.ID{n.role(t, "dev")}}, registry.Actor{User: "joe"}
	n.store(t, "/t/a/b/doc", "x")
	n.store(t, "/t/a/b/keep", "mine")
	n.store(t, "/u/doc", "x")
	n.grant(t, "/t", "dev +read,write,delete", "everyone -read")
	n.grant(t, "/u", "dev +read,write,delete")
	return n, ann, joe
}

func testGuardedMoves(t *testing.T, fresh func(testing.TB) Database) {
	n, ann, joe := team(t, fresh)
	ctx := t.Context()
	move := func(a registry.Actor, from, to registry.Path, over bool) error {
		_, err := n.svc.Move(ctx, a, registry.MoveInput{From: from, To: to, Overwrite: over})
		return err
	}
	n.grant(t, "/t/a/b/keep", "dev -delete", "everyone -read")
	wantCode(t, move(ann, "/t/a", "/u/a", false), registry.CodeDenied)
	wantCode(t, move(ann, "/t/a", "/t/c", false), "") // a rename may do with the right to write
	wantCode(t, move(ann, "/u/doc", "/t/c/b", true), registry.CodeDenied)
	n.grant(t, "/t/c/b/keep", "dev -read,write", "everyone -read")
	wantCode(t, move(ann, "/t/c/b", "/t/c/bb", false), "") // then by the right to delete
	n.grant(t, "/t/c/bb/keep", "dev -write,delete", "everyone -read")
	wantCode(t, move(ann, "/t/c/bb", "/t/c/b", false), registry.CodeDenied)
	// Entries go with their nodes, by whomever they are moved.
	wantCode(t, move(admin, "/t/c/bb/keep", "/u/keep", false), "")
	if n.may(joe, "/u/keep") || !n.may(joe, "/u/doc") {
		t.Error("what was moved has lost its permissions, or given them to others")
	}
	wantCode(t, move(admin, "/t/c", "/u/c", false), "") // had none of its own: what counts is what it came to
	if !n.may(joe, "/u/c/bb/doc") {
		t.Error("what was moved has kept the permissions of where it was")
	}
	wantCode(t, move(joe, "/u/doc", "/u/joes", false), registry.CodeDenied)
}

func testGuardedCopies(t *testing.T, fresh func(testing.TB) Database) {
	n, ann, joe := team(t, fresh)
	ctx := t.Context()
	copied := func(a registry.Actor, from, to registry.Path, over bool) error {
		_, err := n.svc.Copy(ctx, a, registry.MoveInput{From: from, To: to, Overwrite: over})
		return err
	}
	n.grant(t, "/t/a/b/keep", "dev -read")
	wantCode(t, copied(ann, "/t/a", "/u/a", false), registry.CodeDenied)
	wantCode(t, copied(ann, "/t/a/b/keep", "/u/keep", false), registry.CodeDenied)
	wantCode(t, copied(ann, "/t/a/b/doc", "/u/copy", false), "")
	wantCode(t, copied(joe, "/t/a/b/doc", "/u/copy2", false), registry.CodeDenied)
	if n.may(joe, "/t/a/b/doc") || !n.may(joe, "/u/copy") {
		t.Error("a copy has the permissions of its place")
	}
	n.gone(t, "/u/a")
	n.grant(t, "/t/a/b/keep", "dev -delete")
	wantCode(t, copied(ann, "/u/doc", "/t/a", true), registry.CodeDenied) // it would take away what ann may not delete
	wantCode(t, copied(ann, "/t/a", "/u/a", false), "")
	scoped := admin
	scoped.Scope = &registry.Scope{Rights: registry.AllRights, Paths: []registry.Path{"/u"}}
	wantCode(t, copied(scoped, "/t/a", "/u/b", false), registry.CodeDenied)
}

func testGuardedTrash(t *testing.T, fresh func(testing.TB) Database) {
	n, ann, joe := team(t, fresh)
	ctx := t.Context()
	deleted := func(p registry.Path) registry.ID {
		t.Helper()
		r, err := n.svc.Get(ctx, admin, p, registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.svc.Delete(ctx, admin, p, registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	sees := func(a registry.Actor, want ...registry.ID) {
		t.Helper()
		page, err := n.svc.Trash(ctx, a, "/", "", 0)
		if err != nil || len(page.Entries) != len(want) {
			t.Errorf("%s sees %v, %v; want %v", a.User, page.Entries, err, want)
			return
		}
		for i, e := range page.Entries {
			if e.ID != want[i] {
				t.Errorf("%s sees %v, not %v", a.User, page.Entries, want)
			}
		}
	}
	back := func(a registry.Actor, id registry.ID, p registry.Path) error {
		_, err := n.svc.Undelete(ctx, a, id, p)
		return err
	}
	// Its own entries count, then those of where it was.
	n.grant(t, "/t/a/b/keep", "dev -read,delete")
	keep, doc := deleted("/t/a/b/keep"), deleted("/t/a/b/doc")
	sees(admin, doc, keep)
	sees(ann, doc)
	sees(joe)
	wantCode(t, back(ann, keep, "/u/keep"), registry.CodeDenied)
	wantCode(t, back(joe, doc, "/t/a/b/doc"), registry.CodeDenied)
	_, err := n.svc.Purge(ctx, ann, "/t", keep)
	wantCode(t, err, registry.CodeDenied)
	// Where it was goes elsewhere, and is deleted itself: what counted there goes on to count.
	n.grant(t, "/t/a/b", "everyone -read", "dev -write")
	if _, err := n.svc.Move(ctx, admin, registry.MoveInput{From: "/t/a/b", To: "/u/b"}); err != nil {
		t.Fatal(err)
	}
	sees(joe)
	tree := deleted("/u/b")
	sees(ann, tree, doc)
	sees(joe)
	wantCode(t, back(joe, doc, "/u/doc2"), registry.CodeDenied)
	wantCode(t, back(ann, doc, "/t/a/b/doc"), registry.CodeDenied) // ann may write at /t/a/b, where nothing is, but not what was there
	// When it is gone for good nobody knows any more, and only the administrator may.
	if _, err := n.svc.Purge(ctx, admin, "/u", tree); err != nil {
		t.Fatal(err)
	}
	sees(ann)
	sees(admin, doc, keep)
	wantCode(t, back(ann, doc, "/u/doc2"), registry.CodeDenied)
	wantCode(t, back(admin, doc, "/u/doc2"), "")
	// A tree is purged by who may delete all of it, and its entries go with it.
	n.store(t, "/u/tree/sub/doc", "x")
	n.grant(t, "/u/tree/sub", "dev -delete")
	r, err := n.svc.Get(ctx, admin, "/u/tree/sub", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	sub := r.ID
	tree = deleted("/u/tree")
	_, err = n.svc.Purge(ctx, ann, "/u", tree)
	wantCode(t, err, registry.CodeDenied)
	if count, err := n.svc.PurgeOlder(ctx, ann, "/u", op().At.AddDate(1, 0, 0)); err != nil || count != 0 {
		t.Errorf("ann purged %d: %v", count, err)
	}
	if _, err = n.svc.Purge(ctx, admin, "/u", tree); err != nil {
		t.Fatal(err)
	}
	_, err = n.Update(ctx, op(), func(tx registry.Tx) error {
		if entries, err := tx.Entries(sub); err != nil || len(entries) != 0 {
			return fmt.Errorf("the entries %v stay: %w", entries, err)
		}
		return nil
	})
	wantCode(t, err, "")
}

func testGuardedBatches(t *testing.T, fresh func(testing.TB) Database) {
	n, ann, joe := team(t, fresh)
	ctx := t.Context()
	batch := func(a registry.Actor, steps ...registry.Step) error {
		_, _, err := n.svc.Batch(ctx, a, steps)
		return err
	}
	put := func(p registry.Path) registry.Step {
		return registry.PutStep(registry.PutInput{Path: p}, []byte("new"))
	}
	remove := func(p registry.Path) registry.Step { return registry.DeleteStep(p, registry.Precondition{}) }
	move := func(from, to registry.Path) registry.Step {
		return registry.MoveStep(registry.MoveInput{From: from, To: to})
	}
	n.grant(t, "/t/a/b/keep", "dev -read,delete")
	wantCode(t, batch(ann, put("/u/one"), remove("/t/a")), registry.CodeDenied)
	wantCode(t, batch(ann, put("/u/one"), move("/t/a", "/u/a")), registry.CodeDenied)
	wantCode(t, batch(ann, put("/u/one"), registry.CopyStep(registry.MoveInput{From: "/t/a/b/keep", To: "/u/two"})), registry.CodeDenied)
	wantCode(t, batch(joe, put("/t/one")), registry.CodeDenied)
	n.gone(t, "/u/one")
	// What takes the place of something inherits from above, not from what was there.
	n.store(t, "/open/box/doc", "x")
	n.grant(t, "/open/box", "dev +read,write,delete")
	wantCode(t, batch(ann, remove("/open/box"), put("/open/box")), registry.CodeDenied)
	wantCode(t, batch(ann, move("/open/box", "/u/box"), put("/open/box/doc")), registry.CodeDenied)
	wantCode(t, batch(ann, remove("/open/box/doc"), put("/open/box/doc")), "")
	wantCode(t, batch(ann, put("/u/one"), remove("/u/one")), "")
	// Whoever has no right at all is told nothing, not even in which stores the paths lie.
	err := batch(joe, put("/t/one"), put("/t/a/b/doc"))
	if registry.CodeOf(err) != registry.CodeDenied || strings.Contains(err.Error(), "store") {
		t.Error(err)
	}
}

func testGuardedLists(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	ctx, joe := t.Context(), registry.Actor{User: "joe"}
	const children = 30
	for i := range children {
		p := registry.Path(fmt.Sprintf("/l/c%02d", i))
		n.store(t, p, strings.Repeat("x", children-i))
		if i%3 != 0 {
			n.grant(t, p, "everyone -read")
		} else if i%2 == 0 {
			n.grant(t, p, "everyone +read") // an entry that hides nothing
		}
		if _, err := n.svc.AddTags(ctx, admin, p, []string{"all"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		sort registry.Sort
		want string
	}{
		{"name", "c00 c03 c06 c09 c12 c15 c18 c21 c24 c27"},
		{"-name", "c27 c24 c21 c18 c15 c12 c09 c06 c03 c00"},
		{"size", "c27 c24 c21 c18 c15 c12 c09 c06 c03 c00"},
		{"-size", "c00 c03 c06 c09 c12 c15 c18 c21 c24 c27"},
	} {
		var names []string
		for cursor := ""; ; {
			page, err := n.svc.ListSorted(ctx, joe, registry.ListInput{Path: "/l", Cursor: cursor, Limit: 4, Sort: c.sort, Total: true})
			if err != nil {
				t.Fatal(err)
			}
			if page.Total != children/3 {
				t.Errorf("joe is told of %d children", page.Total)
			}
			for _, r := range page.Entries {
				names = append(names, r.Path.Name())
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("by %s joe sees %s", c.sort, got)
		}
	}
	if page, err := n.svc.ListSorted(ctx, admin, registry.ListInput{Path: "/l", Total: true}); err != nil || page.Total != children {
		t.Errorf("the administrator is told of %d: %v", page.Total, err)
	}
	// Of the resources with a tag nobody hears of more than they see of the first ones.
	if cloud, err := n.svc.TagCloud(ctx, joe, 0); err != nil || len(cloud) != 1 || cloud[0].Count > children/3 {
		t.Errorf("joe's tag cloud is %+v: %v", cloud, err)
	}
	if cloud, err := n.svc.TagCloud(ctx, admin, 0); err != nil || len(cloud) != 1 || cloud[0].Count != children {
		t.Errorf("the administrator's tag cloud is %+v: %v", cloud, err)
	}
	// Over a link it is the same list.
	if _, err := n.svc.Link(ctx, admin, registry.LinkInput{Path: "/link", Target: "/l"}); err != nil {
		t.Fatal(err)
	}
	if page, err := n.svc.ListSorted(ctx, joe, registry.ListInput{Path: "/link", Total: true}); err != nil || page.Total != children/3 || len(page.Entries) != children/3 {
		t.Errorf("over a link joe sees %d of %d: %v", len(page.Entries), page.Total, err)
	}
}
