package registrytest

import (
	"context"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testRemains: a move that is given up frees its source before what came to the other store is removed, and others end that when its process dies there.
func testRemains(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	ctx := t.Context()
	movable(t, n, "/a/t")
	doc := n.get(t, "/a/t/doc")
	in := registry.MoveInput{From: "/a/t", To: "/b/t"}
	taken := tap{at: func(x *tap, call string, _ int) error {
		switch call {
		case "hold": // the copy is complete; then somebody takes its place
			_, err := other.svc.CreateCollection(ctx, actor, registry.CollectionInput{Path: "/b/t"})
			return err
		case "clear":
			return x.die()
		}
		return nil
	}}
	x := &tap{at: func(*tap, string, int) error { return nil }}
	svc := pairService(t, &tapped{n.from, x}, &tapped{n.to, x}, 0)
	*x = tap{at: taken.at}
	_, err := svc.Move(ctx, actor, in)
	wantCode(t, err, registry.CodeConflict)
	if dead, call := x.died(); !dead || call != "clear" {
		t.Fatalf("dead %t in %s", dead, call)
	}
	wantNothingOpen(t, other)
	other.put(t, "/a/t/doc", "3") // it is not sealed
	if _, err := other.to.Version(ctx, doc.ID, doc.Version); err != nil {
		t.Fatalf("nothing is left to be removed: %v", err)
	}
	if list := must[registry.TrashPage](t)(other.svc.Trash(ctx, actor, "/b", "", 10)).Entries; len(list) > 0 {
		t.Errorf("the trash shows %+v", list)
	}
	if _, err := other.svc.RecoverTransfers(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = other.to.Version(ctx, doc.ID, doc.Version)
	wantCode(t, err, registry.CodeNotFound)
	other.remove(t, "/b/t")
	must[registry.PutResult](t)(other.svc.Move(ctx, actor, in))
	if got := n.get(t, "/b/t/doc"); got.ID != doc.ID || got.Version != 3 {
		t.Errorf("moved at last it is %+v, it was %+v", got, doc)
	}
}
