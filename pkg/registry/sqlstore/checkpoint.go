package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// checkpointsQuery reads one range of the primary key; a collection has at most MaxCheckpoints.
const checkpointsQuery = "SELECT c.name, c.seq, c.comment, c.set_by, c.set_us FROM checkpoint c WHERE c.node = ? ORDER BY c.name"

// Checkpoints implements [registry.Historian].
func (s *Store) Checkpoints(ctx context.Context, id registry.ID) ([]registry.Checkpoint, error) {
	var list []registry.Checkpoint
	err := s.retryRead(ctx, func() (err error) {
		list, err = s.queryCheckpoints(ctx, s.read.statements, id)
		return err
	})
	return list, s.fail("read checkpoints", err)
}

func (s *Store) queryCheckpoints(ctx context.Context, q statements, id registry.ID) ([]registry.Checkpoint, error) {
	list := []registry.Checkpoint{}
	err := q.each(ctx, "checkpoints", checkpointsQuery, []any{id[:]}, func(rows *sqlx.Rows) error {
		var name, comment, by []byte
		var seq, us int64
		if err := rows.Scan(&name, &seq, &comment, &by, &us); err != nil {
			return err
		}
		list = append(list, registry.Checkpoint{
			Resource: id, Name: string(name), Seq: registry.Seq{Store: s.name, N: seq}, Comment: string(comment), SetAt: toTime(us), SetBy: string(by),
		})
		return nil
	})
	return list, err
}

// Checkpoints implements [registry.Tx].
func (o *operation) Checkpoints(id registry.ID) ([]registry.Checkpoint, error) {
	if list, ok := o.own.checks[id]; ok {
		return list, nil
	}
	if list, ok := o.known.checks[id]; ok {
		return list, nil
	}
	list, err := o.store.queryCheckpoints(o.ctx, o.tx.statements, id)
	if err != nil {
		return nil, o.broken(err)
	}
	o.known.checks[id] = list
	return list, nil
}

// SetCheckpoint implements [registry.Tx].
func (o *operation) SetCheckpoint(r registry.Resource, c registry.Checkpoint) (registry.Checkpoint, error) {
	if c.Seq.N > o.seq() {
		return c, registry.Errorf(registry.CodeInvalid, "at is the position %d; the change log of the store %s ends at %d", c.Seq.N, o.store.name, o.seq())
	}
	c.Resource, c.SetAt, c.SetBy = r.ID, o.at(), o.op.Actor.User
	c.Seq.Store = o.store.name
	err := o.changeCheckpoints(r, c.Name, 1, func(list []registry.Checkpoint, i int) []registry.Checkpoint { return slices.Insert(list, i, c) })
	if err != nil {
		return c, err
	}
	o.last = append(o.last, func(u *unit, seq int64) error {
		if c.Seq.N > 0 {
			seq = c.Seq.N
		}
		row := []any{c.Resource[:], []byte(c.Name), seq, []byte(c.Comment), []byte(c.SetBy), toMicros(c.SetAt)}
		return u.insert(checkpointTable, [][]any{row}, "")
	})
	return c, nil
}

// RemoveCheckpoint implements [registry.Tx].
func (o *operation) RemoveCheckpoint(r registry.Resource, name string) error {
	err := o.changeCheckpoints(r, name, 0, func(list []registry.Checkpoint, i int) []registry.Checkpoint { return slices.Delete(list, i, i+1) })
	if err != nil {
		return err
	}
	o.last = append(o.last, func(u *unit, _ int64) error {
		_, err := u.tx.exec(u.ctx, "write_checkpoint", "DELETE FROM checkpoint WHERE node = ? AND name = ?", r.ID[:], []byte(name))
		return err
	})
	return nil
}

// changeCheckpoints notes the checkpoints of a node as change leaves them; i is where name is, or would be. left says how many of that name are left.
func (o *operation) changeCheckpoints(r registry.Resource, name string, left int64, change func(list []registry.Checkpoint, i int) []registry.Checkpoint) error {
	list, err := o.Checkpoints(r.ID)
	if err != nil {
		return err
	}
	n, err := o.node(r.ID)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearchFunc(list, name, func(c registry.Checkpoint, name string) int { return strings.Compare(c.Name, name) })
	o.own.checks[r.ID] = change(slices.Clone(list), i)
	o.touch(item{actCheck, r.ID, left, n.parent, name})
	return nil
}

var checkpointTable = table{"checkpoint", []string{"node", "name", "seq", "comment", "set_by", "set_us"}}
