package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"
)

// statements sends statements through a pool or a transaction. Nothing else in this package may, so that each one is counted and timed.
type statements struct {
	ext     sqlx.ExtContext
	metrics *metrics
}

// each runs a query and calls scan for every row.
func (q statements) each(ctx context.Context, op, query string, args []any, scan func(*sqlx.Rows) error) (err error) {
	defer q.metrics.statement(op, time.Now())
	rows, err := q.ext.QueryxContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one runs a query of one row; sql.ErrNoRows when there is none.
func (q statements) one(ctx context.Context, op, query string, args []any, dest ...any) error {
	defer q.metrics.statement(op, time.Now())
	return q.ext.QueryRowxContext(ctx, query, args...).Scan(dest...)
}

// exec runs a statement and tells how many rows it changed.
func (q statements) exec(ctx context.Context, op, query string, args ...any) (int64, error) {
	defer q.metrics.statement(op, time.Now())
	res, err := q.ext.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	q.metrics.rows.Add(n)
	return n, err
}

// pool is a set of connections for one purpose. A pool of a SQLite file that writes takes the write turn for each transaction.
type pool struct {
	statements
	db   *sqlx.DB
	turn *writeTurn
}

// newPool wraps db; turn may be nil.
func newPool(db *sql.DB, d *dialect, m *metrics, turn *writeTurn) *pool {
	x := sqlx.NewDb(db, d.name)
	return &pool{statements: statements{x, m}, db: x, turn: turn}
}

// txn is one transaction. Exactly one of commit and rollback ends it; rollback after commit does nothing.
type txn struct {
	statements
	tx   *sqlx.Tx
	done func()
}

// begin starts a transaction. It ends with ctx, if not before: the database then rolls it back.
func (p *pool) begin(ctx context.Context, opts *sql.TxOptions) (*txn, error) {
	done := func() {}
	if p.turn != nil {
		if err := p.turn.take(ctx); err != nil {
			return nil, err
		}
		done = p.turn.give
	}
	start := time.Now()
	tx, err := p.db.BeginTxx(ctx, opts)
	p.metrics.statement("begin", start)
	if err != nil {
		done()
		return nil, err
	}
	return &txn{statements: statements{tx, p.metrics}, tx: tx, done: done}, nil
}

// commit ends the transaction; an error leaves open whether it took effect.
func (t *txn) commit() error {
	defer t.finish()
	defer t.metrics.statement("commit", time.Now())
	return t.tx.Commit()
}

// rollback ends the transaction without effect. Its own failure means a lost connection, which has the same effect.
func (t *txn) rollback() {
	if t.done == nil {
		return
	}
	defer t.finish()
	defer t.metrics.statement("rollback", time.Now())
	_ = t.tx.Rollback()
}

func (t *txn) finish() {
	if t.done != nil {
		t.done()
		t.done = nil
	}
}

// within runs f in a transaction of its own, outside the change log: for rows that no reader looks at yet.
func (p *pool) within(ctx context.Context, f func(*txn) error) error {
	t, err := p.begin(ctx, nil)
	if err != nil {
		return err
	}
	defer t.rollback()
	if err := f(t); err != nil {
		return err
	}
	return t.commit()
}
