package registry

import "context"

// Pick says which state of what is at a path a read is to give; at most one of its fields is set, and none of them means the current state.
type Pick struct {
	Version int64  // the version of that number
	Label   string // the version that the label points at
	At      Moment // what was at the path then
}

// IsCurrent tells whether p asks for the current state.
func (p Pick) IsCurrent() bool { return p == Pick{} }

// check refuses a pick of two things.
func (p Pick) check() error {
	switch {
	case p.Version != 0 && p.Label != "":
		return Errorf(CodeInvalid, "version %d and label %q are both asked for; one state can be read at a time", p.Version, p.Label)
	case !p.At.IsZero() && (p.Version != 0 || p.Label != ""):
		return Errorf(CodeInvalid, "at %s and a version or label are both asked for; one state can be read at a time", p.At)
	}
	return nil
}

// GetPick reads what is known about the picked state of what is at p. The Resource tells the current state, except for a pick of a time: then it
// tells that of then. Needs [RightRead].
func (s *Service) GetPick(ctx context.Context, a Actor, p Path, pick Pick, f Freshness) (Resource, Version, error) {
	r, _, v, err := s.readPick(ctx, a, p, pick, f)
	return r, v, err
}

// OpenPick is [Service.GetPick] with the content, which the caller closes. A collection is [CodeConflict].
func (s *Service) OpenPick(ctx context.Context, a Actor, p Path, pick Pick, f Freshness) (Resource, Version, Content, error) {
	r, m, v, err := s.readPick(ctx, a, p, pick, f)
	if err == nil && r.Kind != KindResource {
		err = Errorf(CodeConflict, "%s is a collection; it has no content", p)
	}
	if err != nil {
		return Resource{}, Version{}, nil, err
	}
	c, err := m.Store.Open(ctx, v.Hash)
	if err != nil {
		return Resource{}, Version{}, nil, err
	}
	return r, v, c, nil
}

func (s *Service) readPick(ctx context.Context, a Actor, p Path, pick Pick, f Freshness) (Resource, Mount, Version, error) {
	fail := func(err error) (Resource, Mount, Version, error) { return Resource{}, Mount{}, Version{}, err }
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return fail(err)
	}
	if err := pick.check(); err != nil {
		return fail(err)
	}
	if !pick.At.IsZero() {
		r, m, err := s.reachAt(ctx, a, p, pick.At)
		return r, m, r.CurrentVersion(), err
	}
	r, m, err := s.reach(ctx, a, p, f)
	if err != nil {
		return fail(err)
	}
	if pick.Label != "" {
		v, err := s.labelledVersion(ctx, a, m, r, pick.Label)
		return r, m, v, err
	}
	v, err := s.version(ctx, m, r, pick.Version)
	return r, m, v, err
}

// labelledVersion reads the version of r that a label points at. The label is read after r, so it may point at a version that is newer.
func (s *Service) labelledVersion(ctx context.Context, a Actor, m Mount, r Resource, name string) (Version, error) {
	name, err := ParseLabel(name)
	if err != nil {
		return Version{}, err
	}
	if m.Store == nil {
		return Version{}, noLabel(r.Path, name)
	}
	all, err := m.Store.Labels(ctx, r.ID)
	if err != nil {
		return Version{}, err
	}
	for _, l := range all {
		switch {
		case l.Name == name && l.Version == r.Version:
			return r.CurrentVersion(), nil
		case l.Name == name:
			if l.Version > r.Version {
				if err := s.still(ctx, a, r); err != nil {
					return Version{}, err
				}
			}
			return m.Store.Version(ctx, r.ID, l.Version)
		}
	}
	return Version{}, noLabel(r.Path, name)
}
