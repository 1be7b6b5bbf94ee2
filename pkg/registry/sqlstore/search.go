package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Search. Every change of what search knows of a node writes one row in its own transaction: the node into search_todo (flushSearch). What words the node has
// is found out later, and once for many changes of one node: a search takes the nodes of that list as they are now, and all others from the index. So a
// search sees every change that was acknowledged before it, and a put pays for one small row whatever its content is.
//
// The index is made from the list, some hundred nodes at once (search_index.go): a document for each, and for each of their terms a row per block of 1024
// documents, to which the new documents are appended. A document is never changed; a node that is taken up again gets a new one, and the old one counts no
// more. A search reads the list, the index and the nodes in one snapshot.
//
// The index is by node, not by place: it knows the collection that a node is in, and names no path. So moving, deleting and undeleting a collection touches
// nothing of what is below it; where a hit stands is looked up when it is found.

const (
	// todoMost is how many of the nodes in search_todo one search knows of, the last ones changed first.
	todoMost = 20_000
	// examineMost and examineTime bound the work of one search on nodes that no search has looked at yet.
	examineMost = 4_000
	examineTime = 3 * time.Second
	examinePage = 100 // nodes that are read together at most
	// searchesAtOnce bounds how many searches of a store run: each may hold many candidates. The others wait.
	searchesAtOnce = 8
)

// todoKey is a node at one of its states.
type todoKey struct {
	node registry.ID
	seq  int64
}

// finder is one search in a store.
type finder struct {
	store *Store
	q     statements
	query *registry.SearchQuery
	ask   registry.SearchAsk
	at    snapshot

	todo     []todoKey // the last changed first
	listed   map[registry.ID]bool
	lowest   int64   // the first block that there is
	counts   []int64 // documents that have each lookup, among those that were looked at
	looked   int64   // the first block that was looked at
	found    registry.SearchFound
	deadline time.Time
}

// Search implements [registry.SearchReader].
func (s *Store) Search(ctx context.Context, ask registry.SearchAsk) (registry.SearchFound, error) {
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-ctx.Done():
		return registry.SearchFound{}, s.fail("wait to search", ctx.Err())
	}
	start := time.Now()
	if err := s.refresh(ctx); err != nil {
		return registry.SearchFound{}, err
	}
	var f *finder
	err := s.retryRead(ctx, func() error {
		t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
		if err != nil {
			return err
		}
		defer t.rollback()
		f = &finder{
			store: s, q: t.statements, query: ask.Query, ask: ask, counts: make([]int64, len(ask.Query.Lookups())),
			listed: map[registry.ID]bool{}, deadline: start.Add(examineTime),
		}
		return f.run(ctx)
	})
	if err != nil {
		return registry.SearchFound{}, s.fail("search", err)
	}
	s.metrics.searched(start, f)
	return f.found, nil
}

// Places implements [registry.SearchReader].
func (s *Store) Places(ctx context.Context, ids []registry.ID) (map[registry.ID]registry.Place, error) {
	return s.places(ctx, ids)
}

const searchStateQuery = "SELECT " + headColumns + ", s.next_doc, s.complete, (SELECT MIN(block) FROM search_block) " +
	"FROM store_head h JOIN search_state s ON s.id = 1 WHERE h.id = 1"

// searchListQuery reads the list, the last changed first, with the collections that the nodes are in.
const searchListQuery = "SELECT t.node, t.seq, n.parent FROM (SELECT node, seq FROM search_todo ORDER BY seq DESC LIMIT ?) t LEFT JOIN node n ON n.id = t.node"

func (f *finder) run(ctx context.Context) error {
	var head headRow
	var complete int64
	var lowest sql.NullInt64
	if err := f.q.one(ctx, "search", searchStateQuery, nil, append(head.dest(), &f.found.NextDoc, &complete, &lowest)...); err != nil {
		return err
	}
	f.at, f.found.Complete = head.snapshot(), complete != 0
	f.lowest, f.looked = lowest.Int64, f.blockAfter()
	if err := f.list(ctx); err != nil {
		return err
	}
	if err := f.examine(ctx); err != nil {
		return err
	}
	scope, err := f.scope(ctx)
	if err != nil {
		return err
	}
	if lowest.Valid {
		if err := f.blocks(ctx, scope); err != nil {
			return err
		}
	}
	f.rank()
	return nil
}

// blockAfter is the number of the block after the last one.
func (f *finder) blockAfter() int64 { return (f.found.NextDoc-1)/registry.BlockDocs + 1 }

// rank gives the candidates their scores. Words are as frequent as they are among the documents that were looked at.
func (f *finder) rank() {
	docs := max(f.found.NextDoc-f.looked*registry.BlockDocs, 0)
	r := registry.NewRanking(f.counts, docs+int64(len(f.todo)))
	for _, c := range f.found.Candidates {
		f.query.Score(c, r)
	}
}

// list reads the nodes that changed since they were indexed.
func (f *finder) list(ctx context.Context) error {
	err := f.q.each(ctx, "search", searchListQuery, []any{todoMost + 1}, func(rows *sqlx.Rows) error {
		var id, parent []byte
		var k todoKey
		err := rows.Scan(&id, &k.seq, &parent)
		k.node = toID(id)
		f.listed[k.node] = true
		if parent != nil && toID(parent) != trashID {
			f.todo = append(f.todo, k)
		}
		return err
	})
	if len(f.listed) > todoMost {
		f.found.Complete = false
	}
	slices.SortFunc(f.todo, func(a, b todoKey) int { return cmp.Compare(b.seq, a.seq) })
	return err
}

// examine looks at the nodes of the list themselves. What it learns of them stays in memory for the next search.
func (f *finder) examine(ctx context.Context) error {
	var missing []todoKey
	for _, k := range f.todo {
		d, ok := lookup(f.store.mem, f.store.mem.docs, k)
		if ok {
			f.take(d)
		} else {
			missing = append(missing, k)
		}
	}
	looked, leftOut := 0, 0
	more := func() bool { return looked < examineMost && time.Now().Before(f.deadline) }
	give := func(docs map[todoKey]*registry.SearchDoc) bool {
		f.store.mem.fill(f.at, nil, func() {
			for k, d := range docs {
				f.store.mem.docs.put(k, d)
			}
		})
		for _, d := range docs {
			f.take(d)
		}
		looked += len(docs)
		return looked < len(missing) && more()
	}
	if len(missing) > 0 && more() {
		skip := func(k todoKey, _ error) { // the indexer says so
			f.found.Complete = false
			if f.store.indexer.skips(k) {
				leftOut++
			}
		}
		if err := f.store.loadEach(ctx, f.q, missing, give, skip); err != nil {
			return err
		}
	}
	if looked < len(missing) {
		f.found.Complete = false
	}
	if looked+leftOut < len(missing) {
		f.store.indexer.press()
	}
	return nil
}

// take makes a candidate of a document that is not in the index.
func (f *finder) take(d *registry.SearchDoc) {
	if d == nil {
		return // the node has gone
	}
	if c := f.query.Examine(d); c != nil {
		f.count(c)
		f.found.Candidates = append(f.found.Candidates, c)
	}
}

func (f *finder) count(c *registry.Candidate) {
	for i, h := range c.Hits {
		if h != nil {
			f.counts[i]++
		}
	}
}
