package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// docFact is a document of the index.
type docFact struct {
	doc   int64
	facts *registry.SearchFacts
}

// SearchFacts implements [registry.SearchReader]. A document that is not there any more is outdated, or its node was taken up again since the search looked:
// then the node has a document with a number that was not given yet.
func (s *Store) SearchFacts(ctx context.Context, found registry.SearchFound, list []*registry.Candidate) error {
	wanted := make(map[int64]*registry.Candidate, len(list))
	var docs []any
	for _, c := range list {
		if c.Facts == nil {
			wanted[c.Doc] = c
			docs = append(docs, c.Doc)
		}
	}
	return s.fail("read what was found", s.retryRead(ctx, func() error { return s.candidateFacts(ctx, found, wanted, docs) }))
}

// candidateFacts is one attempt to read the facts of what is wanted.
func (s *Store) candidateFacts(ctx context.Context, found registry.SearchFound, wanted map[int64]*registry.Candidate, docs []any) error {
	there, err := s.docFacts(ctx, s.read.statements, "doc", docs)
	if err != nil {
		return err
	}
	missing := maps.Clone(wanted) // another attempt begins again
	for _, d := range there {
		wanted[d.doc].Facts = d.facts
		delete(missing, d.doc)
	}
	var gone []any
	again := map[registry.ID]*registry.Candidate{}
	for _, c := range missing {
		gone = append(gone, c.ID[:])
		again[c.ID] = c
	}
	later, err := s.docFacts(ctx, s.read.statements, "node", gone)
	for _, d := range later {
		if d.doc >= found.NextDoc {
			again[d.facts.ID].Facts = d.facts
		}
	}
	return err
}

// docFacts reads documents by their numbers or by their nodes. Those of nodes in the trash are left out. The collection is that of now: what was deleted is in
// the trash, and the index does not hear of it.
func (s *Store) docFacts(ctx context.Context, q statements, by string, keys []any) ([]docFact, error) {
	list := make([]docFact, 0, len(keys))
	for part := range slices.Chunk(keys, s.backend.dialect.maxRows) {
		query := "SELECT d.doc, d.node, d.facts, n.parent FROM search_doc d JOIN node n ON n.id = d.node WHERE d." + by + " IN (" + placeholders(len(part)) + ")"
		err := q.each(ctx, "search", query, part, func(rows *sqlx.Rows) error {
			var n int64
			var id, data, parent []byte
			if err := rows.Scan(&n, &id, &data, &parent); err != nil {
				return err
			}
			if toID(parent) == trashID {
				return nil
			}
			facts, err := registry.DecodeFacts(data)
			if err != nil {
				return fmt.Errorf("document %d of the search index: %w", n, err)
			}
			facts.ID, facts.Parent = toID(id), toID(parent)
			list = append(list, docFact{n, facts})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func byDoc(list []docFact) map[int64]*registry.SearchFacts {
	m := make(map[int64]*registry.SearchFacts, len(list))
	for _, d := range list {
		m[d.doc] = d.facts
	}
	return m
}
