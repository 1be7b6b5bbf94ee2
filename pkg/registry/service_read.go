package registry

import (
	"context"
	"errors"
)

// Get reads the current state of what is at p. Like all reads it follows links, each of which needs [RightRead], too. Needs [RightRead].
func (s *Service) Get(ctx context.Context, a Actor, p Path, f Freshness) (Resource, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, err
	}
	r, _, err := s.reach(ctx, a, p, f)
	return r, err
}

// get reads what is at p, and the mount it lies on; a mount point whose target is missing, or a collection that only leads to mount
// points, has none. The actor must have [RightRead] on it as it was read: who may read a path may find something else there later.
func (s *Service) get(ctx context.Context, a Actor, p Path, f Freshness) (Resource, Mount, error) {
	const attempts = 5 // each has something else appear at p between two looks
	for i := 1; ; i++ {
		r, m, err := s.find(ctx, a, p, f)
		if err == nil {
			err = s.auth.AuthorizeRead(ctx, a, r)
		}
		switch {
		case err == nil:
			return r, m, nil
		case CodeOf(err) != CodePrecondition:
			return Resource{}, Mount{}, err
		case i == attempts:
			return Resource{}, Mount{}, Errorf(CodeUnavailable, "%s changes all the time; try again", p)
		}
	}
}

// find reads what is at p, whoever may.
func (s *Service) find(ctx context.Context, a Actor, p Path, f Freshness) (Resource, Mount, error) {
	f.seen = a.Seen
	m, sp, covered := s.mounts.Resolve(p)
	missing := notFound(p)
	if covered {
		r, err := m.Store.Get(ctx, sp, f)
		if err == nil && r.Kind != KindCollection && len(s.mounts.below(p)) > 0 {
			err = notFound(p) // mount points hide what a store has above them
		}
		if err == nil {
			r.Path, r.Mount = p, m.Path == p
			return r, m, nil
		}
		if CodeOf(err) != CodeNotFound {
			return Resource{}, Mount{}, err
		}
		if _, ok := errors.AsType[*ViaLinkError](err); ok {
			missing = err
		}
	}
	if covered && m.Path == p || len(s.mounts.below(p)) > 0 {
		return Resource{Path: p, Kind: KindCollection, Mount: true}, Mount{}, nil
	}
	return Resource{}, Mount{}, missing
}

func notFound(p Path) error { return Errorf(CodeNotFound, "nothing is at %s", p) }

// Open reads a resource with its content: its current state, or version n when n > 0 (the Resource then still tells the current state).
// A collection is [CodeConflict]. Needs [RightRead]. The caller closes the content.
func (s *Service) Open(ctx context.Context, a Actor, p Path, n int64, f Freshness) (Resource, Version, Content, error) {
	return s.OpenPick(ctx, a, p, Pick{Version: n}, f)
}

// version gives version n of r, the current one for 0; that needs no store.
func (s *Service) version(ctx context.Context, m Mount, r Resource, n int64) (Version, error) {
	if n == 0 || n == r.Version {
		return r.CurrentVersion(), nil
	}
	if n < 0 || n > r.Version || m.Store == nil {
		return Version{}, Errorf(CodeNotFound, "%s has no version %d; the newest is %d", r.Path, n, r.Version)
	}
	return m.Store.Version(ctx, r.ID, n)
}

// Versions reads a page of versions, newest first, with numbers below before (0: from the newest). A limit of 0 is [DefaultPageSize].
// Needs [RightRead].
func (s *Service) Versions(ctx context.Context, a Actor, p Path, before int64, limit int, f Freshness) (VersionPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return VersionPage{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return VersionPage{}, err
	}
	r, m, err := s.reach(ctx, a, p, f)
	if err != nil {
		return VersionPage{}, err
	}
	page := VersionPage{Resource: r}
	if m.Store == nil {
		return page, nil
	}
	if before <= 0 || before > r.Version {
		before = r.Version + 1
	}
	page.Versions, err = m.Store.Versions(ctx, r.ID, before, limit)
	if n := len(page.Versions); n > 0 && page.Versions[n-1].Number > 1 {
		page.Next = page.Versions[n-1].Number
	}
	if err != nil {
		return VersionPage{}, err
	}
	page.Labels, err = m.Store.Labels(ctx, r.ID)
	return page, err
}

func pageSize(limit int) (int, error) { return within("limit", limit, DefaultPageSize, MaxPageSize) }

// CurrentVersion is the version that r tells of.
func (r Resource) CurrentVersion() Version {
	return Version{Resource: r.ID, Number: r.Version, Meta: r.Meta, Size: r.Size, Hash: r.Hash, CreatedAt: r.UpdatedAt, CreatedBy: r.UpdatedBy, Comment: r.Comment}
}
