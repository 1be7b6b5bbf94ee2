package registrytest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testRestoreTree: a collection goes back to a checkpoint: what changed, what went, what came, at once.
func testRestoreTree(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	for _, p := range []registry.Path{"/r/same", "/r/changed", "/r/gone", "/r/deep/er/gone", "/r/deep/er/same", "/r/turned/into/file", "/out"} {
		n.put(t, p, string(p))
	}
	point, err := n.svc.SetCheckpoint(t.Context(), actor, registry.CheckpointInput{Path: "/r", Name: "v1", Comment: "the release"})
	if err != nil {
		t.Fatal(err)
	}
	was := n.walk(t, "/r", registry.Moment{})
	n.put(t, "/r/changed", "otherwise")
	n.remove(t, "/r/gone")
	n.remove(t, "/r/deep")
	n.remove(t, "/r/turned")
	n.put(t, "/r/turned", "a file")
	n.put(t, "/r/new/below", "new")
	n.put(t, "/out", "changed outside")
	if _, err := n.svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: "/r", Description: new("changed")}); err != nil {
		t.Fatal(err)
	}
	nodes[1].walk(t, "/r", registry.Moment{}) // into the other node's memory
	out := n.get(t, "/out")

	restore := func(c registry.Precondition) (registry.TreeRestored, error) {
		return n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: "/r", Checkpoint: "v1", Comment: "back", If: c})
	}
	_, err = restore(registry.Precondition{Match: []string{`"x"`}})
	wantCode(t, err, registry.CodePrecondition)
	dry := func() (registry.TreeRestored, error) {
		return n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: "/r", Checkpoint: "v1", DryRun: true})
	}
	before := n.walk(t, "/r", registry.Moment{})
	told, err := dry()
	if err != nil || told.Revised != 2 || told.Returned != 3 || told.Created != 0 || told.Removed != 2 || !told.Resource.ID.IsZero() {
		t.Errorf("the dry run tells %+v: %v", told, err)
	}
	for i, node := range nodes {
		if now := node.walk(t, "/r", registry.Moment{}); !maps.Equal(now, before) {
			t.Errorf("node %d: the dry run left\n%v\nof\n%v", i, now, before)
		}
	}
	done, err := restore(registry.Precondition{Match: []string{n.get(t, "/r").ETag()}})
	if err != nil || done.Revised != 2 || done.Returned != 3 || done.Created != 0 || done.Removed != 2 || done.Resource.Meta.Description != "" {
		t.Errorf("the restore did %+v: %v", done, err)
	}
	for i, node := range nodes {
		now := node.walk(t, "/r", registry.Moment{})
		if !maps.Equal(plain(now), plain(was)) {
			t.Errorf("node %d: after the restore there is\n%v\nwant\n%v", i, now, was)
		}
		for p, text := range was { // what came back is what it was, with its history
			if p != "/r/changed" && now[p] != text {
				t.Errorf("node %d: %s is %s, want %s", i, p, now[p], text)
			}
		}
		if got := node.text(t, "/r/deep/er/gone", 0); got != "/r/deep/er/gone" {
			t.Errorf("node %d: what came back holds %q", i, got)
		}
		if r := node.get(t, "/r/changed"); r.Version != 3 || r.Comment != "back" {
			t.Errorf("node %d: what was changed is version %d with the comment %q", i, r.Version, r.Comment)
		}
	}
	if now := n.get(t, "/out"); now.ETag() != out.ETag() {
		t.Errorf("outside of the collection %s became %s", out.ETag(), now.ETag())
	}
	if told, err = dry(); err != nil || told.Revised+told.Returned+told.Created+told.Removed != 0 {
		t.Errorf("with nothing to do the dry run tells %+v: %v", told, err)
	}
	again, err := restore(registry.Precondition{})
	if err != nil || again.Revised+again.Returned+again.Created+again.Removed != 0 || again.Resource.ETag() != done.Resource.ETag() {
		t.Errorf("the same again did %+v: %v", again, err)
	}

	_, list, err := nodes[1].svc.Checkpoints(t.Context(), actor, "/r", registry.Freshness{})
	if err != nil || len(list) != 1 || list[0].Comment != "the release" || list[0].SetBy != actor.User || list[0].Seq != point.Seq {
		t.Errorf("the checkpoints are %+v, want %+v: %v", list, point, err)
	}
	set := func(in registry.CheckpointInput) error {
		_, err := nodes[1].svc.SetCheckpoint(t.Context(), actor, in)
		return err
	}
	wantCode(t, set(registry.CheckpointInput{Path: "/r", Name: "v1"}), registry.CodeConflict)
	wantCode(t, set(registry.CheckpointInput{Path: "/r", Name: "a b"}), registry.CodeInvalid)
	wantCode(t, set(registry.CheckpointInput{Path: "/r/same", Name: "v2"}), registry.CodeConflict)
	wantCode(t, set(registry.CheckpointInput{Path: "/none", Name: "v2"}), registry.CodeNotFound)
	wantCode(t, set(registry.CheckpointInput{Path: "/r", Name: "v2", At: registry.Moment{Seq: 1 << 40}}), registry.CodeInvalid)
	wantCode(t, set(registry.CheckpointInput{Path: "/r", Name: "v0", At: registry.Moment{Seq: 1}}), "")
	if _, err := n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: "/r", Checkpoint: "v0"}); err != nil || len(n.walk(t, "/r", registry.Moment{})) != 1 {
		t.Errorf("at the first change there was %v: %v", n.walk(t, "/r", registry.Moment{}), err)
	}
	for i := range registry.MaxCheckpoints - 2 {
		if err := set(registry.CheckpointInput{Path: "/r", Name: fmt.Sprintf("c%d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, set(registry.CheckpointInput{Path: "/r", Name: "one-more"}), registry.CodeConflict)
}

// testRestoreTreeRefused: what cannot be done whole leaves everything as it is.
func testRestoreTreeRefused(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	if _, err := n.svc.CreateCollection(t.Context(), actor, registry.CollectionInput{Path: "/big"}); err != nil {
		t.Fatal(err)
	}
	empty := n.put(t, "/big/first", "x").Resource.Seq
	_, err := n.Update(t.Context(), op(), func(tx registry.Tx) error {
		for i := range registry.MaxRestore {
			if err := make1(tx, registry.Path(fmt.Sprintf("/big/%d", i)), registry.KindCollection, ""); err != nil {
				return err
			}
		}
		return revise1(tx, "/big/first", "changed")
	})
	if err != nil {
		t.Fatal(err)
	}
	before := n.get(t, "/big")
	restore := func(in registry.RestoreTreeInput) error {
		_, err := n.svc.RestoreTree(t.Context(), actor, in)
		return err
	}
	when := registry.Moment{Seq: empty.N}
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big", At: when}), registry.CodeTooLarge)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big"}), registry.CodeInvalid)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big", At: when, Checkpoint: "x"}), registry.CodeInvalid)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big", Checkpoint: "x"}), registry.CodeNotFound)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big", At: registry.Moment{Seq: 1 << 40}}), registry.CodeInvalid)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/big/first", At: when}), registry.CodeConflict)
	wantCode(t, restore(registry.RestoreTreeInput{Path: "/none", At: when}), registry.CodeNotFound)
	if after := n.get(t, "/big"); after.ETag() != before.ETag() || after.Seq != before.Seq {
		t.Errorf("what was refused changed the collection from %s to %s", before.ETag(), after.ETag())
	}
}

// testRestoreFromBelow: what a restore took out of a deleted collection is not there when that comes back, on no node.
func testRestoreFromBelow(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, svc, ctx := nodes[0], nodes[0].svc, t.Context()
	step := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n.put(t, "/h/d/z", "deep")
	step(svc.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/h", Name: "v1"}))
	step(svc.Move(ctx, actor, registry.MoveInput{From: "/h/d/z", To: "/h/e/z"}))
	nodes[1].walk(t, "/h", registry.Moment{}) // into memory
	n.remove(t, "/h/e")
	step(svc.RestoreTree(ctx, actor, registry.RestoreTreeInput{Path: "/h", Checkpoint: "v1"}))
	step(svc.Undelete(ctx, actor, n.trash(t, "/", 10)[0].ID, "/e"))
	for i, node := range nodes {
		node.gone(t, "/e/z")
		if got := node.text(t, "/h/d/z", 0); got != "deep" {
			t.Errorf("node %d: what came back holds %q", i, got)
		}
	}
	want := []string{
		"create /h", "create /h/d", "create /h/d/z", "checkpoint /h v1", "create /h/e", "leave /h/d/z ~ /h/e/z", "move /h/e/z ~ /h/d/z", "delete /h/e",
		"leave  ~ /h/d/z", "undelete /h/d/z", "undelete /e ~ /h/e",
	}
	if got := allTold(readAll(t, nodes[1], registry.Position{}, 100)); !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}
