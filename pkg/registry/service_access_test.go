package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// accessLog takes accesses, or refuses them.
type accessLog struct {
	Log

	mu     sync.Mutex
	refuse bool
	during func() // what happens while the store is asked
	stored [][]AccessEvent
}

func (l *accessLog) NoteAccess(_ context.Context, list []AccessEvent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.during != nil {
		l.during()
	}
	if l.refuse {
		return errors.New("no database")
	}
	l.stored = append(l.stored, list)
	return nil
}

// taken gives what was stored; with refuse nothing more is.
func (l *accessLog) taken(refuse bool) [][]AccessEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse = refuse; !refuse {
		l.during = nil
	}
	return slices.Clone(l.stored)
}

func TestNoteAccess_CountsAlikeOnesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &accessLog{}
		s := NewService(Config{Accesses: l})
		note := func(user string) { s.NoteAccess(AccessEvent{Kind: AccessFailed, User: user, Client: "192.0.2.1"}) }
		for range 1000 {
			note("ann")
		}
		for i := range 200 {
			note(fmt.Sprintf("guess-%d", i))
		}
		synctest.Wait()
		if l.taken(false) != nil {
			t.Error("stored at once")
		}
		time.Sleep(accessEvery)
		synctest.Wait()
		stored := l.taken(true) // what the store does not take from now on waits, within the bounds
		if len(stored) != 1 || len(stored[0]) != accessBatch+1 {
			t.Fatalf("stored in %d statements", len(stored))
		}
		total := int64(0)
		for _, a := range stored[0] {
			total += a.Times
		}
		first, last := stored[0][0], stored[0][accessBatch]
		if total != 1200 || first.User != "ann" || first.Times != 1000 || last.User != "" || last.Times != 200-(accessBatch-1) {
			t.Errorf("%d in all, %+v and %+v", total, first, last)
		}

		note("ann")
		time.Sleep(accessEvery)
		synctest.Wait()
		l.taken(false)
		note("ann")
		time.Sleep(accessEvery)
		synctest.Wait()
		if stored = l.taken(false); len(stored) != 2 || len(stored[1]) != 1 || stored[1][0].Times != 2 {
			t.Errorf("after the store was away: %+v", stored[1:])
		}
	})
}

// What could not be stored is stored with what has come since, and nothing of it twice.
func TestNoteAccess_LosesNothingWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &accessLog{refuse: true}
		s := NewService(Config{Accesses: l})
		note := func(user string) { s.NoteAccess(AccessEvent{Kind: AccessFailed, User: user, Client: "192.0.2.1"}) }
		l.during = func() { note("joe") }
		note("ann")
		for range 3 {
			time.Sleep(accessEvery)
			synctest.Wait()
		}
		l.taken(false)
		time.Sleep(accessEvery)
		synctest.Wait()
		stored := l.taken(false)
		if len(stored) != 1 || len(stored[0]) != 2 || stored[0][0].User != "ann" || stored[0][0].Times != 1 || stored[0][1].User != "joe" || stored[0][1].Times != 3 {
			t.Errorf("stored %+v", stored)
		}
	})
}
