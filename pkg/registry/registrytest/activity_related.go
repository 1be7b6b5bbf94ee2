package registrytest

import (
	"slices"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testRelatedPaths: the other path of an event is told by the same rule as the first one: to who may read the thing itself, wherever it is by now. That its path
// has lost the permissions which went away with it opens nothing.
func testRelatedPaths(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to registry.Path) {
		t.Helper()
		_, err := n.svc.Move(ctx, admin, registry.MoveInput{From: from, To: to})
		must(err)
	}
	n.grant(t, "/", "everyone +read")
	for _, p := range []registry.Path{"/d/doc", "/d/other/x", "/d/secret/x", "/d/target", "/d/gone/x", "/in/x"} {
		n.store(t, p, "x")
	}
	for _, p := range []registry.Path{"/d/secret", "/d/target", "/in"} {
		n.grant(t, p, "everyone -read")
	}
	for _, c := range [][2]registry.Path{{"/d/secret", "/d/copy"}, {"/d/other", "/d/copy of other"}, {"/d/gone", "/d/copy of gone"}} {
		_, err := n.svc.Copy(ctx, admin, registry.MoveInput{From: c[0], To: c[1]})
		must(err)
	}
	for _, to := range []string{"/d/target", "/d/other", "https://example.com/"} {
		_, _, _, err := n.svc.Associate(ctx, admin, "/d/doc", "uses", to)
		must(err)
	}
	move("/d/other", "/d/renamed")
	move("/in/x", "/d/x")
	expect := func(what string, a registry.Actor, want ...string) {
		t.Helper()
		list, err := n.svc.Activity(ctx, a, registry.ActivityInput{Path: "/d", Limit: 100})
		must(err)
		var got []string
		for _, e := range list.Events {
			if e.Action == "copy" || e.Action == "associate" || e.Action == "move" {
				got = append(got, told(e))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s is told\n%q, want\n%q", what, a.User, got, want)
		}
	}
	joe := registry.Actor{User: "joe"}
	mine := []string{
		"associate /d/doc uses", "associate /d/doc uses", "associate /d/doc ~ /d/other uses",
		"copy /d/copy", "copy /d/copy of gone ~ /d/gone", "copy /d/copy of other", "move /d/renamed ~ /d/other", "move /d/x",
	}
	expect("while all is there", joe, mine...)

	// What was denied goes, with its entries; its path is like any other below /d then.
	for _, p := range []registry.Path{"/d/secret", "/d/target"} {
		_, err := n.svc.Delete(ctx, admin, p, registry.Precondition{})
		must(err)
	}
	expect("when they are gone", joe, mine...)

	// Who does not find the source of a copy any more is not told of it, since the log does not say which it was.
	_, err := n.svc.Delete(ctx, admin, "/d/gone", registry.Precondition{})
	must(err)
	mine[4] = "copy /d/copy of gone"
	expect("when the source has gone", joe, mine...)
	expect("all the while", admin, "associate /d/doc uses", "associate /d/doc ~ /d/other uses", "associate /d/doc ~ /d/target uses", "copy /d/copy of gone ~ /d/gone",
		"copy /d/copy of other ~ /d/other", "copy /d/copy ~ /d/secret", "move /d/renamed ~ /d/other", "move /d/x ~ /in/x")
}
