package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// RemoveVersion implements [registry.Retainer]. It runs in a transaction of its own: nothing beside it can begin to need the version.
func (s *Store) RemoveVersion(
	ctx context.Context, op registry.Op, change func(tx registry.Tx, remove func(r registry.Resource, n int64) error) error,
) (registry.Seq, error) {
	return s.updateAlone(ctx, op, func(o *operation) error {
		return change(o, func(r registry.Resource, n int64) error { return o.removeVersion(r.ID, n) })
	})
}

func (o *operation) removeVersion(id registry.ID, n int64) error {
	v, err := o.neighbours(id, n)
	if err != nil {
		return o.passing(err)
	}
	own, err := o.Checkpoints(id) // as the operation leaves them: that of the revision goes with it
	if err != nil {
		return err
	}
	guards, ok, err := o.store.guards(o.ctx, o.tx.statements, id, own)
	if err != nil {
		return o.passing(err)
	}
	if !ok || guarded(guards, v.seq, v.until) {
		return registry.Errorf(registry.CodeConflict, "version %d is needed by a checkpoint; it stays as long as that", n)
	}
	list := []oldVersion{v}
	if err := o.suspect(someVersions(1), someVersionsArgs(id, list)...); err != nil {
		return o.broken(err)
	}
	node, err := o.node(id)
	if err != nil {
		return err
	}
	o.touch(item{actPrune, id, n, node.parent, node.name})
	o.last = append(o.last, func(u *unit, _ int64) error { return u.dropVersions(id, list) })
	return nil
}

// neighbours reads version n, and the position at which the next one that is there began: two rows of the primary key.
func (o *operation) neighbours(id registry.ID, n int64) (oldVersion, error) {
	v := oldVersion{until: forever}
	query := "SELECT v.n, v.seq FROM version v WHERE v.node = ? AND v.n >= ? ORDER BY v.n LIMIT 2"
	err := o.tx.each(o.ctx, "prune", query, []any{id[:], n}, func(rows *sqlx.Rows) error {
		var number, seq int64
		err := rows.Scan(&number, &seq)
		if number == n {
			v.n, v.seq = number, seq
		} else if v.n == n {
			v.until = seq
		}
		return err
	})
	if err == nil && v.n != n {
		err = noVersion(n)
	}
	return v, err
}
