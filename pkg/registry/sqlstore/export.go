package sqlstore

import (
	"context"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// exporter reads one tree, in one snapshot.
type exporter struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the one of the export
	read  *txn            // the snapshot
	what  registry.TreeExport
	emit  func(registry.TreeBatch) error

	top    registry.ID
	nodes  []registry.TreeNode // not emitted yet
	linked []registry.ID       // nodes with associations within the tree, which are emitted after all nodes
}

// exportFrame is a collection whose children, from after on, are still to be read.
type exportFrame struct {
	id    registry.ID
	path  registry.Path
	after string
}

// ExportTree implements [registry.TransferStore].
func (s *Store) ExportTree(ctx context.Context, e registry.TreeExport, emit func(registry.TreeBatch) error) error {
	// Each keeps a connection and now and then needs another one: they must not take all.
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
	case <-ctx.Done():
		return s.fail("read a tree", ctx.Err())
	}
	t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
	if err != nil {
		return s.fail("read a tree", err)
	}
	defer t.rollback()
	f, err := s.queryPath(ctx, t.statements, rootID, e.Path.Names())
	if err != nil {
		return s.fail("read a tree", err)
	}
	if !f.complete() {
		return notFound(e.Path)
	}
	x := &exporter{store: s, ctx: ctx, read: t, what: e, emit: emit, top: f.node.ID}
	return s.fail("read a tree", x.walk(f.node, f.at.seq))
}

// walk goes down the tree. What waits on the stack is at most a page for each level.
func (x *exporter) walk(top node, seq int64) error {
	if err := x.admit(top, registry.ID{}, x.what.Path, seq); err != nil {
		return err
	}
	stack := []exportFrame{{top.ID, x.what.Path, ""}}
	if top.Kind != registry.KindCollection {
		stack = nil
	}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		page, err := x.page(f, seq)
		if err != nil {
			return err
		}
		if len(page) == copyBatch {
			f.after = page[len(page)-1].name
			stack = append(stack, f)
		}
		for _, n := range page {
			if n.Kind == registry.KindCollection {
				stack = append(stack, exportFrame{n.ID, child(f.path, n.name), ""})
			}
		}
		if len(x.nodes) >= copyBatch {
			if err := x.flush(); err != nil {
				return err
			}
		}
	}
	if err := x.flush(); err != nil {
		return err
	}
	for part := range slices.Chunk(x.linked, copyBatch) {
		if err := x.associations(part, false, x.emitInside); err != nil {
			return err
		}
	}
	return nil
}

// admit asks whether a node may be read, and notes it.
func (x *exporter) admit(n node, parent registry.ID, p registry.Path, seq int64) error {
	r := n.at(p, x.store.name, seq)
	if err := x.what.Admit(r); err != nil {
		return err
	}
	x.nodes = append(x.nodes, registry.TreeNode{Resource: r, Parent: parent, Name: n.name})
	return nil
}

// page reads some children of a collection.
func (x *exporter) page(f exportFrame, seq int64) ([]node, error) {
	var page []node
	args := []any{f.id[:], []byte(f.after), copyBatch}
	err := x.read.each(x.ctx, "export", childrenQuery(x.store.backend.dialect), args, func(rows *sqlx.Rows) error {
		var row nodeRow
		if err := rows.Scan(row.dest()...); err != nil {
			return err
		}
		n, err := row.node()
		if err != nil {
			return err
		}
		page = append(page, n)
		return x.admit(n, f.id, child(f.path, n.name), seq)
	})
	return page, err
}

// flush emits the nodes that wait, in parts, each with what belongs to it.
func (x *exporter) flush() error {
	for part := range slices.Chunk(x.nodes, copyBatch) {
		if err := x.emit(registry.TreeBatch{Nodes: part}); err != nil {
			return err
		}
		if !x.what.Whole {
			continue
		}
		for _, t := range attachedTables() {
			if err := x.attached(t, part); err != nil {
				return err
			}
		}
		ids := make([]registry.ID, len(part))
		for i, n := range part {
			ids[i] = n.ID
		}
		for incoming, look := range map[bool]func([]registry.Association) error{false: x.lookOut, true: x.lookIn} {
			if err := x.associations(ids, incoming, look); err != nil {
				return err
			}
		}
	}
	x.nodes = nil
	return nil
}

// attached emits the rows of one table that belong to nodes, in pages that are ranges of the primary key: first what is left of the node that the page
// before ended in, then the nodes after it.
func (x *exporter) attached(t attachedTable, nodes []registry.TreeNode) error {
	ids := make([]registry.ID, len(nodes))
	current := make(map[registry.ID]int64, len(nodes))
	for i, n := range nodes {
		ids[i], current[n.ID] = n.ID, n.Version
	}
	slices.SortFunc(ids, func(a, b registry.ID) int { return slices.Compare(a[:], b[:]) })
	r := attachedRow{current: current, empty: true}
	for rest := ids; ; {
		n := 0
		if !r.node.IsZero() {
			if len(t.keys) > 0 {
				args := append([]any{r.node[:]}, t.afterArgs(r.keys)...)
				if err := x.attachedPage(t, t.node+" = ? AND "+t.after(), args, &r, &n); err != nil {
					return err
				}
			}
			if n < copyBatch {
				rest = rest[slices.Index(rest, r.node)+1:]
			}
		}
		if n < copyBatch && len(rest) > 0 {
			if err := x.attachedPage(t, t.node+" IN ("+placeholders(len(rest))+")", idArgs(rest), &r, &n); err != nil {
				return err
			}
		}
		if !r.empty {
			if err := x.emit(r.batch); err != nil {
				return err
			}
		}
		if n < copyBatch {
			return nil
		}
		r.batch, r.empty = registry.TreeBatch{}, true
	}
}

// attachedPage reads one page into r, where n rows are already.
func (x *exporter) attachedPage(t attachedTable, which string, args []any, r *attachedRow, n *int) error {
	query := "SELECT " + t.columns + " FROM " + t.from + " WHERE " + which + " ORDER BY " + t.order() + " LIMIT ?"
	return x.read.each(x.ctx, "export", query, append(args, copyBatch-*n), func(rows *sqlx.Rows) error {
		*n++
		return t.scan(rows, r)
	})
}

// associations gives the associations from nodes, or to them, to use, page by page.
func (x *exporter) associations(ids []registry.ID, incoming bool, use func([]registry.Association) error) error {
	slices.SortFunc(ids, func(a, b registry.ID) int { return slices.Compare(a[:], b[:]) })
	for rest, after := ids, registry.AssociationKey(""); len(rest) > 0; {
		// One node at a time can be gone on with after a key; mostly one page has all of them.
		q := registry.AssociationQuery{Nodes: rest, Incoming: incoming, After: after, Limit: copyBatch}
		if after != "" {
			q.Nodes = rest[:1]
		}
		list, err := x.associationPage(q)
		if err != nil {
			return err
		}
		if err := use(list); err != nil {
			return err
		}
		switch {
		case len(list) == copyBatch:
			last := list[len(list)-1]
			near := last.Source.ID
			if incoming {
				near = last.Target.ID
			}
			rest, after = rest[slices.Index(rest, near):], last.Key
		case after != "":
			rest, after = rest[1:], ""
		default:
			rest = nil
		}
	}
	return nil
}

// associationPage reads some associations of nodes, in order of the nodes' ids.
func (x *exporter) associationPage(q registry.AssociationQuery) ([]registry.Association, error) {
	query, args := x.store.associationsQuery(q)
	var list []registry.Association
	err := x.read.each(x.ctx, "export", query, args, func(rows *sqlx.Rows) error {
		l, err := scanAssociation(rows)
		list = append(list, l)
		return err
	})
	return list, err
}

// lookOut refuses associations that lead out of the tree, and notes the sources of the others. An end to which no path leads is in the trash: that association
// stays behind, out of sight, where it is.
func (x *exporter) lookOut(list []registry.Association) error {
	where, err := x.where(list, func(l registry.Association) registry.ID { return l.Target.ID })
	if err != nil {
		return err
	}
	for _, l := range list {
		switch w := where[l.Target.ID]; {
		case w == elsewhere:
			return x.crossing(l)
		case (l.Target.URI != "" || w == inTree) && (len(x.linked) == 0 || x.linked[len(x.linked)-1] != l.Source.ID):
			x.linked = append(x.linked, l.Source.ID)
		}
	}
	return nil
}

// lookIn refuses associations that lead into the tree.
func (x *exporter) lookIn(list []registry.Association) error {
	where, err := x.where(list, func(l registry.Association) registry.ID { return l.Source.ID })
	if err != nil {
		return err
	}
	for _, l := range list {
		if where[l.Source.ID] == elsewhere {
			return x.crossing(l)
		}
	}
	return nil
}

// emitInside emits the associations that lie in the tree.
func (x *exporter) emitInside(list []registry.Association) error {
	where, err := x.where(list, func(l registry.Association) registry.ID { return l.Target.ID })
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l registry.Association) bool { return l.Target.URI == "" && where[l.Target.ID] != inTree })
	if len(list) == 0 {
		return nil
	}
	return x.emit(registry.TreeBatch{Associations: list})
}

// crossing gives the error for an association with one end outside.
func (x *exporter) crossing(l registry.Association) error {
	places, err := x.store.climbAll(x.ctx, x.read.statements, []registry.ID{l.Source.ID, l.Target.ID})
	if err != nil {
		return err
	}
	for _, e := range []*registry.End{&l.Source, &l.Target} {
		c := places[e.ID]
		e.Place = registry.Place{ID: e.ID, Kind: c.kind, Path: c.path(e.ID)}
	}
	return x.what.Crossing(l)
}

// whereabouts tell where a node is.
type whereabouts int

const (
	nowhere   whereabouts = iota // no path leads to it
	inTree                       // at the top of the tree or below it
	elsewhere                    // in sight, outside
)

// where finds the far ends of associations, level by level up: one statement for each level, whatever the number of ends.
func (x *exporter) where(list []registry.Association, far func(registry.Association) registry.ID) (map[registry.ID]whereabouts, error) {
	at := map[registry.ID]registry.ID{} // how far up each end was followed
	found := map[registry.ID]whereabouts{}
	for _, l := range list {
		if id := far(l); !id.IsZero() {
			at[id] = id
		}
	}
	for range 2*registry.MaxDepth + 2 {
		level := map[registry.ID]bool{}
		for end, id := range at {
			switch id {
			case x.top:
				found[end] = inTree
			case rootID:
				found[end] = elsewhere
			case trashID, registry.ID{}:
				found[end] = nowhere
			default:
				level[id] = true
				continue
			}
			delete(at, end)
		}
		if len(level) == 0 {
			break
		}
		up, err := x.parents(level)
		if err != nil {
			return nil, err
		}
		for end, id := range at {
			at[end] = up[id] // zero where the node is gone
		}
	}
	return found, nil
}

func (x *exporter) parents(ids map[registry.ID]bool) (map[registry.ID]registry.ID, error) {
	up := map[registry.ID]registry.ID{}
	list := make([]registry.ID, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	query := "SELECT id, parent FROM node WHERE id IN (" + placeholders(len(list)) + ")"
	err := x.read.each(x.ctx, "export", query, idArgs(list), func(rows *sqlx.Rows) error {
		var id, parent []byte
		err := rows.Scan(&id, &parent)
		up[toID(id)] = toID(parent)
		return err
	})
	return up, err
}
