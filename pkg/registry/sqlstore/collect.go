package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Contents and metadata that no version names any more. No index says who names them: it would cost every write, and they are rarely given up. Instead,
// what loses a version is suspected (a row of the table suspect or suspect_meta), and the collector now and then reads all versions once, outside the write turn. What it
// did not meet it deletes in the write turn, where the change log says which versions came since: those are looked at, too. A content is therefore
// deleted only while no version names it and nobody can be about to write one: a put brings the content along, and a restore or copy needs a version.

// suspect notes the contents and metadata of the versions that which selects. Its mark is a new one, so that the collector does not clear a suspicion that is
// younger than its look at the versions.
func (o *operation) suspect(which string, args ...any) error {
	none := registry.Hash{}
	args = slices.Concat([]any{rand.Int64()}, args, []any{none[:]})
	for _, from := range []struct{ column, table string }{{"body", "suspect"}, {"meta", "suspect_meta"}} {
		query := "INSERT INTO " + from.table + " (sha, mark) SELECT DISTINCT " + from.column + ", ? FROM version WHERE " + which + " AND " + from.column + " <> ?" +
			o.store.backend.dialect.onConflict("sha", "mark")
		if _, err := o.tx.exec(o.ctx, "suspect", query, args...); err != nil {
			return err
		}
	}
	return nil
}

// blob is a content, or metadata.
type blob struct {
	meta bool
	sha  registry.Hash
}

// suspects is the table where the blob stands while it is suspected.
func (b blob) suspects() string {
	if b.meta {
		return "suspect_meta"
	}
	return "suspect"
}

// suspicion is that of one blob. It is named once a version was met that names it.
type suspicion struct {
	mark  int64
	named bool
}

type suspicions map[blob]suspicion

// name clears the suspicion of what a version names, if there is one.
func (l suspicions) name(b blob) {
	if s, ok := l[b]; ok {
		l[b] = suspicion{s.mark, true}
	}
}

const (
	collectMost  = 10_000 // contents, and as many metadata, that one pass looks at
	collectPage  = 5_000  // versions that one statement reads
	collectBatch = 100    // of them, that one change deletes
	collectTail  = 1_000  // changes of the log that are read in the write turn; with more, the pass is given up
)

// collect deletes suspected contents and metadata that no version names, and tells how many.
func (s *Store) collect(ctx context.Context) (int64, error) {
	suspects, start, err := s.suspects(ctx)
	if err != nil || len(suspects) == 0 {
		return 0, err
	}
	if err := s.clearNamed(ctx, suspects); err != nil {
		return 0, err
	}
	dropped := int64(0)
	for chunk := range slices.Chunk(slices.Collect(maps.Keys(suspects)), collectBatch) {
		if start, err = s.catchUp(ctx, suspects, start); err != nil {
			return dropped, err
		}
		var sets []registry.ID
		n := int64(0)
		// Alone: memory, which spares others to write metadata that is there, hears of the removal when the transaction is over.
		if _, err := s.updateAlone(ctx, s.systemOp(), func(o *operation) (err error) {
			n, sets, err = o.dropBlobs(chunk, suspects, start)
			return err
		}); err != nil {
			return dropped, err
		}
		dropped += n
		for _, set := range sets {
			if _, err := s.dropPieces(ctx, set); err != nil {
				return dropped, err
			}
		}
	}
	return dropped, nil
}

// suspects reads what is suspected, and where the change log stands before anything else is read.
func (s *Store) suspects(ctx context.Context) (suspicions, int64, error) {
	var head headRow
	if err := s.read.one(ctx, "head", headQuery, nil, head.dest()...); err != nil {
		return nil, 0, err
	}
	list := suspicions{}
	for _, meta := range []bool{false, true} {
		query := "SELECT sha, mark FROM " + blob{meta: meta}.suspects() + " LIMIT ?"
		err := s.read.each(ctx, "suspects", query, []any{collectMost}, func(rows *sqlx.Rows) error {
			var sha []byte
			var mark int64
			err := rows.Scan(&sha, &mark)
			list[blob{meta, toHash(sha)}] = suspicion{mark: mark}
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return list, head.seq, nil
}

// clearNamed finds the suspects that a version names, in one pass over the primary key.
func (s *Store) clearNamed(ctx context.Context, suspects suspicions) error {
	last := versionKey{}
	for {
		// First what is left of the node that the page before ended in.
		n, err := s.clearPage(ctx, suspects, "node = ? AND n > ?", &last, last.node[:], last.n)
		if err != nil {
			return err
		}
		if n == collectPage {
			continue
		}
		n, err = s.clearPage(ctx, suspects, "node > ?", &last, last.node[:])
		if err != nil || n < collectPage {
			return err
		}
	}
}

// clearPage reads one page of versions and tells how many those were; last becomes the last of them.
func (s *Store) clearPage(ctx context.Context, suspects suspicions, which string, last *versionKey, args ...any) (int, error) {
	n := 0
	query := "SELECT node, n, body, meta FROM version WHERE " + which + " ORDER BY node, n LIMIT ?"
	err := s.read.each(ctx, "named", query, append(args, collectPage), func(rows *sqlx.Rows) error {
		var node, body, meta []byte
		if err := rows.Scan(&node, &last.n, &body, &meta); err != nil {
			return err
		}
		n++
		last.node = toID(node)
		suspects.name(blob{false, toHash(body)})
		suspects.name(blob{true, toHash(meta)})
		return nil
	})
	return n, err
}

const (
	sinceQuery = "SELECT i.act, v.body, v.meta FROM txn_item i LEFT JOIN version v ON v.node = i.node AND v.n = i.n WHERE i.seq > ? AND i.seq <= ?"
	dropQuery  = "SELECT chunk_set FROM blob_obj WHERE sha = ? AND chunk_set IS NOT NULL"
)

// dropBlobs clears the suspicion of the given blobs, and deletes those that no version names, nor one since start. It tells how many those
// were, and gives the chunk sets whose pieces nobody owns any more.
func (o *operation) dropBlobs(list []blob, suspects suspicions, start int64) (int64, []registry.ID, error) {
	named, err := o.namedSince(start)
	if err != nil {
		return 0, nil, err
	}
	dropped := int64(0)
	var sets []registry.ID
	for _, b := range list {
		if !suspects[b].named && !named[b] {
			dropped++
			if sets, err = o.dropBlob(b, sets); err != nil {
				return 0, nil, o.broken(err)
			}
		}
		clear := "DELETE FROM " + b.suspects() + " WHERE sha = ? AND mark = ?"
		if _, err := o.tx.exec(o.ctx, "collect", clear, b.sha[:], suspects[b].mark); err != nil {
			return 0, nil, o.broken(err)
		}
	}
	o.touch(item{act: actCollect, n: dropped}) // without an item nothing of the transaction would be committed
	return dropped, sets, nil
}

// catchUp finds the suspects that the versions since start name, until few changes are left for the write turn, and tells how far it came.
func (s *Store) catchUp(ctx context.Context, suspects suspicions, start int64) (int64, error) {
	for {
		var head headRow
		if err := s.read.one(ctx, "head", headQuery, nil, head.dest()...); err != nil {
			return start, err
		}
		if head.seq-start <= collectTail/2 {
			return start, nil
		}
		end := min(head.seq, start+collectTail)
		copied, err := readNamed(ctx, s.read.statements, start, end, suspects.name)
		if err != nil {
			return start, err
		}
		if copied {
			return start, tooBusy()
		}
		start = end
	}
}

// readNamed gives the contents and metadata of the versions that came between two positions of the log, and tells whether there may be others: when a copy was staged
// there, whose nodes the log does not name, and when a part of the log has been removed for its age. It goes from the old end, so what follows
// the first operation was there, too.
func readNamed(ctx context.Context, q statements, after, to int64, name func(blob)) (bool, error) {
	copied := false
	err := q.each(ctx, "named", sinceQuery, []any{after, to}, func(rows *sqlx.Rows) error {
		var did int64
		var body, meta []byte
		err := rows.Scan(&did, &body, &meta)
		name(blob{false, toHash(body)})
		name(blob{true, toHash(meta)})
		copied = copied || act(did) == actStage
		return err
	})
	if err != nil || to <= after {
		return copied, err
	}
	first := 0
	err = q.one(ctx, "named", "SELECT COUNT(*) FROM txn WHERE seq = ?", []any{after + 1}, &first)
	return copied || first == 0, err
}

func tooBusy() error {
	return registry.Errorf(registry.CodeUnavailable, "too much changed while contents were looked at; a later sweep tries again")
}

// namedSince gives the contents and metadata of the versions that came after a position of the log, in the database or in this transaction.
func (o *operation) namedSince(start int64) (map[blob]bool, error) {
	if o.head.seq-start > collectTail {
		return nil, tooBusy()
	}
	named := map[blob]bool{}
	copied, err := readNamed(o.ctx, o.tx.statements, start, o.head.seq, func(b blob) { named[b] = true })
	switch {
	case err != nil:
		return nil, o.broken(err)
	case copied || slices.ContainsFunc(o.ops, opDraft.stages):
		return nil, tooBusy()
	}
	for _, v := range o.unit.versions {
		named[blob{false, v.Hash}], named[blob{true, v.metaSum}] = true, true
	}
	return named, nil
}

// stages tells whether the operation added nodes to a copy.
func (d opDraft) stages() bool {
	return slices.ContainsFunc(d.items, func(i item) bool { return i.act == actStage })
}

// dropBlob deletes one content or metadata.
func (o *operation) dropBlob(b blob, sets []registry.ID) ([]registry.ID, error) {
	if !b.meta {
		return o.dropContent(b.sha, sets)
	}
	// Memory knows which metadata the database has.
	o.touch(item{act: actSweep, name: string(b.sha[:])})
	_, err := o.tx.exec(o.ctx, "collect", "DELETE FROM meta_obj WHERE sha = ?", b.sha[:])
	return sets, err
}

// dropContent deletes one content. Its pieces go to whoever deletes abandoned ones: there may be too many for this transaction.
func (o *operation) dropContent(sha registry.Hash, sets []registry.ID) ([]registry.ID, error) {
	var set []byte
	err := o.tx.one(o.ctx, "collect", dropQuery, []any{sha[:]}, &set)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if set != nil {
		if _, err := o.tx.exec(o.ctx, "collect", "INSERT INTO staged (chunk_set) VALUES (?)", set); err != nil {
			return nil, err
		}
		sets = append(sets, toID(set))
	}
	if _, err := o.tx.exec(o.ctx, "collect", "DELETE FROM search_text WHERE sha = ?", sha[:]); err != nil {
		return nil, err
	}
	_, err = o.tx.exec(o.ctx, "collect", "DELETE FROM blob_obj WHERE sha = ?", sha[:])
	return sets, err
}
