package sqlstore

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

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
	terms  map[termKey][]byte
	size   int
}

// termKey is a row of search_term.
type termKey struct {
	term  string
	block int64
}

// index takes some nodes off the list, and tells how many, and whether there were any: another process may have been faster.
func (s *Store) index(ctx context.Context) (n int, waited bool, err error) {
	start := time.Now()
	b, err := s.readBatch(ctx)
	if err != nil || len(b.keys) == 0 {
		return 0, false, err
	}
	err = s.indexer.write.within(ctx, func(t *txn) error {
		b.tx = t
		return b.write(ctx)
	})
	if err != nil {
		return 0, true, err
	}
	s.metrics.indexed.Add(float64(len(b.keys)))
	s.metrics.indexSeconds.Observe(time.Since(start).Seconds())
	return len(b.keys), true, s.dropSparse(ctx)
}

// readBatch reads nodes of the list as they are at one moment.
func (s *Store) readBatch(ctx context.Context) (*batch, error) {
	b := &batch{store: s, docs: map[todoKey]*registry.SearchDoc{}, blocks: map[int64]int64{}, terms: map[termKey][]byte{}}
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
		maps.Copy(b.docs, docs)
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
	if err := b.store.countBlocks(ctx, b.tx, b.blocks); err != nil {
		return err
	}
	if err := b.store.insertRows(ctx, b.tx, table{"search_doc", []string{"doc", "node", "facts"}}, b.facts, ""); err != nil {
		return err
	}
	if err := b.store.insertRows(ctx, b.tx, table{"search_term", []string{"term", "block", "docs"}}, b.rows(), d.onConflictAppend("term, block", "docs")); err != nil {
		return err
	}
	if _, err := b.tx.exec(ctx, "index", "UPDATE search_state SET next_doc = ? WHERE id = 1", b.next); err != nil {
		return err
	}
	// A node that changed meanwhile stays on the list.
	_, err := b.tx.exec(ctx, "index", "DELETE FROM search_todo WHERE node IN ("+placeholders(len(ids))+") AND seq <= ?", slices.Concat(ids, []any{b.head})...)
	return err
}

func (b *batch) stillListed(ctx context.Context) error {
	ids := make([]any, len(b.keys))
	for i := range b.keys {
		ids[i] = b.keys[i].node[:]
	}
	there := map[registry.ID]int64{}
	err := b.tx.each(ctx, "index", "SELECT node, seq FROM search_todo WHERE node IN ("+placeholders(len(ids))+")", ids, func(rows *sqlx.Rows) error {
		var id []byte
		var seq int64
		err := rows.Scan(&id, &seq)
		there[toID(id)] = seq
		return err
	})
	// One that was taken off, or listed again, was read in another state.
	b.keys = slices.DeleteFunc(b.keys, func(k todoKey) bool { seq, ok := there[k.node]; return !ok || seq != k.seq })
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
	for t, positions := range d.Terms {
		k := termKey{t, block}
		before := len(b.terms[k])
		b.terms[k] = registry.AppendPosting(b.terms[k], doc, positions)
		b.size += len(b.terms[k]) - before
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
		rows[i] = []any{[]byte(k.term), k.block, b.terms[k]}
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
func (s *Store) countBlocks(ctx context.Context, tx *txn, blocks map[int64]int64) error {
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
	return s.insertRows(ctx, tx, table{"search_block", []string{"block", "docs"}}, rows, s.backend.dialect.onConflictAdd("block", "docs"))
}
