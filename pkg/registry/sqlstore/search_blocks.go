package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A search goes through the blocks of the index from the newest to the oldest, some of them with one statement, and ends when it has enough candidates. How
// many blocks depends on how much there was in those before: a rare word has rows in few of many blocks, a frequent one in each.

const (
	// firstBlocks is how many blocks are looked at first, and firstNewest how many when the newest documents may be enough.
	firstBlocks, firstNewest = 16, 2
	// windowFew and windowMuch are bytes of rows: after fewer the next statement takes four times as many blocks, and with more it takes a fraction.
	windowFew  = 1 << 20
	windowMuch = 8 << 20
	// searchBytes bounds what one search reads of the index.
	searchBytes = 96 << 20
	// fewDocs is up to how many documents of a block are read themselves rather than the row of the briefs of all.
	fewDocs = 12
	// mostPosting is about the bytes of a posting with many positions.
	mostPosting = 40
	// leads is how many times less a lookup must have than the others for its blocks to be looked for first.
	leads = 8
)

// errWindow says that some blocks have too much for one statement.
var errWindow = errors.New("too many rows in these blocks")

// pass is the way of a search through the index.
type pass struct {
	*finder
	reader     *registry.BlockReader
	beginnings []*beginning
	scope      scope
	bytes      int
	weights    []int // bytes of the rows of each lookup
}

// blocks goes through the index.
func (f *finder) blocks(ctx context.Context, s scope) error {
	p := pass{finder: f, reader: registry.NewBlockReader(f.query), scope: s, weights: make([]int, len(f.counts))}
	var err error
	if p.beginnings, err = f.beginnings(ctx); err != nil {
		return err
	}
	size := int64(firstBlocks)
	if !f.query.Ranked() {
		size = firstNewest
	}
	for end := f.blockAfter(); end > f.lowest; {
		w := window{pass: &p, from: max(end-size, f.lowest), end: end, rows: map[int64][]termRow{}, possible: map[int64]map[int]bool{}, spent: map[*beginning]int{}}
		switch err := w.read(ctx); {
		case errors.Is(err, errWindow):
			size = max((end-w.from)/4, 1)
			continue
		case err != nil:
			return err
		}
		for b, rows := range w.spent {
			b.left = max(b.left-rows, 0)
		}
		if done, err := w.look(ctx); done || err != nil {
			return err
		}
		end, p.bytes = w.from, p.bytes+w.bytes
		if w.cut || p.bytes > searchBytes {
			f.found.More = f.found.More || end > f.lowest
			return nil
		}
		switch {
		case w.bytes < windowFew:
			size = min(4*size, f.missing(end))
		case w.bytes > windowMuch/2:
			size = max(size/2, 1)
		}
	}
	return nil
}

// missing guesses how many more blocks there must be to have enough candidates, after those from one on were looked at.
func (f *finder) missing(from int64) int64 {
	want := int64(registry.MaxCandidates)
	if !f.query.Ranked() {
		want = min(want, int64(f.ask.Want))
	}
	have := int64(len(f.found.Candidates))
	return max(want-have, 0)*(f.blockAfter()-from)/max(have, 1) + 2
}

// leader is the lookup that every hit has and that has the fewest rows by far, as far as the search has come; -1 when none is. What it does not have need
// not be read of the others.
func (p *pass) leader() int {
	lead, sum := -1, 0
	for i, n := range p.weights {
		sum += n
		if slices.Contains(p.query.Required(), i) && !p.query.Lookups()[i].Prefix && (lead < 0 || n < p.weights[lead]) {
			lead = i
		}
	}
	if lead >= 0 && (sum == 0 || p.weights[lead]*leads > sum) {
		return -1
	}
	return lead
}

// termRow is what a term that a lookup asks for has in a block.
type termRow struct {
	lookup int
	data   []byte
}

// window is some blocks, from one to before another.
type window struct {
	*pass
	from, end int64
	cut       bool // not all rows of a beginning were read
	rows      map[int64][]termRow
	possible  map[int64]map[int]bool // of the blocks that were looked through: what may be a hit
	bytes     int
	spent     map[*beginning]int // rows that were read of each
}

// alone tells that the window cannot be made smaller.
func (w *window) alone() bool { return w.end-w.from == 1 }

// take notes a row, unless the search does not look at its block.
func (w *window) take(lookup int, block int64, data []byte) error {
	if w.scope.docs != nil && w.scope.docs[block] == nil {
		return nil
	}
	if w.bytes += len(data); w.bytes > windowMuch && !w.alone() {
		return errWindow
	}
	w.weights[lookup] += len(data)
	w.rows[block] = append(w.rows[block], termRow{lookup, data})
	return nil
}

// blockSpan is the blocks that a statement looks at: a range, or some.
type blockSpan struct {
	where string
	args  []any
}

func (w *window) span(blocks []int64) blockSpan {
	if blocks == nil {
		return blockSpan{"block >= ? AND block < ?", []any{w.from, w.end}}
	}
	args := make([]any, len(blocks))
	for i, n := range blocks {
		args[i] = n
	}
	return blockSpan{"block IN (" + placeholders(len(args)) + ")", args}
}

// read reads what the terms of the query have in the blocks: ranges of the primary key.
func (w *window) read(ctx context.Context) error {
	blocks := w.scope.blocks(w.from, w.end)
	if blocks != nil && len(blocks) == 0 {
		return nil
	}
	for _, b := range w.beginnings {
		if err := b.read(ctx, w); err != nil {
			return err
		}
		if !b.many && slices.Contains(w.query.Required(), b.lookup) {
			blocks = b.blocks(w.from, w.end, blocks)
		}
	}
	if blocks != nil && len(blocks) == 0 {
		w.rows = nil
		return nil
	}
	whole := map[string]int{}
	for i, l := range w.query.Lookups() {
		if !l.Prefix {
			whole[l.Term] = i
		}
	}
	if lead := w.leader(); lead >= 0 && len(w.beginnings) == 0 {
		term := w.query.Lookups()[lead].Term
		if err := w.terms(ctx, w.span(blocks), map[string]int{term: lead}); err != nil || len(w.rows) == 0 {
			return err
		}
		delete(whole, term)
		blocks = slices.Sorted(maps.Keys(w.rows))
	}
	return w.terms(ctx, w.span(blocks), whole)
}

// terms reads the rows of some terms.
func (w *window) terms(ctx context.Context, in blockSpan, terms map[string]int) error {
	if len(terms) == 0 {
		return nil
	}
	args := in.args
	for t := range terms {
		args = append(args, []byte(t))
	}
	query := "SELECT term, block, docs FROM search_term" + w.store.backend.dialect.index("") + " WHERE " + in.where + " AND term IN (" + placeholders(len(terms)) + ")"
	return w.q.each(ctx, "search", query, args, func(r *sqlx.Rows) error {
		var term, data []byte
		var block int64
		if err := r.Scan(&term, &block, &data); err != nil {
			return err
		}
		return w.take(terms[string(term)], block, data)
	})
}

// look makes candidates of the rows, and tells whether there are enough.
func (w *window) look(ctx context.Context) (bool, error) {
	numbers := slices.Sorted(maps.Keys(w.rows))
	slices.Reverse(numbers) // the newest first
	w.looked = w.from
	const atOnce = 16
	for part := range slices.Chunk(numbers, atOnce) {
		before := len(w.found.Candidates)
		briefs, facts, err := w.briefs(ctx, part)
		if err != nil {
			return false, err
		}
		for _, n := range part {
			if err := w.block(n, briefs[n], facts); err != nil {
				return false, err
			}
			if w.scope.inside == nil && len(w.found.Candidates) >= registry.MaxCandidates {
				return w.enough(n), nil
			}
		}
		kept, err := w.scope.filter(ctx, w.finder, w.found.Candidates[before:])
		if err != nil {
			return false, err
		}
		if w.found.Candidates = w.found.Candidates[:before+len(kept)]; len(w.found.Candidates) >= registry.MaxCandidates {
			return w.enough(part[len(part)-1]), nil
		}
	}
	return w.newest(ctx)
}

// enough notes that the search ends at a block.
func (w *window) enough(block int64) bool {
	w.looked = block
	w.found.More = w.found.More || block > w.lowest
	return true
}

// newest tells whether there are enough candidates that changed after everything in the blocks that are left, which is all that the order of a query without
// ranking asks for.
func (w *window) newest(ctx context.Context) (bool, error) {
	if w.query.Ranked() || len(w.found.Candidates) < w.ask.Want || w.from <= w.lowest {
		return false, nil
	}
	var last sql.NullInt64
	if err := w.q.one(ctx, "search", "SELECT MAX(last_us) FROM search_block WHERE block < ?", []any{w.from}, &last); err != nil || !last.Valid {
		return false, err
	}
	n := 0
	for _, c := range w.found.Candidates {
		if c.Updated > last.Int64 {
			n++
		}
	}
	if n < w.ask.Want {
		return false, nil
	}
	w.found.Sure, w.found.More = last.Int64+1, true
	return true, nil
}

// briefs reads what order and ranges ask for: of the blocks of which many documents may be hits the rows of all briefs, else those documents.
func (w *window) briefs(ctx context.Context, blocks []int64) (map[int64][]byte, map[int64]*registry.SearchFacts, error) {
	var whole, docs []any
	for _, n := range blocks {
		if len(w.rows[n]) == 1 && len(w.rows[n][0].data) > fewDocs*mostPosting {
			whole = append(whole, n) // all that have the term
			continue
		}
		if err := w.fill(n, w.scope.docs[n]); err != nil {
			return nil, nil, err
		}
		possible := map[int]bool{}
		w.reader.Each(func(doc int) { possible[doc] = true })
		w.reader.Forget()
		if w.possible[n] = possible; len(possible) > fewDocs {
			whole = append(whole, n)
			continue
		}
		for doc := range possible {
			docs = append(docs, n*registry.BlockDocs+int64(doc))
		}
	}
	briefs := make(map[int64][]byte, len(whole))
	if len(whole) > 0 {
		query := "SELECT block, docs FROM search_term" + w.store.backend.dialect.index("") + " WHERE term = ? AND block IN (" + placeholders(len(whole)) + ")"
		err := w.q.each(ctx, "search", query, append([]any{[]byte(registry.BriefTerm)}, whole...), func(r *sqlx.Rows) error {
			var block int64
			var data []byte
			err := r.Scan(&block, &data)
			briefs[block] = data
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	facts, err := w.store.docFacts(ctx, w.q, "doc", docs)
	return briefs, byDoc(facts), err
}

// fill gives the reader the rows of a block, of some documents or, with nil, of all.
func (w *window) fill(block int64, only map[int]bool) error {
	w.reader.Only(only)
	for _, row := range w.rows[block] {
		docs, err := w.reader.Add(row.lookup, row.data)
		if err != nil {
			return err
		}
		if w.possible[block] == nil { // else they are counted
			w.counts[row.lookup] += int64(docs)
		}
	}
	return nil
}

// block makes candidates of one block. Of the nodes of the list the index does not know the latest state.
func (w *window) block(n int64, briefs []byte, facts map[int64]*registry.SearchFacts) error {
	only := w.scope.docs[n]
	if possible := w.possible[n]; possible != nil {
		if only = possible; len(only) == 0 {
			return nil
		}
	}
	if err := w.fill(n, only); err != nil {
		return err
	}
	if briefs != nil {
		if err := w.reader.Briefs(briefs); err != nil {
			return err
		}
	} else {
		w.reader.Each(func(doc int) {
			if f := facts[n*registry.BlockDocs+int64(doc)]; f != nil {
				w.reader.Brief(doc, f.Brief())
			}
		})
	}
	w.reader.End(func(doc int, c *registry.Candidate) {
		if w.listed[c.ID] {
			return
		}
		c.Doc = n*registry.BlockDocs + int64(doc)
		c.Facts = facts[c.Doc]
		w.found.Candidates = append(w.found.Candidates, c)
	})
	return nil
}
