package registrytest

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testGuardedReturn: what goes back into the collection that it was deleted from needs the right to write; where another collection has that path it is
// a move, out of the one and into the other.
func testGuardedReturn(t *testing.T, fresh func(testing.TB) Database) {
	n, ann, joe := team(t, fresh)
	ctx := t.Context()
	back := func(a registry.Actor, id registry.ID, p registry.Path) error {
		_, err := n.svc.Undelete(ctx, a, id, p)
		return err
	}
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
	n.store(t, "/open/box/doc", "x")
	n.store(t, "/open/box/more", "x")
	n.grant(t, "/open", "everyone +read,write,delete")
	n.grant(t, "/open/box", "dev +read,write -delete", "everyone -read,delete")
	doc, more := deleted("/open/box/doc"), deleted("/open/box/more")
	if _, err := n.svc.Move(ctx, admin, registry.MoveInput{From: "/open/box", To: "/open/moved"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, back(ann, doc, "/open/box/doc"), registry.CodeDenied) // it would come out of what dev may not delete from
	n.store(t, "/open/box/other", "x")
	wantCode(t, back(ann, doc, "/open/box/doc"), registry.CodeDenied) // another collection has its name
	wantCode(t, back(joe, doc, "/open/box/doc"), registry.CodeDenied)
	if n.may(joe, "/open/box/doc") {
		t.Error("what was hidden came into the open")
	}
	wantCode(t, back(ann, doc, "/open/moved/other"), registry.CodeDenied)
	wantCode(t, back(ann, doc, "/open/moved/doc"), "") // where it was, wherever that is now
	if n.may(joe, "/open/moved/doc") {
		t.Error("what is hidden again is in the open")
	}
	n.grant(t, "/open/moved", "dev +read,write,delete", "everyone -read,delete")
	wantCode(t, back(ann, more, "/open/box/more"), "") // now it is a move that ann may make
	// The collection itself is in the trash: one that is made anew in its place is another one.
	n.grant(t, "/open/box", "dev +read,write -delete", "everyone -read,delete")
	doc = deleted("/open/box/more")
	deleted("/open/box")
	wantCode(t, back(ann, doc, "/open/box/more"), registry.CodeDenied)
	wantCode(t, back(admin, doc, "/open/box/more"), "")
}
