package sqlstore

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// scopeNodes is up to how many nodes of a tree are looked for in the index one by one. Of a larger one the candidates of the whole store are
	// taken, and looked at where they lie.
	scopeNodes  = 5_000
	scopeLevels = 40
)

// scope is the documents that a search looks at: by block. With docs nil it is all of them; when they must lie in a tree, top is where that begins.
type scope struct {
	docs   map[int64]map[int]bool
	top    registry.ID
	path   registry.Path
	inside map[registry.ID]bool // collections: whether they are in the tree, as far as is known
}

// blocks gives those of a span that have one of the documents, nil for all.
func (s scope) blocks(from, end int64) []int64 {
	if s.docs == nil {
		return nil
	}
	list := []int64{}
	for n := range s.docs {
		if n >= from && n < end {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// scope finds the documents of what is at and below the path that the search is about.
func (f *finder) scope(ctx context.Context) (scope, error) {
	if f.ask.In == "" || f.ask.In.IsRoot() {
		return scope{}, nil
	}
	top, err := f.store.queryPath(ctx, f.q, f.store.root(), f.ask.In.Names())
	if err != nil {
		return scope{}, err
	}
	s := scope{docs: map[int64]map[int]bool{}}
	if !top.complete() {
		return s, nil // nothing is there
	}
	last := top.ids[len(top.ids)-1]
	ids, all, err := f.below(ctx, last)
	if err != nil || !all {
		return scope{top: last, path: f.ask.In, inside: map[registry.ID]bool{}}, err
	}
	for part := range slices.Chunk(ids, f.store.backend.dialect.maxRows) {
		query := "SELECT doc FROM search_doc" + f.store.backend.dialect.index("u_doc") + " WHERE node IN (" + placeholders(len(part)) + ")"
		err := f.q.each(ctx, "search", query, idArgs(part), func(r *sqlx.Rows) error {
			var n int64
			err := r.Scan(&n)
			block := n / registry.BlockDocs
			if s.docs[block] == nil {
				s.docs[block] = map[int]bool{}
			}
			s.docs[block][int(n%registry.BlockDocs)] = true
			return err
		})
		if err != nil {
			return scope{}, err
		}
	}
	return s, nil
}

// filter drops the candidates that are not in the tree.
func (s scope) filter(ctx context.Context, f *finder, list []*registry.Candidate) ([]*registry.Candidate, error) {
	if s.inside == nil {
		return list, nil
	}
	var ask []registry.ID
	for _, c := range list {
		if _, ok := s.inside[c.Parent]; !ok {
			s.inside[c.Parent] = false
			ask = append(ask, c.Parent)
		}
	}
	climbs, err := f.store.climbAll(ctx, f.q, ask)
	if err != nil {
		return nil, err
	}
	for _, id := range ask {
		p := climbs[id].path(f.store.root(), id)
		s.inside[id] = p != "" && s.path.Covers(p)
	}
	return slices.DeleteFunc(list, func(c *registry.Candidate) bool { return c.ID != s.top && !s.inside[c.Parent] }), nil
}

// below gives a node and all below it; false when those are too many.
func (f *finder) below(ctx context.Context, top registry.ID) ([]registry.ID, bool, error) {
	ids, level := []registry.ID{top}, []registry.ID{top}
	for range scopeLevels {
		var next []registry.ID
		for part := range slices.Chunk(level, f.store.backend.dialect.maxRows) {
			query := "SELECT n.id, n.kind FROM node n" + f.store.backend.dialect.byName + " WHERE n.parent IN (" + placeholders(len(part)) + ") LIMIT ?"
			err := f.q.each(ctx, "search", query, append(idArgs(part), scopeNodes+1-len(ids)), func(r *sqlx.Rows) error {
				var id []byte
				var kind int64
				err := r.Scan(&id, &kind)
				ids = append(ids, toID(id))
				if registry.Kind(kind) == registry.KindCollection {
					next = append(next, toID(id))
				}
				return err
			})
			if err != nil || len(ids) > scopeNodes {
				return nil, false, err
			}
		}
		if len(next) == 0 {
			return ids, true, nil
		}
		level = next
	}
	return nil, false, nil
}
