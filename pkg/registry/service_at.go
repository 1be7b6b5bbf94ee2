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
		return s.getAt(ctx, a, here, when)
	})
}

// getAt reads what was at p at a moment. Mount points hide what a store has above them, as they do now. The actor, who may read p, must have [RightRead] on what
// was there too, wherever that is by now: what has moved to where they may not read is not to be read at its old place.
func (s *Service) getAt(ctx context.Context, a Actor, p Path, when Moment) (Resource, Mount, error) {
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
	if err == nil {
		var may []bool
		if may, err = s.auth.Gone(ctx, a, RightRead, m.Store, []Place{{r.ID, r.Kind, p}}, false); err == nil && !may[0] {
			err = refusal(a, RightRead, p)
		}
	}
	if err != nil {
		return Resource{}, Mount{}, err
	}
	r.Path, r.Mount = p, m.Path == p
	return r, m, nil
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
	may, err := s.auth.Gone(ctx, a, RightRead, m.Store, placesOf(page.Entries, r), false)
	if err != nil {
		return Page{}, err
	}
	kept := page.Entries[:0]
	for i, e := range page.Entries {
		if may[i] {
			kept = append(kept, e)
		}
	}
	page.Entries = kept
	if next != "" {
		page.Next = makeCursor(next)
	}
	mounted := s.mounts.below(cmp.Or(r.Real, p))
	page.Entries = slices.DeleteFunc(page.Entries, func(e Resource) bool {
		return slices.ContainsFunc(mounted, func(n mountName) bool { return n.name == e.Path.Name() })
	})
	return page, nil
}

// placesOf are the places of children of a collection, where it is itself.
func placesOf(children []Resource, parent Resource) []Place {
	places := make([]Place, len(children))
	for i, c := range children {
		places[i] = Place{c.ID, c.Kind, c.Path.rebase(parent.Path, cmp.Or(parent.Real, parent.Path))}
	}
	return places
}

// mayRestoreTree asks for all that a restore of a collection touches: [RightWrite] and [RightDelete] on all that is there, [RightRead] and [RightWrite] on
// all that was there, wherever it is by now. It looks no further than the restore itself.
func (s *Service) mayRestoreTree(ctx context.Context, a Actor, m Mount, p, sp Path, seq int64) error {
	if s.access == nil || a.Scope == nil && a.IsAdmin() {
		return nil
	}
	for _, right := range []Right{RightWrite, RightDelete} {
		if err := s.auth.AuthorizeTree(ctx, a, right, p); err != nil {
			return err
		}
	}
	top, err := m.Store.GetAt(ctx, sp, seq)
	if err != nil {
		return err
	}
	top.Path = p
	level, looked := []Resource{top}, 0
	for len(level) > 0 && looked <= MaxRestore {
		looked += len(level)
		for _, right := range []Right{RightRead, RightWrite} {
			may, err := s.auth.Gone(ctx, a, right, m.Store, placesOf(level, top), false)
			if err != nil {
				return err
			}
			if slices.Contains(may, false) {
				return Errorf(CodeDenied, "you may not %s everything that was at or below %s", right, p)
			}
		}
		if level, err = s.childrenAt(ctx, m.Store, level, seq); err != nil {
			return err
		}
	}
	return nil
}

// childrenAt reads the children that collections had, at most about [MaxRestore].
func (s *Service) childrenAt(ctx context.Context, store Store, parents []Resource, seq int64) ([]Resource, error) {
	var all []Resource
	for _, parent := range parents {
		if parent.Kind != KindCollection {
			continue
		}
		for after := ""; len(all) <= MaxRestore; {
			list, next, err := store.ChildrenAt(ctx, parent, seq, after, MaxPageSize)
			if err != nil {
				return nil, err
			}
			if all = append(all, list...); next == "" {
				break
			}
			after = next
		}
	}
	return all, nil
}
