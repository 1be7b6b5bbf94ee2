package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	purgeBatch = 500
	// keptOperations are never removed, however old: nodes follow the log by them, and watchers come back to them.
	keptOperations = 5 * maxFollow
)

// purge removes what is older than the configured time from the change log, and accesses above their number, oldest first and in small transactions. Nodes
// need no lease for it: a row that two of them remove at once is removed.
func (s *Store) purge(ctx context.Context) (int64, error) {
	removed := int64(0)
	for s.keepLog > 0 {
		n, err := s.purgeLog(ctx, s.now().Add(-s.keepLog), keptOperations)
		removed += n
		if err != nil || n < purgeBatch {
			return removed, errors.Join(err, s.purgeAccesses(ctx))
		}
	}
	return removed, s.purgeAccesses(ctx)
}

// purgeLog removes the oldest operations, one batch of those that began before a time and are not among the newest keep; it tells how many. An operation that
// is younger ends the batch, so that the log has no holes.
func (s *Store) purgeLog(ctx context.Context, before time.Time, keep int64) (int64, error) {
	var last, n int64
	const query = "SELECT t.seq, t.at_us FROM txn t WHERE t.seq <= ? ORDER BY t.seq LIMIT ?"
	var head int64
	if err := s.read.one(ctx, "purge", "SELECT h.seq FROM store_head h WHERE h.id = 1", nil, &head); err != nil {
		return 0, err
	}
	young := false
	err := s.read.each(ctx, "purge", query, []any{head - keep, purgeBatch}, func(rows *sqlx.Rows) error {
		var seq, at int64
		if err := rows.Scan(&seq, &at); err != nil {
			return err
		}
		if young = young || at >= toMicros(before); !young {
			last, n = seq, n+1
		}
		return nil
	})
	if err != nil || n == 0 {
		return 0, err
	}
	err = s.bulk.within(ctx, func(t *txn) error {
		if _, err := t.exec(ctx, "purge", "DELETE FROM txn_item WHERE seq <= ?", last); err != nil {
			return err
		}
		_, err := t.exec(ctx, "purge", "DELETE FROM txn WHERE seq <= ?", last)
		return err
	})
	return n, err
}

// purgeAccesses removes accesses that are too old or too many.
func (s *Store) purgeAccesses(ctx context.Context) error {
	var oldest registry.ID
	if s.keepLog > 0 {
		setTime(&oldest, s.now().Add(-s.keepLog))
	}
	var id []byte
	err := s.read.one(ctx, "purge", "SELECT id FROM access_event ORDER BY id DESC LIMIT 1 OFFSET ?", []any{maxAccesses}, &id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if most := toID(id); string(most[:]) > string(oldest[:]) {
		oldest = most
	}
	for !oldest.IsZero() {
		n, err := s.purgeAccessBatch(ctx, oldest)
		if err != nil || n < purgeBatch {
			return err
		}
	}
	return nil
}

func (s *Store) purgeAccessBatch(ctx context.Context, oldest registry.ID) (int64, error) {
	var n int64
	var last []byte
	err := s.read.each(ctx, "purge", "SELECT id FROM access_event WHERE id < ? ORDER BY id LIMIT ?", []any{oldest[:], purgeBatch}, func(rows *sqlx.Rows) error {
		n++
		return rows.Scan(&last)
	})
	if err != nil || n == 0 {
		return 0, err
	}
	return n, s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "purge", "DELETE FROM access_event WHERE id <= ?", last)
		return err
	})
}
