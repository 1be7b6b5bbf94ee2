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
	list, err := s.Trash(t.Context(), registry.TrashMark{}, 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("the trash has %v: %v", list, err)
	}
	if _, err := s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error { return tx.Purge(list[0].ID) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetAt(t.Context(), "/x", there.N); registry.CodeOf(err) != registry.CodeGone {
		t.Errorf("after the purge: %v", err)
	}
	if _, err := s.GetAt(t.Context(), "/y", there.N); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("what never was: %v", err)
	}
}
