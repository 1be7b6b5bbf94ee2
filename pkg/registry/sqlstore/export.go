package sqlstore

import (
	"cmp"
	"context"
	"errors"
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
	size   batchSize           // of them
	fits   map[string]int      // how many rows one statement asks for of a table, where they are large
	linked []registry.ID       // nodes with associations within the tree, which are emitted after all nodes
}

// ExportTree implements [registry.TransferStore].
func (s *Store) ExportTree(ctx context.Context, e registry.TreeExport, emit func(registry.TreeBatch) error) error {
	t, end, err := s.snapshot(ctx)
	if err != nil {
		return s.fail("read a tree", err)
	}
	defer end()
	top, err := s.top(ctx, t, e.Path, e.If)
	if err != nil {
		return s.fail("read a tree", err)
	}
	x := &exporter{store: s, ctx: ctx, read: t, what: e, emit: emit, top: top.ID, fits: map[string]int{}}
	return s.fail("read a tree", x.run(top))
}

// run emits the nodes, with what belongs to them, and then the associations.
func (x *exporter) run(top node) error {
	if _, err := x.take(top, registry.ID{}); err != nil {
		return err
	}
	if top.Kind == registry.KindCollection {
		walk := &treeWalk{store: x.store, read: x.read, visit: x.take, paged: x.flushFull, keeps: true}
		if err := walk.below(x.ctx, top.ID, top.ID); err != nil {
			return err
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

// take notes a node.
func (x *exporter) take(n node, parent registry.ID) (registry.ID, error) {
	x.nodes = append(x.nodes, registry.TreeNode{Resource: n.Resource, Parent: parent, Name: n.name})
	x.size.add(n.Meta, n.Size)
	return n.ID, nil
}

func (x *exporter) flushFull() error {
	if !x.size.full() {
		return nil
	}
	return x.flush()
}

func (x *exporter) asks(table string) int { return cmp.Or(x.fits[table], copyBatch) }

// flush emits the nodes that wait, in parts, each with what belongs to it.
func (x *exporter) flush() error {
	for _, part := range nodeParts(x.nodes) {
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
		if err := x.associations(ids, false, x.lookOut); err != nil {
			return err
		}
		if err := x.associations(ids, true, x.lookIn); err != nil {
			return err
		}
	}
	x.nodes, x.size = nil, batchSize{}
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
	r := attachedRow{current: current, empty: true, fits: x.asks(t.from)}
	for rest := ids; ; {
		if !r.node.IsZero() {
			if len(t.keys) > 0 {
				args := append([]any{r.node[:]}, t.afterArgs(r.keys)...)
				if err := x.attachedPage(t, t.node+" = ? AND "+t.after(), args, &r); err != nil {
					return err
				}
			}
			if !r.full() {
				rest = rest[slices.Index(rest, r.node)+1:]
			}
		}
		if !r.full() && len(rest) > 0 {
			if err := x.attachedPage(t, t.node+" IN ("+placeholders(len(rest))+")", idArgs(rest), &r); err != nil {
				return err
			}
		}
		if !r.empty {
			if err := x.emit(r.batch); err != nil {
				return err
			}
		}
		if !r.full() {
			return nil
		}
		x.fits[t.from] = r.size.next(r.fits)
		r.batch, r.empty, r.fits, r.size = registry.TreeBatch{}, true, x.asks(t.from), batchSize{}
	}
}

// attachedPage reads rows into r, as many as still fit.
func (x *exporter) attachedPage(t attachedTable, which string, args []any, r *attachedRow) error {
	query := "SELECT " + t.columns + " FROM " + t.from + " WHERE " + which + " ORDER BY " + t.order() + " LIMIT ?"
	err := x.read.each(x.ctx, "export", query, append(args, r.fits-r.size.rows), func(rows *sqlx.Rows) error {
		before := r.size.rows
		if err := t.scan(rows, r); err != nil {
			return err
		}
		if r.size.rows == before {
			r.size.add(registry.Meta{}, 0)
		}
		return r.size.enough(r.fits)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
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
		e.Place = registry.Place{ID: e.ID, Kind: c.kind, Path: c.path(x.store.root(), e.ID)}
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
			case x.store.root():
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
