package registry

import (
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Candidate is a document that may be a hit. Hits are, for each lookup of the query, the positions where its words stand; nil where the document does
// not have it. Facts and Path are filled in when they are known.
type Candidate struct {
	Brief
	Doc   int64 // its number in the index; 0 when it is not from there
	Hits  [][]uint32
	Facts *SearchFacts
	Path  Path // "" while it is not known
	Score int64

	known  bool     // Brief is
	values [][]byte // of the lookups that are properties
}

// truth is what is known of a condition.
type truth int8

const (
	no truth = iota
	maybe
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// expr is a part of a query.
type expr interface{ eval(c *Candidate) truth }

type (
	allOf  []expr
	anyOf  []expr
	noneOf struct{ expr }
	// has asks for a term.
	has struct{ lookup int }
	// under asks for a place at or below a path.
	under struct{ path Path }
	// phrase asks for words, one after the other, in one of some fields.
	phrase struct {
		words []int
		in    fields
	}
)

func (l allOf) eval(c *Candidate) truth {
	t := yes
	for _, e := range l {
		if t = min(t, e.eval(c)); t == no {
			return no
		}
	}
	return t
}

func (l anyOf) eval(c *Candidate) truth {
	t := no
	for _, e := range l {
		if t = max(t, e.eval(c)); t == yes {
			return yes
		}
	}
	return t
}

func (e noneOf) eval(c *Candidate) truth { return yes - e.expr.eval(c) }

func (e has) eval(c *Candidate) truth { return truthOf(c.Hits[e.lookup] != nil) }

func (e under) eval(c *Candidate) truth {
	if c.Path == "" {
		return maybe
	}
	return truthOf(e.path.Covers(c.Path))
}

func (e phrase) eval(c *Candidate) truth {
	for _, w := range e.words {
		if c.Hits[w] == nil {
			return no
		}
	}
	return truthOf(e.starts(c, func(uint32) bool { return true }))
}

// starts calls give for the places where the phrase begins, until it tells true, and tells whether it did. Of a word that stands in more places than the
// index keeps, any place is taken for granted.
func (e phrase) starts(c *Candidate, give func(uint32) bool) bool {
	first := c.Hits[e.words[0]]
	for _, p := range first {
		if e.in.has(fieldOf(p)) && e.follows(c, p) && give(p) {
			return true
		}
	}
	return false
}

func (e phrase) follows(c *Candidate, p uint32) bool {
	for i, w := range e.words[1:] {
		list := c.Hits[w]
		if len(list) >= maxPositions || len(c.Hits[e.words[0]]) >= maxPositions {
			continue
		}
		if _, ok := slices.BinarySearch(list, p+uint32(i)+1); !ok {
			return false
		}
	}
	return true
}

// Possible tells whether the candidate is a hit as far as is known of it: what may be one, counts.
func (q *SearchQuery) Possible(c *Candidate) bool { return q.root.eval(c) != no }

// Examine makes a candidate of a document that no index has, nil when it is no hit.
func (q *SearchQuery) Examine(d *SearchDoc) *Candidate {
	c := &Candidate{Hits: make([][]uint32, len(q.lookups)), Facts: &d.Facts, Brief: d.Facts.Brief(), known: true}
	for i, l := range q.lookups {
		switch {
		case l.Prefix:
			c.Hits[i] = d.beginning(l.Term)
		case IsValues(l.Term):
			if _, ok := d.Terms[l.Term]; ok {
				if c.values == nil {
					c.values = make([][]byte, len(q.lookups))
				}
				c.Hits[i], c.values[i] = none, d.Facts.values(l.Term)
			}
		default:
			if list, ok := d.Terms[l.Term]; ok {
				if c.Hits[i] = list; list == nil {
					c.Hits[i] = none
				}
			}
		}
	}
	if !q.Possible(c) {
		return nil
	}
	return c
}

// beginning gives where the words stand that begin so; nil when none does.
func (d *SearchDoc) beginning(with string) []uint32 {
	var all []uint32
	for t, list := range d.Terms {
		if strings.HasPrefix(t, with) {
			if all == nil {
				all = make([]uint32, 0, len(list))
			}
			all = append(all, list...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// What a word in a field weighs: who has it in the name is meant sooner than who has it somewhere.
var fieldWeights = [fieldCount]float64{fieldContent: 1, fieldName: 8, fieldTag: 6, fieldDescription: 3, fieldProperty: 2, fieldComment: 1}

const (
	saturation   = 1.2 // the second time that a word stands somewhere says less than the first
	lengthPart   = 0.4 // how much longer contents weigh less
	usualLength  = 300 // words of a content that neither gains nor loses
	scoreDetail  = 1000
	maxDocsScale = 40
)

// Ranking is what the words of a query are worth in a store: the rarer, the more.
type Ranking []int64

// NewRanking makes a ranking of the number of documents that have each lookup, of so many.
func NewRanking(counts []int64, docs int64) Ranking {
	r := make(Ranking, len(counts))
	for i, n := range counts {
		// Doublings alone count, so that a document more or less does not change the order between two pages.
		r[i] = int64(1 + bits.Len64(uint64(max(docs, 1)))*2 - bits.Len64(uint64(max(n, 1)))*2)
		r[i] = min(max(r[i], 1), maxDocsScale)
	}
	return r
}

// Score ranks a candidate whose facts are known: for each phrase the worth of its rarest word, times how often and where it stands, of which more of the same
// counts less and less, as in BM25.
func (q *SearchQuery) Score(c *Candidate, r Ranking) {
	sum := 0.0
	norm := saturation * (1 - lengthPart + lengthPart*min(float64(c.Words)/usualLength, 10))
	for _, p := range q.parts {
		worth, weight := int64(0), 0.0
		for _, w := range p.words {
			if c.Hits[w] == nil {
				worth, weight = 0, 0
				break
			}
			worth = max(worth, r[w])
		}
		if worth == 0 {
			continue
		}
		p.starts(c, func(at uint32) bool {
			weight += fieldWeights[fieldOf(at)]
			return false
		})
		sum += float64(worth) * weight / (weight + norm)
	}
	c.Score = int64(math.Round(sum * scoreDetail))
}
