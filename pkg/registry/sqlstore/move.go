package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// What moves a node, however much lies below it, writes its own row and those of the collections that it leaves and enters: nothing below it
// knows where it is.

// The states of a row of the trash; the numbers are those in the database.
const (
	stateGone    = 0 // there is no row
	stateDeleted = 1
	statePurging = 2 // nothing brings it back; its rows are being removed
	stateCopying = 3 // a copy that is not complete
)

// trashRow is a row of the table trash. The zero value stands for none.
type trashRow struct {
	state int64
	path  registry.Path
	actor string
	at    time.Time
	from  registry.ID // the collection that it was in; known of what this transaction deleted
}

var trashParentTable = table{"trash_parent", []string{"node", "parent"}}

var trashTable = table{"trash", []string{"node", "state", "path", "actor", "at_us"}}

// Move implements [registry.TreeTx].
func (o *operation) Move(r, parent registry.Resource, name string) (registry.Resource, error) {
	n, err := o.node(r.ID)
	if err != nil {
		return registry.Resource{}, err
	}
	switch {
	case n.ID == o.store.root():
		return registry.Resource{}, registry.Errorf(registry.CodeConflict, "the root of a store cannot be moved")
	case n.parent == trashID:
		return registry.Resource{}, notFound(r.Path)
	case n.parent == parent.ID && n.name == name:
		return n.at(r.Path, o.store.name, o.head.seq), nil
	}
	if err := o.outside(n.ID, parent); err != nil {
		return registry.Resource{}, err
	}
	old, err := o.node(n.parent)
	if err != nil {
		return registry.Resource{}, err
	}
	o.places.note(n.ID, o.pathOf(r))
	return o.leave(n, old, parent, name, actMove)
}

// leave takes a node from the collection old to a place where the name is free. What lay in the trash had no path.
func (o *operation) leave(n, old node, parent registry.Resource, name string, a act) (registry.Resource, error) {
	from := o.places.paths[n.ID]
	moved, err := o.place(n, parent, name)
	if err != nil {
		return registry.Resource{}, err
	}
	if n.parent != parent.ID { // otherwise place has counted the change
		old.Gen++
		o.put(old)
	}
	o.own.dirents[dirent{n.parent, n.name}] = registry.ID{}
	to := o.pathOf(moved)
	o.touchAt(item{actLeave, n.ID, n.Version, n.parent, n.name}, from, to)
	o.touchAt(item{a, n.ID, n.Version, parent.ID, name}, to, from)
	return moved, nil
}

// outside refuses a collection that is the node or lies below it.
func (o *operation) outside(id registry.ID, parent registry.Resource) error {
	for up := parent.ID; up != o.store.root(); {
		if up == id {
			return registry.Errorf(registry.CodeConflict, "%s lies at or below what is to be moved there", parent.Path)
		}
		n, err := o.node(up)
		if err != nil {
			return err
		}
		if n.parent == trashID || n.parent.IsZero() {
			return notFound(parent.Path)
		}
		up = n.parent
	}
	return nil
}

// place puts n at name in a collection where the name is free. The caller notes the item.
func (o *operation) place(n node, parent registry.Resource, name string) (registry.Resource, error) {
	up, err := o.node(parent.ID)
	if err != nil {
		return registry.Resource{}, err
	}
	if up.Kind != registry.KindCollection || up.parent == trashID {
		return registry.Resource{}, registry.Errorf(registry.CodeConflict, "%s is not a collection", parent.Path)
	}
	p := child(parent.Path, name)
	_, taken, err := o.child(up.ID, []string{name}, name)
	if err != nil {
		return registry.Resource{}, err
	}
	if taken {
		return registry.Resource{}, registry.Errorf(registry.CodeConflict, "%s exists already", p)
	}
	up.Gen++
	o.put(up)
	n.parent, n.name = up.ID, name
	n.Gen++
	o.move(n)
	o.own.dirents[dirent{up.ID, name}] = n.ID
	o.places.note(n.ID, child(o.pathOf(parent), name))
	return n.at(p, o.store.name, o.head.seq), nil
}

// move is put for a node that is at another place now.
func (o *operation) move(n node) {
	o.put(n)
	o.moved = append(o.moved, n.ID)
}

// Deleted implements [registry.TreeTx].
func (o *operation) Deleted(id registry.ID) (registry.Deleted, error) {
	row, n, err := o.trash(id, stateDeleted)
	if err != nil {
		return registry.Deleted{}, err
	}
	return row.entry(n, o.store.name, o.head.seq), nil
}

// Undelete implements [registry.TreeTx].
func (o *operation) Undelete(id registry.ID, parent registry.Resource, name string) (registry.Resource, error) {
	return o.release(id, stateDeleted, parent, name, actUndelete)
}

// Attach implements [registry.TreeTx].
func (o *operation) Attach(id registry.ID, parent registry.Resource, name string) (registry.Resource, error) {
	return o.release(id, stateCopying, parent, name, actCopy)
}

// release takes what has a row of the trash with that state to a place in the tree.
func (o *operation) release(id registry.ID, state int64, parent registry.Resource, name string, a act) (registry.Resource, error) {
	row, n, err := o.trash(id, state)
	if err != nil {
		return registry.Resource{}, err
	}
	r, err := o.place(n, parent, name)
	if err != nil {
		return registry.Resource{}, err
	}
	o.touchAt(item{a, id, n.Version, parent.ID, name}, o.pathOf(r), row.path) // of a copy the row has its source
	o.own.trash[id] = trashRow{}
	return r, nil
}

// Purge implements [registry.TreeTx].
func (o *operation) Purge(id registry.ID) error {
	row, n, err := o.trash(id, stateDeleted)
	if err != nil {
		return err
	}
	row.state = statePurging
	o.own.trash[id] = row
	o.touchAt(item{actPurge, id, n.Version, trashID, n.name}, row.path, "")
	return nil
}

// trash gives a row of the trash that has that state, with its node.
func (o *operation) trash(id registry.ID, state int64) (trashRow, node, error) {
	row, err := o.trashRow(id)
	if err != nil {
		return trashRow{}, node{}, err
	}
	if row.state != state {
		return trashRow{}, node{}, noEntry(id)
	}
	n, err := o.node(id)
	return row, n, err
}

func noEntry(id registry.ID) error {
	return registry.Errorf(registry.CodeNotFound, "there is no entry %s in the trash", id)
}

const trashRowQuery = "SELECT state, path, actor, at_us FROM trash WHERE node = ?"

func (o *operation) trashRow(id registry.ID) (trashRow, error) {
	if row, ok := o.own.trash[id]; ok {
		return row, nil
	}
	if row, ok := o.known.trash[id]; ok {
		return row, nil
	}
	row, err := readTrashRow(o.ctx, o.tx.statements, id)
	if err != nil {
		return trashRow{}, o.broken(err)
	}
	o.known.trash[id] = row
	return row, nil
}

// readTrashRow gives the zero row when there is none.
func readTrashRow(ctx context.Context, q statements, id registry.ID) (trashRow, error) {
	var row trashRow
	var path, actor []byte
	var atUS int64
	err := q.one(ctx, "trash", trashRowQuery, []any{id[:]}, &row.state, &path, &actor, &atUS)
	if errors.Is(err, sql.ErrNoRows) {
		return trashRow{}, nil
	}
	row.path, row.actor, row.at = registry.Path(path), string(actor), toTime(atUS)
	return row, err
}

// entry is the row as callers see it.
func (r trashRow) entry(n node, store string, seq int64) registry.Deleted {
	return registry.Deleted{Resource: n.at(r.path, store, seq), By: r.actor, At: r.at}
}

// flushTrash writes the rows of the trash that the operations changed.
func (u *unit) flushTrash() error {
	var rows, from [][]any
	var gone []any
	for id := range u.trashed {
		row := u.known.trash[id]
		if row.state == stateGone {
			gone = append(gone, id[:])
			continue
		}
		if !row.from.IsZero() {
			from = append(from, []any{id[:], row.from[:]})
		}
		rows = append(rows, []any{id[:], row.state, []byte(row.path), []byte(row.actor), toMicros(row.at)})
	}
	suffix := u.store.backend.dialect.onConflict("node", trashTable.columns[1:]...)
	if err := u.insert(trashTable, rows, suffix); err != nil {
		return err
	}
	if err := u.insert(trashParentTable, from, u.store.backend.dialect.onConflict("node", "parent")); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	for _, table := range []table{trashTable, trashParentTable} {
		if _, err := u.tx.exec(u.ctx, "write_trash", "DELETE FROM "+table.name+" WHERE node IN ("+placeholders(len(gone))+")", gone...); err != nil {
			return fmt.Errorf("write trash: %w", err)
		}
	}
	return nil
}
