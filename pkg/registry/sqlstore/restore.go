package sqlstore

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// RestoreTree implements [registry.Historian]. It runs in a transaction of its own, so that what the database says is what it changes; the limit
// bounds how long it holds the write turn.
func (s *Store) RestoreTree(
	ctx context.Context, op registry.Op, r registry.TreeRestore, change func(tx registry.Tx, restore func() (registry.TreeRestored, error)) error,
) (registry.Seq, error) {
	return s.updateAlone(ctx, op, func(o *operation) error {
		return change(o, func() (registry.TreeRestored, error) { return o.restoreTree(r) })
	})
}

func (o *operation) restoreTree(r registry.TreeRestore) (done registry.TreeRestored, err error) {
	top, err := o.Get(r.Path)
	if err != nil {
		return done, err
	}
	if r.Seq > o.head.seq {
		return done, registry.Errorf(registry.CodeInvalid, "at is the position %d; the change log of the store %s ends at %d", r.Seq, o.store.name, o.head.seq)
	}
	t := &treeRestore{operation: o, past: o.store.past(o.ctx, o.tx.statements, r.Seq), what: r, done: &done}
	if err := t.run(top); err != nil {
		return done, o.passing(err)
	}
	done.Resource, err = o.Get(r.Path)
	return done, err
}

// passing takes an error that is not the registry's own for one of the database.
func (o *operation) passing(err error) error {
	if _, ok := errors.AsType[*registry.Error](err); ok {
		return err
	}
	return o.broken(err)
}

// treeRestore is one restore of a collection. It compares by path: first all collections, from the top down; then what is too much goes to the trash,
// which frees names and nodes; then what is missing comes back.
type treeRestore struct {
	*operation
	past past
	what registry.TreeRestore
	done *registry.TreeRestored

	looked int // nodes, then and now
	pairs  []treePair
	extra  []registry.Resource // to the trash
	lost   []lostNode          // to come back, each after the collection that it lies in
}

// treePair is a collection now and what it was then. now is zero for a collection that is to be made again.
type treePair struct {
	path      registry.Path
	now, then registry.ID
}

// lostNode is a resource or collection that was there then and is not now.
type lostNode struct {
	path registry.Path
	then registry.Resource
	back bool // it is in the trash
}

func (t *treeRestore) run(top registry.Resource) error {
	then, err := t.past.get(t.what.Path)
	if err != nil {
		return err
	}
	if then.Kind != registry.KindCollection {
		return registry.Errorf(registry.CodeConflict, "%s was a resource then, not a collection", top.Path)
	}
	if err := t.revert(top, then); err != nil {
		return err
	}
	for t.pairs = []treePair{{top.Path, top.ID, then.ID}}; len(t.pairs) > 0; {
		p := t.pairs[0]
		t.pairs = t.pairs[1:]
		if err := t.compare(p); err != nil {
			return err
		}
	}
	for _, r := range t.extra {
		if err := t.Trash(r); err != nil {
			return err
		}
		t.done.Removed++
	}
	for _, l := range t.lost {
		if err := t.bringBack(l); err != nil {
			return err
		}
	}
	return nil
}

// compare finds what differs directly below a collection.
func (t *treeRestore) compare(p treePair) error {
	now, err := t.childrenNow(p)
	if err != nil {
		return err
	}
	then, err := t.childrenThen(p)
	if err != nil {
		return err
	}
	for _, was := range then {
		is, ok := now[was.Path]
		delete(now, was.Path)
		if ok && is.Kind == was.Kind {
			if err := t.revert(is, was); err != nil {
				return err
			}
			t.descend(is.ID, was)
			continue
		}
		if ok {
			t.extra = append(t.extra, is)
		}
		back, err := t.inTrash(was.ID)
		if err != nil {
			return err
		}
		t.lost = append(t.lost, lostNode{was.Path, was, back})
		if back {
			t.descend(was.ID, was)
		} else {
			t.descend(registry.ID{}, was)
		}
	}
	for _, is := range now {
		t.extra = append(t.extra, is)
	}
	return nil
}

func (t *treeRestore) descend(now registry.ID, was registry.Resource) {
	if was.Kind == registry.KindCollection {
		t.pairs = append(t.pairs, treePair{was.Path, now, was.ID})
	}
}

// look counts nodes against the limit.
func (t *treeRestore) look(n int) error {
	if t.looked += n; t.looked > t.what.Limit {
		return registry.Errorf(registry.CodeTooLarge,
			"%s has, or had, more than %d resources and collections, the limit of one restore; restore the collections in it one by one", t.what.Path, t.what.Limit)
	}
	return nil
}

// childrenNow reads the children of a collection by their paths.
func (t *treeRestore) childrenNow(p treePair) (map[registry.Path]registry.Resource, error) {
	all := map[registry.Path]registry.Resource{}
	if p.now.IsZero() {
		return all, nil
	}
	args := []any{p.now[:], []byte{}, t.what.Limit + 1}
	err := t.tx.each(t.ctx, "restore_children", childrenQuery(t.store.backend.dialect), args, func(rows *sqlx.Rows) error {
		n, err := scanNode(rows)
		if err != nil {
			return err
		}
		t.known.nodes[n.ID] = n
		t.learn(dirent{p.now, n.name}, n.ID)
		r := n.at(child(p.path, n.name), t.store.name, t.head.seq)
		all[r.Path] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, t.look(len(all))
}

// childrenThen reads the children that a collection had.
func (t *treeRestore) childrenThen(p treePair) ([]registry.Resource, error) {
	var all []registry.Resource
	parent := registry.Resource{ID: p.then, Path: p.path}
	for after := ""; ; {
		list, next, err := t.past.children(parent, after, registry.MaxPageSize)
		if err != nil {
			return nil, err
		}
		if err := t.look(len(list)); err != nil {
			return nil, err
		}
		all = append(all, list...)
		if after = next; after == "" {
			return all, nil
		}
	}
}

// revert makes a new version of a node where it differs from what was there then.
func (t *treeRestore) revert(is, was registry.Resource) error {
	_, now, err := encodeMeta(is.Meta)
	if err != nil {
		return err
	}
	_, then, err := encodeMeta(was.Meta)
	if err != nil {
		return err
	}
	if is.Hash == was.Hash && now == then {
		return nil
	}
	_, err = t.Revise(is, t.draft(was))
	t.done.Revised++
	return err
}

func (t *treeRestore) draft(was registry.Resource) registry.Draft {
	return registry.Draft{Meta: was.Meta, Hash: was.Hash, Size: was.Size, Comment: t.what.Comment}
}

// inTrash tells whether a node, or a collection above it, was deleted. What is gone for good is not in the trash.
func (t *treeRestore) inTrash(id registry.ID) (bool, error) {
	for range 2 * registry.MaxDepth {
		n, err := t.node(id)
		if registry.CodeOf(err) == registry.CodeNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch n.parent {
		case trashID:
			row, err := t.trashRow(id)
			return row.state == stateDeleted, err
		case registry.ID{}:
			return false, nil
		}
		id = n.parent
	}
	return false, nil
}

// bringBack puts what was at a path back there: the node itself when it is in the trash, or else, when it lives elsewhere or is gone for good, a new
// one with what it held.
func (t *treeRestore) bringBack(l lostNode) error {
	parent, err := t.Get(l.path.Parent())
	if err != nil {
		return err
	}
	back := l.back
	if !back && l.then.Kind == registry.KindResource { // it may have gone there from another place below the collection
		if back, err = t.inTrash(l.then.ID); err != nil {
			return err
		}
	}
	if !back {
		_, err := t.Create(parent, l.path.Name(), l.then.Kind, t.draft(l.then))
		t.done.Created++
		return err
	}
	n, err := t.node(l.then.ID)
	if err != nil {
		return err
	}
	if err := t.takeBack(n, parent, l.path.Name()); err != nil {
		return err
	}
	t.done.Returned++
	n, err = t.node(n.ID)
	if err != nil {
		return err
	}
	return t.revert(n.at(l.path, t.store.name, t.head.seq), l.then)
}

// takeBack moves a node out of the trash, or out of a collection in it, to a free name.
func (o *operation) takeBack(n node, parent registry.Resource, name string) error {
	if n.parent == trashID {
		_, err := o.release(n.ID, stateDeleted, parent, name, actUndelete)
		return err
	}
	old, err := o.node(n.parent)
	if err != nil {
		return err
	}
	_, err = o.leave(n, old, parent, name, actUndelete)
	return err
}
