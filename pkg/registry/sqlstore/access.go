package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// maxAccesses is how many rows of accesses the sweep leaves, whatever their age: whoever guesses passwords must not fill the disk.
const maxAccesses = 100_000

var accessTable = table{"access_event", []string{"id", "kind", "times", "actor", "client", "agent", "req", "path"}}

// NoteAccess implements [registry.Log]. The rows are outside the change log, whose turn a guesser must not take from writers; the caller bounds how many
// there are.
func (s *Store) NoteAccess(ctx context.Context, list []registry.AccessEvent) error {
	if len(list) == 0 {
		return nil
	}
	rows := make([][]any, 0, len(list))
	for _, a := range list {
		id := idAt(a.At)
		rows = append(rows, []any{
			id[:], int64(a.Kind), a.Times, []byte(a.User), []byte(a.Client), []byte(a.Agent), []byte(a.RequestID), []byte(a.Path),
		})
	}
	err := s.bulk.within(ctx, func(t *txn) error {
		return s.insertRows(ctx, t.statements, accessTable, rows, "")
	})
	return s.fail("store accesses", err)
}

// idAt is a new id (UUID version 7) of that time, to the millisecond.
func idAt(t time.Time) registry.ID {
	id := registry.ID(uuid.New())
	setTime(&id, t)
	id[6] = 0x70 | id[6]&0x0f
	return id
}

// setTime puts a time into the first six bytes of an id.
func setTime(id *registry.ID, t time.Time) {
	ms := uint64(max(t.UnixMilli(), 0))
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
}

func timeOf(id registry.ID) time.Time {
	var ms uint64
	for _, b := range id[:6] {
		ms = ms<<8 | uint64(b)
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// Accesses implements [registry.Log]. It walks the primary key backwards.
func (s *Store) Accesses(ctx context.Context, before registry.ID, limit int) ([]registry.AccessEvent, error) {
	if before.IsZero() {
		before = registry.ID(slices.Repeat([]byte{0xff}, len(before)))
	}
	const query = "SELECT id, kind, times, actor, client, agent, req, path FROM access_event WHERE id < ? ORDER BY id DESC LIMIT ?"
	var list []registry.AccessEvent
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "accesses", query, []any{before[:], limit}, func(rows *sqlx.Rows) error {
			var id, actor, client, agent, req, path []byte
			var a registry.AccessEvent
			var kind int64
			if err := rows.Scan(&id, &kind, &a.Times, &actor, &client, &agent, &req, &path); err != nil {
				return err
			}
			a.ID, a.Kind, a.At = toID(id), registry.AccessKind(kind), timeOf(toID(id))
			a.User, a.Client, a.Agent, a.RequestID, a.Path = string(actor), string(client), string(agent), string(req), registry.Path(path)
			list = append(list, a)
			return nil
		})
	})
	return list, s.fail("read accesses", err)
}
