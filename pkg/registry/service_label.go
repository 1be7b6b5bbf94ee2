package registry

import (
	"context"
	"slices"
)

// Labels are the labels of what is at p, by name, at most [MaxLabels]. Needs [RightRead].
func (s *Service) Labels(ctx context.Context, a Actor, p Path, f Freshness) (Resource, []Label, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, nil, err
	}
	r, m, err := s.reach(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return r, nil, err
	}
	list, err := m.Store.Labels(ctx, r.ID)
	return r, list, err
}

// LabelInput sets or removes a label.
type LabelInput struct {
	Path    Path
	Name    string
	Version int64 // the version to point at; 0 for the current one
	// If compares the entity tag of the label, not of the resource: If-Match moves it only from where the caller saw it, If-None-Match: *
	// only makes it.
	If Precondition
}

// LabelResult tells what a change of a label did.
type LabelResult struct {
	Label   Label
	Created bool
	Changed bool // false when it pointed there already
	Seq     Seq
}

// SetLabel makes a label point at a version. The resource's versions and entity tag stay as they are. Needs [RightWrite].
func (s *Service) SetLabel(ctx context.Context, a Actor, in LabelInput) (LabelResult, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return LabelResult{}, err
	}
	if in.Name, err = ParseLabel(in.Name); err != nil {
		return LabelResult{}, err
	}
	res, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (res LabelResult, err error) {
		err = in.set(tx, sp, &res)
		return res, err
	})
	if err != nil {
		return LabelResult{}, err
	}
	if res.Changed {
		res.Label.Seq = seq
	}
	res.Seq = seq
	return res, nil
}

func (in LabelInput) set(tx Tx, sp Path, res *LabelResult) error {
	r, old, err := in.current(tx, sp)
	if err != nil {
		return err
	}
	n := in.Version
	if n == 0 {
		n = r.Version
	}
	if old != nil && old.Version == n {
		res.Label = *old
		return nil
	}
	if n < 1 || n > r.Version {
		return Errorf(CodeNotFound, "%s has no version %d; the newest is %d", in.Path, n, r.Version)
	}
	if _, err := tx.Version(r.ID, n); err != nil {
		return err
	}
	all, err := tx.Labels(r.ID)
	if err != nil {
		return err
	}
	if old == nil && len(all) >= MaxLabels {
		return Errorf(CodeConflict, "%s has %d labels; the limit is %d", in.Path, len(all), MaxLabels)
	}
	res.Label, err = tx.SetLabel(r, in.Name, n)
	res.Created, res.Changed = old == nil, true
	return err
}

// current finds the resource and the label, nil when there is none, and checks the condition.
func (in LabelInput) current(tx Tx, sp Path) (Resource, *Label, error) {
	r, err := tx.Get(sp)
	if err != nil {
		return Resource{}, nil, at(in.Path, err)
	}
	l, err := findLabel(tx, r.ID, in.Name)
	if err != nil {
		return Resource{}, nil, err
	}
	tag := ""
	if l != nil {
		tag = l.ETag()
	}
	return r, l, in.If.CheckTag("label "+in.Name, tag)
}

// RemoveLabel takes a label away; the version stays. One that is not there is [CodeNotFound]. Needs [RightWrite].
func (s *Service) RemoveLabel(ctx context.Context, a Actor, in LabelInput) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return Seq{}, err
	}
	if in.Name, err = ParseLabel(in.Name); err != nil {
		return Seq{}, err
	}
	_, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (bool, error) {
		r, l, err := in.current(tx, sp)
		switch {
		case err != nil:
			return false, err
		case l == nil:
			return false, noLabel(in.Path, in.Name)
		}
		return true, tx.RemoveLabel(r, in.Name)
	})
	return seq, err
}

// CheckTag is [Precondition.Check] for a thing that has an entity tag of its own, "" where it is not there. what is its name in the error.
func (c Precondition) CheckTag(what, tag string) error {
	has := func(tags []string) bool {
		return tag != "" && (slices.Contains(tags, "*") || slices.Contains(tags, tag))
	}
	switch {
	case len(c.Match) > 0 && tag == "":
		return Errorf(CodePrecondition, "If-Match: there is no %s", what)
	case len(c.Match) > 0 && !has(c.Match):
		return Errorf(CodePrecondition, "If-Match: the current entity tag of %s is %s", what, tag)
	case has(c.NoneMatch):
		return Errorf(CodePrecondition, "If-None-Match: the current entity tag of %s is %s", what, tag)
	}
	return nil
}
