package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// What users attach to nodes (tags, comments, ratings, stars, associations) is in tables of its own, by node id, and memory holds none of it: a read asks the
// database after the head was known, so it is as fresh as any. The changes are in the change log with acts of their own; they touch no row of a node,
// so no version, generation or entity tag moves.
//
// Such a change sends its rows at once, in the write turn, so that those after it in the same transaction see them. An operation that then fails
// breaks its unit (see run).
//
// Nothing here is deleted with a node. A node in the trash has it still, and no path leads there, so it is out of sight, and back with the node. What
// removes nodes for good calls purgeAttached for them in the same transaction.

// send writes rows at once.
func (o *operation) send(op, query string, args ...any) error {
	o.sent = true
	if _, err := o.tx.exec(o.ctx, op, query, args...); err != nil {
		return o.broken(err)
	}
	return nil
}

// sendRows inserts rows at once; suffix follows the values.
func (o *operation) sendRows(t table, rows [][]any, suffix string) error {
	o.sent = true
	if err := o.insert(t, rows, suffix); err != nil {
		return o.broken(err)
	}
	return nil
}

// logName is s as it fits into the change log, cut at a character's end.
func logName(s string) string {
	const most = 1020
	if len(s) <= most {
		return s
	}
	n := most
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// purgeAttached deletes what is attached to nodes that are deleted for good in the same transaction, q. Give it at most some hundred nodes at once. It
// writes nothing into the change log.
func (s *Store) purgeAttached(ctx context.Context, q *txn, nodes []registry.ID) error {
	if len(nodes) == 0 {
		return nil
	}
	ids := idArgs(nodes)
	in := " IN (" + placeholders(len(ids)) + ")"
	if err := s.purgeTagUses(ctx, q, in, ids); err != nil {
		return err
	}
	for _, where := range []string{"tagging WHERE node", "tag WHERE node", "comment WHERE node", "rating WHERE node", "rating_sum WHERE node", "star WHERE node", "association WHERE src", "association WHERE dst", "acl WHERE node", "trash_parent WHERE node"} {
		if _, err := q.exec(ctx, "purge_attached", "DELETE FROM "+where+in, ids...); err != nil {
			return fmt.Errorf("purge %s: %w", where, err)
		}
	}
	return nil
}

// purgeTagUses takes the tags of nodes out of the counts of the store.
func (s *Store) purgeTagUses(ctx context.Context, q *txn, in string, ids []any) error {
	if err := s.addTagUses(ctx, q, in, ids, -1); err != nil {
		return err
	}
	_, err := q.exec(ctx, "purge_attached", "DELETE FROM tag_use WHERE uses <= 0") // the index on uses has those alone
	return err
}

// addTagUses adds n to the count of each tag of the store for each of the nodes that has it.
func (s *Store) addTagUses(ctx context.Context, q *txn, in string, ids []any, n int64) error {
	var rows [][]any
	query := "SELECT tag, COUNT(*) FROM tag WHERE node" + in + " GROUP BY tag ORDER BY tag"
	err := q.each(ctx, "tag_uses", query, ids, func(r *sqlx.Rows) error {
		var tag []byte
		var nodes int64
		err := r.Scan(&tag, &nodes)
		rows = append(rows, []any{tag, n * nodes})
		return err
	})
	if err != nil {
		return err
	}
	return s.insertRows(ctx, q, tagUseTable, rows, s.backend.dialect.onConflictAdd("tag", "uses"))
}

func idArgs(ids []registry.ID) []any {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return args
}

// upNames is how many names one statement follows upwards.
const upNames = 16

// placeQuery reads nodes, with the names and parents of up to upNames of them on the way up: primary keys alone.
func placeQuery(n int) string {
	columns, joins := []string{"n0.id", "n0.kind"}, []string{"FROM node n0"}
	for i := range upNames {
		columns = append(columns, fmt.Sprintf("n%[1]d.name, n%[1]d.parent", i))
		if i > 0 {
			joins = append(joins, fmt.Sprintf("LEFT JOIN node n%d ON n%[1]d.id = n%d.parent", i, i-1))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " " + strings.Join(joins, " ") + " WHERE n0.id IN (" + placeholders(n) + ")"
}

// climb is the way from a node up to where a statement got.
type climb struct {
	kind  registry.Kind
	names []string    // from the node up
	next  registry.ID // the node above the last name
}

// places finds where nodes stand. A node that is not there any more, or to which no path leads, has no Path.
func (s *Store) places(ctx context.Context, ids []registry.ID) (map[registry.ID]registry.Place, error) {
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // a nil map has nothing
	}
	var climbs map[registry.ID]climb
	err := s.retryRead(ctx, func() (err error) {
		climbs, err = s.climb(ctx, s.read.statements, ids)
		if err != nil || len(s.unfinished(climbs)) == 0 {
			return err
		}
		// The rest of a long way must be of the same moment, or a move between the statements would make a path that never was.
		t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
		if err != nil {
			return err
		}
		defer t.rollback()
		climbs, err = s.climbAll(ctx, t.statements, ids)
		return err
	})
	if err != nil {
		return nil, s.fail("find where nodes stand", err)
	}
	places := make(map[registry.ID]registry.Place, len(ids))
	for _, id := range ids {
		c := climbs[id]
		places[id] = registry.Place{ID: id, Kind: c.kind, Path: c.path(s.root(), id)}
	}
	return places, nil
}

// path is "" unless the way ended at the root.
func (c climb) path(root, id registry.ID) registry.Path {
	switch {
	case id == root:
		return registry.Root
	case c.next != root:
		return ""
	}
	var b strings.Builder
	for i := len(c.names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(c.names[i])
	}
	return registry.Path(b.String())
}

// unfinished gives the nodes at which ways ended that may go on.
func (s *Store) unfinished(climbs map[registry.ID]climb) []registry.ID {
	seen := map[registry.ID]bool{}
	var next []registry.ID
	for _, c := range climbs {
		if len(c.names)%upNames == 0 && c.next != s.root() && c.next != trashID && !c.next.IsZero() && !seen[c.next] {
			seen[c.next] = true
			next = append(next, c.next)
		}
	}
	return next
}

// climb follows each node's way up by upNames names.
func (s *Store) climb(ctx context.Context, q statements, ids []registry.ID) (map[registry.ID]climb, error) {
	climbs := make(map[registry.ID]climb, len(ids))
	for len(ids) > 0 {
		part := ids[:min(len(ids), s.backend.dialect.maxRows)]
		ids = ids[len(part):]
		err := q.each(ctx, "places", placeQuery(len(part)), idArgs(part), func(rows *sqlx.Rows) error {
			var id []byte
			var kind int64
			var names, parents [upNames][]byte
			dest := []any{&id, &kind}
			for i := range names {
				dest = append(dest, &names[i], &parents[i])
			}
			if err := rows.Scan(dest...); err != nil {
				return err
			}
			c := climb{kind: registry.Kind(kind)}
			for i := range names {
				if parents[i] == nil {
					break // nothing is above
				}
				c.names, c.next = append(c.names, string(names[i])), toID(parents[i])
				if c.next == s.root() || c.next == trashID {
					break
				}
			}
			climbs[toID(id)] = c
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return climbs, nil
}

// climbAll follows all ways to their end.
func (s *Store) climbAll(ctx context.Context, q statements, ids []registry.ID) (map[registry.ID]climb, error) {
	climbs, err := s.climb(ctx, q, ids)
	for err == nil {
		next := s.unfinished(climbs)
		if len(next) == 0 {
			return climbs, nil
		}
		var above map[registry.ID]climb
		above, err = s.climb(ctx, q, next)
		for id, c := range climbs {
			if !slices.Contains(next, c.next) || len(c.names)%upNames != 0 {
				continue
			}
			up := above[c.next] // nothing when that node is gone: the way ends there
			c.names, c.next = append(c.names, up.names...), up.next
			climbs[id] = c
		}
	}
	return nil, err
}
