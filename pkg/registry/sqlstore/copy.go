package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

// A copy of a subtree may be too large for one transaction. It grows beside the trash, with a row there that says so, and appears by one move when it is
// complete. All of it is read in one snapshot, so it is the source as it was at one moment, whatever happens to the source meanwhile.

// copyBatch is how many nodes one change adds to a copy.
const copyBatch = 500

// copier copies one subtree.
type copier struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the one of the copy
	op    registry.Op

	rows []node // not written yet
	root registry.ID
}

// CopyTree implements [registry.TreeStore].
func (s *Store) CopyTree(ctx context.Context, op registry.Op, p registry.Path, cond registry.Precondition) (registry.ID, error) {
	t, end, err := s.snapshot(ctx)
	if err != nil {
		return registry.ID{}, s.fail("read a tree", err)
	}
	defer end()
	top, err := s.top(ctx, t, p, cond)
	if err != nil {
		return registry.ID{}, s.fail("read a tree", err)
	}
	op.Actor.Once = registry.Once{} // that is of the change which attaches the copy
	c := &copier{store: s, ctx: ctx, op: op}
	if err := c.begin(p, top); err != nil {
		return registry.ID{}, s.fail("copy a tree", err)
	}
	walk := &treeWalk{store: s, read: t, visit: c.take, paged: c.writeFull}
	if err := walk.below(ctx, top.ID, c.root); err != nil {
		return c.root, s.fail("copy a tree", err)
	}
	return c.root, s.fail("copy a tree", c.write())
}

// begin makes the top of the copy.
func (c *copier) begin(p registry.Path, top node) error {
	n, err := c.copy(top)
	if err != nil {
		return err
	}
	c.root = n.ID
	_, err = c.store.update(c.ctx, c.op, func(o *operation) error {
		n := n
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
func (c *copier) copy(from node) (node, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return node{}, fmt.Errorf("make an id: %w", err)
	}
	n := from
	n.ID, n.Version, n.Gen = registry.ID(id), 1, 1
	n.CreatedAt, n.CreatedBy = toTime(toMicros(c.op.At)), c.op.Actor.User
	n.UpdatedAt, n.UpdatedBy = n.CreatedAt, n.CreatedBy
	return n, nil
}

// take gives a node its copy, in the copy of the collection that it lies in.
func (c *copier) take(n node, above registry.ID) (registry.ID, error) {
	n.parent, n.Meta = above, registry.Meta{} // what it says is there by its hash, and may be large
	made, err := c.copy(n)
	c.rows = append(c.rows, made)
	return made.ID, err
}

func (c *copier) writeFull() error {
	if len(c.rows) < copyBatch {
		return nil
	}
	return c.write()
}

// write adds the nodes that wait to the copy. Nobody can see them, so they need no place in memory nor in the change log one by one.
func (c *copier) write() error {
	if len(c.rows) == 0 {
		return nil
	}
	_, err := c.store.update(c.ctx, c.op, func(o *operation) error { return o.stage(c.root, c.rows) })
	c.rows = nil
	return err
}

// stage writes nodes of a copy at once, as the last thing that the operation does.
func (o *operation) stage(root registry.ID, rows []node) error {
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
	if err := o.hold(blobTable.name, bodies); err != nil {
		return err
	}
	if err := o.hold(metaTable.name, metas); err != nil {
		return err
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
