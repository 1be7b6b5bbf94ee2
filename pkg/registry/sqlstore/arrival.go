package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The states of a tree that comes from another store; the numbers are those in the database.
const (
	arrivalNone  = 0 // nothing of it came, or it is over
	arrivalGrows = 1
	arrivalDone  = 2 // it is in the tree, or was
	arrivalNever = 3 // it was given up, and is being removed
)

var arrivalTable = table{"arrival", []string{"id", "node", "state", "seq", "at_us"}}

// arrival is a row of the table arrival. The zero value stands for none.
type arrival struct {
	node  registry.ID
	state int64
	seq   int64 // of its first batch
}

// arrival reads the row of an import. A node of it may have lived here before under the same id, and memory may know it as it was then: from here on the
// unit asks the database.
func (o *operation) arrival(id registry.ID) (arrival, error) {
	o.warm = false
	var a arrival
	err := o.tx.each(o.ctx, "arrival", "SELECT node, state, seq FROM arrival WHERE id = ?", []any{id[:]}, func(rows *sqlx.Rows) error {
		var node []byte
		err := rows.Scan(&node, &a.state, &a.seq)
		a.node = toID(node)
		return err
	})
	if err != nil {
		return arrival{}, o.broken(err)
	}
	return a, nil
}

// Arrive implements [registry.TransferTx].
func (o *operation) Arrive(id registry.ID, parent registry.Resource, name string) (registry.Resource, error) {
	a, err := o.arrival(id)
	if err != nil {
		return registry.Resource{}, err
	}
	if a.state != arrivalGrows {
		return registry.Resource{}, registry.Errorf(registry.CodeUnavailable, "somebody else has ended the copy to the store %s; try again", o.store.name)
	}
	r, err := o.release(a.node, stateCopying, parent, name, actCopy)
	if err != nil {
		return registry.Resource{}, err
	}
	o.touch(item{actArrive, r.ID, r.Version, parent.ID, name})
	return r, o.send("write_arrival", "UPDATE arrival SET state = ? WHERE id = ?", arrivalDone, id[:])
}

// AbandonArrival implements [registry.TransferStore]. It and Arrive take turns, so that one of them finds what the other did. What there is of the tree is claimed
// for removal: it can neither grow nor take its place.
func (s *Store) AbandonArrival(ctx context.Context, op registry.Op, id registry.ID) (bool, error) {
	op.Actor.Once = registry.Once{}
	var a arrival
	_, err := s.update(ctx, op, func(o *operation) (err error) {
		if a, err = o.arrival(id); err != nil || a.state != arrivalGrows {
			return err
		}
		row, n, err := o.trash(a.node, stateCopying)
		if err != nil {
			return err
		}
		row.state = statePurging
		o.own.trash[a.node] = row
		o.touch(item{actStage, a.node, 0, trashID, n.name})
		return o.send("write_arrival", "UPDATE arrival SET state = ? WHERE id = ?", arrivalNever, id[:])
	})
	return err == nil && a.state == arrivalDone, err
}

const clearLease = "arrivals"

// ClearArrivals implements [registry.TransferStore].
func (s *Store) ClearArrivals(ctx context.Context, id registry.ID) error {
	list, err := s.abandoned(ctx, id)
	if err != nil || len(list) == 0 {
		return s.fail("look for what was given up", err)
	}
	if id.IsZero() {
		l, ok, err := s.takeLease(ctx, clearLease, leaseLength)
		if err != nil || !ok {
			return s.fail("take the lease of what was given up", err)
		}
		defer func() { _ = l.release(context.WithoutCancel(ctx)) }() // it ends by itself
	}
	for _, top := range list {
		if err := s.Remove(ctx, top); err != nil {
			return err
		}
	}
	return nil
}

// abandoned reads the tops of trees that were given up: of one, or of some. The table has a row for each move or copy that goes on, and so is all but empty.
func (s *Store) abandoned(ctx context.Context, id registry.ID) ([]registry.ID, error) {
	which, args := "", []any{arrivalNever}
	if !id.IsZero() {
		which, args = " AND id = ?", append(args, id[:])
	}
	var list []registry.ID
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "arrival", "SELECT node FROM arrival WHERE state = ?"+which+" LIMIT ?", append(args, sweepBatch), func(rows *sqlx.Rows) error {
			var top []byte
			err := rows.Scan(&top)
			list = append(list, toID(top))
			return err
		})
	})
	return list, err
}

// HasArrived implements [registry.TransferStore].
func (s *Store) HasArrived(ctx context.Context, id registry.ID) (bool, error) {
	n := 0
	query := "SELECT COUNT(*) FROM arrival WHERE id = ? AND state = ?"
	err := s.retryRead(ctx, func() error { return s.read.one(ctx, "arrival", query, []any{id[:], arrivalDone}, &n) })
	return n > 0, s.fail("look for a copy", err)
}

// ForgetArrival implements [registry.TransferStore].
func (s *Store) ForgetArrival(ctx context.Context, id registry.ID) error {
	err := s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "forget", "DELETE FROM arrival WHERE id = ? AND state = ?", id[:], arrivalDone)
		return err
	})
	return s.fail("forget a copy", err)
}

// dropArrivals deletes the rows of trees that never came into the tree, with their tops.
func (o *operation) dropArrivals(in string, ids []any) error {
	_, err := o.tx.exec(o.ctx, "remove", "DELETE FROM arrival WHERE node"+in+" AND state <> ?", append(ids[:len(ids):len(ids)], arrivalDone)...)
	return err
}
