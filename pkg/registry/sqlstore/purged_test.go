package sqlstore

import (
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// What was purged from the trash since is told as gone, not as something that never was.
func TestGetAt_TellsOfWhatWasPurged(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	there := mustSet(t, s, "x", "text")
	if _, err := s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
		r, err := tx.Get("/x")
		if err == nil {
			err = tx.Trash(r)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.GetAt(t.Context(), "/x", there.N); err != nil || r.Meta.Description != "text" {
		t.Fatalf("it was %+v: %v", r, err)
	}
	err := s.bulk.within(t.Context(), func(q *txn) error {
		_, err := q.exec(t.Context(), "purge", "DELETE FROM node WHERE parent = ?", trashID[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetAt(t.Context(), "/x", there.N); registry.CodeOf(err) != registry.CodeGone {
		t.Errorf("after the purge: %v", err)
	}
	if _, err := s.GetAt(t.Context(), "/y", there.N); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("what never was: %v", err)
	}
}
