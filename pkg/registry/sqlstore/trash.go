package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// trashQuery reads a page of the trash, newest first: one range of the index on (state, at_us, node).
func trashQuery(d *dialect) string {
	return "SELECT t.path, t.actor, t.at_us, " + nodeColumns + " FROM trash t" + d.index("k_trash") +
		" LEFT JOIN node n ON n.id = t.node LEFT JOIN version v ON v.node = n.id AND v.n = n.cur LEFT JOIN meta_obj m ON m.sha = v.meta " +
		"WHERE t.state = 1 AND t.at_us <= ? AND (t.at_us < ? OR t.node < ?) ORDER BY t.at_us DESC, t.node DESC LIMIT ?"
}

// Trash implements [registry.TreeStore].
func (s *Store) Trash(ctx context.Context, before registry.TrashMark, limit int) ([]registry.Deleted, error) {
	atUS := int64(1) << 62
	if !before.At.IsZero() {
		atUS = toMicros(before.At)
	}
	var list []registry.Deleted
	scan := func(rows *sqlx.Rows) error {
		var row nodeRow
		var t trashRow
		var path, actor []byte
		var deletedUS int64
		if err := rows.Scan(append([]any{&path, &actor, &deletedUS}, row.dest()...)...); err != nil {
			return err
		}
		n, err := row.node()
		t.path, t.actor, t.at = registry.Path(path), string(actor), toTime(deletedUS)
		list = append(list, t.entry(n, s.name, 0))
		return err
	}
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "trash", trashQuery(s.backend.dialect), []any{atUS, atUS, before.ID[:], limit}, scan)
	})
	if err != nil {
		return nil, s.fail("read the trash", err)
	}
	return list, nil
}

// Deleted implements [registry.TreeStore].
func (s *Store) Deleted(ctx context.Context, id registry.ID) (registry.Deleted, error) {
	var row trashRow
	var f *found
	err := s.retryRead(ctx, func() (err error) {
		if row, err = readTrashRow(ctx, s.read.statements, id); err != nil || row.state != stateDeleted {
			return err
		}
		f, err = s.queryPath(ctx, s.read.statements, id, nil)
		return err
	})
	switch {
	case err != nil:
		return registry.Deleted{}, s.fail("read the trash", err)
	case row.state != stateDeleted || f.node.ID != id:
		return registry.Deleted{}, noEntry(id)
	}
	return row.entry(f.node, s.name, f.at.seq), nil
}

// removeBatch bounds the nodes, and the versions, that one transaction removes.
const removeBatch = 500

// nodeTables are the tables, with their column, whose rows live as long as the node that they speak of. dirent_hist is none of them: a place that
// names a node which is not there any more says that there was one, so a look at that time is CodeGone.
var nodeTables = [...]struct{ name, column string }{
	{"version", "node"}, {"label", "node"}, {"gap", "node"}, {"retention", "node"}, {"checkpoint", "node"}, {"node", "id"},
}

// doomed is a node to be removed: the number of its current version bounds how many it has.
type doomed struct {
	id       registry.ID
	versions int64
	parent   bool // something lies below it
}

// Remove implements [registry.TreeStore]. It works from the leaves up, in many small changes between which others have their turn; the entry itself goes
// last, so that an interruption leaves no orphan. No path leads to the nodes, so memory need not hear of each.
func (s *Store) Remove(ctx context.Context, id registry.ID) error {
	var row trashRow
	err := s.retryRead(ctx, func() (err error) {
		row, err = readTrashRow(ctx, s.read.statements, id)
		return err
	})
	if err != nil {
		return s.fail("remove a deleted tree", err)
	}
	switch row.state {
	case stateGone:
		return nil
	case stateDeleted:
		return registry.Errorf(registry.CodeConflict, "the entry %s of the trash can still come back", id)
	}
	if err := s.removeClaimed(ctx, id, row.state); err != nil {
		return s.fail("remove a deleted tree", err)
	}
	return nil
}

func (s *Store) removeTree(ctx context.Context, root registry.ID) error {
	type found struct{ id, parent registry.ID }
	stack := []found{{root, trashID}}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		page, err := s.someBelow(ctx, top.id)
		if err != nil {
			return err
		}
		r := removal{store: s, ctx: ctx, root: root, parent: top.id}
		var leaves []doomed
		for _, d := range page {
			if d.parent {
				stack = append(stack, found{d.id, top.id})
			} else {
				leaves = append(leaves, d)
			}
		}
		if len(page) == 0 {
			stack, r.parent = stack[:len(stack)-1], top.parent
			if leaves, err = s.some(ctx, "n.id = ?", top.id); err != nil {
				return err
			}
		}
		if err := r.nodes(leaves); errors.Is(err, errRemoved) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// someBelow reads some children of a node.
func (s *Store) someBelow(ctx context.Context, id registry.ID) ([]doomed, error) {
	return s.some(ctx, "n.parent = ?", id)
}

func (s *Store) some(ctx context.Context, which string, id registry.ID) ([]doomed, error) {
	query := "SELECT n.id, n.cur, EXISTS (SELECT 1 FROM node c WHERE c.parent = n.id) FROM node n WHERE " + which + " LIMIT ?"
	var list []doomed
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "removable", query, []any{id[:], removeBatch}, func(rows *sqlx.Rows) error {
			var d doomed
			var id []byte
			err := rows.Scan(&id, &d.versions, &d.parent)
			d.id = toID(id)
			list = append(list, d)
			return err
		})
	})
	return list, err
}

// removal removes nodes that were found in one collection of an entry of the trash.
type removal struct {
	store        *Store
	ctx          context.Context //nolint:containedctx // the one of the removal
	root, parent registry.ID     // the entry; the collection, or the trash for the entry itself
}

// errRemoved says that the entry is not there any more.
var errRemoved = errors.New("somebody else has removed it")

// nodes deletes nodes without children, each with all that belongs to it.
func (r removal) nodes(list []doomed) error {
	for len(list) > 0 {
		if list[0].versions > removeBatch {
			if err := r.versions(list[0]); err != nil {
				return err
			}
			list[0].versions = 0
		}
		var nodes []registry.ID
		for versions := int64(0); len(list) > 0 && versions+list[0].versions <= removeBatch; list = list[1:] {
			versions += list[0].versions
			nodes = append(nodes, list[0].id)
		}
		err := r.step(nodes, func(o *operation, still []registry.ID) error {
			o.touch(item{act: actRemove, node: r.root, n: int64(len(still))})
			ids := idArgs(still)
			in := " IN (" + placeholders(len(ids)) + ")"
			if err := o.relistSources(in, ids); err != nil {
				return err
			}
			if err := r.store.purgeAttached(o.ctx, o.tx, still); err != nil {
				return err
			}
			if err := o.unlistSearch(still); err != nil {
				return err
			}
			if err := o.suspect("node"+in, ids...); err != nil {
				return err
			}
			for _, table := range nodeTables {
				if _, err := o.tx.exec(o.ctx, "remove", "DELETE FROM "+table.name+" WHERE "+table.column+in, ids...); err != nil {
					return err
				}
			}
			if r.parent != trashID {
				return nil
			}
			if err := o.dropArrivals(in, ids); err != nil {
				return err
			}
			_, err := o.tx.exec(o.ctx, "remove", "DELETE FROM trash WHERE node"+in, ids...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// versions deletes the versions of a node that has many, batch by batch.
func (r removal) versions(d doomed) error {
	for from := int64(1); from <= d.versions; from += removeBatch {
		err := r.step([]registry.ID{d.id}, func(o *operation, still []registry.ID) error {
			const which = "node = ? AND n >= ? AND n < ?"
			o.touch(item{act: actRemove, node: r.root})
			args := []any{still[0][:], from, from + removeBatch}
			if err := o.suspect(which, args...); err != nil {
				return err
			}
			_, err := o.tx.exec(o.ctx, "remove", "DELETE FROM version WHERE "+which, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// step runs one change of the removal, with those of the nodes that are still where they were found, if there are any. Since then somebody else may have
// removed them, and what had their ids may have come back from another store.
func (r removal) step(nodes []registry.ID, change func(o *operation, still []registry.ID) error) error {
	_, err := r.store.update(r.ctx, r.store.systemOp(), func(o *operation) error {
		still, err := r.still(o, nodes)
		switch {
		case errors.Is(err, errRemoved):
			return err
		case err != nil:
			return o.broken(err)
		case len(still) == 0:
			return nil
		}
		if err := change(o, still); err != nil {
			return o.broken(err)
		}
		return nil
	})
	return err
}

// doomedQuery counts an entry that is being removed, if it is at a node or above it.
const doomedQuery = "WITH RECURSIVE up (id, parent, hops) AS (SELECT n.id, n.parent, 0 FROM node n WHERE n.id = ? " +
	"UNION ALL SELECT n.id, n.parent, up.hops + 1 FROM up JOIN node n ON n.id = up.parent WHERE up.id <> ? AND up.hops < ?) " +
	"SELECT COUNT(*) FROM up JOIN trash t ON t.node = up.id WHERE up.id = ? AND t.state = ?"

// still finds the nodes that are still in the collection, which must be in the entry.
func (r removal) still(o *operation, nodes []registry.ID) ([]registry.ID, error) {
	from := r.parent
	if from == trashID {
		from = r.root
	}
	there := 0
	err := o.tx.one(o.ctx, "remove", doomedQuery, []any{from[:], r.root[:], 2 * registry.MaxDepth, r.root[:], statePurging}, &there)
	if err == nil && there == 0 {
		err = errRemoved
	}
	if err != nil {
		return nil, err
	}
	var still []registry.ID
	query := "SELECT id FROM node WHERE parent = ? AND id IN (" + placeholders(len(nodes)) + ")"
	err = o.tx.each(o.ctx, "remove", query, append([]any{r.parent[:]}, idArgs(nodes)...), func(rows *sqlx.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		still = append(still, toID(id))
		return err
	})
	return still, err
}

// removeClaimed is removeTree of an entry in that state. A copy that still grows is claimed first, so that it can neither grow on nor take its place;
// whoever gives it that meanwhile keeps it.
func (s *Store) removeClaimed(ctx context.Context, id registry.ID, state int64) error {
	if state == stateCopying {
		_, err := s.update(ctx, s.systemOp(), func(o *operation) error {
			o.warm = false // another process may have changed the entry
			row, n, err := o.trash(id, stateCopying)
			if err != nil {
				return err
			}
			row.state = statePurging
			o.own.trash[id] = row
			o.touch(item{actStage, id, 0, trashID, n.name})
			return o.send("write_arrival", "UPDATE arrival SET state = ? WHERE node = ? AND state = ?", arrivalNever, id[:], arrivalGrows)
		})
		if registry.CodeOf(err) == registry.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return s.removeTree(ctx, id)
}

// entriesIn reads some entries of the trash that have that state and are older than atUS.
func (s *Store) entriesIn(ctx context.Context, state, atUS int64) ([]registry.ID, error) {
	var list []registry.ID
	query := "SELECT node FROM trash t" + s.backend.dialect.index("k_trash") + " WHERE state = ? AND at_us < ? ORDER BY at_us LIMIT ?"
	err := s.read.each(ctx, "trash", query, []any{state, atUS, sweepBatch}, func(rows *sqlx.Rows) error {
		var id []byte
		err := rows.Scan(&id)
		list = append(list, toID(id))
		return err
	})
	return list, err
}

// removeLeft removes what a removal or a copy left when its process died.
func (s *Store) removeLeft(ctx context.Context) error {
	for _, left := range []struct{ state, before int64 }{{statePurging, toMicros(s.now())}, {stateCopying, toMicros(s.now().Add(-abandoned))}} {
		for {
			list, err := s.entriesIn(ctx, left.state, left.before)
			if err != nil {
				return err
			}
			for _, id := range list {
				if err := s.removeClaimed(ctx, id, left.state); err != nil {
					return fmt.Errorf("entry %s: %w", id, err)
				}
			}
			if len(list) < sweepBatch {
				break
			}
		}
	}
	return nil
}
