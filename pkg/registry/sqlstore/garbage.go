package sqlstore

import (
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// What lost a version is a candidate for removal, in the table garbage. A sweep removes it when no version names it then. That look and the removal
// are one statement, sent at the end of a write turn, after the versions of the turn: so no transaction of any node can name the same content in
// between. Large contents have one more trap: an upload of one that is there drops its own pieces before its turn. Hence the grace, and
// hence an upload of a candidate keeps its pieces (hasBlobQuery).

// The kinds of garbage.
const (
	garbageContent int64 = 1
	garbageMeta    int64 = 2
)

const sweepPage = 100 // candidates of one transaction

var garbageTable = table{"garbage", []string{"kind", "sha", "since_us"}}

// discard notes candidates, as rows of the table garbage. Whatever removes versions in a unit calls it: retention, and a purge of the trash.
func (u *unit) discard(rows [][]any) error {
	return u.insert(garbageTable, rows, u.store.backend.dialect.onConflict("kind, sha", "since_us"))
}

type candidate struct {
	kind int64
	sha  registry.Hash
}

// sweep removes the candidates older than grace that no version names.
func (p *pruner) sweep(grace time.Duration) error {
	before := toMicros(p.op.At.Add(-grace))
	var last candidate
	for {
		page, err := p.candidates(last, before)
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1]
		if err := p.hold(); err != nil {
			return err
		}
		removed := int64(0)
		_, err = p.store.updateAlone(p.ctx, p.op, func(o *operation) error {
			for _, c := range page {
				o.touch(item{act: actSweep, name: string(c.sha[:])})
			}
			o.last = append(o.last, func(u *unit, _ int64) (err error) {
				removed, err = u.sweep(page, before)
				return err
			})
			return nil
		})
		if err != nil {
			return err
		}
		p.report.Contents += removed
	}
}

// candidates reads a page of them in the order of the primary key. The whole table may be walked over: it holds what was pruned within the grace.
func (p *pruner) candidates(after candidate, before int64) ([]candidate, error) {
	query := "SELECT g.kind, g.sha FROM garbage g WHERE (g.kind > ? OR g.kind = ? AND g.sha > ?) AND g.since_us <= ? ORDER BY g.kind, g.sha LIMIT ?"
	var page []candidate
	err := p.store.read.each(p.ctx, "sweep", query, []any{after.kind, after.kind, after.sha[:], before, sweepPage}, func(rows *sqlx.Rows) error {
		var kind int64
		var sha []byte
		err := rows.Scan(&kind, &sha)
		page = append(page, candidate{kind, toHash(sha)})
		return err
	})
	return page, err
}

// sweep removes those of the candidates that no version names, and tells how many.
func (u *unit) sweep(page []candidate, before int64) (int64, error) {
	removed := int64(0)
	for _, c := range page {
		// Not a candidate any more, or one of a later time: another run was here, or the content came and went again.
		n, err := u.tx.exec(u.ctx, "sweep", "DELETE FROM garbage WHERE kind = ? AND sha = ? AND since_us <= ?", c.kind, c.sha[:], before)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			continue
		}
		if c.kind == garbageMeta {
			n, err = u.tx.exec(u.ctx, "sweep", "DELETE FROM meta_obj WHERE sha = ? AND NOT EXISTS (SELECT 1 FROM version v WHERE v.meta = ?)", c.sha[:], c.sha[:])
		} else {
			n, err = u.sweepContent(c.sha)
		}
		if err != nil {
			return 0, err
		}
		removed += n
	}
	return removed, nil
}

// sweepContent removes a content that no version names. Its pieces become those of an upload that was abandoned long ago; the sweeper of those
// deletes them, in statements of their own.
func (u *unit) sweepContent(sha registry.Hash) (int64, error) {
	var set []byte
	query := "SELECT b.chunk_set FROM blob_obj b WHERE b.sha = ?"
	if err := u.tx.each(u.ctx, "sweep", query, []any{sha[:]}, func(rows *sqlx.Rows) error { return rows.Scan(&set) }); err != nil {
		return 0, err
	}
	n, err := u.tx.exec(u.ctx, "sweep", "DELETE FROM blob_obj WHERE sha = ? AND NOT EXISTS (SELECT 1 FROM version v WHERE v.body = ?)", sha[:], sha[:])
	if err != nil || n == 0 || set == nil {
		return n, err
	}
	_, err = u.tx.exec(u.ctx, "sweep", "INSERT INTO staged (chunk_set) VALUES (?)", set)
	return n, err
}
