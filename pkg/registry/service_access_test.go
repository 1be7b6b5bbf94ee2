package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// accessLog takes accesses, or refuses them.
type accessLog struct {
	Log
	refuse bool
	stored [][]Access
}

func (l *accessLog) NoteAccess(_ context.Context, list []Access) error {
	if l.refuse {
		return errors.New("no database")
	}
	l.stored = append(l.stored, list)
	return nil
}

func TestNoteAccess_CountsAlikeOnesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &accessLog{}
		s := NewService(Config{Accesses: l})
		note := func(user string) { s.NoteAccess(Access{Kind: AccessFailed, User: user, Client: "192.0.2.1"}) }
		for range 1000 {
			note("ann")
		}
		for i := range 200 {
			note(fmt.Sprintf("guess-%d", i))
		}
		synctest.Wait()
		if l.stored != nil {
			t.Error("stored at once")
		}
		time.Sleep(accessEvery)
		synctest.Wait()
		if len(l.stored) != 1 || len(l.stored[0]) != accessBatch+1 {
			t.Fatalf("stored in %d statements", len(l.stored))
		}
		total := int64(0)
		for _, a := range l.stored[0] {
			total += a.Times
		}
		first, last := l.stored[0][0], l.stored[0][accessBatch]
		if total != 1200 || first.User != "ann" || first.Times != 1000 || last.User != "" || last.Times != 200-(accessBatch-1) {
			t.Errorf("%d in all, %+v and %+v", total, first, last)
		}

		l.refuse = true // what the store does not take waits, within the bounds
		note("ann")
		time.Sleep(accessEvery)
		synctest.Wait()
		l.refuse = false
		note("ann")
		time.Sleep(accessEvery)
		synctest.Wait()
		if len(l.stored) != 2 || len(l.stored[1]) != 1 || l.stored[1][0].Times != 2 {
			t.Errorf("after the store was away: %+v", l.stored[1:])
		}
	})
}
