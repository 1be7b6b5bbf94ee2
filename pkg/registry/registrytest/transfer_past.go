package registrytest

import (
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testPastBeforeReturn: of what left a store, was purged there and came back, the store knows that it was there once, and no more what it was.
func testPastBeforeReturn(t *testing.T, p *pair) {
	n, ctx := p.open(t), t.Context()
	n.put(t, "/a/t/sub/doc", "1")
	n.put(t, "/a/t/old", "x")
	must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t/old", To: "/a/t/new"}))
	then := registry.Pick{At: registry.Moment{Seq: n.get(t, "/a/t/new").Seq.N}}
	look := func(p registry.Path) error {
		_, _, err := n.svc.GetPick(ctx, actor, p, then, registry.Freshness{})
		return err
	}
	must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t", To: "/b/t"}))
	wantCode(t, look("/a/t/sub/doc"), "") // it is in the trash
	if _, err := n.svc.PurgeOlder(ctx, actor, "/a", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, back := range []bool{false, true} {
		if back {
			must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/b/t", To: "/a/t"}))
		}
		for _, p := range []registry.Path{"/a/t", "/a/t/sub", "/a/t/sub/doc", "/a/t/new"} {
			if err := look(p); registry.CodeOf(err) != registry.CodeGone {
				t.Errorf("back %t: %s then: %v", back, p, err)
			}
		}
		wantCode(t, look("/a/other"), registry.CodeNotFound)
	}
	if got := n.text(t, "/a/t/sub/doc", 0); got != "1" {
		t.Errorf("what came back holds %q", got)
	}
	// It has a past again from here on.
	then.At.Seq = n.put(t, "/a/t/sub/doc", "2").Resource.Seq.N - 1
	wantCode(t, look("/a/t/sub/doc"), "")
	wantCode(t, look("/a/t/never"), registry.CodeNotFound)
}
