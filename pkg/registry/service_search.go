package registry

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Search finds resources, collections and links by their words and metadata; see [ParseSearch] for the query. Hits, totals and facets are of what the
// actor may read. A write that was acknowledged before is found, through any node.
func (s *Service) Search(ctx context.Context, a Actor, in SearchInput) (SearchPage, error) {
	limit, err := within("limit", in.Limit, DefaultSearchPage, MaxSearchPage)
	if err != nil {
		return SearchPage{}, err
	}
	q, err := ParseSearch(in.Query)
	if err != nil {
		return SearchPage{}, err
	}
	after, err := parseSearchCursor(in.Cursor)
	if err != nil {
		return SearchPage{}, err
	}
	if err := s.mustBeSomebody(ctx, a); err != nil {
		return SearchPage{}, err
	}
	for want := after.nth + limit + searchCounted; ; want *= searchMoreBy {
		r := &searchRun{service: s, actor: a, query: q, after: after, limit: limit, facets: newFacets()}
		if err := r.find(ctx, want); err != nil {
			return SearchPage{}, err
		}
		for len(r.candidates) > 0 && r.unfinished() {
			n := min(len(r.candidates), r.wanted())
			if err := r.examine(ctx, r.candidates[:n]); err != nil {
				return SearchPage{}, err
			}
			r.candidates = r.candidates[n:]
		}
		// Where much of what was found is not for the actor, the stores are asked for more.
		if !r.unfinished() || !r.cut || want >= MaxCandidates {
			return r.answer(ctx)
		}
	}
}

// unfinished tells whether more hits are wanted, for the page or to be counted.
func (r *searchRun) unfinished() bool { return len(r.page) <= r.limit || r.total < searchCounted }

// searchRun is one search on its way. candidates are those not looked at yet, best first.
type searchRun struct {
	service *Service
	actor   Actor
	query   *SearchQuery
	after   searchMark
	limit   int

	candidates     []searchCandidate
	found          []SearchFound // of each store
	more, complete bool
	cut            bool            // there are more candidates, which come after these
	last           searchCandidate // the page begins after it, when it is there
	skip           int             // and after so many hits

	page   []searchCandidate // the hits after the mark, at most one more than the limit
	total  int
	facets *facets
}

// wanted is how many candidates are worth a look now, when most of them are hits.
func (r *searchRun) wanted() int {
	const least = 100
	return min(max(searchCounted-r.total, r.limit+1-len(r.page), least), searchBatch)
}

// searchCandidate is a candidate of a store.
type searchCandidate struct {
	*Candidate
	store Store
	order int // of the store
	nth   int // among the hits, from 1
}

// compare tells whether the candidate comes before another one among the hits: the one with the higher score, of equals the one that changed last.
func (c searchCandidate) compare(o searchCandidate) int {
	switch {
	case c.Score != o.Score:
		return cmp.Compare(o.Score, c.Score)
	case c.Updated != o.Updated:
		return cmp.Compare(o.Updated, c.Updated)
	}
	return cmp.Or(bytes.Compare(o.ID[:], c.ID[:]), cmp.Compare(c.order, o.order))
}

// find asks all stores that may have hits, at once, for so many candidates.
func (r *searchRun) find(ctx context.Context, want int) error {
	stores := r.service.mounts.stores()
	r.found = make([]SearchFound, len(stores))
	errs := make([]error, len(stores))
	var all sync.WaitGroup
	for i, store := range stores {
		in, ok := r.service.mounts.holds(store, r.query.within())
		if !ok {
			r.found[i].Complete = true
			continue
		}
		all.Go(func() { r.found[i], errs[i] = store.Search(ctx, SearchAsk{Query: r.query, Want: want, In: in}) })
	}
	all.Wait()
	r.complete = true
	var sure int64
	for i, store := range stores {
		if errs[i] != nil {
			return errs[i]
		}
		sure = max(sure, r.found[i].Sure)
		r.more = r.more || r.found[i].More
		r.complete = r.complete && r.found[i].Complete
		for _, c := range r.found[i].Candidates {
			r.candidates = append(r.candidates, searchCandidate{Candidate: c, store: store, order: i})
		}
	}
	if r.cut = sure > 0; r.cut {
		r.candidates = slices.DeleteFunc(r.candidates, func(c searchCandidate) bool { return c.Updated < sure })
	}
	slices.SortFunc(r.candidates, searchCandidate.compare)
	r.resume()
	return nil
}

// facts reads those of the candidates, and gives the ones that have some.
func (r *searchRun) facts(ctx context.Context, list []searchCandidate) ([]searchCandidate, error) {
	of := map[int][]*Candidate{}
	for _, c := range list {
		of[c.order] = append(of[c.order], c.Candidate)
	}
	stores := r.service.mounts.stores()
	for i, candidates := range of {
		if err := stores[i].SearchFacts(ctx, r.found[i], candidates); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(c searchCandidate) bool { return c.Facts == nil }), nil
}

// examine finds out which candidates are hits that the actor may read.
func (r *searchRun) examine(ctx context.Context, list []searchCandidate) error {
	list, err := r.facts(ctx, list)
	if err != nil {
		return err
	}
	parents, err := r.parents(ctx, list)
	if err != nil {
		return err
	}
	groups := map[searchGroup][]searchCandidate{}
	for _, c := range list {
		up := parents[searchParent{c.order, c.Facts.Parent}]
		if up == "" {
			continue
		}
		p, ok := r.service.mounts.shows(c.store, child(up, c.Facts.Name))
		if c.Path = p; ok && r.query.Possible(c.Candidate) {
			k := searchGroup{p.Parent(), c.order, c.Facts.Parent}
			groups[k] = append(groups[k], c)
		}
	}
	readable := map[*Candidate]bool{}
	for g, members := range groups {
		if err := r.readable(ctx, g, members, readable); err != nil {
			return err
		}
	}
	for _, c := range list {
		if readable[c.Candidate] {
			r.hit(c)
		}
	}
	return nil
}

func child(p Path, name string) Path {
	if p.IsRoot() {
		return Path("/" + name)
	}
	return p + Path("/"+name)
}

type (
	searchParent struct {
		order int
		id    ID
	}
	// searchGroup is a collection, in the registry and in its store, whose children are asked for together.
	searchGroup struct {
		path  Path
		order int
		id    ID
	}
)

// parents finds where the collections of candidates stand in their stores.
func (r *searchRun) parents(ctx context.Context, list []searchCandidate) (map[searchParent]Path, error) {
	ids := map[int][]ID{}
	stores := map[int]Store{}
	paths := map[searchParent]Path{}
	for _, c := range list {
		k := searchParent{c.order, c.Facts.Parent}
		if _, ok := paths[k]; !ok {
			paths[k], stores[c.order] = "", c.store
			ids[c.order] = append(ids[c.order], c.Facts.Parent)
		}
	}
	for order, store := range stores {
		places, err := store.Places(ctx, ids[order])
		if err != nil {
			return nil, err
		}
		for id, place := range places {
			paths[searchParent{order, id}] = place.Path
		}
	}
	return paths, nil
}

// readable notes which of some children of one collection the actor may read.
func (r *searchRun) readable(ctx context.Context, g searchGroup, members []searchCandidate, into map[*Candidate]bool) error {
	auth := r.service.auth
	if r.service.mountsAmong(members) {
		for _, c := range members {
			err := auth.Authorize(ctx, r.actor, RightRead, c.Path)
			if code := CodeOf(err); code != "" && code != CodeDenied && code != CodeUnauthenticated {
				return err
			}
			into[c.Candidate] = err == nil
		}
		return nil
	}
	children := make([]Resource, len(members))
	byID := map[ID]*Candidate{}
	for i, c := range members {
		children[i] = Resource{ID: c.Facts.ID, Path: c.Path, Kind: c.Facts.Kind}
		byID[c.Facts.ID] = c.Candidate
	}
	kept, err := auth.Readable(ctx, r.actor, Resource{ID: g.id, Path: g.path, Kind: KindCollection}, children)
	switch CodeOf(err) {
	case "":
	case CodeDenied, CodeUnauthenticated, CodeNotFound: // also: the collection has gone elsewhere meanwhile
		return nil
	default:
		return err
	}
	for _, k := range kept {
		into[byID[k.ID]] = true
	}
	return nil
}

// mountsAmong tells whether some members are mount points: their collection in the registry is not that in their store.
func (s *Service) mountsAmong(members []searchCandidate) bool {
	return slices.ContainsFunc(members, func(c searchCandidate) bool {
		m, _, ok := s.mounts.Resolve(c.Path)
		return !ok || m.Path == c.Path
	})
}

// hit counts a hit, and puts it on the page when it belongs there.
func (r *searchRun) hit(c searchCandidate) {
	r.total++
	if r.total <= searchCounted {
		r.facets.add(c)
	}
	if len(r.page) <= r.limit && r.total > r.skip && (r.last.Candidate == nil || r.last.compare(c) < 0) {
		c.nth = r.total
		r.page = append(r.page, c)
	}
}

// answer completes the page.
func (r *searchRun) answer(ctx context.Context) (SearchPage, error) {
	page := SearchPage{Total: r.total, AtLeast: r.more || len(r.candidates) > 0, Complete: r.complete, Facets: r.facets.top()}
	if len(r.page) > r.limit {
		r.page = r.page[:r.limit]
		page.Next = r.page[r.limit-1].mark().String()
	}
	texts, err := r.texts(ctx)
	if err != nil {
		return SearchPage{}, err
	}
	for _, c := range r.page {
		page.Hits = append(page.Hits, SearchHit{
			Place: Place{c.Facts.ID, c.Facts.Kind, c.Path}, Facts: *c.Facts, Snippet: r.query.Snippet(texts[c.Facts.Hash]),
		})
	}
	return page, nil
}

// texts reads the contents of the page's hits.
func (r *searchRun) texts(ctx context.Context) (map[Hash]string, error) {
	texts := map[Hash]string{}
	of := map[Store][]SearchFacts{}
	for _, c := range r.page {
		if r.query.inContent(c.Candidate) {
			of[c.store] = append(of[c.store], *c.Facts)
		}
	}
	for store, facts := range of {
		found, err := store.SearchTexts(ctx, facts)
		if err != nil {
			return nil, err
		}
		maps.Copy(texts, found)
	}
	return texts, nil
}

// facets counts values.
type facets struct{ types, tags, owners, collections map[string]int }

func newFacets() *facets {
	return &facets{map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}}
}

func (f *facets) add(c searchCandidate) {
	if t := c.Facts.MediaType; t != "" {
		f.types[t]++
	}
	for _, tag := range c.Facts.Tags {
		f.tags[tag]++
	}
	f.owners[c.Facts.Owner]++
	f.collections[c.Path.Parent().String()]++
}

func (f *facets) top() SearchFacets {
	return SearchFacets{topOf(f.types), topOf(f.tags), topOf(f.owners), topOf(f.collections)}
}

func topOf(counts map[string]int) []Facet {
	list := make([]Facet, 0, len(counts))
	for v, n := range counts {
		list = append(list, Facet{v, n})
	}
	slices.SortFunc(list, func(x, y Facet) int { return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.Value, y.Value)) })
	return list[:min(len(list), maxFacet)]
}
