package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// previewNodes is how many nodes with older versions a preview looks at, with a few statements for each; previewWalk how many it passes on its way.
	previewNodes = 200
	previewWalk  = 25 * prunePage
)

// PreviewRetention implements [registry.Store]. It reads what a run would read, outside of the write turn, and takes no lease.
func (s *Store) PreviewRetention(ctx context.Context, op registry.Op, rule registry.Retention) (registry.RetentionPreview, error) {
	v := &previewer{pruner: &pruner{store: s, ctx: ctx, op: op}, told: registry.RetentionPreview{Whole: true}}
	err := v.run(rule)
	return v.told, s.fail("preview retention", err)
}

// previewer goes the way of a pruner and counts.
type previewer struct {
	*pruner
	told   registry.RetentionPreview
	passed int
}

func (v *previewer) run(rule registry.Retention) error {
	q := v.store.read.statements
	way, err := v.above(q, rule.Resource)
	if err != nil || !way.live {
		return err
	}
	top := aged{id: rule.Resource, cur: way.cur, rule: rule}
	if err := v.count(top); err != nil {
		return err
	}
	for open := []aged{top}; len(open) > 0 && v.told.Whole; {
		c := open[len(open)-1]
		open = open[:len(open)-1]
		if open, err = v.below(c, open); err != nil {
			return err
		}
	}
	return nil
}

// below counts the children of c, and adds those that are collections without a rule of their own to open.
func (v *previewer) below(c aged, open []aged) ([]aged, error) {
	after := []byte{}
	for {
		page, last, err := v.children(c, after)
		if err != nil || len(page) == 0 {
			return open, err
		}
		after = last
		ids := make([]registry.ID, len(page))
		for i, n := range page {
			ids[i] = n.id
		}
		own, err := v.store.queryRetentions(v.ctx, v.store.read.statements, ids)
		if err != nil {
			return nil, err
		}
		for _, n := range page {
			if _, governed := own[n.id]; governed {
				continue
			}
			if err := v.count(n.aged); err != nil {
				return nil, err
			}
			if n.kind == registry.KindCollection {
				open = append(open, n.aged)
			}
		}
		if v.passed += len(page); v.passed >= previewWalk || !v.told.Whole {
			v.told.Whole = false
			return nil, nil
		}
	}
}

// agedChild is a child of a collection.
type agedChild struct {
	aged
	kind registry.Kind
}

// children reads a page of the children of c by the index on their names, and the name of the last one.
func (v *previewer) children(c aged, after []byte) (page []agedChild, last []byte, err error) {
	query := "SELECT n.id, n.name, n.kind, n.cur FROM node n" + v.store.backend.dialect.byName + " WHERE n.parent = ? AND n.name > ? ORDER BY n.name LIMIT ?"
	err = v.store.read.each(v.ctx, "prune", query, []any{c.id[:], after, prunePage}, func(rows *sqlx.Rows) error {
		var id, name []byte
		var kind, cur int64
		err := rows.Scan(&id, &name, &kind, &cur)
		last = name
		page = append(page, agedChild{aged{id: toID(id), cur: cur, rule: c.rule}, registry.Kind(kind)})
		return err
	})
	return page, last, err
}

// count counts what would go of one node.
func (v *previewer) count(n aged) error {
	if n.cur < 2 || !v.told.Whole {
		return nil
	}
	if v.told.Looked >= previewNodes {
		v.told.Whole = false
		return nil
	}
	list, err := v.prunable(v.store.read.statements, n)
	v.told.Looked++
	v.told.Versions += int64(len(list))
	if len(list) >= pruneBatch { // there may be more
		v.told.Whole = false
	}
	return err
}
