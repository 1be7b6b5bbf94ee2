package registrytest

import (
	"context"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testIDsComeBack: what was purged in a store after it had moved away comes back there with its ids. Nodes that remember it as it was then show and change what it is now.
func testIDsComeBack(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	nodes := []*both{n, other}
	ctx := t.Context()
	n.put(t, "/a/t/sub/doc", "1")
	n.put(t, "/a/t/sub/old", "x")
	entries(t, n.from, n.get(t, "/a/t/sub").ID, []registry.Entry{{Role: registry.RoleEveryone, Allow: registry.RightsOf(registry.RightRead)}})
	warm := func(top registry.Path) {
		for _, n := range nodes {
			for range 2 {
				n.get(t, top+"/doc")
				n.text(t, top+"/doc", 1)
				if _, err := n.from.Permissions(ctx, "/in/a/t/sub/doc", nil, registry.Freshness{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	warm("/a/t/sub")
	first := n.get(t, "/a/t/sub/doc")
	must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t", To: "/b/t"}))
	if _, err := n.svc.PurgeOlder(ctx, actor, "/a", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	n.put(t, "/b/t/sub/doc", "2")
	n.put(t, "/b/t/sub/new", "y")
	n.remove(t, "/b/t/sub/old")
	entries(t, n.to, n.get(t, "/b/t/sub").ID, []registry.Entry{{Role: registry.RoleEveryone, Deny: registry.RightsOf(registry.RightRead)}})

	// The part alone comes back, and is written to at once.
	must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/b/t/sub", To: "/a/t/sub"}))
	for i, n := range nodes {
		got := n.get(t, "/a/t/sub/doc")
		if got.ID != first.ID || got.Version != 2+int64(i) || n.text(t, "/a/t/sub/doc", 2) != "2" {
			t.Errorf("node %d shows %+v, it was %+v", i, got, first)
		}
		if got := names(t, n.node, "/a/t/sub"); got != "resource doc,resource new," {
			t.Errorf("node %d lists %s", i, got)
		}
		n.gone(t, "/a/t/sub/old")
		perms, err := n.from.Permissions(ctx, "/in/a/t/sub/doc", nil, registry.Freshness{})
		if err != nil || len(perms.Way) != 1 || !perms.Way[0].Entries[0].Deny.Has(registry.RightRead) {
			t.Errorf("node %d has the permissions %+v: %v", i, perms, err)
		}
		res := n.put(t, "/a/t/sub/doc", "more")
		if i == 0 && (res.Resource.Version != 3 || res.Resource.ID != first.ID) {
			t.Errorf("the next version is %+v", res.Resource)
		}
	}
	// And the whole again, to the other side and back, while all remember it.
	for range 2 {
		must[registry.PutResult](t)(other.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t", To: "/b/u"}))
		for _, top := range []registry.Path{"/a", "/b"} {
			if _, err := n.svc.PurgeOlder(ctx, actor, top, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		want := other.put(t, "/b/u/sub/doc", "again").Resource
		must[registry.PutResult](t)(other.svc.Move(ctx, actor, registry.MoveInput{From: "/b/u", To: "/a/t"}))
		if _, err := n.svc.PurgeOlder(ctx, actor, "/b", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for i, n := range nodes {
			if got := n.get(t, "/a/t/sub/doc"); got.ID != want.ID || got.Version != want.Version || n.text(t, "/a/t/sub/doc", 0) != "again" {
				t.Errorf("node %d shows %+v, want %+v", i, got, want)
			}
		}
	}
}

// entries gives a node permission entries.
func entries(t testing.TB, s Store, id registry.ID, list []registry.Entry) {
	t.Helper()
	if _, err := s.Update(context.Background(), op(), func(tx registry.Tx) error { return tx.SetEntries(id, list) }); err != nil {
		t.Fatal(err)
	}
}

// testPermissionsOnTheWay: entries move with their nodes, so what was denied stays denied in the other store, and nobody moves or copies what they may not.
func testPermissionsOnTheWay(t *testing.T, p *pair) {
	n := p.open(t)
	mounts, err := registry.NewMounts(registry.Mount{Path: "/a", Store: n.from, Target: "/in/a"}, registry.Mount{Path: "/b", Store: n.to, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.NewAccess(mounts, n.to), Directory: n.to})
	ctx, ann, admin := t.Context(), registry.Actor{User: "ann"}, registry.Actor{User: "root", Roles: []registry.ID{registry.RoleAdmin}}
	n.put(t, "/a/t/open", "x")
	n.put(t, "/a/t/secret/doc", "x")
	secret := n.get(t, "/a/t/secret").ID
	all := registry.RightsOf(registry.RightRead, registry.RightWrite, registry.RightDelete)
	n.put(t, "/b/x", "x")
	entries(t, n.to, registry.PathID(registry.Root), []registry.Entry{{Role: registry.RoleEveryone, Allow: all}})
	entries(t, n.from, secret, []registry.Entry{{Role: registry.RoleEveryone, Deny: all}})
	in := registry.MoveInput{From: "/a/t", To: "/b/t"}
	for _, do := range []func(context.Context, registry.Actor, registry.MoveInput) (registry.PutResult, error){svc.Move, svc.Copy} {
		_, err = do(ctx, ann, in)
		wantCode(t, err, registry.CodeDenied)
	}
	n.gone(t, "/b/t")
	wantNothingOpen(t, n)
	must[registry.PutResult](t)(svc.Move(ctx, admin, in))
	if _, err := svc.Get(ctx, ann, "/b/t/open", registry.Freshness{}); err != nil {
		t.Errorf("what was open: %v", err)
	}
	_, err = svc.Get(ctx, ann, "/b/t/secret/doc", registry.Freshness{})
	wantCode(t, err, registry.CodeDenied)
	must[registry.PutResult](t)(svc.Move(ctx, ann, registry.MoveInput{From: "/b/t/open", To: "/a/open"}))
}
