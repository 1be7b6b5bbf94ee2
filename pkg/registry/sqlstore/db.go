package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
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
	db    *sqlx.DB
	turn  *writeTurn
	texts bool // its connections take several statements in one text
}

// newPool wraps db; turn may be nil.
func newPool(db *sql.DB, d *dialect, m *metrics, turn *writeTurn) *pool {
	x := sqlx.NewDb(db, d.name)
	return &pool{statements: statements{x, m}, db: x, turn: turn}
}

// txn is one transaction. Exactly one of commit and rollback ends it; rollback after commit does nothing. Statements whose answers nobody waits for
// may be put off by later; they go with the next one that is not, as one text and in their order.
type txn struct {
	statements
	tx       *sqlx.Tx
	done     func()
	texts    bool
	together bool // rows may be put off
	off      []putOff
	bytes    int // of the values of what is put off, about
}

// putOff is a statement that waits to be sent with others.
type putOff struct {
	op, query string
	args      []any
}

// later runs a statement that changes so many rows, now or with the next one.
func (t *txn) later(ctx context.Context, op string, rows int64, query string, args ...any) error {
	if !t.texts {
		_, err := t.statements.exec(ctx, op, query, args...)
		return err
	}
	size := rowBytes(args)
	if t.bytes > 0 && t.bytes+size > maxStatement {
		if err := t.send(ctx); err != nil {
			return err
		}
	}
	t.off = append(t.off, putOff{op, query, args})
	t.bytes += size
	t.metrics.rows.Add(rows)
	return nil
}

// send sends what is put off.
func (t *txn) send(ctx context.Context) error {
	_, err := t.flush(ctx)
	return err
}

// flush is send; it tells how many rows the last statement changed.
func (t *txn) flush(ctx context.Context) (int64, error) {
	if len(t.off) == 0 {
		return 0, nil
	}
	list := t.off
	t.off, t.bytes = nil, 0
	var text strings.Builder
	var args []any
	for i, s := range list {
		if i > 0 {
			text.WriteString("; ")
		}
		text.WriteString(s.query)
		args = append(args, s.args...)
	}
	defer func(start time.Time) {
		for _, s := range list {
			t.metrics.count(s.op)
		}
		t.metrics.time("text", start)
	}(time.Now())
	res, err := t.ext.ExecContext(ctx, text.String(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// exec is [statements.exec], after what is put off.
func (t *txn) exec(ctx context.Context, op, query string, args ...any) (int64, error) {
	if len(t.off) == 0 {
		return t.statements.exec(ctx, op, query, args...)
	}
	t.off = append(t.off, putOff{op, query, args})
	n, err := t.flush(ctx)
	t.metrics.rows.Add(n)
	return n, err
}

// one is [statements.one], after what is put off.
func (t *txn) one(ctx context.Context, op, query string, args []any, dest ...any) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	return t.statements.one(ctx, op, query, args, dest...)
}

// each is [statements.each], after what is put off.
func (t *txn) each(ctx context.Context, op, query string, args []any, scan func(*sqlx.Rows) error) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	return t.statements.each(ctx, op, query, args, scan)
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
	return &txn{statements: statements{tx, p.metrics}, tx: tx, done: done, texts: p.texts}, nil
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
