package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	examinePage = 100
	// prefixRows bounds the rows that a beginning of a word makes one statement read.
	prefixRows  = 20_000
	firstBlocks = 16 // blocks that are looked at first; then twice as many, and so on
	mostBlocks  = 128
	// factsMost bounds the documents whose facts one search reads: a query of ranges alone may ask for those of all.
	factsMost = 100_000
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
	at    snapshot

	todo     []todoKey // the last changed first
	listed   map[registry.ID]bool
	nextDoc  int64
	counts   []int64 // documents that have each lookup
	read     int     // documents whose facts were read
	found    registry.SearchFound
	deadline time.Time
}

// Search implements [registry.SearchReader].
func (s *Store) Search(ctx context.Context, query *registry.SearchQuery) (registry.SearchFound, error) {
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
			store: s, q: t.statements, query: query, counts: make([]int64, len(query.Lookups())), listed: map[registry.ID]bool{},
			deadline: start.Add(examineTime),
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

const searchStateQuery = "SELECT " + headColumns + ", s.next_doc, s.complete FROM store_head h JOIN search_state s ON s.id = 1 WHERE h.id = 1"

// searchListQuery reads the list, the last changed first, with the collections that the nodes are in.
const searchListQuery = "SELECT t.node, t.seq, n.parent FROM (SELECT node, seq FROM search_todo ORDER BY seq DESC LIMIT ?) t LEFT JOIN node n ON n.id = t.node"

func (f *finder) run(ctx context.Context) error {
	var head headRow
	var complete int64
	if err := f.q.one(ctx, "search", searchStateQuery, nil, append(head.dest(), &f.nextDoc, &complete)...); err != nil {
		return err
	}
	f.at, f.found.Complete = head.snapshot(), complete != 0
	if err := f.list(ctx); err != nil {
		return err
	}
	if err := f.examine(ctx); err != nil {
		return err
	}
	if err := f.blocks(ctx); err != nil {
		return err
	}
	return f.rank(ctx)
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
	for i := 0; i < len(missing); i += examinePage {
		if i >= examineMost || time.Now().After(f.deadline) {
			f.found.Complete = false
			f.store.indexer.press()
			return nil
		}
		part := missing[i:min(i+examinePage, len(missing))]
		docs, err := f.store.loadDocs(ctx, f.q, part)
		if err != nil {
			return err
		}
		f.store.mem.fill(f.at, nil, func() {
			for k, d := range docs {
				f.store.mem.docs.put(k, d)
			}
		})
		for _, d := range docs {
			f.take(d)
		}
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

// blocks goes through the index, the newest documents first.
func (f *finder) blocks(ctx context.Context) error {
	size := int64(firstBlocks)
	for end := (f.nextDoc-1)/registry.BlockDocs + 1; end > 0; {
		from := max(end-size, 0)
		if err := f.window(ctx, from, end); err != nil {
			return err
		}
		end, size = from, min(2*size, mostBlocks)
		if f.enough() && end > 0 {
			f.found.More = true
			return nil
		}
	}
	return nil
}

// enough tells that a search goes no further.
func (f *finder) enough() bool {
	return len(f.found.Candidates) >= registry.MaxCandidates || f.read >= factsMost
}

// window looks at the blocks from one to before another.
func (f *finder) window(ctx context.Context, from, end int64) error {
	docs := map[int64]*registry.Candidate{}
	add := func(lookup int) func(int64, []byte) error {
		return func(block int64, data []byte) error {
			return registry.EachPosting(data, func(doc int, positions []uint32) {
				n := block*registry.BlockDocs + int64(doc)
				c := docs[n]
				if c == nil {
					c = &registry.Candidate{Hits: make([][]uint32, len(f.counts))}
					docs[n] = c
				}
				c.Add(lookup, positions)
			})
		}
	}
	if err := f.terms(ctx, from, end, add); err != nil {
		return err
	}
	numbers := make([]int64, 0, len(docs))
	for n, c := range docs {
		f.count(c)
		if f.query.Possible(c) {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, func(a, b int64) int { return cmp.Compare(b, a) }) // the newest first
	for len(numbers) > 0 {
		part := numbers[:min(len(numbers), f.store.backend.dialect.maxRows)]
		numbers = numbers[len(part):]
		if err := f.facts(ctx, part, docs); err != nil {
			return err
		}
		if f.enough() && len(numbers) > 0 {
			f.found.More = true
			return nil
		}
	}
	return nil
}

// terms reads what the terms of the query have in some blocks: ranges of the primary key.
func (f *finder) terms(ctx context.Context, from, end int64, add func(int) func(int64, []byte) error) error {
	table := "SELECT term, block, docs FROM search_term" + f.store.backend.dialect.index("")
	whole := map[string]int{}
	args := []any{from, end}
	for i, l := range f.query.Lookups() {
		if !l.Prefix {
			whole[l.Term] = i
			args = append(args, []byte(l.Term))
			continue
		}
		rows := 0
		put := add(i)
		next := successor([]byte(l.Term))
		if next == nil {
			next = []byte{0xff, 0xff}
		}
		query := table + " WHERE term >= ? AND term < ? AND block >= ? AND block < ? LIMIT ?"
		err := f.q.each(ctx, "search", query, []any{[]byte(l.Term), next, from, end, prefixRows + 1}, func(r *sqlx.Rows) error {
			var term, data []byte
			var block int64
			if rows++; rows > prefixRows {
				return l.TooMany()
			}
			if err := r.Scan(&term, &block, &data); err != nil {
				return err
			}
			return put(block, data)
		})
		if err != nil {
			return err
		}
	}
	if len(whole) == 0 {
		return nil
	}
	query := table + " WHERE block >= ? AND block < ? AND term IN (" + placeholders(len(whole)) + ")"
	return f.q.each(ctx, "search", query, args, func(r *sqlx.Rows) error {
		var term, data []byte
		var block int64
		if err := r.Scan(&term, &block, &data); err != nil {
			return err
		}
		return add(whole[string(term)])(block, data)
	})
}

// facts completes candidates of the index, and keeps those that count: an outdated document has no row, and nodes of the list were looked at already.
func (f *finder) facts(ctx context.Context, numbers []int64, docs map[int64]*registry.Candidate) error {
	args := make([]any, len(numbers))
	for i, n := range numbers {
		args[i] = n
	}
	f.read += len(numbers)
	// The place is that of now: what was deleted is in the trash, and the index does not hear of it.
	query := "SELECT d.doc, d.node, d.facts, n.parent FROM search_doc d JOIN node n ON n.id = d.node WHERE d.doc IN (" + placeholders(len(args)) + ")"
	return f.q.each(ctx, "search", query, args, func(rows *sqlx.Rows) error {
		var n int64
		var id, data, parent []byte
		if err := rows.Scan(&n, &id, &data, &parent); err != nil {
			return err
		}
		if f.listed[toID(id)] || toID(parent) == trashID {
			return nil
		}
		facts := &registry.SearchFacts{}
		if err := json.Unmarshal(data, facts); err != nil {
			return fmt.Errorf("document %d of the search index: %w", n, err)
		}
		facts.ID, facts.Parent = toID(id), toID(parent)
		c := docs[n]
		if c.Facts = facts; f.query.Possible(c) {
			f.found.Candidates = append(f.found.Candidates, c)
		}
		return nil
	})
}

func (f *finder) rank(ctx context.Context) error {
	var docs int64
	if err := f.q.one(ctx, "search", "SELECT COALESCE(SUM(docs), 0) FROM search_block", nil, &docs); err != nil {
		return err
	}
	r := registry.NewRanking(f.counts, docs+int64(len(f.todo)))
	for _, c := range f.found.Candidates {
		f.query.Score(c, r)
	}
	return nil
}
