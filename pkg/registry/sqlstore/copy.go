package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A copy of a subtree may be too large for one transaction. It grows beside the trash, with a row there that says so, and appears by one move when it is
// complete. All of it is read in one snapshot, so it is the source as it was at one moment, whatever happens to the source meanwhile.

// copyBatch is how many nodes one change adds to a copy.
const copyBatch = 500

// copier copies one subtree.
type copier struct {
	store *Store
	op    registry.Op
	read  *txn // the snapshot
	admit func(registry.Resource) error

	rows []copied // not written yet
	root registry.ID
}

// copied is a node of a copy.
type copied struct {
	node
	from registry.ID
}

// copyFrame is a collection whose children, from after on, are still to be copied.
type copyFrame struct {
	from, to registry.ID
	path     registry.Path
	after    string
}

// CopyTree implements [registry.TreeStore].
func (s *Store) CopyTree(ctx context.Context, op registry.Op, p registry.Path, admit func(registry.Resource) error) (registry.ID, error) {
	t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
	if err != nil {
		return registry.ID{}, s.fail("read a tree", err)
	}
	defer t.rollback()
	f, err := s.queryPath(ctx, t.statements, rootID, p.Names())
	if err != nil {
		return registry.ID{}, s.fail("read a tree", err)
	}
	if !f.complete() {
		return registry.ID{}, notFound(p)
	}
	if err := admit(f.node.at(p, s.name, f.at.seq)); err != nil {
		return registry.ID{}, err
	}
	op.Actor.Once = registry.Once{} // that is of the change which attaches the copy
	c := &copier{store: s, op: op, read: t, admit: admit}
	if err := c.begin(ctx, p, f.node); err != nil {
		return registry.ID{}, s.fail("copy a tree", err)
	}
	if err := c.walk(ctx, copyFrame{f.node.ID, c.root, p, ""}); err != nil {
		return c.root, s.fail("copy a tree", err)
	}
	return c.root, nil
}

// begin makes the top of the copy.
func (c *copier) begin(ctx context.Context, p registry.Path, top node) error {
	n, err := c.copy(top)
	if err != nil {
		return err
	}
	c.root = n.ID
	_, err = c.store.update(ctx, c.op, func(o *operation) error {
		n := n.node
		n.parent, n.name = trashID, n.ID.String()
		n.Version, n.Gen = 0, 0
		o.created = append(o.created, n.ID)
		if err := o.revise(&n, registry.Draft{Meta: top.Meta, Hash: top.Hash, Size: top.Size}); err != nil {
			return err
		}
		o.own.trash[n.ID] = trashRow{state: stateCopying, path: p, actor: o.op.Actor.User, at: o.at()}
		o.touch(item{actStage, n.ID, 1, trashID, n.name})
		return nil
	})
	return err
}

// copy gives a node its copy, at version 1, without a place.
func (c *copier) copy(from node) (copied, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return copied{}, fmt.Errorf("make an id: %w", err)
	}
	n := from
	n.ID, n.Version, n.Gen = registry.ID(id), 1, 1
	n.CreatedAt, n.CreatedBy = toTime(toMicros(c.op.At)), c.op.Actor.User
	n.UpdatedAt, n.UpdatedBy = n.CreatedAt, n.CreatedBy
	return copied{n, from.ID}, nil
}

// walk copies what lies below a collection. What waits on the stack is at most a page for each level.
func (c *copier) walk(ctx context.Context, top copyFrame) error {
	stack := []copyFrame{top}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		page, err := c.page(ctx, f)
		if err != nil {
			return err
		}
		if len(page) == copyBatch {
			f.after = page[len(page)-1].name
			stack = append(stack, f)
		}
		for _, n := range page {
			if n.Kind == registry.KindCollection {
				stack = append(stack, copyFrame{n.from, n.ID, child(f.path, n.name), ""})
			}
		}
		c.rows = append(c.rows, page...)
		if len(c.rows) >= copyBatch || len(stack) == 0 {
			if err := c.write(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// page reads some children and gives their copies.
func (c *copier) page(ctx context.Context, f copyFrame) ([]copied, error) {
	var page []copied
	s := c.store
	err := c.read.each(ctx, "copy", childrenQuery(s.backend.dialect), []any{f.from[:], []byte(f.after), copyBatch}, func(rows *sqlx.Rows) error {
		var row nodeRow
		if err := rows.Scan(row.dest()...); err != nil {
			return err
		}
		n, err := row.node()
		if err != nil {
			return err
		}
		if err := c.admit(n.at(child(f.path, n.name), s.name, 0)); err != nil {
			return err
		}
		n.parent = f.to
		made, err := c.copy(n)
		page = append(page, made)
		return err
	})
	return page, err
}

// write adds the nodes that wait to the copy. Nobody can see them, so they need no place in memory nor in the change log one by one.
func (c *copier) write(ctx context.Context) error {
	if len(c.rows) == 0 {
		return nil
	}
	_, err := c.store.update(ctx, c.op, func(o *operation) error { return o.stage(c.root, c.rows) })
	c.rows = nil
	return err
}

// stage writes nodes of a copy at once, as the last thing that the operation does.
func (o *operation) stage(root registry.ID, rows []copied) error {
	bodies, metas := map[registry.Hash]bool{}, map[registry.Hash]bool{}
	var nodes, versions [][]any
	for _, n := range rows {
		nodes = append(nodes, n.row())
		versions = append(versions, []any{
			n.ID[:], n.Version, o.seq() + 1, n.Hash[:], n.metaSum[:], n.Size, []byte(n.UpdatedBy), toMicros(n.UpdatedAt), []byte{},
		})
		metas[n.metaSum] = true
		if n.Hash != (registry.Hash{}) {
			bodies[n.Hash] = true
		}
	}
	if _, _, err := o.trash(root, stateCopying); err != nil {
		return err
	}
	for name, list := range map[string]map[registry.Hash]bool{blobTable.name: bodies, metaTable.name: metas} {
		if err := o.hold(name, list); err != nil {
			return err
		}
	}
	if err := o.insert(nodeTable, nodes, ""); err != nil {
		return o.broken(err)
	}
	if err := o.insert(versionTable, versions, ""); err != nil {
		return o.broken(err)
	}
	if err := o.stageSearch(rows); err != nil {
		return o.broken(err)
	}
	o.touch(item{actStage, root, int64(len(rows)), trashID, root.String()})
	return nil
}

// hold tells whether contents or metadata are still there: the source may have been deleted for good meanwhile.
func (o *operation) hold(name string, list map[registry.Hash]bool) error {
	for part := range slices.Chunk(slices.Collect(maps.Keys(list)), copyBatch) {
		args := make([]any, len(part))
		for i := range part {
			args[i] = part[i][:]
		}
		var n int
		query := "SELECT COUNT(*) FROM " + name + " WHERE sha IN (" + placeholders(len(args)) + ")"
		if err := o.tx.one(o.ctx, "has_blob", query, args, &n); err != nil {
			return o.broken(err)
		}
		if n != len(part) {
			return registry.Errorf(registry.CodeConflict, "what is to be copied was removed for good meanwhile")
		}
	}
	return nil
}
