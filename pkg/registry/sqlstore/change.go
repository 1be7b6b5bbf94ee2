package sqlstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

// The changes of an operation. Each notes the new state in the operation's layer and what it touched; flush.go writes it.

// Create implements [registry.Tx].
func (o *operation) Create(parent registry.Resource, name string, kind registry.Kind, d registry.Draft) (registry.Resource, error) {
	return o.create(parent, name, kind, d, actCreate, "")
}

// Copy implements [registry.TreeTx].
func (o *operation) Copy(r, parent registry.Resource, name string) (registry.Resource, error) {
	return o.create(parent, name, r.Kind, registry.Draft{Meta: r.Meta, Hash: r.Hash, Size: r.Size}, actCopy, o.pathOf(r))
}

// create makes a node, which the change log tells of as a; related is the path that it is told with.
func (o *operation) create(parent registry.Resource, name string, kind registry.Kind, d registry.Draft, a act, related registry.Path) (registry.Resource, error) {
	up, err := o.node(parent.ID)
	if err != nil {
		return registry.Resource{}, err
	}
	if up.Kind != registry.KindCollection || up.parent == trashID {
		return registry.Resource{}, registry.Errorf(registry.CodeConflict, "%s is not a collection", parent.Path)
	}
	k := dirent{up.ID, name}
	_, taken, err := o.child(up.ID, []string{name}, name)
	if err != nil {
		return registry.Resource{}, err
	}
	if taken {
		return registry.Resource{}, registry.Errorf(registry.CodeConflict, "%s exists already", child(parent.Path, name))
	}
	id, err := uuid.NewV7()
	if err != nil {
		return registry.Resource{}, fmt.Errorf("make an id: %w", err)
	}
	n := node{parent: up.ID, name: name}
	n.ID, n.Kind, n.Gen = registry.ID(id), kind, 0
	n.CreatedAt, n.CreatedBy = o.at(), o.op.Actor.User
	o.created = append(o.created, n.ID)
	if err := o.revise(&n, d); err != nil {
		return registry.Resource{}, err
	}
	o.own.dirents[k] = n.ID
	p := child(o.pathOf(parent), name)
	o.places.note(n.ID, p)
	up.Gen++
	o.put(up)
	o.touchAt(item{a, n.ID, n.Version, up.ID, name}, p, related)
	return n.at(child(parent.Path, name), o.store.name, o.head.seq), nil
}

// Revise implements [registry.Tx].
func (o *operation) Revise(r registry.Resource, d registry.Draft) (registry.Resource, error) {
	n, err := o.node(r.ID)
	if err != nil {
		return registry.Resource{}, err
	}
	if n.parent == trashID {
		return registry.Resource{}, notFound(r.Path)
	}
	if err := o.revise(&n, d); err != nil {
		return registry.Resource{}, err
	}
	o.touchAt(item{actRevise, n.ID, n.Version, n.parent, n.name}, o.pathOf(r), "")
	return n.at(r.Path, o.store.name, o.head.seq), nil
}

// Trash implements [registry.Tx]. One row moves, however much lies below it: nothing leads there any more.
func (o *operation) Trash(r registry.Resource) error {
	n, err := o.node(r.ID)
	if err != nil {
		return err
	}
	switch {
	case n.ID == o.store.root():
		return registry.Errorf(registry.CodeConflict, "the root of a store cannot be deleted")
	case n.parent == trashID:
		return notFound(r.Path)
	}
	up, err := o.node(n.parent)
	if err != nil {
		return err
	}
	o.touchAt(item{actTrash, n.ID, n.Version, n.parent, n.name}, o.pathOf(r), "")
	o.own.dirents[dirent{n.parent, n.name}] = registry.ID{}
	up.Gen++
	o.put(up)
	from := n.parent
	n.parent, n.name = trashID, n.ID.String()
	n.Gen++
	o.move(n)
	o.own.trash[n.ID] = trashRow{stateDeleted, r.Path, o.op.Actor.User, o.at(), from}
	return nil
}

// revise makes d the next version of n.
func (o *operation) revise(n *node, d registry.Draft) error {
	data, sum, err := encodeMeta(d.Meta)
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	if err := o.content(d); err != nil {
		return err
	}
	n.Version++
	n.Gen++
	n.Meta, n.metaSum, n.Hash, n.Size = d.Meta, sum, d.Hash, d.Size
	n.UpdatedAt, n.UpdatedBy, n.Comment = o.at(), o.op.Actor.User, d.Comment
	v := registry.Version{
		Resource: n.ID, Number: n.Version, Meta: n.Meta, Size: n.Size, Hash: n.Hash, CreatedAt: n.UpdatedAt, CreatedBy: n.UpdatedBy,
		Comment: n.Comment,
	}
	o.own.versions[versionKey{n.ID, n.Version}] = v
	o.versions = append(o.versions, versionDraft{Version: v, metaSum: sum})
	o.size += len(d.Comment)
	if _, has := lookup(o.store.mem, o.store.mem.metas, sum); !has || !o.warm {
		o.metas[sum] = data
		o.size += len(data)
	}
	o.put(*n)
	return nil
}

// content takes over the content of a draft.
func (o *operation) content(d registry.Draft) error {
	if d.Staged == nil {
		return nil
	}
	g, ok := d.Staged.(*staged)
	if !ok || g.store != o.store {
		return fmt.Errorf("store %s: the content was staged by another store", o.store.name)
	}
	if g.hash != d.Hash || g.size != d.Size {
		return fmt.Errorf("store %s: the draft names another content than the staged one", o.store.name)
	}
	o.blobs = append(o.blobs, g)
	o.size += len(g.small)
	return nil
}

func (o *operation) put(n node) {
	o.own.nodes[n.ID] = n
	if slices.Contains(o.changed, n.ID) {
		return
	}
	o.changed = append(o.changed, n.ID)
}

// touch notes what happens to a node where the operation found it, or to something that has no path.
func (o *operation) touch(i item) { o.touchAt(i, o.places.paths[i.node], "") }

// touchAt notes what happens at a path; related is the other path that it is about, "" for none.
func (o *operation) touchAt(i item, p, related registry.Path) {
	t := trace{path: p, related: related}
	t.before, t.after = o.bodies(i)
	o.items, o.traces = append(o.items, i), append(o.traces, t)
	o.size += len(i.name) + len(p) + len(related) + 200
}

// at is the time of the operation as the database keeps it.
func (o *operation) at() time.Time { return toTime(toMicros(o.op.At)) }
