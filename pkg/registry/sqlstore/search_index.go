package sqlstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// indexBatch is how many nodes one transaction takes into the index, and how many must wait: with fewer, most terms would be rows of their own.
	indexBatch = 512
	// indexMany is the same when many wait: the rows of a term in several blocks lie side by side, and are cheaper to write together.
	indexMany = 4096
	// indexLong is how long one transaction should be at most.
	indexLong = 500 * time.Millisecond
	// indexWeight bounds the memory of the documents of one transaction, but for the last part of them.
	indexWeight = 96 << 20
	// indexHurry is how many nodes may wait before the indexer works without pauses.
	indexHurry = 20_000
	// indexRest is how many times as long as it worked the indexer rests.
	indexRest = 9
	// fillRest is the same while nodes of before the index are taken up: searches are incomplete until then.
	fillRest = 2
	// indexLook is how often a node of the cluster looks for what others left.
	indexLook = time.Minute
	fillBatch = 1_000
	// sparse is how many documents of a block count when the block is given up: they are taken up again, into a new one.
	sparse      = registry.BlockDocs / 4
	sparseMost  = 4
	dropTerms   = 500
	indexTokens = 8 << 20 // bytes of postings of one transaction, about
)

// indexer takes nodes off the list search_todo, into the index, while nobody waits for it. Every process has one; they take turns.
type indexer struct {
	read, write *pool // with counters of their own: tests count what others do
	wake        chan struct{}
	texts       chan keptText
	pressed     atomic.Bool  // a search could not look at all that waits: few as they are, they are to be taken in
	pace        atomic.Int64 // nodes that a transaction may take when many wait
	waiting     atomic.Int64 // nodes that this process has put on the list since the last look

	mu      sync.Mutex
	skipped map[todoKey]bool // what cannot be taken in
}

func newIndexer(read, write *pool) *indexer {
	m := read.metrics.background()
	return &indexer{
		read:  &pool{statements: statements{read.db, m}, db: read.db},
		write: &pool{statements: statements{write.db, m}, db: write.db, turn: write.turn},
		wake:  make(chan struct{}, 1), texts: make(chan keptText, 16), skipped: map[todoKey]bool{},
	}
}

// skip leaves a node out from now on, and tells, once. It tells under the lock: for who sees that the node is left out it has been told.
func (x *indexer) skip(k todoKey, tell func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.skipped[k] {
		return // two may have come upon it at once
	}
	if len(x.skipped) >= skippedMost {
		clear(x.skipped) // they are tried again
	}
	x.skipped[k] = true
	tell()
}

func (x *indexer) skips(k todoKey) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.skipped[k]
}

func (x *indexer) leftOut() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.skipped)
}

// press asks for the nodes that wait, however few.
func (x *indexer) press() {
	x.pressed.Store(true)
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// listed says that the process has put so many nodes on the list.
func (x *indexer) listed(n int) {
	if x.waiting.Add(int64(n)) >= indexBatch {
		x.waiting.Store(0)
		select {
		case x.wake <- struct{}{}:
		default:
		}
	}
}

// indexLoop keeps the list short.
func (s *Store) indexLoop() {
	look := time.NewTimer(2 * time.Second) // the tables may not be there before
	defer look.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case k := <-s.indexer.texts:
			s.storeText(k)
			continue
		case <-look.C:
		case <-s.indexer.wake:
		}
		ended := s.work(WorkIndex, s.now().Add(indexLook))
		err := s.indexSome(s.life)
		ended(0, err)
		if err != nil && s.life.Err() == nil {
			s.log.Debug("the search index was not brought up to date; it is tried again", "error", err)
		}
		look.Reset(indexLook)
	}
}

func (s *Store) storeText(k keptText) {
	ctx, cancel := context.WithTimeout(s.life, sweepTimeout)
	defer cancel()
	// Not when the content has been removed meanwhile.
	query := "INSERT INTO search_text (sha, format, data) SELECT sha, ?, ? FROM blob_obj WHERE sha = ?" + s.backend.dialect.onConflict("sha, format", "data")
	err := s.indexer.write.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "search_text", query, int64(k.format), []byte(k.text), k.hash[:])
		return err
	})
	if err != nil && s.life.Err() == nil {
		s.log.Debug("did not keep the text of a content", "sha256", k.hash.String(), "error", err)
	}
}

// indexSome works until fewer nodes wait than are worth a transaction, and all nodes that were there before the index are on the list or in it. One
// process at a time does.
func (s *Store) indexSome(ctx context.Context) (err error) {
	var l *lease
	for {
		complete, err := s.filled(ctx)
		if err != nil {
			return err
		}
		waiting, err := s.countTodo(ctx)
		if err != nil || waiting == 0 && complete || waiting < indexBatch && complete && !s.indexer.pressed.Swap(false) {
			return err
		}
		var mine bool
		if l == nil {
			if l, mine, err = s.takeLeaseBy(ctx, s.indexer.write, "search_index", indexLook); err == nil && mine {
				defer func() { err = errors.Join(err, l.release(context.WithoutCancel(ctx))) }()
			}
		} else {
			mine, err = l.renew(ctx)
		}
		if err != nil || !mine {
			return err
		}
		start := time.Now()
		pause := indexRest
		if !complete {
			pause = fillRest
		}
		if !complete && waiting < 2*fillBatch {
			if _, err := s.fill(ctx); err != nil {
				return err
			}
		}
		if _, waited, err := s.index(ctx, s.indexer.batchOf(waiting)); err != nil || !waited && complete {
			return err // with none waiting but those that are left out
		}
		if waiting >= indexHurry {
			continue
		}
		if err := rest(ctx, time.Duration(pause)*time.Since(start)); err != nil {
			return err
		}
	}
}

// batchOf is how many nodes one transaction takes when so many wait.
func (x *indexer) batchOf(waiting int64) int {
	if waiting < indexMany {
		return indexBatch
	}
	return int(min(max(x.pace.Load(), indexBatch), indexMany))
}

// took notes how long a transaction of so many nodes was. On SQLite others cannot write meanwhile, so it must not be long, however slow the disk is.
func (x *indexer) took(nodes int, d time.Duration) {
	switch {
	case d > indexLong:
		x.pace.Store(int64(nodes / 2))
	case d < indexLong/3 && int64(nodes) >= x.pace.Load():
		x.pace.Store(int64(2 * nodes))
	}
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// IndexSearch takes all nodes that wait into the search index, however few, and tells how many. The store does it by itself when there are some hundred.
func (s *Store) IndexSearch(ctx context.Context) (int, error) {
	all := 0
	for {
		complete, err := s.fill(ctx)
		if err != nil {
			return all, s.fail("index", err)
		}
		waiting, err := s.countTodo(ctx)
		if err != nil {
			return all, s.fail("index", err)
		}
		n, waited, err := s.index(ctx, s.indexer.batchOf(waiting))
		all += n
		if err != nil {
			return all, s.fail("index", err)
		}
		if !waited && complete {
			return all, nil
		}
	}
}

// countTodo counts the nodes that wait, up to indexHurry.
func (s *Store) countTodo(ctx context.Context) (int64, error) {
	var n int64
	err := s.indexer.read.one(ctx, "index", "SELECT COUNT(*) FROM (SELECT 1 FROM search_todo LIMIT ?) some", []any{indexHurry}, &n)
	return n, err
}

// filled tells whether all nodes that were there before the list are on it, or in the index.
func (s *Store) filled(ctx context.Context) (bool, error) {
	var complete int64
	err := s.indexer.read.one(ctx, "index", "SELECT complete FROM search_state WHERE id = 1", nil, &complete)
	return complete != 0, err
}

// fill puts some of the nodes on the list that were there before it, and tells whether all are.
func (s *Store) fill(ctx context.Context) (bool, error) {
	if done, err := s.filled(ctx); done || err != nil {
		return done, err
	}
	var seen []byte
	var complete int64
	const query = "SELECT seen, complete FROM search_state WHERE id = 1"
	done := false
	err := s.indexer.write.within(ctx, func(t *txn) error {
		if err := t.one(ctx, "index", query+s.backend.dialect.forUpdate, nil, &seen, &complete); err != nil {
			return err
		}
		var rows [][]any
		err := t.each(ctx, "index", "SELECT id FROM node WHERE id > ? ORDER BY id LIMIT ?", []any{seen, fillBatch}, func(r *sqlx.Rows) error {
			var id []byte
			err := r.Scan(&id)
			rows = append(rows, []any{id, 0})
			return err
		})
		if err != nil {
			return err
		}
		if done = len(rows) < fillBatch; len(rows) > 0 {
			seen, _ = rows[len(rows)-1][0].([]byte)
		}
		if err := s.insertRows(ctx, t, searchTodo, rows, s.backend.dialect.onConflict("node")); err != nil {
			return err
		}
		_, err = t.exec(ctx, "index", "UPDATE search_state SET seen = ?, complete = ? WHERE id = 1", seen, done)
		return err
	})
	return done, err
}

// dropSparse gives up blocks of which few documents count: these go on the list again, and what has none is deleted.
func (s *Store) dropSparse(ctx context.Context) error {
	var blocks [][2]int64
	query := "SELECT b.block, b.docs FROM search_block b JOIN search_state s ON s.id = 1 WHERE b.docs <= ? AND (b.block + 1) * ? <= s.next_doc ORDER BY b.docs, b.block LIMIT ?"
	err := s.indexer.read.each(ctx, "index", query, []any{sparse, registry.BlockDocs, sparseMost}, func(rows *sqlx.Rows) error {
		var b [2]int64
		err := rows.Scan(&b[0], &b[1])
		blocks = append(blocks, b)
		return err
	})
	for _, b := range blocks {
		if b[1] > 0 {
			err = errors.Join(err, s.relist(ctx, b[0]))
		} else {
			err = errors.Join(err, s.dropBlock(ctx, b[0]))
		}
	}
	return err
}

// relist puts the nodes of a block on the list. The number that stands for when is one that no other pass has for the same node: a node is taken off the list
// only by becoming a new document.
func (s *Store) relist(ctx context.Context, block int64) error {
	return s.indexer.write.within(ctx, func(t *txn) error {
		var next int64
		if err := t.one(ctx, "index", "SELECT next_doc FROM search_state WHERE id = 1"+s.backend.dialect.forUpdate, nil, &next); err != nil {
			return err
		}
		var rows [][]any
		err := t.each(ctx, "index", "SELECT node FROM search_doc WHERE doc >= ? AND doc < ?", []any{block * registry.BlockDocs, (block + 1) * registry.BlockDocs},
			func(r *sqlx.Rows) error {
				var id []byte
				err := r.Scan(&id)
				rows = append(rows, []any{id, -next})
				return err
			})
		if err != nil {
			return err
		}
		return s.insertRows(ctx, t, searchTodo, sortedByID(rows), s.backend.dialect.onConflict("node"))
	})
}

// dropBlock deletes a block of which no document counts, some terms at a time.
func (s *Store) dropBlock(ctx context.Context, block int64) error {
	for done := false; !done; {
		var terms []any
		err := s.indexer.read.each(ctx, "index", "SELECT term FROM search_term WHERE block = ? LIMIT ?", []any{block, dropTerms}, func(rows *sqlx.Rows) error {
			var t []byte
			err := rows.Scan(&t)
			terms = append(terms, t)
			return err
		})
		if err != nil {
			return err
		}
		done = len(terms) < dropTerms
		err = s.indexer.write.within(ctx, func(t *txn) error {
			if len(terms) > 0 {
				query := "DELETE FROM search_term WHERE term IN (" + placeholders(len(terms)) + ") AND block = ?"
				if _, err := t.exec(ctx, "index", query, append(terms, block)...); err != nil {
					return err
				}
			}
			if !done {
				return nil
			}
			_, err := t.exec(ctx, "index", "DELETE FROM search_block WHERE block = ? AND docs <= 0", block)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
