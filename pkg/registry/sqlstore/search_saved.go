package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

var _ registry.SavedSearches = (*Store)(nil)

const savedColumns = "owner, name, query, shared, rev, at_us"

// savedRow receives savedColumns.
type savedRow struct {
	owner, name, query []byte
	shared, rev, atUS  int64
}

func (r *savedRow) dest() []any {
	return []any{&r.owner, &r.name, &r.query, &r.shared, &r.rev, &r.atUS}
}

func (r *savedRow) search() registry.SavedSearch {
	return registry.SavedSearch{
		Owner: string(r.owner), Name: string(r.name), Query: string(r.query), Shared: r.shared != 0, Rev: r.rev, At: toTime(r.atUS),
	}
}

// SavedSearches implements [registry.SavedSearches]: a range of the primary key, and one of the index on shared ones.
func (s *Store) SavedSearches(ctx context.Context, user string) ([]registry.SavedSearch, error) {
	var list []registry.SavedSearch
	scan := func(rows *sqlx.Rows) error {
		var row savedRow
		err := rows.Scan(row.dest()...)
		list = append(list, row.search())
		return err
	}
	from := "SELECT " + savedColumns + " FROM search_saved "
	err := s.retryRead(ctx, func() error {
		list = nil
		return errors.Join(
			s.read.each(ctx, "saved", from+"WHERE owner = ? ORDER BY name LIMIT ?", []any{[]byte(user), registry.MaxSavedSearches}, scan),
			s.read.each(ctx, "saved", from+"WHERE shared = 1 AND owner <> ? ORDER BY owner, name LIMIT ?", []any{[]byte(user), registry.MaxPageSize}, scan),
		)
	})
	return list, s.fail("read saved searches", err)
}

// SaveSearch implements [registry.SavedSearches].
func (s *Store) SaveSearch(
	ctx context.Context, op registry.Op, name string, change func(tx registry.OnceTx, old *registry.SavedSearch, count int64) (*registry.SavedSearch, error),
) (registry.Seq, error) {
	return s.update(ctx, op, func(o *operation) error {
		owner := []byte(op.Actor.User)
		var count int64
		if err := o.tx.one(o.ctx, "saved", "SELECT COUNT(*) FROM search_saved WHERE owner = ?", []any{owner}, &count); err != nil {
			return o.broken(err)
		}
		var row savedRow
		var old *registry.SavedSearch
		err := o.tx.one(o.ctx, "saved", "SELECT "+savedColumns+" FROM search_saved WHERE owner = ? AND name = ?", []any{owner, []byte(name)}, row.dest()...)
		switch {
		case err == nil:
			found := row.search()
			old = &found
		case !errors.Is(err, sql.ErrNoRows):
			return o.broken(err)
		}
		saved, err := change(o, old, count)
		if err != nil || saved == old {
			return err
		}
		o.touch(item{act: actSaved, name: logName(op.Actor.User)})
		if saved == nil {
			return o.send("write_saved", "DELETE FROM search_saved WHERE owner = ? AND name = ?", owner, []byte(name))
		}
		return o.sendRows(table{"search_saved", []string{"owner", "name", "query", "shared", "rev", "at_us"}},
			[][]any{{owner, []byte(name), []byte(saved.Query), saved.Shared, saved.Rev, toMicros(saved.At)}},
			s.backend.dialect.onConflict("owner, name", "query", "shared", "rev", "at_us"))
	})
}
