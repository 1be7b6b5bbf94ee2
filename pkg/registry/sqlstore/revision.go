package sqlstore

import (
	"context"
	"slices"

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
	v, next, err := o.neighbours(id, n)
	if err != nil {
		return o.passing(err)
	}
	guards, err := o.guards(id)
	if err != nil {
		return o.passing(err)
	}
	if len(guards) > maxGuards || guarded(guards, v.seq, next) {
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
func (o *operation) neighbours(id registry.ID, n int64) (v oldVersion, next int64, err error) {
	next = int64(1) << 62
	query := "SELECT v.n, v.seq FROM version v WHERE v.node = ? AND v.n >= ? ORDER BY v.n LIMIT 2"
	err = o.tx.each(o.ctx, "prune", query, []any{id[:], n}, func(rows *sqlx.Rows) error {
		var row oldVersion
		err := rows.Scan(&row.n, &row.seq)
		if row.n == n {
			v = row
		} else if v.n == n {
			next = row.seq
		}
		return err
	})
	if err == nil && v.n != n {
		err = noVersion(n)
	}
	return v, next, err
}

// guards gives the positions of the checkpoints that need versions of a node, sorted: its own, as the operation leaves them, and those of the
// collections above it.
func (o *operation) guards(id registry.ID) ([]int64, error) {
	p := &pruner{store: o.store, ctx: o.ctx}
	above, _, _, err := p.above(o.tx.statements, id)
	if err != nil {
		return nil, err
	}
	var guards []int64
	if len(above) > 0 {
		if guards, err = p.guards(o.tx.statements, above); err != nil {
			return nil, err
		}
	}
	own, err := o.Checkpoints(id)
	for _, c := range own {
		guards = append(guards, c.Seq.N)
	}
	slices.Sort(guards)
	return guards, err
}
