package registry

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// IsPast tells whether r was read as of a moment, and so says nothing of the current state.
func (r Resource) IsPast() bool { return r.Gen == 0 && !r.ID.IsZero() }

// reachAt is reach for a moment: links lead where they led then.
func (s *Service) reachAt(ctx context.Context, a Actor, p Path, when Moment) (Resource, Mount, error) {
	from, _, _ := s.mounts.Resolve(p)
	return s.reachBy(ctx, a, p, func(here Path) (Resource, Mount, error) {
		m, _, covered := s.mounts.Resolve(here)
		if covered && when.Time.IsZero() && from.Store != nil && m.Store != from.Store {
			return Resource{}, Mount{}, Errorf(CodeConflict, "a link leads to %s, which is in another store with positions of its own; ask for a time", here)
		}
		return s.getAt(ctx, here, when)
	})
}

// getAt reads what was at p at a moment. Mount points hide what a store has above them, as they do now.
func (s *Service) getAt(ctx context.Context, p Path, when Moment) (Resource, Mount, error) {
	m, sp, covered := s.mounts.Resolve(p)
	if !covered {
		return Resource{}, Mount{}, Errorf(CodeNotFound, "nothing was at %s that a store has kept", p)
	}
	seq, err := s.position(ctx, m, when)
	if err != nil {
		return Resource{}, Mount{}, err
	}
	r, err := m.Store.GetAt(ctx, sp, seq)
	if err == nil && r.Kind == KindResource && len(s.mounts.below(p)) > 0 {
		err = notFound(p)
	}
	if _, ok := errors.AsType[*ViaLinkError](err); ok {
		return Resource{}, Mount{}, err
	}
	switch {
	case CodeOf(err) == CodeNotFound:
		return Resource{}, Mount{}, Errorf(CodeNotFound, "nothing was at %s at %s", p, when)
	case CodeOf(err) == CodeGone:
		return Resource{}, Mount{}, Errorf(CodeGone, "what was at %s at %s is not kept any more", p, when)
	}
	r.Path, r.Mount = p, m.Path == p
	return r, m, err
}

// position finds the position of the change log of a mount's store that a moment names.
func (s *Service) position(ctx context.Context, m Mount, when Moment) (int64, error) {
	if when.Time.IsZero() {
		if when.Name != "" && when.Name != m.Store.Name() {
			return 0, Errorf(CodeInvalid, "at names the store %q; what lies at %s is in %q", firstRunes(when.Name, 60), m.Path, m.Store.Name())
		}
		return when.Seq, nil
	}
	return m.Store.SeqAt(ctx, when.Time)
}

// ListAt reads a page of the children that a collection had at a moment, as [Service.List] does for now. A page may have fewer entries than
// limit, even none, and still have a Next. Needs [RightRead].
func (s *Service) ListAt(ctx context.Context, a Actor, p Path, when Moment, cursor string, limit int) (Page, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return Page{}, err
	}
	after, err := parseCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Page{}, err
	}
	r, m, err := s.reachAt(ctx, a, p, when)
	if err != nil {
		return Page{}, err
	}
	if err := mustBeCollection(r); err != nil {
		return Page{}, err
	}
	page := Page{Parent: r}
	var next string
	page.Entries, next, err = m.Store.ChildrenAt(ctx, r, r.Seq.N, after, limit)
	if err != nil {
		return Page{}, err
	}
	if next != "" {
		page.Next = makeCursor(next)
	}
	mounted := s.mounts.below(cmp.Or(r.Real, p))
	page.Entries = slices.DeleteFunc(page.Entries, func(e Resource) bool {
		return slices.ContainsFunc(mounted, func(n mountName) bool { return n.name == e.Path.Name() })
	})
	return page, nil
}
