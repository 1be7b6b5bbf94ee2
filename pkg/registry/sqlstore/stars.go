package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

var starTable = table{"star", []string{"node", "who", "at_us"}}

// readStar looks at one row of the primary key.
func readStar(ctx context.Context, q statements, id registry.ID, who string) (bool, error) {
	var at int64
	err := q.one(ctx, "star", "SELECT s.at_us FROM star s WHERE s.node = ? AND s.who = ?", []any{id[:], []byte(who)}, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Starred implements [registry.StarReader].
func (s *Store) Starred(ctx context.Context, id registry.ID, who string) (on bool, err error) {
	err = s.retryRead(ctx, func() error {
		on, err = readStar(ctx, s.read.statements, id, who)
		return err
	})
	return on, s.fail("read a star", err)
}

// Stars implements [registry.StarReader]. It reads the end of a range of the index on (who, at_us, node).
func (s *Store) Stars(ctx context.Context, who string, limit int) ([]registry.Star, error) {
	var list []registry.Star
	query := "SELECT s.node, s.at_us FROM star s" + s.backend.dialect.index("k_star") + " WHERE s.who = ? ORDER BY s.at_us DESC, s.node DESC LIMIT ?"
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "stars", query, []any{[]byte(who), limit}, func(rows *sqlx.Rows) error {
			var id []byte
			var at int64
			err := rows.Scan(&id, &at)
			list = append(list, registry.Star{Place: registry.Place{ID: toID(id)}, At: toTime(at)})
			return err
		})
	})
	if err != nil {
		return nil, s.fail("read stars", err)
	}
	ids := make([]registry.ID, len(list))
	for i, star := range list {
		ids[i] = star.ID
	}
	places, err := s.places(ctx, ids)
	for i, id := range ids {
		list[i].Place = places[id]
	}
	return list, err
}

// StarGivers implements [registry.StarReader], by the index on (who, at_us, node).
func (s *Store) StarGivers(ctx context.Context, after string, limit int) ([]string, error) {
	var list []string
	query := "SELECT DISTINCT s.who FROM star s" + s.backend.dialect.index("k_star") + " WHERE s.who > ? ORDER BY s.who LIMIT ?"
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "stars", query, []any{[]byte(after), limit}, func(rows *sqlx.Rows) error {
			var who []byte
			err := rows.Scan(&who)
			list = append(list, string(who))
			return err
		})
	})
	return list, s.fail("read who gave stars", err)
}

// ForgetStars implements [registry.StarReader]. One user has at most [registry.MaxStars].
func (s *Store) ForgetStars(ctx context.Context, who string, before time.Time) (n int64, err error) {
	err = s.bulk.within(ctx, func(t *txn) (err error) {
		n, err = t.exec(ctx, "write_star", "DELETE FROM star WHERE who = ? AND at_us < ?", []byte(who), toMicros(before))
		return err
	})
	return n, s.fail("take stars away", err)
}

// SetStar implements [registry.StarWriter].
func (o *operation) SetStar(r registry.Resource, on bool) error {
	who := []byte(o.op.Actor.User)
	has, err := readStar(o.ctx, o.tx.statements, r.ID, o.op.Actor.User)
	if err != nil {
		return o.broken(err)
	}
	if has == on {
		return nil
	}
	if !on {
		o.touch(item{act: actStar, node: r.ID})
		return o.send("write_star", "DELETE FROM star WHERE node = ? AND who = ?", r.ID[:], who)
	}
	var count int64
	if err := o.tx.one(o.ctx, "stars", "SELECT COUNT(*) FROM star WHERE who = ?", []any{who}, &count); err != nil {
		return o.broken(err)
	}
	if count >= registry.MaxStars {
		return registry.Errorf(registry.CodeConflict, "you have %d stars already; take some away first", count)
	}
	o.touch(item{act: actStar, node: r.ID, n: 1})
	return o.sendRows(starTable, [][]any{{r.ID[:], who, toMicros(o.op.At)}}, "")
}
