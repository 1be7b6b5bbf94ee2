package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

// unit is one transaction of the committer: the state that its operations see, and what they leave to be written. The operations run one after the
// other, each on a layer of its own, which joins the unit's when the operation succeeds. Not for concurrent use.
type unit struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the port's Tx has none; this is the one of the transaction
	tx    *txn
	head  snapshot // where the change log stands; nobody else can move it while the transaction runs
	warm  bool     // memory is at head, and so exactly what the database holds

	known   layer // rows as they are after the operations that have succeeded
	created map[registry.ID]bool
	dirty   map[registry.ID]bool
	changed []registry.ID // the dirty nodes, in the order of their first change
	moved   map[registry.ID]bool
	trashed map[registry.ID]bool // nodes whose row of the trash is to be written

	sealed int64  // how many subtrees are (seal.go)
	seals  *seals // which ones, once they were read

	answers []answer

	versions []versionDraft
	metas    map[registry.Hash][]byte
	blobs    map[registry.Hash]*staged
	ops      []opDraft
	size     int // bytes of what is to be written, about

	err error // the transaction is broken: nothing of the unit can be written
}

// layer is a part of the tree as far as it was looked at. A zero id in dirents means that there is no such name.
type layer struct {
	nodes    map[registry.ID]node
	dirents  map[dirent]registry.ID
	versions map[versionKey]registry.Version
	trash    map[registry.ID]trashRow
	labels   map[registry.ID][]registry.Label // all of a node, by name
	rules    map[registry.ID]registry.Retention
	checks   map[registry.ID][]registry.Checkpoint // all of a node, by name
}

func newLayer() layer {
	return layer{
		nodes: map[registry.ID]node{}, dirents: map[dirent]registry.ID{}, versions: map[versionKey]registry.Version{},
		trash:  map[registry.ID]trashRow{},
		labels: map[registry.ID][]registry.Label{}, rules: map[registry.ID]registry.Retention{}, checks: map[registry.ID][]registry.Checkpoint{},
	}
}

func (l layer) add(o layer) {
	maps.Copy(l.nodes, o.nodes)
	maps.Copy(l.dirents, o.dirents)
	maps.Copy(l.versions, o.versions)
	maps.Copy(l.trash, o.trash)
	maps.Copy(l.labels, o.labels)
	maps.Copy(l.rules, o.rules)
	maps.Copy(l.checks, o.checks)
}

// versionDraft is a row of the table version to be written.
type versionDraft struct {
	registry.Version
	metaSum registry.Hash
	seq     int64
}

// opDraft is a row of the table txn to be written, with its items.
type opDraft struct {
	id     uuid.UUID
	op     registry.Op
	items  []item
	left   []leaving
	last   []func(u *unit, seq int64) error
	traces []trace // one for each item
}

func newUnit(ctx context.Context, s *Store, tx *txn, head snapshot, sealed int64) *unit {
	cursor, valid := s.mem.at()
	return &unit{
		store: s, ctx: ctx, tx: tx, head: head, warm: valid && cursor == head, sealed: sealed,
		known: newLayer(), created: map[registry.ID]bool{}, dirty: map[registry.ID]bool{},
		metas: map[registry.Hash][]byte{}, blobs: map[registry.Hash]*staged{},
		moved: map[registry.ID]bool{}, trashed: map[registry.ID]bool{},
	}
}

// seq is the position of the change log after the operations that have succeeded.
func (u *unit) seq() int64 { return u.head.seq + int64(len(u.ops)) }

// broken notes a failure of the database, after which nothing that the unit saw can be trusted.
func (u *unit) broken(err error) error {
	if u.err == nil {
		u.err = err
	}
	return err
}

// operation is one operation of a unit. It implements [registry.Tx].
type operation struct {
	*unit
	op       registry.Op
	own      layer
	created  []registry.ID
	changed  []registry.ID
	versions []versionDraft
	metas    map[registry.Hash][]byte
	blobs    []*staged
	items    []item
	moved    []registry.ID
	answer   *answer
	last     []func(u *unit, seq int64) error // statements that flush sends, with the position of the operation
	size     int
	sent     bool // it has written rows already, beside what flush writes
	passes   bool // it may change what is sealed
	reseals  bool // it changes what is sealed

	traces []trace // one for each item
	places places
}

var _ registry.Tx = (*operation)(nil)

func (u *unit) operation(op registry.Op) *operation {
	return &operation{unit: u, op: op, own: newLayer(), metas: map[registry.Hash][]byte{}}
}

// join adds what a successful operation did to its unit, and tells the position of the change log at which it takes effect.
func (o *operation) join(id uuid.UUID) int64 {
	u := o.unit
	if len(o.items) == 0 {
		return u.seq()
	}
	u.ops = append(u.ops, opDraft{id, o.op, o.items, o.left(), o.last, o.traces})
	for _, n := range o.created {
		u.created[n] = true
	}
	for _, n := range o.changed {
		if !u.dirty[n] {
			u.dirty[n] = true
			u.changed = append(u.changed, n)
		}
	}
	for _, n := range o.moved {
		u.moved[n] = true
	}
	for n := range o.own.trash {
		u.trashed[n] = true
	}
	o.dated(u.seq())
	u.known.add(o.own)
	for _, v := range o.versions {
		v.seq = u.seq()
		u.versions = append(u.versions, v)
	}
	maps.Copy(u.metas, o.metas)
	for _, b := range o.blobs {
		if u.blobs[b.hash] == nil {
			u.blobs[b.hash] = b
		}
	}
	if o.reseals {
		u.sealed, u.seals = 1, nil // those after it must look again
	}
	if o.answer != nil {
		o.answer.seq = u.seq()
		u.answers = append(u.answers, *o.answer)
	}
	u.size += o.size
	return u.seq()
}

// Get implements [registry.Tx].
func (o *operation) Get(p registry.Path) (registry.Resource, error) {
	id, names := o.store.root(), p.Names()
	for i, name := range names {
		child, ok, err := o.child(id, names[i:], name)
		if err != nil {
			return registry.Resource{}, err
		}
		if !ok {
			return registry.Resource{}, o.missing(p, names[:i], id)
		}
		id = child
	}
	n, err := o.node(id)
	if err != nil {
		return registry.Resource{}, err
	}
	o.places.note(id, p)
	return n.at(p, o.store.name, o.head.seq), nil
}

// missing says that nothing is at p, or that p goes on below a link: changes follow none.
func (o *operation) missing(p registry.Path, above []string, last registry.ID) error {
	n, err := o.node(last)
	if err != nil {
		return err
	}
	if n.Kind == registry.KindLink {
		return registry.Errorf(registry.CodeConflict, "/%s is a link to %s; changes are made there", strings.Join(above, "/"), n.Meta.Link)
	}
	return notFound(p)
}

// child finds a name below a node; rest is the path from there on, which a look in the database reads at once.
func (o *operation) child(parent registry.ID, rest []string, name string) (registry.ID, bool, error) {
	k := dirent{parent, name}
	if id, ok := o.own.dirents[k]; ok {
		return id, !id.IsZero(), nil
	}
	if id, ok := o.known.dirents[k]; ok {
		return id, !id.IsZero(), nil
	}
	if o.isNew(parent) {
		return registry.ID{}, false, nil
	}
	if o.warm {
		if id, ok := lookup(o.store.mem, o.store.mem.dirents, k); ok {
			o.known.dirents[k] = id
			return id, true, nil
		}
	}
	if err := o.load(parent, rest); err != nil {
		return registry.ID{}, false, err
	}
	id := o.known.dirents[k]
	return id, !id.IsZero(), nil
}

// isNew tells whether the database does not have the node yet.
func (o *operation) isNew(id registry.ID) bool {
	if o.unit.created[id] {
		return true
	}
	return slices.Contains(o.created, id)
}

// load reads names below a node into what the unit knows. What it knows already is newer than the database and stays.
func (o *operation) load(parent registry.ID, names []string) error {
	f, err := o.store.queryPath(o.ctx, o.tx.statements, parent, names)
	if err != nil {
		return o.broken(err)
	}
	for i, id := range f.ids {
		o.learn(dirent{f.parent(i), names[i]}, id)
	}
	if !f.complete() {
		o.learn(dirent{f.parent(len(f.ids)), names[len(f.ids)]}, registry.ID{})
		return nil
	}
	if _, ok := o.known.nodes[f.node.ID]; !ok {
		o.known.nodes[f.node.ID] = f.node
	}
	return nil
}

func (o *operation) learn(k dirent, id registry.ID) {
	if _, ok := o.known.dirents[k]; !ok {
		o.known.dirents[k] = id
	}
}

// node gives a node by its id.
func (o *operation) node(id registry.ID) (node, error) {
	if n, ok := o.own.nodes[id]; ok {
		return n, nil
	}
	if n, ok := o.known.nodes[id]; ok {
		return n, nil
	}
	if o.warm {
		if n, ok := lookup(o.store.mem, o.store.mem.nodes, id); ok {
			o.known.nodes[id] = n
			return n, nil
		}
	}
	f, err := o.store.queryPath(o.ctx, o.tx.statements, id, nil)
	if err != nil {
		return node{}, o.broken(err)
	}
	if f.node.ID != id {
		return node{}, registry.Errorf(registry.CodeNotFound, "there is no resource with the id %s", id)
	}
	o.known.nodes[id] = f.node
	return f.node, nil
}

// Version implements [registry.Tx].
func (o *operation) Version(id registry.ID, n int64) (registry.Version, error) {
	k := versionKey{id, n}
	if v, ok := o.own.versions[k]; ok {
		return v, nil
	}
	if v, ok := o.known.versions[k]; ok {
		return v, nil
	}
	if o.warm {
		if v, ok := lookup(o.store.mem, o.store.mem.versions, k); ok {
			return v, nil
		}
	}
	var head headRow
	var row versionRow
	err := o.tx.one(o.ctx, "version", versionQuery, []any{id[:], n}, append(head.dest(), row.dest()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Version{}, noVersion(n)
	}
	if err != nil {
		return registry.Version{}, o.broken(err)
	}
	v, err := row.version()
	if err != nil {
		return registry.Version{}, fmt.Errorf("store %s: %w", o.store.name, err)
	}
	o.known.versions[k] = v
	return v, nil
}
