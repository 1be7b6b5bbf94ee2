package sqlstore

import (
	"bytes"
	"context"
	"errors"
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
	last   map[int64]int64 // of each block, when what is in it changed last
	facts  [][]any
	terms  map[termKey][]byte
	size   int
}

// termKey is a row of search_term.
type termKey struct {
	term  string
	block int64
}

// index takes up to most nodes off the list, and tells how many, and whether there were any: another process may have been faster. When that fails for a reason
// that does not pass by itself, and is not of the whole database, it tries half as many, and leaves out one that fails alone when another one does not.
func (s *Store) index(ctx context.Context, most int) (n int, waited bool, err error) {
	start := time.Now()
	failed := map[todoKey]error{} // alone
	for {
		b, err := s.readBatch(ctx, most, failed)
		if err == nil && len(b.keys) == 0 {
			return 0, len(failed) > 0, errors.Join(slices.Collect(maps.Values(failed))...)
		}
		if err == nil {
			var turn time.Time // the waiting for it does not count
			err = s.indexer.write.within(ctx, func(t *txn) error {
				b.tx, turn = t, time.Now()
				return b.write(ctx)
			})
			s.indexer.took(len(b.keys), time.Since(turn))
		}
		switch {
		case err == nil:
			s.metrics.indexed.Add(float64(len(b.keys)))
			s.metrics.indexSeconds.Observe(time.Since(start).Seconds())
			if len(b.keys) > 0 { // else another process took them
				for k, err := range failed {
					s.skipSearch(k, err)
				}
			}
			return len(b.keys), true, s.dropSparse(ctx)
		case ctx.Err() != nil || passingReason(err) != "" || ofDatabase(err) || b == nil || len(b.keys) == 0 || len(failed) == failedMost:
			return 0, true, err
		case most > 1:
			most = (most + 1) / 2
		default:
			failed[b.keys[0]] = err
		}
	}
}

// failedMost is how many nodes may fail one by one before something else is wrong.
const failedMost = 8

// skippedMost is how many nodes an indexer leaves out at most; with more of them something else is wrong.
const skippedMost = 1000

// skipSearch leaves a node out of the index, in this state and in this process.
func (s *Store) skipSearch(k todoKey, err error) {
	s.indexer.skip(k, func() {
		s.log.Warn("a resource cannot be taken into the search index, and is not found", "node", k.node.String(), "error", err)
	})
}

// readBatch reads nodes of the list as they are at one moment, without some: up to most, and not more than are good for one transaction.
func (s *Store) readBatch(ctx context.Context, most int, without map[todoKey]error) (*batch, error) {
	b := &batch{store: s, docs: map[todoKey]*registry.SearchDoc{}, blocks: map[int64]int64{}, last: map[int64]int64{}, terms: map[termKey][]byte{}}
	t, err := s.indexer.read.begin(ctx, s.backend.dialect.snapshot)
	if err != nil {
		return nil, err
	}
	defer t.rollback()
	if err := t.one(ctx, "index", "SELECT seq FROM store_head WHERE id = 1", nil, &b.head); err != nil {
		return nil, err
	}
	list, err := s.listed(ctx, t, most, without)
	if err != nil {
		return nil, err
	}
	var missing []todoKey
	weight := int64(0)
	for _, k := range list {
		d, ok := lookup(s.mem, s.mem.docs, k)
		switch {
		case !ok:
			missing = append(missing, k)
		case weight < indexWeight:
			weight += docWeight(d)
			b.keys, b.docs[k] = append(b.keys, k), d
		}
	}
	give := func(docs map[todoKey]*registry.SearchDoc) bool {
		for k, d := range docs {
			weight += docWeight(d)
			b.keys, b.docs[k] = append(b.keys, k), d
		}
		return weight < indexWeight
	}
	if weight < indexWeight {
		err = s.loadEach(ctx, t.statements, missing, give, s.skipSearch)
	}
	return b, err
}

// listed gives nodes of the list, without some and those that are left out.
func (s *Store) listed(ctx context.Context, t *txn, most int, without map[todoKey]error) ([]todoKey, error) {
	var list []todoKey
	err := t.each(ctx, "index", "SELECT node, seq FROM search_todo LIMIT ?", []any{most + s.indexer.leftOut() + len(without)}, func(rows *sqlx.Rows) error {
		var id []byte
		var k todoKey
		err := rows.Scan(&id, &k.seq)
		if k.node = toID(id); len(list) < most && without[k] == nil && !s.indexer.skips(k) {
			list = append(list, k)
		}
		return err
	})
	return list, err
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
		b.add(b.docs[k])
		if b.size > indexTokens { // the rest stays on the list
			b.keys, ids = b.keys[:i+1], ids[:i+1]
		}
		if i+1 == len(b.keys) {
			break
		}
	}
	if err := b.countBlocks(ctx); err != nil {
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
func (b *batch) add(d *registry.SearchDoc) {
	if d == nil || d.Facts.Parent == trashID {
		return
	}
	facts := d.Facts.Encode()
	n := b.next
	b.next++
	block, doc := n/registry.BlockDocs, int(n%registry.BlockDocs)
	b.blocks[block]++
	b.last[block] = max(b.last[block], d.Facts.Updated)
	b.facts = append(b.facts, []any{n, d.Facts.ID[:], facts})
	b.size += len(facts)
	b.entry(termKey{registry.BriefTerm, block}, func(row []byte) []byte { return registry.AppendBrief(row, doc, d.Facts.Brief()) })
	for t, positions := range d.Terms {
		b.entry(termKey{t, block}, func(row []byte) []byte {
			if registry.IsValues(t) {
				return registry.AppendValues(row, doc, &d.Facts, t)
			}
			return registry.AppendPosting(row, doc, positions)
		})
	}
}

// entry adds a document's entry to a row.
func (b *batch) entry(k termKey, add func([]byte) []byte) {
	row := b.terms[k]
	before := len(row)
	row = add(row)
	b.terms[k] = row
	b.size += len(row) - before
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

// countBlocks changes how many documents of blocks count, and when what is in them changed last, in the order of the blocks.
func (b *batch) countBlocks(ctx context.Context) error {
	var rows [][]any
	for _, block := range slices.Sorted(maps.Keys(b.blocks)) {
		rows = append(rows, []any{block, b.blocks[block], b.last[block]})
	}
	d := b.store.backend.dialect
	return b.store.insertRows(ctx, b.tx, table{"search_block", []string{"block", "docs", "last_us"}}, rows, d.onConflictCount("block", "docs", "last_us"))
}
