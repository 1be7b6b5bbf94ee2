package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// An entry of the trash is under the permissions of the collection that it was deleted from, as it is now: it may have been moved since, or be in the trash
// itself. So the way up goes by ids, and where it leaves the tree, by trash_parent.

const (
	originsHead = "WITH RECURSIVE up (x, id, name, parent, hops) AS (" +
		"SELECT n.id, n.id, n.name, COALESCE(p.parent, n.parent), 0 FROM node n LEFT JOIN trash_parent p ON p.node = n.id WHERE n.id IN ("
	originsTail = ") UNION ALL SELECT up.x, n.id, n.name, COALESCE(p.parent, n.parent), up.hops + 1 FROM up JOIN node n ON n.id = up.parent " +
		"LEFT JOIN trash_parent p ON p.node = n.id WHERE up.id <> ? AND up.hops < ?) SELECT x, id, name FROM up ORDER BY x, hops DESC"
	originsAtOnce = 200
)

// Origins implements [registry.Store]. Each step up is a look at two primary keys.
func (s *Store) Origins(ctx context.Context, ids []registry.ID) ([]registry.Origin, error) {
	root := s.root()
	ways := map[registry.ID][]registry.ID{}
	paths := map[registry.ID]registry.Path{}
	for rest := ids; len(rest) > 0; {
		part := rest[:min(len(rest), originsAtOnce)]
		rest = rest[len(part):]
		args := append(idArgs(part), root[:], 2*registry.MaxDepth)
		err := s.retryRead(ctx, func() error {
			for _, id := range part {
				delete(ways, id)
				delete(paths, id)
			}
			return s.read.each(ctx, "origins", originsHead+placeholders(len(part))+originsTail, args, func(rows *sqlx.Rows) error {
				var x, id, name []byte
				if err := rows.Scan(&x, &id, &name); err != nil {
					return err
				}
				of, node := toID(x), toID(id)
				if len(ways[of]) == 0 {
					paths[of] = registry.Root
				} else {
					paths[of] = child(paths[of], string(name))
				}
				ways[of] = append(ways[of], node)
				return nil
			})
		})
		if err != nil {
			return nil, s.fail("look where deleted entries were", err)
		}
	}
	var whole [][]registry.ID
	var index []int
	list := make([]registry.Origin, len(ids))
	for i, id := range ids {
		if way := ways[id]; len(way) > 0 && way[0] == root && way[len(way)-1] == id {
			whole, index = append(whole, way), append(index, i)
			list[i].Path = paths[id]
			if len(way) > 1 {
				list[i].Parent = way[len(way)-2]
			}
		}
	}
	bounds, err := s.bounds(ctx, whole)
	if err != nil {
		return nil, err
	}
	for i, way := range bounds {
		list[index[i]].Way = way
	}
	return list, nil
}
