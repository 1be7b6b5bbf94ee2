package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// starred is where the stars of a are, newest first.
func (n *node) starred(t testing.TB, a registry.Actor) []registry.Path {
	t.Helper()
	list, err := n.svc.Stars(t.Context(), a, 0)
	if err != nil {
		t.Fatal(err)
	}
	paths := make([]registry.Path, len(list))
	for i, s := range list {
		paths[i] = s.Path
		if s.At.IsZero() || s.ID.IsZero() {
			t.Errorf("the star on %s is %+v", s.Path, s)
		}
	}
	return paths
}

func testStars(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, other := nodes[0], nodes[1]
	ctx := t.Context()
	star := func(a registry.Actor, p registry.Path, on bool) registry.Resource {
		t.Helper()
		r, err := n.svc.Star(ctx, a, p, on)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := func(a registry.Actor, paths ...registry.Path) {
		t.Helper()
		for _, n := range nodes {
			if got := n.starred(t, a); !slices.Equal(got, paths) {
				t.Errorf("%s starred %v, want %v", a.User, got, paths)
			}
		}
	}
	n.put(t, "/s/one", "x")
	n.put(t, "/s/two", "x")
	etag := n.get(t, "/s/one").ETag()
	want(ann)
	star(ann, "/s/one", true)
	star(ann, "/s", true)
	star(joe, "/s/two", true)
	before := n.position(t)
	if r := star(ann, "/s/one", true); r.Seq != before {
		t.Errorf("a star given twice moved the log from %v to %v", before, r.Seq)
	}
	want(ann, "/s", "/s/one")
	want(joe, "/s/two")
	for p, expected := range map[registry.Path]bool{"/s/one": true, "/s/two": false, "/s": true} {
		if _, on, err := other.svc.Starred(ctx, ann, p, registry.Freshness{}); err != nil || on != expected {
			t.Errorf("%s starred: %v %v", p, on, err)
		}
	}
	if got := n.get(t, "/s/one"); got.ETag() != etag {
		t.Errorf("the entity tag moved from %s to %s", etag, got.ETag())
	}
	list, err := n.svc.Activity(ctx, actor, registry.ActivityInput{Path: "/s", User: ann.User})
	if err != nil || len(list.Events) != 0 {
		t.Errorf("others hear of stars: %+v %v", list.Events, err)
	}

	// It is on the node, not on the path.
	n.move(t, "/s/one", "/s/three")
	want(ann, "/s", "/s/three")
	n.put(t, "/s/one", "another")
	want(ann, "/s", "/s/three")
	n.move(t, "/s", "/moved")
	want(ann, "/moved", "/moved/three")

	// The trash hides it, the way back shows it, and the purge ends it.
	gone := n.get(t, "/moved/three")
	n.remove(t, "/moved/three")
	want(ann, "/moved")
	if _, err := n.svc.Undelete(ctx, actor, gone.ID, "/moved/back"); err != nil {
		t.Fatal(err)
	}
	want(ann, "/moved", "/moved/back")
	n.remove(t, "/moved/back")
	if _, err := n.svc.Purge(ctx, actor, "/moved/three", gone.ID); err != nil {
		if _, err = n.svc.Purge(ctx, actor, "/moved/back", gone.ID); err != nil {
			t.Fatal(err)
		}
	}
	if on, err := other.Starred(ctx, gone.ID, ann.User); on || err != nil {
		t.Errorf("what was purged has a star: %v", err)
	}
	star(ann, "/moved", false)
	star(ann, "/moved", false)
	want(ann)

	_, err = n.svc.Star(ctx, registry.Actor{}, "/moved", true)
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = n.svc.Stars(ctx, registry.Actor{}, 0)
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = n.svc.Star(ctx, ann, "/none", true)
	wantCode(t, err, registry.CodeNotFound)
	reader := registry.Actor{User: "ann", Scope: &registry.Scope{Rights: registry.RightsOf(registry.RightRead)}}
	_, err = n.svc.Star(ctx, reader, "/moved", true)
	wantCode(t, err, registry.CodeDenied)
	for i := range registry.MaxStars {
		p := registry.Path(fmt.Sprintf("/moved/%03d", i))
		n.put(t, p, "x")
		star(ann, p, true)
	}
	_, err = n.svc.Star(ctx, ann, "/moved", true)
	wantCode(t, err, registry.CodeConflict)
	if got := n.starred(t, ann); len(got) != registry.MaxStars {
		t.Errorf("%d stars", len(got))
	}
	if few, err := n.svc.Stars(ctx, ann, 3); err != nil || len(few) != 3 || few[0].At.Before(few[2].At) {
		t.Errorf("the first three are %+v: %v", few, err)
	}
}

// testStarsOfTheGone removes users who starred in several stores, of which one node has but some.
func testStarsOfTheGone(t *testing.T, fresh func(testing.TB) Database) {
	home, second, private := open(t, fresh, 1)[0], open(t, fresh, 1)[0], open(t, fresh, 1)[0]
	ctx := t.Context()
	one := guarded(t, home.Store, registry.Mount{Path: "/h", Store: home, Target: "/"}, registry.Mount{Path: "/s", Store: second, Target: "/"})
	two := guarded(t, home.Store, registry.Mount{Path: "/h", Store: home, Target: "/"}, registry.Mount{Path: "/p", Store: private, Target: "/"})
	for _, name := range []string{"ann", "bob"} {
		if _, err := home.AddUser(ctx, op(), registry.User{Name: name, Roles: []registry.ID{registry.RoleAdmin}}); err != nil {
			t.Fatal(err)
		}
	}
	star := func() {
		t.Helper()
		for n, paths := range map[*node][]registry.Path{one: {"/h/doc", "/s/doc"}, two: {"/p/doc"}} {
			for _, p := range paths {
				n.store(t, p, "x")
				for _, who := range []string{"ann", "bob"} {
					if _, err := n.svc.Star(ctx, registry.Actor{User: who, Roles: []registry.ID{registry.RoleAdmin}}, p, true); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	want := func(what string, home1, second1, private1 string) {
		t.Helper()
		for s, want := range map[*node]string{home: home1, second: second1, private: private1} {
			givers, err := s.StarGivers(ctx, "", 10)
			if got := strings.Join(givers, " "); err != nil || got != want {
				t.Errorf("%s: %q gave stars, want %q: %v", what, got, want, err)
			}
		}
	}
	star()
	want("before", "ann bob", "ann bob", "ann bob")
	if givers, err := home.StarGivers(ctx, "ann", 1); err != nil || !slices.Equal(givers, []string{"bob"}) {
		t.Errorf("after ann: %v, %v", givers, err)
	}
	if n, err := one.svc.SweepStars(ctx); n != 0 || err != nil {
		t.Errorf("swept %d of those who are there: %v", n, err)
	}
	if err := home.DeleteUser(ctx, op(), "ann", func(registry.User, int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n, err := one.svc.ForgetStars(ctx, "ann"); n != 2 || err != nil {
		t.Errorf("took away %d: %v", n, err)
	}
	want("at the removal", "bob", "bob", "ann bob")
	if n, err := two.svc.SweepStars(ctx); n != 1 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	want("after the sweep", "bob", "bob", "bob")
}

// testStarRights gives stars to somebody who then may read no more.
func testStarRights(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	dev := n.role(t, "dev")
	bob := registry.Actor{User: "bob", Roles: []registry.ID{dev}}
	n.store(t, "/team/plan", "x")
	n.store(t, "/open/doc", "x")
	n.grant(t, "/", "dev +read")
	ctx := t.Context()
	for _, p := range []registry.Path{"/open/doc", "/team/plan"} {
		if _, err := n.svc.Star(ctx, bob, p, true); err != nil {
			t.Fatal(err)
		}
	}
	n.grant(t, "/team", "dev -read")
	if got := n.starred(t, bob); !slices.Equal(got, []registry.Path{"/open/doc"}) {
		t.Errorf("bob sees stars on %v", got)
	}
	_, err := n.svc.Star(ctx, bob, "/team/plan", false)
	wantCode(t, err, registry.CodeDenied)
	_, _, err = n.svc.Starred(ctx, bob, "/team/plan", registry.Freshness{})
	wantCode(t, err, registry.CodeDenied)
	n.grant(t, "/team")
	if got := n.starred(t, bob); len(got) != 2 {
		t.Errorf("bob sees stars on %v", got)
	}
}
