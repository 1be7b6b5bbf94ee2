package registry

import (
	"cmp"
	"context"
	"slices"
)

// Moderator decides who may change what others wrote about a resource: their comments and tags. Without one only they themselves may.
type Moderator interface {
	// Moderates tells whether the actor may, for what is at p.
	Moderates(ctx context.Context, a Actor, p Path) (bool, error)
}

// CommunityReader is what a [Store] reads of what users attach to resources beside their versions.
type CommunityReader interface {
	TagReader
	CommentReader
	RatingReader
	StarReader
	AssociationReader
}

// CommunityWriter is what a [Tx] changes of it. None of its changes makes a version or changes an entity tag of the resource.
type CommunityWriter interface {
	TagWriter
	CommentWriter
	RatingWriter
	StarWriter
	AssociationWriter
}

// contribute authorises an addition to what others see of p, for which it is enough to be somebody who may read it, and finds its place in a store.
func (s *Service) contribute(ctx context.Context, a Actor, p Path) (Mount, Path, error) {
	m, sp, err := s.writable(ctx, a, RightRead, p)
	switch {
	case err != nil:
	case a.User == "":
		err = Errorf(CodeUnauthenticated, "sign in first")
	case !a.Scope.admits(RightWrite, p): // a token for reading changes nothing
		err = Errorf(CodeDenied, "this token is not good for %s on %s", RightWrite, p)
	}
	return m, sp, err
}

// annotate runs one change of what is attached to the node at sp of the mount m, which the registry has at p. It gives that node, and what change made.
// A request that was answered already gets the same again, of the node only what never changes.
func annotate[T any](
	ctx context.Context, s *Service, a Actor, m Mount, sp, p Path, change func(Tx, Resource) (T, error),
) (r Resource, made T, err error) {
	type answer struct {
		ID   ID   `json:"id"`
		Kind Kind `json:"kind"`
		Made T    `json:"made"`

		found Resource // not kept
	}
	kept, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (answer, error) {
		found, err := tx.Get(sp)
		if err != nil {
			return answer{}, at(p, err)
		}
		found.Path = p
		made, err := change(tx, found)
		return answer{found.ID, found.Kind, made, found}, err
	})
	if err != nil {
		return Resource{}, made, err
	}
	r = kept.found
	if r.ID.IsZero() { // answered before
		r = Resource{ID: kept.ID, Kind: kept.Kind, Path: p}
	}
	r.Mount, r.Seq = m.Path == p, seq
	return r, kept.Made, nil
}

// authorizedGet is get for an actor who may read p. A collection that only leads to mount points has no store and nothing attached.
func (s *Service) authorizedGet(ctx context.Context, a Actor, p Path, f Freshness) (Resource, Mount, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, Mount{}, err
	}
	return s.get(ctx, a, p, f)
}

// still asks again whether a may read r, when what is attached to it has been read: what came after the right was taken away is not for them.
func (s *Service) still(ctx context.Context, a Actor, r Resource) error {
	if r.ID.IsZero() {
		return nil
	}
	may, err := s.auth.Visible(ctx, a, []Place{{r.ID, r.Kind, cmp.Or(r.Real, r.Path)}})
	if err != nil || may[0] {
		return err
	}
	a.Seen = Seq{}
	if err := s.auth.Authorize(ctx, a, RightRead, cmp.Or(r.Real, r.Path)); err != nil {
		return err
	}
	return Errorf(CodeUnavailable, "%s has changed meanwhile; try again", r.Path)
}

// Moderates tells whether the actor may change what others wrote about what is at p, for pages that offer it.
func (s *Service) Moderates(ctx context.Context, a Actor, p Path) (bool, error) {
	if s.moderator == nil {
		return false, nil
	}
	return s.moderator.Moderates(ctx, a, p)
}

// mustModerate refuses who may not change what others wrote.
func (s *Service) mustModerate(ctx context.Context, a Actor, p Path, what string) error {
	may, err := s.Moderates(ctx, a, p)
	if may || err != nil {
		return err
	}
	return Errorf(CodeDenied, "only a moderator may %s", what)
}

// mustBeSomebody guards what speaks of the whole registry: its entries are authorised one by one, but nobody at all gets nothing.
func (s *Service) mustBeSomebody(ctx context.Context, a Actor) error {
	if a.User != "" {
		return nil
	}
	return s.auth.Authorize(ctx, a, RightRead, Root)
}

// visible gives the paths at which the actor sees places of a store; "" where no mount shows one or the actor may not read it.
func (s *Service) visible(ctx context.Context, a Actor, store Store, places []Place) ([]Path, error) {
	paths := make([]Path, len(places))
	var shown []Place
	var index []int
	for i, place := range places {
		if place.Path == "" {
			continue
		}
		if p, ok := s.mounts.shows(store, place.Path); ok {
			shown, index = append(shown, Place{place.ID, place.Kind, p}), append(index, i)
		}
	}
	may, err := s.auth.Visible(ctx, a, shown)
	if err != nil {
		return nil, err
	}
	for i, place := range shown {
		if may[i] {
			paths[index[i]] = place.Path
		}
	}
	return paths, nil
}

// shows gives the path of the registry at which a path of a store stands; false where no mount leads there. When several do, the one with the longest
// target counts, then the first by path.
func (t *Mounts) shows(store Store, sp Path) (Path, bool) {
	var best Mount
	for _, m := range t.All() {
		if m.Store != store || !m.Target.Covers(sp) || best.Store != nil && len(m.Target) <= len(best.Target) {
			continue
		}
		if found, _, _ := t.Resolve(sp.rebase(m.Target, m.Path)); found.Path == m.Path {
			best = m
		}
	}
	if best.Store == nil {
		return "", false
	}
	return sp.rebase(best.Target, best.Path), true
}

// holds tells whether a store may have something at or below a path, and where in the store that lies.
func (t *Mounts) holds(store Store, p Path) (Path, bool) {
	for _, m := range t.mounts {
		if m.Store == store && m.Path != p && p.Covers(m.Path) {
			return Root, true
		}
	}
	m, sp, ok := t.Resolve(p)
	return sp, ok && m.Store == store
}

// stores gives the mounted stores, each once, in the order of their first mount.
func (t *Mounts) stores() []Store { return storesOf(t.All()) }

// storesOf gives the stores of mounts, each once.
func storesOf(mounts []Mount) []Store {
	var stores []Store
	for _, m := range mounts {
		if !slices.Contains(stores, m.Store) {
			stores = append(stores, m.Store)
		}
	}
	return stores
}

// within gives n, or the default for 0; outside of 1 to most it is [CodeInvalid].
func within(field string, n, standard, most int) (int, error) {
	switch {
	case n == 0:
		return standard, nil
	case n < 0 || n > most:
		return 0, Errorf(CodeInvalid, "%s is %d; it must be from 1 to %d", field, n, most)
	}
	return n, nil
}

func badCursor(cursor string) error {
	return Errorf(CodeInvalid, "cursor %q is not one that a page gave", firstRunes(cursor, 60))
}
