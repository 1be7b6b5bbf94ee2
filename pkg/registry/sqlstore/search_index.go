package sqlstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// indexBatch is how many nodes one transaction takes into the index, and how many must wait: with fewer, most terms would be rows of their own.
	indexBatch = 512
	// indexHurry is how many nodes may wait before the indexer works without pauses.
	indexHurry = 20_000
	// indexRest is how many times as long as it worked the indexer rests.
	indexRest = 3
	// indexLook is how often a node of the cluster looks for what others left.
	indexLook = time.Minute
	fillBatch = 1_000
	// sparse is how many documents of a block count when the block is given up: they are taken up again, into a new one.
	sparse      = registry.BlockDocs / 4
	sparseMost  = 4
	dropTerms   = 500
	indexTokens = 2_000_000 // bytes of postings of one transaction, about
)

// indexer takes nodes off the list search_todo, into the index, while nobody waits for it. Every process has one; they take turns.
type indexer struct {
	read, write *pool // with counters of their own: tests count what others do
	wake        chan struct{}
	texts       chan keptText
	waiting     atomic.Int64 // nodes that this process has put on the list since the last look
}

func newIndexer(read, write *pool) *indexer {
	m := read.metrics.background()
	return &indexer{
		read: &pool{statements{read.db, m}, read.db, nil}, write: &pool{statements{write.db, m}, write.db, write.turn},
		wake: make(chan struct{}, 1), texts: make(chan keptText, 16),
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
		err := s.indexSome(s.life)
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

// indexSome works until fewer nodes wait than are worth a transaction, and all nodes that were there before the index are on the list or in it.
func (s *Store) indexSome(ctx context.Context) error {
	for {
		complete, err := s.fill(ctx)
		if err != nil {
			return err
		}
		start := time.Now()
		waiting, err := s.countTodo(ctx)
		if err != nil || waiting < indexBatch && complete {
			return err
		}
		if _, err := s.index(ctx); err != nil {
			return err
		}
		if waiting >= indexHurry {
			continue
		}
		t := time.NewTimer(indexRest * time.Since(start))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
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
		n, err := s.index(ctx)
		all += n
		if err != nil {
			return all, s.fail("index", err)
		}
		if n == 0 && complete {
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

// fill puts some of the nodes on the list that were there before it, and tells whether all are.
func (s *Store) fill(ctx context.Context) (bool, error) {
	var seen []byte
	var complete int64
	const query = "SELECT seen, complete FROM search_state WHERE id = 1"
	if err := s.indexer.read.one(ctx, "index", query, nil, &seen, &complete); err != nil || complete != 0 {
		return complete != 0, err
	}
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
		if err := insertRows(ctx, t.statements, s.backend.dialect, searchTodo, rows, s.backend.dialect.onConflict("node")); err != nil {
			return err
		}
		_, err = t.exec(ctx, "index", "UPDATE search_state SET seen = ?, complete = ? WHERE id = 1", seen, done)
		return err
	})
	return done, err
}

// batch is a part of the list on its way into the index.
type batch struct {
	store *Store
	tx    *txn
	head  int64 // the position of the log that the nodes were read at
	keys  []todoKey
	docs  map[todoKey]*registry.SearchDoc

	next   int64 // number of the next document
	blocks map[int64]int64
	facts  [][]any
	terms  map[termKey]*bytes.Buffer
	size   int
}

// termKey is a row of search_term.
type termKey struct {
	term  string
	block int64
}

// index takes some nodes off the list, and tells how many.
func (s *Store) index(ctx context.Context) (int, error) {
	start := time.Now()
	b, err := s.readBatch(ctx)
	if err != nil || len(b.keys) == 0 {
		return 0, err
	}
	err = s.indexer.write.within(ctx, func(t *txn) error {
		b.tx = t
		return b.write(ctx)
	})
	if err != nil {
		return 0, err
	}
	s.metrics.indexed.Add(float64(len(b.keys)))
	s.metrics.indexSeconds.Observe(time.Since(start).Seconds())
	return len(b.keys), s.dropSparse(ctx)
}

// readBatch reads nodes of the list as they are at one moment.
func (s *Store) readBatch(ctx context.Context) (*batch, error) {
	b := &batch{store: s, docs: map[todoKey]*registry.SearchDoc{}, blocks: map[int64]int64{}, terms: map[termKey]*bytes.Buffer{}}
	t, err := s.indexer.read.begin(ctx, s.backend.dialect.snapshot)
	if err != nil {
		return nil, err
	}
	defer t.rollback()
	if err := t.one(ctx, "index", "SELECT seq FROM store_head WHERE id = 1", nil, &b.head); err != nil {
		return nil, err
	}
	err = t.each(ctx, "index", "SELECT node, seq FROM search_todo LIMIT ?", []any{indexBatch}, func(rows *sqlx.Rows) error {
		var id []byte
		var k todoKey
		err := rows.Scan(&id, &k.seq)
		k.node = toID(id)
		b.keys = append(b.keys, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	var missing []todoKey
	for _, k := range b.keys {
		if d, ok := lookup(s.mem, s.mem.docs, k); ok {
			b.docs[k] = d
		} else {
			missing = append(missing, k)
		}
	}
	for part := range slices.Chunk(missing, examinePage) {
		docs, err := s.loadDocs(ctx, t.statements, part)
		if err != nil {
			return nil, err
		}
		for k, d := range docs {
			b.docs[k] = d
		}
	}
	return b, nil
}

// write writes the batch, while no other indexer writes. Only what is on the list still is taken: another one may have been faster.
func (b *batch) write(ctx context.Context) error {
	d := b.store.backend.dialect
	if err := b.tx.one(ctx, "index", "SELECT next_doc FROM search_state WHERE id = 1"+d.forUpdate, nil, &b.next); err != nil {
		return err
	}
	if err := b.stillListed(ctx); err != nil || len(b.keys) == 0 {
		return err
	}
	ids := make([]any, len(b.keys))
	for i := range b.keys {
		ids[i] = b.keys[i].node[:]
	}
	if err := dropDocs(ctx, b.tx.statements, ids, b.blocks); err != nil {
		return err
	}
	for i, k := range b.keys {
		if err := b.add(b.docs[k]); err != nil {
			return err
		}
		if b.size > indexTokens { // the rest stays on the list
			b.keys, ids = b.keys[:i+1], ids[:i+1]
		}
		if i+1 == len(b.keys) {
			break
		}
	}
	if err := b.store.countBlocks(ctx, b.tx.statements, b.blocks); err != nil {
		return err
	}
	if err := insertRows(ctx, b.tx.statements, d, table{"search_doc", []string{"doc", "node", "facts"}}, b.facts, ""); err != nil {
		return err
	}
	if err := insertRows(ctx, b.tx.statements, d, table{"search_term", []string{"term", "block", "docs"}}, b.rows(), d.onConflictAppend("term, block", "docs")); err != nil {
		return err
	}
	if _, err := b.tx.exec(ctx, "index", "UPDATE search_state SET next_doc = ? WHERE id = 1", b.next); err != nil {
		return err
	}
	// A node that changed meanwhile stays on the list.
	_, err := b.tx.exec(ctx, "index", "DELETE FROM search_todo WHERE node IN ("+placeholders(len(ids))+") AND seq <= ?", append(ids, b.head)...)
	return err
}

func (b *batch) stillListed(ctx context.Context) error {
	ids := make([]any, len(b.keys))
	for i := range b.keys {
		ids[i] = b.keys[i].node[:]
	}
	there := map[registry.ID]bool{}
	err := b.tx.each(ctx, "index", "SELECT node FROM search_todo WHERE node IN ("+placeholders(len(ids))+")", ids, func(rows *sqlx.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		there[toID(id)] = true
		return err
	})
	b.keys = slices.DeleteFunc(b.keys, func(k todoKey) bool { return !there[k.node] })
	slices.SortFunc(b.keys, func(x, y todoKey) int { return bytes.Compare(x.node[:], y.node[:]) })
	return err
}

// add makes the rows of one document. What lies in the trash by itself has none: nothing finds it until it comes back, and then it is on the list.
func (b *batch) add(d *registry.SearchDoc) error {
	if d == nil || d.Facts.Parent == trashID {
		return nil
	}
	facts, err := json.Marshal(d.Facts)
	if err != nil {
		return err
	}
	n := b.next
	b.next++
	block, doc := n/registry.BlockDocs, int(n%registry.BlockDocs)
	b.blocks[block]++
	b.facts = append(b.facts, []any{n, d.Facts.ID[:], facts})
	b.size += len(facts)
	var entry []byte
	for t, positions := range d.Terms {
		k := termKey{t, block}
		if b.terms[k] == nil {
			b.terms[k] = &bytes.Buffer{}
		}
		entry = registry.AppendPosting(entry[:0], doc, positions)
		b.terms[k].Write(entry)
		b.size += len(entry)
	}
	return nil
}

// rows gives the rows of search_term in the order of their key, in which they are written fastest.
func (b *batch) rows() [][]any {
	keys := make([]termKey, 0, len(b.terms))
	for k := range b.terms {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y termKey) int {
		if c := strings.Compare(x.term, y.term); c != 0 {
			return c
		}
		return int(x.block - y.block)
	})
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{[]byte(k.term), k.block, b.terms[k].Bytes()}
	}
	return rows
}

// dropDocs deletes the documents of nodes, and takes them out of the counts of their blocks.
func dropDocs(ctx context.Context, q statements, ids []any, blocks map[int64]int64) error {
	var docs []any
	err := q.each(ctx, "index", "SELECT doc FROM search_doc WHERE node IN ("+placeholders(len(ids))+")", ids, func(rows *sqlx.Rows) error {
		var n int64
		err := rows.Scan(&n)
		docs = append(docs, n)
		blocks[n/registry.BlockDocs]--
		return err
	})
	if err != nil || len(docs) == 0 {
		return err
	}
	_, err = q.exec(ctx, "index", "DELETE FROM search_doc WHERE doc IN ("+placeholders(len(docs))+")", docs...)
	return err
}

// countBlocks changes how many documents of blocks count, in the order of the blocks.
func (s *Store) countBlocks(ctx context.Context, q statements, blocks map[int64]int64) error {
	var rows [][]any
	for block, n := range blocks {
		if n != 0 {
			rows = append(rows, []any{block, n})
		}
	}
	slices.SortFunc(rows, func(a, b []any) int {
		x, _ := a[0].(int64)
		y, _ := b[0].(int64)
		return int(x - y)
	})
	return insertRows(ctx, q, s.backend.dialect, table{"search_block", []string{"block", "docs"}}, rows, s.backend.dialect.onConflictAdd("block", "docs"))
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
		return insertRows(ctx, t.statements, s.backend.dialect, searchTodo, sortedByID(rows), s.backend.dialect.onConflict("node"))
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

// purgeSearch takes nodes that are deleted for good out of the index and off the list.
func (s *Store) purgeSearch(ctx context.Context, q statements, in string, ids []any) error {
	blocks := map[int64]int64{}
	if err := dropDocs(ctx, q, ids, blocks); err != nil {
		return err
	}
	if err := s.countBlocks(ctx, q, blocks); err != nil {
		return err
	}
	_, err := q.exec(ctx, "purge_attached", "DELETE FROM search_todo WHERE node"+in, ids...)
	return err
}
