package registry

import "context"

// SearchReader is the part of a [Store] that finds resources by their words and metadata.
type SearchReader interface {
	// Search finds the resources that may be hits, in no order; each write that was acknowledged before the call is seen. Brief and Score are filled. What
	// lies in the trash, or was changed or removed since the index had it, is among them.
	Search(ctx context.Context, ask SearchAsk) (SearchFound, error)
	// SearchFacts fills the facts of candidates that a search found. One that stays without is no hit.
	SearchFacts(ctx context.Context, found SearchFound, list []*Candidate) error
	// Places tells where nodes stand. One that is not there any more, or that no path leads to, has no Path.
	Places(ctx context.Context, ids []ID) (map[ID]Place, error)
	// SearchTexts reads the texts of contents as search sees them, by their hash; one that has none is missing.
	SearchTexts(ctx context.Context, of []SearchFacts) (map[Hash]string, error)
}

// SearchAsk asks a store for candidates.
type SearchAsk struct {
	Query *SearchQuery
	// Want is how many candidates are enough when the query is not ranked: those that changed last.
	Want int
	// In is a path in the store that all hits are at or below. The store may take it for granted, or leave it to others.
	In Path
}

// SearchFound is what a store found. Complete is false while older resources are not all in the index, or so much was written just now that not all of it
// was looked at; More is true when there were more candidates than a search looks at.
type SearchFound struct {
	Candidates []*Candidate
	NextDoc    int64 // the number that the index would have given its next document
	Complete   bool
	More       bool
	// Sure is a time in microseconds: what changed then or later is all among the candidates. 0 when there is no more to know.
	Sure int64
}

// Limits of one search.
const (
	MaxSearchPage     = 100
	DefaultSearchPage = 20
	MaxCandidates     = 10_000 // of a store; the newest of them count
	searchMoreBy      = 4      // times as many candidates are asked for when too many of them are not for the actor
	searchBatch       = 500    // candidates whose places are looked up at once
	searchCounted     = 1_000  // hits that facets count
	maxFacet          = 10     // values of a facet
)

// SearchInput asks for a page of hits.
type SearchInput struct {
	Query  string
	Cursor string // "" or the Next of the page before
	Limit  int    // 0 is DefaultSearchPage
}

// SearchHit is a resource that was found.
type SearchHit struct {
	Place             // Path is of the registry
	Facts SearchFacts // without the ids, which are of the store
	// Snippet is a part of its text that shows why, in pieces: the words that were searched for, and what stands between.
	Snippet []SnippetPart
}

// SnippetPart is a piece of a snippet. It is plain text, as it is in the resource: whoever shows it escapes it.
type SnippetPart struct {
	Text  string
	Match bool
}

// Facet is a value that hits have, and how many.
type Facet struct {
	Value string
	Count int
}

// SearchFacets are the most frequent values among the hits, most first.
type SearchFacets struct {
	Types, Tags, Owners, Collections []Facet
}

// SearchPage is a page of hits, best first. All of it speaks of what the actor may read alone.
type SearchPage struct {
	Hits   []SearchHit
	Next   string // the cursor of the next page, "" at the end
	Total  int    // hits; with AtLeast there may be more
	Facets SearchFacets
	// AtLeast says that not all candidates were looked at.
	AtLeast bool
	// Complete is false when some resources were left out: see [SearchFound].
	Complete bool
}
