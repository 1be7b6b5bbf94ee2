package registry

import (
	"context"
	"slices"
)

// EffectiveRetention is the rule that holds at a path.
type EffectiveRetention struct {
	Own  Retention // of the collection itself; zero when it has none
	Rule Retention // the one that holds: its own, or that of the nearest collection above that has one; zero when everything is kept
	From Path      // the collection that Rule is of; "" when no path of this mount leads there, or there is no rule
	Seq  Seq
}

// Retention tells the rule of retention that holds at p. Needs [RightRead].
func (s *Service) Retention(ctx context.Context, a Actor, p Path, f Freshness) (EffectiveRetention, error) {
	var e EffectiveRetention
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return e, err
	}
	r, m, err := s.get(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return e, err
	}
	e.Seq = r.Seq
	_, sp, _ := s.mounts.Resolve(p)
	ids, paths := []ID{r.ID}, []Path{sp}
	for q := sp; !q.IsRoot(); {
		q = q.Parent()
		up, err := m.Store.Get(ctx, q, Freshness{seen: r.Seq})
		if err != nil {
			return e, at(p, err)
		}
		ids, paths = append(ids, up.ID), append(paths, q)
	}
	rules, err := m.Store.Retentions(ctx, ids)
	if err != nil {
		return e, err
	}
	e.Own = rules[r.ID]
	for i, id := range ids {
		if rule, ok := rules[id]; ok {
			e.Rule = rule
			if m.Target.Covers(paths[i]) {
				e.From = paths[i].rebase(m.Target, m.Path)
			}
			break
		}
	}
	return e, nil
}

// RetentionInput is a rule to set, or to remove where Rule is zero.
type RetentionInput struct {
	Path Path
	Rule Retention    // KeepLast and KeepDays
	If   Precondition // on the entity tag of the rule, not of the collection
}

// SetRetention gives a collection a rule; versions go with the next run. The collection's versions and entity tag stay. Needs [RightWrite] and
// [RightDelete], since it removes what others wrote.
func (s *Service) SetRetention(ctx context.Context, a Actor, in RetentionInput) (Retention, error) {
	return s.changeRetention(ctx, a, in, in.Rule.check)
}

// RemoveRetention takes away the rule of a collection; [CodeNotFound] when it has none of its own. Needs what [Service.SetRetention] needs.
func (s *Service) RemoveRetention(ctx context.Context, a Actor, p Path, c Precondition) (Seq, error) {
	rule, err := s.changeRetention(ctx, a, RetentionInput{Path: p, If: c}, func() error { return nil })
	return rule.Seq, err
}

func (s *Service) changeRetention(ctx context.Context, a Actor, in RetentionInput, check func() error) (Retention, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return Retention{}, err
	}
	if err := s.auth.AuthorizeTree(ctx, a, RightDelete, in.Path); err != nil {
		return Retention{}, err
	}
	if err := check(); err != nil {
		return Retention{}, err
	}
	rule, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (Retention, error) {
		r, err := tx.Get(sp)
		if err != nil {
			return Retention{}, at(in.Path, err)
		}
		if err := mustBeCollection(r); err != nil {
			return Retention{}, err
		}
		old, err := tx.Retention(r.ID)
		if err != nil {
			return Retention{}, err
		}
		if err := in.If.CheckTag("rule of retention", old.ETag()); err != nil {
			return Retention{}, err
		}
		switch {
		case in.Rule.IsZero() && old.IsZero():
			return Retention{}, Errorf(CodeNotFound, "%s has no rule of retention of its own", in.Path)
		case in.Rule.KeepLast == old.KeepLast && in.Rule.KeepDays == old.KeepDays:
			return old, nil
		}
		return tx.SetRetention(r, in.Rule)
	})
	if err == nil && rule.Seq.N == 0 {
		rule.Seq = seq
	}
	return rule, err
}

// PreviewRetention tells what the next run would remove if the collection had that rule; it changes nothing. Needs what [Service.SetRetention] needs.
func (s *Service) PreviewRetention(ctx context.Context, a Actor, p Path, rule Retention) (RetentionPreview, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, p)
	if err != nil {
		return RetentionPreview{}, err
	}
	if err := s.auth.AuthorizeTree(ctx, a, RightDelete, p); err != nil {
		return RetentionPreview{}, err
	}
	if err := rule.check(); err != nil {
		return RetentionPreview{}, err
	}
	r, err := m.Store.Get(ctx, sp, Freshness{})
	if err == nil {
		err = mustBeCollection(r)
	}
	if err != nil {
		return RetentionPreview{}, at(p, err)
	}
	return m.Store.PreviewRetention(ctx, s.op(a), Retention{Resource: r.ID, KeepLast: rule.KeepLast, KeepDays: rule.KeepDays})
}

// RunRetention applies the rules of all stores now, and removes contents that nothing names any more. One node at a time does that for a
// store; where another one is at it the report says so. Needs [RightDelete] on the root.
func (s *Service) RunRetention(ctx context.Context, a Actor) ([]RetentionReport, error) {
	if err := s.auth.Authorize(ctx, a, RightDelete, Root); err != nil {
		return nil, err
	}
	var reports []RetentionReport
	writable := slices.DeleteFunc(s.mounts.All(), func(m Mount) bool { return m.ReadOnly })
	for _, store := range storesOf(writable) {
		report, err := store.ApplyRetention(ctx, s.op(a))
		if err != nil {
			return reports, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}
