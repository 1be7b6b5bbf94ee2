package sqlstore

import (
	"cmp"
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// snapshot begins to read the state as it is now. Who does so keeps the connection for long and now and then needs another one, so that all of them together
// must not take all: they wait for each other. The caller calls end.
func (s *Store) snapshot(ctx context.Context) (t *txn, end func(), err error) {
	select {
	case s.snapshots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	t, err = s.read.begin(ctx, s.backend.dialect.snapshot)
	if err != nil {
		<-s.snapshots
		return nil, nil, err
	}
	return t, func() { t.rollback(); <-s.snapshots }, nil
}

// top finds the top of a tree, and holds the condition against it.
func (s *Store) top(ctx context.Context, t *txn, p registry.Path, c registry.Precondition) (node, error) {
	f, err := s.queryPath(ctx, t.statements, s.root(), p.Names())
	if err != nil {
		return node{}, err
	}
	if !f.complete() {
		return node{}, notFound(p)
	}
	r := f.node.at(p, s.name, f.at.seq)
	return f.node, c.Check(&r)
}

// treeWalk reads a tree in one snapshot, page by page.
type treeWalk struct {
	store *Store
	read  *txn
	// visit sees each node below the top, a collection before what lies in it. above is what it made of the collection that holds the node; for the top
	// that is given.
	visit func(n node, above registry.ID) (made registry.ID, err error)
	paged func() error // comes after each page
	keeps bool         // visit keeps metadata and what contents weigh, so a page has only what fits into a batch

	fits int // how many rows to ask for, where they are large
}

// treeFrame is a collection whose children, from after on, are still to be read.
type treeFrame struct {
	id, made registry.ID
	after    string
}

// below goes down the tree. What waits on the stack is at most a page for each level.
func (w *treeWalk) below(ctx context.Context, top, made registry.ID) error {
	stack := []treeFrame{{top, made, ""}}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		inner, after, err := w.page(ctx, f)
		if err != nil {
			return err
		}
		if after != "" {
			stack = append(stack, treeFrame{f.id, f.made, after})
		}
		stack = append(stack, inner...)
		if err := w.paged(); err != nil {
			return err
		}
	}
	return nil
}

// page reads some children of a collection. It gives the collections among them, and the last name where there may be more.
func (w *treeWalk) page(ctx context.Context, f treeFrame) (inner []treeFrame, after string, err error) {
	var size batchSize
	asked := cmp.Or(w.fits, copyBatch)
	args := []any{f.id[:], []byte(f.after), asked}
	err = w.read.each(ctx, "walk", childrenQuery(w.store.backend.dialect), args, func(rows *sqlx.Rows) error {
		n, err := scanNode(rows)
		if err != nil {
			return err
		}
		made, err := w.visit(n, f.made)
		if err != nil {
			return err
		}
		after = n.name
		if n.Kind == registry.KindCollection {
			inner = append(inner, treeFrame{n.ID, made, ""})
		}
		if !w.keeps {
			n.Meta, n.Size = registry.Meta{}, 0
		}
		size.add(n.Meta, n.Size)
		return size.enough(asked)
	})
	w.fits = size.next(asked)
	if errors.Is(err, errEnough) {
		err = nil
	}
	if size.rows < asked && !size.full() {
		after = ""
	}
	return inner, after, err
}
