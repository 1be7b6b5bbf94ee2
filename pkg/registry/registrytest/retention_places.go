package registrytest

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testRetentionWhereItWas: a checkpoint keeps the versions of what lay below its collection then, wherever that is by now, and of nothing that came since.
func testRetentionWhereItWas(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, ctx := nodes[0], t.Context()
	for _, p := range []registry.Path{"/k/in/x", "/k/sub/deep/y", "/k/back/w", "/k/stays", "/other/z"} {
		n.put(t, p, "then")
	}
	n.put(t, "/other/z", "second")
	was := n.walk(t, "/k", registry.Moment{})
	must[registry.Checkpoint](t)(n.svc.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/k", Name: "then"}))
	n.move(t, "/k/in/x", "/out/x")
	n.move(t, "/k/sub", "/out/sub")
	n.move(t, "/k/back/w", "/out/w")
	n.move(t, "/other/z", "/k/z")
	for _, p := range []registry.Path{"/out/x", "/out/sub/deep/y", "/out/w", "/k/stays", "/k/z"} {
		n.put(t, p, "between")
		n.put(t, p, "now")
	}
	n.move(t, "/out/w", "/k/back/w")
	n.put(t, "/k/back/w", "home again")
	n.move(t, "/out/sub", "/far/sub")
	before := n.get(t, "/far").Seq
	n.keep(t, "/", 1, 0)
	n.apply(t, 0)
	nodes[1].wantNumbers(t, map[registry.Path]string{
		"/out/x": "3 1", "/far/sub/deep/y": "3 1", "/k/back/w": "4 1", "/k/stays": "3 1", "/k/z": "4",
	})
	_, err := n.RemoveVersion(ctx, op(), func(tx registry.Tx, remove func(registry.Resource, int64) error) error {
		r, err := tx.Get("/out/x")
		if err != nil {
			return err
		}
		return remove(r, 1)
	})
	wantCode(t, err, registry.CodeConflict)
	if _, err := n.svc.RestoreTree(ctx, actor, registry.RestoreTreeInput{Path: "/k", Checkpoint: "then"}); err != nil {
		t.Fatal(err)
	}
	now := plain(nodes[1].walk(t, "/k", registry.Moment{}))
	for p, text := range plain(was) {
		if now[p] != text {
			t.Errorf("after the restore %s is %s, it was %s", p, now[p], text)
		}
	}
	if len(now) != len(was) {
		t.Errorf("after the restore there is %v, there was %v", now, was)
	}
	// Without the checkpoint nothing needs them.
	must[registry.Seq](t)(n.svc.RemoveCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/k", Name: "then"}))
	n.apply(t, 0)
	nodes[1].wantNumbers(t, map[registry.Path]string{"/out/x": "3", "/far/sub/deep/y": "3"})
	// A checkpoint is of the collection that is there, not of one that had its path.
	n.remove(t, "/far")
	n.put(t, "/far/sub/deep/y", "another")
	_, err = n.svc.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/far", Name: "before", At: registry.Moment{Seq: before.N}})
	wantCode(t, err, registry.CodeConflict)
}
