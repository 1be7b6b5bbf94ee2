package registrytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func testHistoryEvents(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n.put(t, "/h/x", "1")
	n.put(t, "/h/x", "2")
	label := registry.LabelInput{Path: "/h/x", Name: "prod", Version: 1}
	_, err := n.svc.SetLabel(ctx, actor, label)
	must(err)
	label.Version = 2
	_, err = n.svc.SetLabel(ctx, actor, label)
	must(err)
	_, err = n.svc.RemoveLabel(ctx, actor, label)
	must(err)
	release := registry.CheckpointInput{Path: "/h", Name: "release"}
	_, err = n.svc.SetCheckpoint(ctx, actor, release)
	must(err)
	n.put(t, "/h/x", "3")
	_, err = n.svc.Delete(ctx, actor, "/h/x", registry.Precondition{})
	must(err)
	n.put(t, "/h/y", "new")
	_, err = n.svc.RestoreTree(ctx, actor, registry.RestoreTreeInput{Path: "/h", Checkpoint: "release"})
	must(err)
	_, err = n.svc.RemoveCheckpoint(ctx, actor, release)
	must(err)
	_, err = n.svc.SetRetention(ctx, actor, registry.RetentionInput{Path: "/h", Rule: registry.Retention{KeepLast: 3}})
	must(err)
	_, err = n.svc.RunRetention(ctx, actor)
	must(err)
	want := []string{
		"create /h v1", "create /h/x v1", "update /h/x v2",
		"label /h/x prod v1", "label /h/x prod v2", "unlabel /h/x prod v0",
		"checkpoint /h release v0",
		"update /h/x v3", "delete /h/x v3", "create /h/y v1",
		"delete /h/y v1", "undelete /h/x ~ /h/x v3", "update /h/x v4",
		"delete_checkpoint /h release v0", "retain /h v0", "prune /h/x v1",
	}
	all := readAll(t, n, registry.Position{}, 4)
	got := make([]string, len(all))
	for i, e := range all {
		got[i] = fmt.Sprintf("%s v%d", told(e), e.Version)
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
	for _, action := range []string{"label", "unlabel", "checkpoint", "delete_checkpoint", "retain", "prune"} {
		count := len(slices.DeleteFunc(slices.Clone(all), func(e registry.Event) bool { return e.Action != action }))
		if back := readBack(t, n, registry.ActivityQuery{Action: action}, 1); len(back) != count || count == 0 {
			t.Errorf("%s: found %d of %d", action, len(back), count)
		}
	}
}
