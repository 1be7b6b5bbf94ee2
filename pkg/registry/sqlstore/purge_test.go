package sqlstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// What is removed is the old end of the log, in batches and without holes, and a watcher that comes from there is told so.
func TestPurge_RemovesTheOldEnd(t *testing.T) {
	clock := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := testStore(t, Config{DSN: sqliteFile(t), Now: func() time.Time { return clock }, KeepLog: 24 * time.Hour})
	commit := func(n int, at time.Time) {
		for i := range n {
			_, err := s.Update(t.Context(), registry.Op{Actor: registry.Actor{User: "tester"}, At: at}, func(tx registry.Tx) error {
				root, err := tx.Get(registry.Root)
				if err != nil {
					return err
				}
				_, err = tx.Revise(root, registry.Draft{Meta: registry.Meta{Description: fmt.Sprintf("%d at %s", i, at)}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	commit(8, clock)
	commit(1, clock.Add(48*time.Hour)) // its node's clock was ahead
	commit(3, clock)
	cutoff := clock.Add(time.Hour)
	for _, c := range []struct {
		keep          int64
		removed, left int64
	}{{20, 0, 1}, {10, 2, 3}, {10, 0, 3}, {0, 6, 9}, {0, 0, 9}} {
		n, err := s.purgeLog(t.Context(), cutoff, c.keep)
		if err != nil || n != c.removed {
			t.Errorf("with %d to keep %d were removed, want %d: %v", c.keep, n, c.removed, err)
		}
		page, err := s.Activity(t.Context(), registry.ActivityQuery{Limit: 100})
		if err != nil || page.Events[len(page.Events)-1].Seq != c.left {
			t.Fatalf("the oldest is %d, want %d: %v", page.Events[len(page.Events)-1].Seq, c.left, err)
		}
	}
	_, err := s.Events(t.Context(), registry.Position{Seq: 7, Item: registry.EndOfOperation}, 10)
	if gone, ok := errors.AsType[*registry.GoneError](err); !ok || gone.Oldest != 9 || registry.CodeOf(err) != registry.CodeGone {
		t.Errorf("from where the log was removed: %v", err)
	}
	if _, err := s.Events(t.Context(), registry.Position{Seq: 8}, 10); registry.CodeOf(err) != registry.CodeGone {
		t.Errorf("from within an operation that was removed: %v", err)
	}
	page, err := s.Events(t.Context(), registry.Position{Seq: 8, Item: registry.EndOfOperation}, 10)
	if err != nil || len(page.Events) != 4 {
		t.Errorf("from where the log begins: %d events, %v", len(page.Events), err)
	}
	if _, err := s.purgeLog(t.Context(), clock.Add(72*time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	// Nothing is left, and yet who is at the end has missed nothing.
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if page, err := s.Events(t.Context(), head, 10); err != nil || len(page.Events) != 0 {
		t.Errorf("at the end of a log that was removed: %d events, %v", len(page.Events), err)
	}
	if _, err := s.Events(t.Context(), registry.Position{Seq: 3}, 10); registry.CodeOf(err) != registry.CodeGone {
		t.Errorf("in a log that was removed: %v", err)
	}
	commit(1, clock)
	if page, err := s.Events(t.Context(), head, 10); err != nil || len(page.Events) != 1 {
		t.Errorf("the first after all was removed: %d events, %v", len(page.Events), err)
	}
}

func TestPurge_BoundsAccesses(t *testing.T) {
	clock := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s := testStore(t, Config{DSN: sqliteFile(t), Now: func() time.Time { return clock }, KeepLog: 24 * time.Hour})
	var list []registry.AccessEvent
	for i := range 3 * purgeBatch {
		list = append(list, registry.AccessEvent{Kind: registry.AccessFailed, Times: 1, At: clock.Add(time.Duration(i) * time.Minute)})
	}
	if err := s.NoteAccess(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(48 * time.Hour)
	if _, err := s.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := s.Accesses(t.Context(), registry.ID{}, 10_000)
	if err != nil || len(left) != 3*purgeBatch-24*60 {
		t.Errorf("%d accesses of the last day are left, want %d: %v", len(left), 3*purgeBatch-24*60, err)
	}
}
