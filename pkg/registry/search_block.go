package registry

import (
	"encoding/binary"
	"slices"
)

// BlockReader makes candidates of the rows of one block of the index after another. It is of one search; not safe for concurrent use.
type BlockReader struct {
	query   *SearchQuery
	hits    [][]uint32 // of each document of the block, one for each lookup
	values  [][]byte   // likewise; nil when the query asks for none
	many    []bool     // lookups of which a document may have several rows, likewise
	touched []int      // documents that have one of the lookups
	there   [BlockDocs]bool
	briefs  [BlockDocs]Brief
	places  []uint32 // positions of the block, which hits are parts of
	only    map[int]bool
}

// NewBlockReader makes a reader for a query.
func NewBlockReader(q *SearchQuery) *BlockReader {
	n := BlockDocs * len(q.lookups)
	r := &BlockReader{query: q, hits: make([][]uint32, n), many: make([]bool, n)}
	if slices.ContainsFunc(q.lookups, func(l Lookup) bool { return IsValues(l.Term) }) {
		r.values = make([][]byte, n)
	}
	return r
}

// none are the positions of a term that stands nowhere.
var none = []uint32{}

// Add takes a row of a term that a lookup asks for, and tells how many documents it has.
func (r *BlockReader) Add(lookup int, row []byte) (int, error) {
	n, width := 0, len(r.query.lookups)
	touch := func(doc int) int {
		n++
		if !r.there[doc] {
			r.there[doc] = true
			r.touched = append(r.touched, doc)
		}
		return doc*width + lookup
	}
	if IsValues(r.query.lookups[lookup].Term) {
		err := eachEntry(row, func(doc int, values []byte) {
			if r.only == nil || r.only[doc] {
				i := touch(doc)
				r.hits[i], r.values[i] = none, values
			}
		})
		return n, err
	}
	for len(row) > 0 {
		doc, count, rest, err := postingHead(row)
		if err != nil {
			return n, err
		}
		begin := len(r.places)
		if r.places, row, err = appendPositions(r.places, rest, count); err != nil {
			return n, err
		}
		if r.only != nil && !r.only[doc] {
			continue
		}
		positions := none
		if count > 0 {
			positions = r.places[begin:len(r.places):len(r.places)]
		}
		if i := touch(doc); r.hits[i] == nil {
			r.hits[i] = positions
		} else if count > 0 {
			r.hits[i], r.many[i] = append(r.hits[i], positions...), true
		}
	}
	return n, nil
}

// Only says which documents of the next block count; nil for all.
func (r *BlockReader) Only(docs map[int]bool) { r.only = docs }

// Each gives the documents that may be hits as far as the rows tell.
func (r *BlockReader) Each(give func(doc int)) {
	for _, doc := range r.touched {
		if c := r.candidate(doc); r.query.Possible(&c) {
			give(doc)
		}
	}
}

// candidate makes one of what the rows tell.
func (r *BlockReader) candidate(doc int) Candidate {
	width := len(r.query.lookups)
	c := Candidate{Hits: r.hits[doc*width : (doc+1)*width]}
	if r.values != nil {
		c.values = r.values[doc*width : (doc+1)*width]
	}
	for i := range c.Hits {
		if k := doc*width + i; r.many[k] {
			slices.Sort(c.Hits[i])
			c.Hits[i], r.many[k] = slices.Compact(c.Hits[i]), false
		}
	}
	return c
}

// Briefs takes the row of briefs.
func (r *BlockReader) Briefs(row []byte) error {
	return EachBrief(row, func(doc int, f Brief) { r.briefs[doc] = f })
}

// Brief takes the brief of one document. One that has none is not there any more.
func (r *BlockReader) Brief(doc int, f Brief) { r.briefs[doc] = f }

// Forget drops what was read of the block.
func (r *BlockReader) Forget() {
	width := len(r.query.lookups)
	for _, doc := range r.touched {
		r.there[doc] = false
		clear(r.hits[doc*width : (doc+1)*width])
		clear(r.many[doc*width : (doc+1)*width])
		if r.values != nil {
			clear(r.values[doc*width : (doc+1)*width])
		}
	}
	r.touched, r.places = r.touched[:0], r.places[:0]
	clear(r.briefs[:])
}

// End gives the candidates of the block, the newest document first, and forgets it.
func (r *BlockReader) End(give func(doc int, c *Candidate)) {
	slices.SortFunc(r.touched, func(a, b int) int { return b - a })
	width := len(r.query.lookups)
	var kept []Candidate // together, to spare the memory manager
	var lists [][]uint32
	for _, doc := range r.touched {
		c := r.candidate(doc)
		hits := c.Hits
		c.Brief, c.known = r.briefs[doc], true
		if !c.ID.IsZero() && r.query.Possible(&c) {
			if len(kept) == cap(kept) {
				kept, lists = make([]Candidate, 0, len(r.touched)), make([][]uint32, 0, len(r.touched)*width)
			}
			begin := len(lists)
			lists = append(lists, hits...)
			c.Hits = lists[begin:len(lists):len(lists)]
			if r.values != nil {
				c.values = slices.Clone(c.values)
			}
			kept = append(kept, c)
			give(doc, &kept[len(kept)-1])
		}
	}
	r.places = nil // the candidates have parts of it
	r.Forget()
}

// appendPositions reads so many positions of a posting.
func appendPositions(to []uint32, b []byte, n int) (positions []uint32, rest []byte, err error) {
	last := uint64(0)
	for range n {
		delta, k := binary.Uvarint(b)
		if last += delta; k <= 0 || last > 1<<32-1 {
			return to, nil, errPosting
		}
		to = append(to, uint32(last))
		b = b[k:]
	}
	return to, b, nil
}
