package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// labelsQuery reads one range of the primary key; a resource has at most MaxLabels.
const labelsQuery = "SELECT l.label, l.n, l.seq, l.set_by, l.set_us FROM label l WHERE l.node = ? ORDER BY l.label"

// Labels implements [registry.Store]. Memory keeps none: they are few, and read seldom.
func (s *Store) Labels(ctx context.Context, id registry.ID) ([]registry.Label, error) {
	var list []registry.Label
	err := s.retryRead(ctx, func() (err error) {
		list, err = s.queryLabels(ctx, s.read.statements, id)
		return err
	})
	return list, s.fail("read labels", err)
}

func (s *Store) queryLabels(ctx context.Context, q statements, id registry.ID) ([]registry.Label, error) {
	list := []registry.Label{}
	err := q.each(ctx, "labels", labelsQuery, []any{id[:]}, func(rows *sqlx.Rows) error {
		var name, by []byte
		var n, seq, us int64
		if err := rows.Scan(&name, &n, &seq, &by, &us); err != nil {
			return err
		}
		list = append(list, registry.Label{
			Resource: id, Name: string(name), Version: n, SetAt: toTime(us), SetBy: string(by), Seq: registry.Seq{Store: s.name, N: seq},
		})
		return nil
	})
	return list, err
}

// Labels implements [registry.Tx].
func (o *operation) Labels(id registry.ID) ([]registry.Label, error) {
	if list, ok := o.own.labels[id]; ok {
		return list, nil
	}
	if list, ok := o.known.labels[id]; ok {
		return list, nil
	}
	list, err := o.store.queryLabels(o.ctx, o.tx.statements, id)
	if err != nil {
		return nil, o.broken(err)
	}
	o.known.labels[id] = list
	return list, nil
}

// SetLabel implements [registry.Tx].
func (o *operation) SetLabel(r registry.Resource, name string, n int64) (registry.Label, error) {
	l := registry.Label{Resource: r.ID, Name: name, Version: n, SetAt: o.at(), SetBy: o.op.Actor.User}
	err := o.changeLabels(r, name, n, func(list []registry.Label, i int, found bool) []registry.Label {
		if found {
			list[i] = l
			return list
		}
		return slices.Insert(list, i, l)
	})
	if err != nil {
		return registry.Label{}, err
	}
	suffix := o.store.backend.dialect.onConflict("node, label", "n", "seq", "set_by", "set_us")
	o.last = append(o.last, func(u *unit, seq int64) error {
		return u.insert(labelTable, [][]any{{l.Resource[:], []byte(l.Name), l.Version, seq, []byte(l.SetBy), toMicros(l.SetAt)}}, suffix)
	})
	return l, nil
}

// RemoveLabel implements [registry.Tx].
func (o *operation) RemoveLabel(r registry.Resource, name string) error {
	err := o.changeLabels(r, name, 0, func(list []registry.Label, i int, found bool) []registry.Label {
		if found {
			return slices.Delete(list, i, i+1)
		}
		return list
	})
	if err != nil {
		return err
	}
	o.last = append(o.last, func(u *unit, _ int64) error {
		_, err := u.tx.exec(u.ctx, "write_label", "DELETE FROM label WHERE node = ? AND label = ?", r.ID[:], []byte(name))
		return err
	})
	return nil
}

// changeLabels notes the labels of a node as change leaves them; i is where name is, or would be.
func (o *operation) changeLabels(r registry.Resource, name string, n int64, change func(list []registry.Label, i int, found bool) []registry.Label) error {
	list, err := o.Labels(r.ID)
	if err != nil {
		return err
	}
	list = slices.Clone(list)
	i, found := slices.BinarySearchFunc(list, name, func(l registry.Label, name string) int { return strings.Compare(l.Name, name) })
	o.own.labels[r.ID] = change(list, i, found)
	node, err := o.node(r.ID)
	if err != nil {
		return err
	}
	o.touch(item{actLabel, r.ID, n, node.parent, name})
	return nil
}

// dated gives the labels, checkpoints and rules that the operation set the position at which it takes effect.
func (o *operation) dated(seq int64) {
	for id, rule := range o.own.rules {
		if rule.Seq.N == 0 && !rule.IsZero() {
			rule.Seq = registry.Seq{Store: o.store.name, N: seq}
			o.own.rules[id] = rule
		}
	}
	for _, list := range o.own.checks {
		for i := range list {
			if list[i].Seq.N == 0 {
				list[i].Seq = registry.Seq{Store: o.store.name, N: seq}
			}
		}
	}
	for _, list := range o.own.labels {
		for i := range list {
			if list[i].Seq.N == 0 {
				list[i].Seq = registry.Seq{Store: o.store.name, N: seq}
			}
		}
	}
}

var labelTable = table{"label", []string{"node", "label", "n", "seq", "set_by", "set_us"}}
