package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	r := &searchRun{service: s, actor: a, query: q, after: after, limit: limit, facets: newFacets()}
	if err := r.find(ctx); err != nil {
		return SearchPage{}, err
	}
	for len(r.candidates) > 0 && (len(r.page) <= limit || r.total < searchCounted) {
		n := min(len(r.candidates), searchBatch)
		if err := r.examine(ctx, r.candidates[:n]); err != nil {
			return SearchPage{}, err
		}
		r.candidates = r.candidates[n:]
	}
	return r.answer(ctx)
}

// searchRun is one search on its way. candidates are those not looked at yet, best first.
type searchRun struct {
	service *Service
	actor   Actor
	query   *SearchQuery
	after   searchMark
	limit   int

	candidates     []searchCandidate
	more, complete bool

	page   []searchCandidate // the hits after the mark, at most one more than the limit
	total  int
	facets *facets
}

// searchCandidate is a candidate of a store.
type searchCandidate struct {
	*Candidate
	store Store
	order int // of the store
}

// searchMark is where a page ends: hits of lower score, or of the same and a higher id or a later store, come after it.
type searchMark struct {
	score int64
	id    ID
	order int
	set   bool
}

func (c searchCandidate) mark() searchMark { return searchMark{c.Score, c.Facts.ID, c.order, true} }

// compare orders marks as hits are ordered. Of one score the younger come first: their ids are higher.
func (m searchMark) compare(o searchMark) int {
	return cmp.Or(cmp.Compare(o.score, m.score), strings.Compare(string(o.id[:]), string(m.id[:])), cmp.Compare(m.order, o.order))
}

// find asks all stores.
func (r *searchRun) find(ctx context.Context) error {
	r.complete = true
	for i, store := range r.service.mounts.stores() {
		found, err := store.Search(ctx, r.query)
		if err != nil {
			return err
		}
		r.more = r.more || found.More
		r.complete = r.complete && found.Complete
		for _, c := range found.Candidates {
			r.candidates = append(r.candidates, searchCandidate{c, store, i})
		}
	}
	slices.SortFunc(r.candidates, func(x, y searchCandidate) int { return x.mark().compare(y.mark()) })
	return nil
}

// examine finds out which candidates are hits that the actor may read.
func (r *searchRun) examine(ctx context.Context, list []searchCandidate) error {
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
	if len(r.page) <= r.limit && (!r.after.set || r.after.compare(c.mark()) < 0) {
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

// String writes the mark as a cursor.
func (m searchMark) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(m.score, 36) + "." + strconv.Itoa(m.order) + "." + m.id.String()))
}

func parseSearchCursor(cursor string) (searchMark, error) {
	if cursor == "" {
		return searchMark{}, nil
	}
	m := searchMark{set: true}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.Split(string(b), ".")
	if err == nil && len(parts) == 3 && len(parts[2]) == 2*len(m.id) {
		var e1, e2, e3 error
		m.score, e1 = strconv.ParseInt(parts[0], 36, 64)
		m.order, e2 = strconv.Atoi(parts[1])
		_, e3 = hex.Decode(m.id[:], []byte(parts[2]))
		if e1 == nil && e2 == nil && e3 == nil {
			return m, nil
		}
	}
	return searchMark{}, badCursor(cursor)
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
