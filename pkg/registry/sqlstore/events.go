package sqlstore

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The change log as watchers read it: forward, from a position on.

// markOf is the mark of a transaction's tag: never 0, which stands for no mark.
func markOf(tag []byte) uint32 {
	if len(tag) < 4 {
		return 1
	}
	return max(binary.BigEndian.Uint32(tag), 1)
}

// Head implements [registry.Log]. It shares its query with reads.
func (s *Store) Head(ctx context.Context) (registry.Position, error) {
	if err := s.refresh(ctx); err != nil {
		return registry.Position{}, err
	}
	at, _ := s.mem.at()
	return registry.Position{Seq: at.seq, Item: registry.EndOfOperation, Mark: markOf(at.tag[:])}, nil
}

// Moved implements [registry.Log].
func (s *Store) Moved() <-chan struct{} { return s.moved.next() }

// operationColumns and itemColumns are what eventRow scans, of a row t of txn and a row i of txn_item.
const (
	operationColumns = "t.seq, t.tag, t.actor, t.at_us, t.req, t.client, t.agent"
	itemColumns      = "i.seq, i.i, i.act, i.node, i.n, i.parent, i.name, i.path, i.related, i.body_before, i.body_after"
)

// operationRow receives operationColumns.
type operationRow struct {
	seq, atUS                      int64
	tag, actor, req, client, agent []byte
}

func (r *operationRow) dest() []any {
	return []any{&r.seq, &r.tag, &r.actor, &r.atUS, &r.req, &r.client, &r.agent}
}

// itemRow receives itemColumns; all are NULL where an outer join found no item.
type itemRow struct {
	seq, i, act, n                                   *int64
	node, parent, name, path, related, before, after []byte
}

func (r *itemRow) dest() []any {
	return []any{&r.seq, &r.i, &r.act, &r.node, &r.n, &r.parent, &r.name, &r.path, &r.related, &r.before, &r.after}
}

// event joins both rows.
func event(o operationRow, r itemRow) registry.Event {
	a := act(*r.act)
	e := registry.Event{
		Position: registry.Position{Seq: o.seq, Item: int(*r.i), Mark: markOf(o.tag)},
		Action:   a.word(*r.n, string(r.name)), Moves: a.places(), Path: registry.Path(r.path), Related: registry.Path(r.related), Node: toID(r.node),
		Before: toHash(r.before), After: toHash(r.after),
		User: string(o.actor), At: toTime(o.atUS), RequestID: string(o.req), Client: string(o.client), Agent: string(o.agent),
	}
	if e.Action == "" {
		e.Action = fmt.Sprintf("act-%d", a) // a newer program wrote it
	}
	// What n and name are depends on the act; of some acts a name may be a secret's hash.
	switch a {
	case actCreate, actRevise, actTrash, actLeave, actMove, actUndelete, actCopy, actPurge:
		e.Version = *r.n
		if a != actCopy { // of which the log does not have the source
			e.Other = e.Node
		}
	case actLabel, actPrune:
		e.Version = *r.n
		if a == actLabel {
			e.Subject = string(r.name)
		}
	case actUser, actRole, actWebhook, actTag, actAssociation, actCheck, actOrder:
		e.Subject = string(r.name)
		if a == actAssociation {
			e.Other = toID(r.parent)
		}
	case actComment, actRating:
		e.Number = *r.n
	case actSession, actRemove, actStage, actOnce, actCollect, actSweep, actRetain, actAccess, actToken, actSeal, actArrive, actSaved, actStar:
	}
	return e
}

// eventsQuery reads from an operation on, which comes even when nothing of it is left to read: its tag tells whether the log is the right one. It
// walks the primary keys of both tables; without the upper bound it would sort all that follows.
const eventsQuery = "SELECT " + operationColumns + ", " + itemColumns + " FROM txn t LEFT JOIN txn_item i ON i.seq = t.seq AND (i.seq > ? OR i.i > ?) " +
	"WHERE t.seq >= ? AND t.seq <= ? ORDER BY t.seq, i.i LIMIT ?"

// Events implements [registry.Log].
func (s *Store) Events(ctx context.Context, after registry.Position, limit int) (registry.EventPage, error) {
	var page registry.EventPage
	err := s.retryRead(ctx, func() (err error) {
		page, err = s.events(ctx, after, limit)
		return err
	})
	return page, s.fail("read the change log", err)
}

func (s *Store) events(ctx context.Context, after registry.Position, limit int) (registry.EventPage, error) {
	page := registry.EventPage{Last: after}
	var first int64
	var mark uint32 // of the first operation
	rows := 0
	args := []any{after.Seq, int64(after.Item), after.Seq, after.Seq + int64(limit), limit + 1} // one more: the operation of the position itself
	err := s.read.each(ctx, "events", eventsQuery, args, func(r *sqlx.Rows) error {
		var o operationRow
		var it itemRow
		if err := r.Scan(append(o.dest(), it.dest()...)...); err != nil {
			return err
		}
		if rows++; rows == 1 {
			first, mark = o.seq, markOf(o.tag)
			if o.seq == after.Seq {
				page.Last.Mark = mark
			}
		}
		if it.i != nil {
			page.Last = registry.Position{Seq: o.seq, Item: int(*it.i), Mark: markOf(o.tag)}
			if act(*it.act).told() {
				page.Events = append(page.Events, event(o, it))
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return page, err
	case rows == 0 || first > after.Seq+1:
		return page, s.checkGap(ctx, after.Seq)
	case first == after.Seq && after.Mark != 0 && mark != after.Mark:
		return page, s.otherLog(after.Seq, "was written by another operation than the position says")
	case first > after.Seq && after.Seq > 0 && after.Item != registry.EndOfOperation:
		return page, s.removed(after.Seq, first) // with what the operation did after that item, if anything
	}
	page.More = rows > limit || page.Last.Seq == after.Seq+int64(limit)
	return page, nil
}

// checkGap tells whether it is right that the log has nothing at and directly after a position.
func (s *Store) checkGap(ctx context.Context, after int64) error {
	var head int64
	var oldest *int64
	err := s.read.one(ctx, "oldest", "SELECT h.seq, (SELECT MIN(seq) FROM txn) FROM store_head h WHERE h.id = 1", nil, &head, &oldest)
	switch {
	case err != nil:
		return err
	case head < after:
		return s.otherLog(after, fmt.Sprintf("is ahead of the log, which ends at %d", head))
	case head == after || oldest != nil && *oldest <= after+1:
		return nil
	case oldest == nil:
		oldest = &head
	}
	return s.removed(after, *oldest)
}

func (s *Store) removed(seq, oldest int64) error {
	return &registry.Error{
		Code:    registry.CodeGone,
		Message: fmt.Sprintf("what follows the position %d was removed from the log of the store %s; the oldest that is there is %d", seq, s.name, oldest),
		Err:     &registry.GoneError{Oldest: oldest},
	}
}

func (s *Store) otherLog(seq int64, why string) error {
	return &registry.Error{
		Code: registry.CodeGone,
		Message: fmt.Sprintf("the position %d %s: it is of another store, or the database was restored; read what you follow anew and watch from there",
			seq, why),
		Err: &registry.GoneError{},
	}
}
