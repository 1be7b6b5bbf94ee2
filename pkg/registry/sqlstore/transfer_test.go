package sqlstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// A batch of a copy that was given up leaves nothing, whether it comes while the copy is being removed or after.
func TestImportTree_RefusesWhatComesLate(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	rows := func() (n int) {
		if err := s.read.one(t.Context(), "test", "SELECT (SELECT COUNT(*) FROM node) + (SELECT COUNT(*) FROM version) + (SELECT COUNT(*) FROM arrival)", nil, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	op := registry.Op{Actor: registry.Actor{User: "u"}, At: time.Now()}
	node := func(id, parent byte) registry.TreeNode {
		n := registry.TreeNode{Parent: registry.ID{parent}, Name: fmt.Sprint(id)}
		n.ID, n.Kind, n.Version, n.Gen = registry.ID{id}, registry.KindCollection, 1, 1
		return n
	}
	before := rows()
	for _, keep := range []bool{true, false} {
		in := registry.TreeImport{ID: registry.ID{7, byte(before)}, Keep: keep}
		if keep {
			in.ID[2] = 1
		}
		if err := s.ImportTree(t.Context(), op, in, registry.TreeBatch{Nodes: []registry.TreeNode{node(9, 0), node(10, 9)}}); err != nil {
			t.Fatal(err)
		}
		if err := s.ImportTree(t.Context(), op, in, registry.TreeBatch{Nodes: []registry.TreeNode{node(11, 10)}}); err != nil {
			t.Fatal(err)
		}
		late := registry.TreeBatch{Nodes: []registry.TreeNode{node(12, 10)}}
		arrived, err := s.AbandonArrival(t.Context(), op, in.ID)
		if err != nil || arrived {
			t.Fatalf("%t, %v", arrived, err)
		}
		if n := rows(); n == before {
			t.Error("what was given up was removed at once")
		}
		if err := s.ImportTree(t.Context(), op, in, late); registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("a late batch: %v", err)
		}
		if err := s.ClearArrivals(t.Context(), registry.ID{99}); err != nil || rows() == before {
			t.Errorf("another one was cleared: %v", err)
		}
		which := in.ID
		if keep {
			which = registry.ID{} // all
		}
		if err := s.ClearArrivals(t.Context(), which); err != nil {
			t.Error(err)
		}
		if err := s.ImportTree(t.Context(), op, in, late); registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("a batch that comes later yet: %v", err)
		}
		if n := rows(); n != before {
			t.Errorf("%d rows are left", n-before)
		}
		_, err = s.Update(t.Context(), op, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			if err == nil {
				_, err = tx.Arrive(in.ID, root, "x")
			}
			return err
		})
		if registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("an arrival: %v", err)
		}
	}
}

// A removal that was asleep does not touch what has come with the ids of what it had found.
func TestRemove_LeavesWhatHasComeBack(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	op := registry.Op{Actor: registry.Actor{User: "u"}, At: time.Now()}
	made := func(id, parent byte) registry.TreeNode {
		n := registry.TreeNode{Parent: registry.ID{parent}, Name: fmt.Sprint(id)}
		n.ID, n.Kind, n.Version, n.Gen = registry.ID{id}, registry.KindCollection, 1, 1
		return n
	}
	tree := registry.TreeBatch{Nodes: []registry.TreeNode{made(9, 0), made(10, 9), made(11, 10), made(12, 10)}}
	first, second := registry.TreeImport{ID: registry.ID{7}, Keep: true}, registry.TreeImport{ID: registry.ID{8}, Keep: true}
	if err := s.ImportTree(t.Context(), op, first, tree); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AbandonArrival(t.Context(), op, first.ID); err != nil {
		t.Fatal(err)
	}
	leaves, err := s.someBelow(t.Context(), registry.ID{10})
	if err != nil || len(leaves) != 2 {
		t.Fatalf("%v, %v", leaves, err)
	}
	asleep := removal{store: s, ctx: t.Context(), root: registry.ID{9}, parent: registry.ID{10}}
	if still := leaves[:1]; asleep.nodes(still) != nil {
		t.Fatal("the first is not removed")
	}
	if err := asleep.nodes(leaves); err != nil { // one of them has gone meanwhile
		t.Fatal(err)
	}
	if err := s.ClearArrivals(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.ImportTree(t.Context(), op, second, tree); err != nil {
		t.Fatal(err)
	}
	wake := func(when string) {
		t.Helper()
		if err := asleep.nodes(leaves); err != nil && !errors.Is(err, errRemoved) {
			t.Errorf("%s: %v", when, err)
		}
		for _, n := range tree.Nodes {
			if _, err := s.Version(t.Context(), n.ID, 1); err != nil {
				t.Errorf("%s: %s: %v", when, n.ID, err)
			}
		}
	}
	wake("it grows")
	update := func(change func(tx registry.Tx, root registry.Resource) error) {
		t.Helper()
		if _, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			if err == nil {
				err = change(tx, root)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx registry.Tx, root registry.Resource) error {
		_, err := tx.Arrive(second.ID, root, "back")
		return err
	})
	wake("it has arrived")
	// The part moves away, and the top is purged.
	update(func(tx registry.Tx, root registry.Resource) error {
		part, err := tx.Get("/back/10")
		if err == nil {
			_, err = tx.Move(part, root, "part")
		}
		return err
	})
	update(func(tx registry.Tx, _ registry.Resource) error {
		top, err := tx.Get("/back")
		if err == nil {
			err = tx.Trash(top)
		}
		if err == nil {
			err = tx.Purge(top.ID)
		}
		return err
	})
	wake("it is elsewhere")
}

// At rest a change reads nothing of moves between stores but the number that comes with the head.
func TestSeals_CostNothingWhileThereAreNone(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	mustSet(t, s, "x", "1")
	count := func(text string) int64 {
		before := s.Statements()
		mustSet(t, s, "x", text)
		return s.Statements() - before
	}
	usual := count("2")
	op := registry.Op{At: time.Now()}
	mustSet(t, s, "other", "1")
	_, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
		r, err := tx.Get("/other")
		if err != nil {
			return err
		}
		return tx.Seal(r, registry.Transfer{ID: registry.ID{1}, Path: "/other"}, registry.ID{2}, time.Minute)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count("3"); n <= usual || n > usual+5 { // which are sealed, and the way up from there and from the change
		t.Errorf("beside a sealed tree a change takes %d statements, %d else", n, usual)
	}
	if err := s.EndTransfer(t.Context(), op, registry.ID{1}, false); err != nil {
		t.Fatal(err)
	}
	if n := count("4"); n != usual {
		t.Errorf("after it a change takes %d statements, before it took %d", n, usual)
	}
}

// However many moves are open, whoever looks for one finds it.
func TestTransfers_GivesAll(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	const most = 2*transfersPage + 1
	op := registry.Op{At: time.Now()}
	_, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
		root, err := tx.Get(registry.Root)
		for i := 0; i < most && err == nil; i++ {
			_, err = tx.Create(root, fmt.Sprint(i), registry.KindCollection, registry.Draft{})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range most {
		path := registry.Path(fmt.Sprint("/", i))
		_, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
			r, err := tx.Get(path)
			if err != nil {
				return err
			}
			return tx.Seal(r, registry.Transfer{ID: registry.ID{byte(i), 1}, Path: path}, registry.ID{2}, -time.Minute)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, idle := range []bool{false, true} {
		list, err := s.Transfers(t.Context(), idle)
		seen := map[registry.Path]bool{}
		for _, l := range list {
			seen[l.Path] = true
		}
		if err != nil || len(list) != most || len(seen) != most {
			t.Errorf("idle %t: %d moves of %d, %d different ones: %v", idle, len(list), most, len(seen), err)
		}
	}
}
