package sqlstore

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

// What the walk of a run saw long ago does not count: in the write turn the rule and the place are those of now.
func TestPrune_LooksAgainInTheWriteTurn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(tx registry.Tx, x, c, other registry.Resource) error
		kept   int
	}{
		"nothing": {func(registry.Tx, registry.Resource, registry.Resource, registry.Resource) error { return nil }, 1},
		"the rule is gone": {func(tx registry.Tx, _, c, _ registry.Resource) error {
			_, err := tx.SetRetention(c, registry.Retention{})
			return err
		}, 4},
		"the rule keeps more": {func(tx registry.Tx, _, c, _ registry.Resource) error {
			_, err := tx.SetRetention(c, registry.Retention{KeepLast: 3})
			return err
		}, 3},
		"it has come below another rule": {func(tx registry.Tx, x, _, other registry.Resource) error {
			_, err := tx.Move(x, other, "x")
			return err
		}, 2},
		"it has come to where is none": {func(tx registry.Tx, x, _, _ registry.Resource) error {
			root, err := tx.Get("/")
			if err == nil {
				_, err = tx.Move(x, root, "x")
			}
			return err
		}, 4},
		"it is in the trash": {func(tx registry.Tx, x, _, _ registry.Resource) error { return tx.Trash(x) }, 4},
		"a checkpoint was set": {func(tx registry.Tx, _, c, _ registry.Resource) error {
			_, err := tx.SetCheckpoint(c, registry.Checkpoint{Name: "then", Seq: registry.Seq{N: 2}})
			return err
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, Config{DSN: sqliteFile(t)})
			op := registry.Op{Actor: registry.Actor{User: "tester"}, At: time.Now()}
			var x, c1, c2 registry.Resource
			update := func(change func(tx registry.Tx) error) {
				t.Helper()
				if _, err := s.Update(t.Context(), op, change); err != nil {
					t.Fatal(err)
				}
			}
			update(func(tx registry.Tx) error {
				root, err := tx.Get("/")
				if err != nil {
					return err
				}
				if c1, err = tx.Create(root, "c", registry.KindCollection, registry.Draft{}); err != nil {
					return err
				}
				if c2, err = tx.Create(root, "other", registry.KindCollection, registry.Draft{}); err != nil {
					return err
				}
				x, err = tx.Create(c1, "x", registry.KindCollection, registry.Draft{})
				return err
			})
			for _, text := range []string{"2", "3", "4"} {
				update(func(tx registry.Tx) (err error) {
					x, err = tx.Revise(x, registry.Draft{Meta: registry.Meta{Description: text}})
					return err
				})
			}
			update(func(tx registry.Tx) error {
				if _, err := tx.SetRetention(c1, registry.Retention{KeepLast: 1}); err != nil {
					return err
				}
				_, err := tx.SetRetention(c2, registry.Retention{KeepLast: 2})
				return err
			})
			l, ok, err := s.takeLease(t.Context(), retentionLease, leaseLength)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			p := &pruner{store: s, ctx: t.Context(), op: op, lease: l, report: &registry.RetentionReport{}}
			seen := aged{id: x.ID, cur: x.Version, rule: registry.Retention{Resource: c1.ID, KeepLast: 1}}
			if list, err := p.prunable(s.read.statements, seen); err != nil || len(list) != 3 {
				t.Fatalf("the walk sees %v: %v", list, err)
			}
			update(func(tx registry.Tx) error { return c.change(tx, x, c1, c2) })
			if _, err := p.remove(seen); err != nil {
				t.Fatal(err)
			}
			if list, err := s.Versions(t.Context(), x.ID, 1<<60, 10); err != nil || len(list) != c.kept {
				t.Errorf("%d versions are left, want %d: %v", len(list), c.kept, err)
			}
		})
	}
}

// A copy that is found half grown and appears before it is removed stays; one that is claimed neither grows nor appears.
func TestRemoveClaimed_LeavesWhatHasAppeared(t *testing.T) {
	var later atomic.Int64
	s := testStore(t, Config{DSN: sqliteFile(t), Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	op := registry.Op{Actor: registry.Actor{User: "tester"}, At: time.Now()}
	mustSet(t, s, "x", "text")
	attach := func(id registry.ID, name string) error {
		_, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			if err == nil {
				_, err = tx.Attach(id, root, name)
			}
			return err
		})
		return err
	}
	for _, appears := range []bool{true, false} {
		id, err := s.CopyTree(t.Context(), op, "/x", registry.Precondition{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.entriesIn(t.Context(), stateCopying, toMicros(time.Now().Add(time.Hour)))
		if err != nil || len(list) != 1 || list[0] != id {
			t.Fatalf("half grown are %v: %v", list, err)
		}
		if appears {
			if err := attach(id, "copy"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.removeClaimed(t.Context(), id, stateCopying); err != nil {
			t.Fatal(err)
		}
		_, err = s.Version(t.Context(), id, 1)
		if there := err == nil; there != appears {
			t.Errorf("appeared %t, is there %t: %v", appears, there, err)
		}
		if !appears {
			if err := attach(id, "late"); registry.CodeOf(err) != registry.CodeNotFound {
				t.Errorf("what was removed is attached: %v", err)
			}
		}
	}
	wantText(t, s, "copy", "text")

	// The sweep claims what has stood for a day: what still grows then does so no more.
	id, err := s.CopyTree(t.Context(), op, "/x", registry.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	later.Store(int64(abandoned + time.Hour))
	if _, err := s.SweepTrees(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = s.update(t.Context(), op, func(o *operation) error {
		n := node{Resource: registry.Resource{ID: registry.ID(uuid.New()), Kind: registry.KindCollection, Version: 1}, parent: id, name: "late"}
		return o.stage(id, []node{n})
	})
	if registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("what was removed grows on: %v", err)
	}
	wantText(t, s, "copy", "text")
}

// Exports keep their connections while they wait for the other store, so they never have more than a quarter of them.
func TestExportTree_LeavesConnectionsToOthers(t *testing.T) {
	const pool, most, all = 8, 2, 6
	s := testStore(t, Config{DSN: sqliteFile(t), PoolSize: pool})
	mustSet(t, s, "x", "text")
	running, free := make(chan struct{}, all), make(chan struct{})
	ended := make(chan error, all)
	export := func(ctx context.Context, emit func(registry.TreeBatch) error) error {
		return s.ExportTree(ctx, registry.TreeExport{Path: "/x"}, emit)
	}
	var now, highest atomic.Int64
	for range all {
		go func() {
			ended <- export(context.Background(), func(registry.TreeBatch) error {
				highest.Store(max(highest.Load(), now.Add(1)))
				running <- struct{}{}
				<-free
				now.Add(-1)
				return nil
			})
		}()
	}
	for range most {
		<-running
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := export(ctx, func(registry.TreeBatch) error { t.Error("one more runs"); return nil }); registry.CodeOf(err) != registry.CodeCanceled {
		t.Errorf("who waits for its turn and goes: %v", err)
	}
	waits, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if id, err := s.CopyTree(waits, registry.Op{At: time.Now()}, "/x", registry.Precondition{}); registry.CodeOf(err) != registry.CodeUnavailable || !id.IsZero() {
		t.Errorf("a copy takes one more connection: %v", err)
	}
	wantText(t, s, "x", "text") // others are served meanwhile
	close(free)
	for range all {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if highest.Load() > most {
		t.Errorf("%d exports ran at once, with %d connections", highest.Load(), pool)
	}
}
