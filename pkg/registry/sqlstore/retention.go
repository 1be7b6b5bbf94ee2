package sqlstore

import (
	"context"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const retentionColumns = "r.node, r.keep_last, r.keep_days, r.seq, r.set_by, r.set_us"

// Retentions implements [registry.Store]: one probe of the primary key for each collection.
func (s *Store) Retentions(ctx context.Context, ids []registry.ID) (map[registry.ID]registry.Retention, error) {
	var rules map[registry.ID]registry.Retention
	err := s.retryRead(ctx, func() (err error) {
		rules, err = s.queryRetentions(ctx, s.read.statements, ids)
		return err
	})
	return rules, s.fail("read rules of retention", err)
}

func (s *Store) queryRetentions(ctx context.Context, q statements, ids []registry.ID) (map[registry.ID]registry.Retention, error) {
	rules := map[registry.ID]registry.Retention{}
	if len(ids) == 0 {
		return rules, nil
	}
	query := "SELECT " + retentionColumns + " FROM retention r WHERE r.node IN (" + placeholders(len(ids)) + ")"
	err := q.each(ctx, "retention", query, idArgs(ids), func(rows *sqlx.Rows) error {
		rule, err := s.scanRetention(rows)
		rules[rule.Resource] = rule
		return err
	})
	return rules, err
}

func (s *Store) scanRetention(rows *sqlx.Rows) (registry.Retention, error) {
	var id, by []byte
	var us int64
	rule := registry.Retention{Seq: registry.Seq{Store: s.name}}
	err := rows.Scan(&id, &rule.KeepLast, &rule.KeepDays, &rule.Seq.N, &by, &us)
	rule.Resource, rule.SetBy, rule.SetAt = toID(id), string(by), toTime(us)
	return rule, err
}

// Retention implements [registry.Tx].
func (o *operation) Retention(id registry.ID) (registry.Retention, error) {
	if rule, ok := o.own.rules[id]; ok {
		return rule, nil
	}
	if rule, ok := o.known.rules[id]; ok {
		return rule, nil
	}
	rules, err := o.store.queryRetentions(o.ctx, o.tx.statements, []registry.ID{id})
	if err != nil {
		return registry.Retention{}, o.broken(err)
	}
	o.known.rules[id] = rules[id]
	return rules[id], nil
}

// SetRetention implements [registry.Tx].
func (o *operation) SetRetention(r registry.Resource, rule registry.Retention) (registry.Retention, error) {
	node, err := o.node(r.ID)
	if err != nil {
		return registry.Retention{}, err
	}
	rule = registry.Retention{Resource: r.ID, KeepLast: rule.KeepLast, KeepDays: rule.KeepDays, SetAt: o.at(), SetBy: o.op.Actor.User}
	o.own.rules[r.ID] = rule
	o.touch(item{actRetain, r.ID, node.Version, node.parent, node.name})
	suffix := o.store.backend.dialect.onConflict("node", "keep_last", "keep_days", "seq", "set_by", "set_us")
	o.last = append(o.last, func(u *unit, seq int64) error {
		if rule.IsZero() {
			_, err := u.tx.exec(u.ctx, "write_retention", "DELETE FROM retention WHERE node = ?", rule.Resource[:])
			return err
		}
		row := []any{rule.Resource[:], rule.KeepLast, rule.KeepDays, seq, []byte(rule.SetBy), toMicros(rule.SetAt)}
		return u.insert(retentionTable, [][]any{row}, suffix)
	})
	return rule, nil
}

var retentionTable = table{"retention", []string{"node", "keep_last", "keep_days", "seq", "set_by", "set_us"}}
