package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A checkpoint of a collection needs the versions of all that lay below the collection at the checkpoint's position, wherever that is by now. What lay
// where is in dirent_hist: up to a position that it has for a node the node was there.

const (
	maxGuards = 5000 // checkpoints, and places, that are looked at for one node; of one with more nothing is pruned
	forever   = math.MaxInt64

	// placesTail follows the ids twice: a range of the index on (node, until_seq) for where a node was, the primary key for where it is.
	placesHead = "SELECT h.node, h.parent, h.until_seq FROM dirent_hist h WHERE h.node IN ("
	placesTail = ") UNION ALL SELECT n.id, n.parent, 9223372036854775807 FROM node n WHERE n.id IN ("
)

// span are positions of the change log: from the first to before the second.
type span struct{ from, until int64 }

// stay is a span in which a node lay in a collection.
type stay struct {
	span
	parent registry.ID
}

// guards gives the positions of the checkpoints that need versions of a node: its own, which the caller knows, and those of the collections that it lay in,
// at whatever depth, at that position. They are sorted. It tells false when there are too many to look at. It sends one statement for each level of the tree.
func (s *Store) guards(ctx context.Context, q statements, id registry.ID, own []registry.Checkpoint) ([]int64, bool, error) {
	list := make([]int64, 0, len(own))
	for _, c := range own {
		list = append(list, c.Seq.N)
	}
	slices.Sort(list)
	there := 0
	if err := q.one(ctx, "guards", "SELECT COUNT(*) FROM (SELECT 1 AS x FROM checkpoint LIMIT 1) c", nil, &there); err != nil || there == 0 {
		return list, err == nil, err
	}
	held := map[registry.ID][]span{} // when each collection held the node
	count := 0
	for level, depth := (map[registry.ID][]span{id: {{0, forever}}}), 0; len(level) > 0; depth++ {
		stays, ok, err := s.stays(ctx, q, slices.Collect(maps.Keys(level)))
		if err != nil || !ok || depth > 2*registry.MaxDepth {
			return nil, false, err
		}
		above := map[registry.ID][]span{}
		for child, spans := range level {
			for _, in := range stays[child] {
				for _, at := range spans {
					both := span{max(in.from, at.from), min(in.until, at.until)}
					if both.from < both.until && !in.parent.IsZero() {
						above[in.parent] = append(above[in.parent], both)
						count++
					}
				}
			}
		}
		if count > maxGuards {
			return nil, false, nil
		}
		for id, spans := range above {
			held[id] = append(held[id], spans...)
		}
		level = above
	}
	return s.checkpointsIn(ctx, q, held, list)
}

// stays reads where nodes lay, and when; false when there is too much of it.
func (s *Store) stays(ctx context.Context, q statements, ids []registry.ID) (map[registry.ID][]stay, bool, error) {
	all := map[registry.ID][]stay{}
	read := 0
	for part := range slices.Chunk(ids, copyBatch) {
		query := placesHead + placeholders(len(part)) + placesTail + placeholders(len(part)) + ") LIMIT ?"
		args := append(slices.Concat(idArgs(part), idArgs(part)), maxGuards+1)
		err := q.each(ctx, "guards", query, args, func(rows *sqlx.Rows) error {
			var id, parent []byte
			var until int64
			err := rows.Scan(&id, &parent, &until)
			read++
			all[toID(id)] = append(all[toID(id)], stay{span{0, until}, toID(parent)})
			return err
		})
		if err != nil || read > maxGuards {
			return nil, false, err
		}
	}
	for _, list := range all {
		slices.SortFunc(list, func(a, b stay) int { return cmp.Compare(a.until, b.until) })
		for i := range list[1:] {
			list[i+1].from = list[i].until
		}
	}
	return all, true, nil
}

// checkpointsIn adds the positions of those checkpoints of collections that lie in one of the collection's spans to list.
func (s *Store) checkpointsIn(ctx context.Context, q statements, held map[registry.ID][]span, list []int64) ([]int64, bool, error) {
	for part := range slices.Chunk(slices.Collect(maps.Keys(held)), copyBatch) {
		query := "SELECT c.node, c.seq FROM checkpoint c WHERE c.node IN (" + placeholders(len(part)) + ") LIMIT ?"
		read := 0
		err := q.each(ctx, "guards", query, append(idArgs(part), maxGuards+1), func(rows *sqlx.Rows) error {
			var id []byte
			var seq int64
			err := rows.Scan(&id, &seq)
			read++
			if slices.ContainsFunc(held[toID(id)], func(in span) bool { return in.from <= seq && seq < in.until }) {
				list = append(list, seq)
			}
			return err
		})
		if err != nil || read > maxGuards {
			return nil, false, err
		}
	}
	slices.Sort(list)
	return list, len(list) <= maxGuards, nil
}

// guarded tells whether a version that was current from one position to before another was so at a checkpoint.
func guarded(guards []int64, from, until int64) bool {
	i, _ := slices.BinarySearch(guards, from)
	return i < len(guards) && guards[i] < until
}
