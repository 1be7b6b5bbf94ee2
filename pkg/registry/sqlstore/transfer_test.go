package sqlstore

import (
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
		if err := s.ImportTree(t.Context(), op, in, late); registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("a late batch: %v", err)
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
