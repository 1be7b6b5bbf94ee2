package registrytest

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// What a read may answer from memory, and what it must not.

func testMinSeq(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	first := nodes[0].put(t, "/m", "1").Resource
	if got := nodes[1].get(t, "/m"); got.ETag() != first.ETag() {
		t.Fatalf("read %s, want %s", got.ETag(), first.ETag())
	}
	nodes[1].get(t, "/m")
	before := nodes[1].Statements()
	for range 10 {
		r, err := nodes[1].Get(t.Context(), "/m", registry.Freshness{Min: first.Seq})
		if err != nil || r.Version != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if sent := nodes[1].Statements() - before; sent != 0 {
		t.Errorf("ten reads up to a known position took %d statements", sent)
	}
	second := nodes[0].put(t, "/m", "2").Resource
	r, err := nodes[1].Get(t.Context(), "/m", registry.Freshness{Min: second.Seq})
	if err != nil || r.Version != 2 || r.Seq.N < second.Seq.N {
		t.Errorf("a read up to %d gave %+v: %v", second.Seq.N, r, err)
	}
	// A position of another store says nothing about this one.
	third := nodes[0].put(t, "/m", "3").Resource
	r, err = nodes[1].Get(t.Context(), "/m", registry.Freshness{Min: registry.Seq{Store: "other", N: 1}})
	if err != nil || r.Version != third.Version {
		t.Errorf("a read up to a position of another store gave %+v: %v", r, err)
	}
}

// testOwnCommits: a store whose memory is behind, because another one wrote, must not answer from it after a commit of its own.
func testOwnCommits(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	nodes[0].put(t, "/mine", "1")
	old := nodes[0].get(t, "/mine")
	nodes[1].put(t, "/other", "1")
	own := nodes[0].put(t, "/mine", "2").Resource
	r, err := nodes[0].Get(t.Context(), "/mine", registry.Freshness{Min: old.Seq})
	if err != nil || r.Version != own.Version {
		t.Errorf("after its own commit the store gave version %d, want %d: %v", r.Version, own.Version, err)
	}
}

// testSeen: an actor that was looked up for a request brings the state it was seen at, and the use cases need no further query of the head.
func testSeen(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/seen", "1")
	if _, err := n.CreateUser(t.Context(), registry.User{Name: "ann", Password: "x"}); err != nil {
		t.Fatal(err)
	}
	n.get(t, "/seen")
	if _, err := n.UserByName(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	before := n.Statements()
	u, err := n.UserByName(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.svc.Get(t.Context(), registry.Actor{User: u.Name, Seen: u.Seq}, "/seen", registry.Freshness{}); err != nil {
		t.Fatal(err)
	}
	if sent := n.Statements() - before; sent != 1 {
		t.Errorf("a request of a known user for a known resource took %d statements, want one query of the head", sent)
	}
}

// testSeenAfterRefusal: a change was refused because of what another store wrote after the actor was seen; a read of the same request must show that.
func testSeenAfterRefusal(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	base := nodes[0].put(t, "/page", "base").Resource
	seen := nodes[0].get(t, "/page").Seq
	theirs := nodes[1].put(t, "/page", "theirs").Resource
	late := registry.Actor{User: "late", Seen: seen}
	_, err := nodes[0].svc.UpdateMeta(t.Context(), late, registry.MetaInput{
		Path: "/page", Description: new("mine"), If: registry.Precondition{Match: []string{base.ETag()}},
	})
	wantCode(t, err, registry.CodePrecondition)
	now, err := nodes[0].svc.Get(t.Context(), late, "/page", registry.Freshness{})
	if err != nil || now.ETag() != theirs.ETag() {
		t.Errorf("after the refusal the store shows %s, want %s: %v", now.ETag(), theirs.ETag(), err)
	}
}
