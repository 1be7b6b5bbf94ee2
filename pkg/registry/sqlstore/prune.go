package sqlstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	retentionLease = "retention"
	leaseLength    = time.Minute
	prunePage      = 200 // nodes, and versions of one node, that one statement reads
	pruneBatch     = 200 // versions that one transaction removes, about
)

// ApplyRetention implements [registry.Store].
func (s *Store) ApplyRetention(ctx context.Context, op registry.Op) (report registry.RetentionReport, err error) {
	report.Store = s.name
	l, ok, err := s.takeLease(ctx, retentionLease, leaseLength)
	if err != nil || !ok {
		report.Busy = err == nil
		return report, s.fail("take the lease of retention", err)
	}
	defer func() { err = errors.Join(err, l.release(context.WithoutCancel(ctx))) }()
	p := &pruner{store: s, ctx: ctx, op: op, lease: l, report: &report}
	if err := p.rules(); err != nil {
		return report, s.fail("apply retention", err)
	}
	report.Contents, err = s.collect(ctx)
	return report, s.fail("collect contents", err)
}

// pruner is one run of retention. It walks down from each collection that has a rule, as far as collections that have their own.
type pruner struct {
	store  *Store
	ctx    context.Context //nolint:containedctx // the one of the run
	op     registry.Op
	lease  *lease
	report *registry.RetentionReport
}

// aged is a node with the rule that holds for it.
type aged struct {
	id   registry.ID
	cur  int64
	rule registry.Retention
	path registry.Path // known in the write turn
}

// hold makes sure that the run still has its lease.
func (p *pruner) hold() error {
	held, err := p.lease.renew(p.ctx)
	if err == nil && !held {
		err = registry.Errorf(registry.CodeUnavailable, "another node has taken the retention of the store %s over", p.store.name)
	}
	return err
}

// rules applies every rule, in order of the collections' ids.
func (p *pruner) rules() error {
	query := "SELECT " + retentionColumns + " FROM retention r WHERE r.node > ? ORDER BY r.node LIMIT ?"
	var after registry.ID
	for {
		var page []registry.Retention
		err := p.store.read.each(p.ctx, "retention", query, []any{after[:], prunePage}, func(rows *sqlx.Rows) error {
			rule, err := p.store.scanRetention(rows)
			page = append(page, rule)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, rule := range page {
			if err := p.rule(rule); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Resource
	}
}

// rule applies one rule.
func (p *pruner) rule(rule registry.Retention) error {
	way, err := p.above(p.store.read.statements, rule.Resource)
	if err != nil || !way.live {
		return err
	}
	top := aged{id: rule.Resource, cur: way.cur, rule: rule}
	if err := p.prune([]aged{top}); err != nil {
		return err
	}
	for open := []aged{top}; len(open) > 0; {
		c := open[len(open)-1]
		below, err := p.collection(c)
		if err != nil {
			return err
		}
		open = append(open[:len(open)-1], below...)
	}
	return nil
}

// upward is the way up from a node.
type upward struct {
	ids  []registry.ID // the node, and the collections above it
	path registry.Path
	cur  int64 // the number of the node's current version
	live bool  // it is not in the trash, nor gone
}

// above goes up from a node: one probe of the primary key for each level.
func (p *pruner) above(q statements, id registry.ID) (upward, error) {
	var w upward
	var names []string
	for at := id; ; {
		var parent, name []byte
		var n int64
		err := q.each(p.ctx, "parent", "SELECT parent, name, cur FROM node WHERE id = ?", []any{at[:]}, func(rows *sqlx.Rows) error {
			return rows.Scan(&parent, &name, &n)
		})
		if err != nil || parent == nil {
			return upward{}, err
		}
		if at == id {
			w.cur = n
		}
		w.ids = append(w.ids, at)
		switch {
		case at == p.store.root():
			slices.Reverse(names)
			w.path, w.live = registry.Path("/"+strings.Join(names, "/")), true
			return w, nil
		case at == trashID, len(w.ids) > 2*registry.MaxDepth: // or what no path leads to
			return upward{}, nil
		}
		names = append(names, string(name))
		at = toID(parent)
	}
}

// collection prunes the children of c, and gives those that are collections without a rule of their own.
func (p *pruner) collection(c aged) ([]aged, error) {
	query := "SELECT n.id, n.name, n.kind, n.cur FROM node n" + p.store.backend.dialect.byName + " WHERE n.parent = ? AND n.name > ? ORDER BY n.name LIMIT ?"
	var below []aged
	after := []byte{} // not nil, which would be NULL
	for {
		var nodes, collections []aged
		err := p.store.read.each(p.ctx, "prune", query, []any{c.id[:], after, prunePage}, func(rows *sqlx.Rows) error {
			var id, name []byte
			var kind, cur int64
			if err := rows.Scan(&id, &name, &kind, &cur); err != nil {
				return err
			}
			after = name
			n := aged{id: toID(id), cur: cur, rule: c.rule}
			if nodes = append(nodes, n); registry.Kind(kind) == registry.KindCollection {
				collections = append(collections, n)
			}
			return nil
		})
		if err != nil || len(nodes) == 0 {
			return below, err
		}
		ids := make([]registry.ID, len(collections))
		for i, n := range collections {
			ids[i] = n.id
		}
		own, err := p.store.queryRetentions(p.ctx, p.store.read.statements, ids)
		if err != nil {
			return nil, err
		}
		governed := func(n aged) bool { _, has := own[n.id]; return has }
		if err := p.prune(slices.DeleteFunc(nodes, governed)); err != nil {
			return nil, err
		}
		below = append(below, slices.DeleteFunc(collections, governed)...)
	}
}

// prune removes versions of nodes.
func (p *pruner) prune(nodes []aged) error {
	for _, n := range nodes {
		if n.cur < 2 {
			continue
		}
		for {
			// A look outside of the write turn: mostly there is nothing to do.
			list, err := p.prunable(p.store.read.statements, n)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			if err := p.hold(); err != nil {
				return err
			}
			removed, err := p.remove(n)
			if err != nil {
				return err
			}
			p.report.Versions += removed
			if removed == 0 {
				break
			}
		}
	}
	return nil
}

// oldVersion is what a rule looks at: a version that was current from one position to before another.
type oldVersion struct {
	n, seq, until int64
}

// prunable gives some of the versions of a node that its rule does not keep, newest first, at most about pruneBatch. Only where the rule would let go of one
// it looks for checkpoints.
func (p *pruner) prunable(q statements, a aged) ([]oldVersion, error) {
	labels, err := p.store.queryLabels(p.ctx, q, a.id)
	if err != nil {
		return nil, err
	}
	w := versionWalk{aged: a, before: forever, oldest: toMicros(p.op.At) - a.rule.KeepDays*24*time.Hour.Microseconds(), labelled: map[int64]bool{}}
	for _, l := range labels {
		w.labelled[l.Version] = true
	}
	var list []oldVersion
	var guards []int64
	for looked := false; ; {
		page, more, err := p.versions(q, &w)
		if err != nil {
			return nil, err
		}
		if len(page) > 0 && !looked {
			own, err := p.store.queryCheckpoints(p.ctx, q, a.id)
			if err != nil {
				return nil, err
			}
			if guards, looked, err = p.store.guards(p.ctx, q, a.id, own); err != nil || !looked {
				return nil, err
			}
		}
		page = slices.DeleteFunc(page, func(v oldVersion) bool { return guarded(guards, v.seq, v.until) })
		if list = append(list, page...); !more || len(list) >= pruneBatch {
			return list, nil
		}
	}
}

// versionWalk goes through the versions of a node, newest first.
type versionWalk struct {
	aged
	oldest          int64 // what was current at this time or later is not too old
	labelled        map[int64]bool
	rank            int64 // how many have come
	before          int64 // none that comes has a higher number
	nextSeq, nextUS int64 // when the one that came last began
}

// versions reads a page, a range of the primary key, and gives those that neither the rule nor a label keeps. It tells whether there are more.
func (p *pruner) versions(q statements, w *versionWalk) (list []oldVersion, more bool, err error) {
	const query = "SELECT v.n, v.seq, v.created_us FROM version v WHERE v.node = ? AND v.n <= ? ORDER BY v.n DESC LIMIT ?"
	read := 0
	err = q.each(p.ctx, "prune", query, []any{w.id[:], w.before, prunePage}, func(rows *sqlx.Rows) error {
		v := oldVersion{until: w.nextSeq}
		var us int64
		if err := rows.Scan(&v.n, &v.seq, &us); err != nil {
			return err
		}
		// The newest is current. The others ended when the next one began.
		young := w.rule.KeepDays > 0 && w.nextUS > w.oldest
		if kept := w.rank == 0 || w.rank < w.rule.KeepLast || young || w.labelled[v.n]; !kept {
			list = append(list, v)
		}
		read++
		w.rank++
		w.before, w.nextSeq, w.nextUS = v.n-1, v.seq, us
		return nil
	})
	return list, read == prunePage, err
}

// remove removes prunable versions of a node in a transaction of its own, which looks at labels, checkpoints and versions again. It tells how many.
func (p *pruner) remove(a aged) (int64, error) {
	removed := int64(0)
	_, err := p.store.updateAlone(p.ctx, p.op, func(o *operation) error {
		removed = 0
		a, ok, err := p.again(o.tx.statements, a)
		if err != nil {
			return o.broken(err)
		}
		if !ok {
			return nil
		}
		list, err := p.prunable(o.tx.statements, a)
		if err != nil {
			return o.broken(err)
		}
		if len(list) == 0 {
			return nil
		}
		if err := o.suspect(someVersions(len(list)), someVersionsArgs(a.id, list)...); err != nil {
			return o.broken(err)
		}
		n, err := o.node(a.id)
		if err != nil {
			return err
		}
		for _, v := range list {
			o.touchAt(item{actPrune, a.id, v.n, n.parent, n.name}, a.path, "")
		}
		removed = int64(len(list))
		o.last = append(o.last, func(u *unit, _ int64) error { return u.dropVersions(a.id, list) })
		return nil
	})
	if errors.Is(err, errSealed) {
		return 0, nil // on its way to another store; a later run sees to it where it is then
	}
	return removed, err
}

// someVersions is a condition that takes so many versions of one node, by someVersionsArgs.
func someVersions(n int) string { return "node = ? AND n IN (" + placeholders(n) + ")" }

func someVersionsArgs(id registry.ID, list []oldVersion) []any {
	args := []any{id[:]}
	for _, v := range list {
		args = append(args, v.n)
	}
	return args
}

// again finds the rule that holds for a node, and its path, as they are in the write turn; false when there is no rule any more. The walk may have been
// there long ago.
func (p *pruner) again(q statements, a aged) (aged, bool, error) {
	way, err := p.above(q, a.id)
	if err != nil || !way.live {
		return a, false, err
	}
	rules, err := p.store.queryRetentions(p.ctx, q, way.ids)
	if err != nil {
		return a, false, err
	}
	for _, id := range way.ids {
		if rule, ok := rules[id]; ok {
			a.rule, a.path = rule, way.path
			return a, true, nil
		}
	}
	return a, false, nil
}

// dropVersions deletes versions of a node, newest first, and notes the gaps that they leave.
func (u *unit) dropVersions(id registry.ID, list []oldVersion) error {
	which, args := someVersions(len(list)), someVersionsArgs(id, list)
	for _, t := range []string{"version", "gap"} {
		if _, err := u.tx.exec(u.ctx, "prune", "DELETE FROM "+t+" WHERE "+which, args...); err != nil {
			return err
		}
	}
	gone := map[int64]bool{}
	var gaps [][]any
	for _, v := range list {
		gone[v.n] = true
		gaps = append(gaps, []any{id[:], v.n - 1, v.seq})
	}
	// A run of removed versions begins after one that is still there; what lies within a run begins none.
	gaps = slices.DeleteFunc(gaps, func(row []any) bool { n, ok := row[1].(int64); return ok && gone[n] })
	d := u.store.backend.dialect
	if err := u.insert(gapTable, gaps, d.onConflict("node, n", "seq")); err != nil {
		return err
	}
	return u.joinGaps(id, gaps)
}

// joinGaps drops the gaps that begin after a version which is not there: the gap after the version before it covers them. That one is made where it is
// missing: what came from another store brought none along.
func (u *unit) joinGaps(id registry.ID, gaps [][]any) error {
	for _, g := range gaps {
		earlier := "INSERT INTO gap (node, n, seq) SELECT ?, COALESCE(MAX(v.n), 0), ? FROM version v WHERE v.node = ? AND v.n <= ?" +
			u.store.backend.dialect.onConflict("node, n", "n")
		if _, err := u.tx.exec(u.ctx, "prune", earlier, id[:], g[2], id[:], g[1]); err != nil {
			return err
		}
		query := "DELETE FROM gap WHERE node = ? AND n = ? AND n > 0 AND NOT EXISTS (SELECT 1 FROM version v WHERE v.node = ? AND v.n = ?)"
		if _, err := u.tx.exec(u.ctx, "prune", query, id[:], g[1], id[:], g[1]); err != nil {
			return err
		}
	}
	return nil
}

var gapTable = table{"gap", []string{"node", "n", "seq"}}
