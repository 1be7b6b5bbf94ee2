package registry

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// MaxStars is how many stars one user has in each store at most.
const MaxStars = 200

// Star is a resource or collection that a user wants to find again. Nobody else sees it. It lies in the store of what it is on, by id, so it stays when that
// moves or is renamed, is out of sight while that is in the trash, and goes with it when it is purged.
type Star struct {
	Place // Path is of the registry
	At    time.Time
}

// StarReader is the part of a [Store] that reads stars. What it reads is as fresh as the database.
type StarReader interface {
	// Starred tells whether the user who starred a node.
	Starred(ctx context.Context, id ID, who string) (bool, error)
	// Stars reads the newest stars of the user who, newest first, at most limit. Path is "" where no path leads to a node, as to one in the trash.
	Stars(ctx context.Context, who string, limit int) ([]Star, error)
	// StarGivers lists, by name, those who gave stars, after a name ("" for the first), at most limit.
	StarGivers(ctx context.Context, after string, limit int) ([]string, error)
	// ForgetStars takes away what the user who starred before a time, and tells how many that were. As with everything about stars, nobody is told.
	ForgetStars(ctx context.Context, who string, before time.Time) (int64, error)
}

// StarWriter is the part of a [Tx] that changes the stars of the operation's actor. It makes no version of the resource, and nobody is told of it.
type StarWriter interface {
	// SetStar gives r a star or takes it away. More than [MaxStars] of the actor are [CodeConflict].
	SetStar(r Resource, on bool) error
}

// StarBy is the star that a user gave.
type StarBy struct {
	Resource ID
	By       string
	At       time.Time
}

// keepsStars refuses who has no place to keep stars.
func keepsStars(a Actor) error {
	if a.User == "" {
		return Errorf(CodeUnauthenticated, "sign in first")
	}
	return nil
}

// Star gives what is at p a star of the actor's, or takes it away; it tells where that is. A mount that takes no changes takes stars all the same: they are
// the user's. Needs [RightRead].
func (s *Service) Star(ctx context.Context, a Actor, p Path, on bool) (Resource, error) {
	if err := keepsStars(a); err != nil {
		return Resource{}, err
	}
	if !a.Scope.admits(RightWrite, p) { // a token for reading changes nothing
		return Resource{}, Errorf(CodeDenied, "this token is not good for %s on %s", RightWrite, p)
	}
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, err
	}
	m, sp, ok := s.mounts.Resolve(p)
	if !ok {
		return Resource{}, Errorf(CodeConflict, "no store is mounted at or above %s", p)
	}
	r, _, err := annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (struct{}, error) { return struct{}{}, tx.SetStar(r, on) })
	return r, err
}

// IsStarred tells whether the actor starred a resource that was read for them. What only leads to mounts has no star.
func (s *Service) IsStarred(ctx context.Context, a Actor, r Resource) (bool, error) {
	m, _, ok := s.mounts.Resolve(cmp.Or(r.Real, r.Path))
	if !ok || a.User == "" || r.ID.IsZero() {
		return false, nil
	}
	return m.Store.Starred(ctx, r.ID, a.User)
}

// Starred tells whether the actor starred what is at p. Needs [RightRead].
func (s *Service) Starred(ctx context.Context, a Actor, p Path, f Freshness) (Resource, bool, error) {
	if err := keepsStars(a); err != nil {
		return Resource{}, false, err
	}
	r, m, err := s.authorizedGet(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return r, false, err
	}
	on, err := m.Store.Starred(ctx, r.ID, a.User)
	return r, on, err
}

// Stars reads the actor's stars on what they may read now, newest first, at most limit; 0 for all.
func (s *Service) Stars(ctx context.Context, a Actor, limit int) ([]Star, error) {
	if err := keepsStars(a); err != nil {
		return nil, err
	}
	limit, err := within("limit", limit, MaxStars, MaxStars)
	if err != nil {
		return nil, err
	}
	list := []Star{}
	for _, store := range s.mounts.stores() {
		// Twice as many as asked for: some may be in the trash, or hidden by now.
		stars, err := store.Stars(ctx, a.User, min(2*limit, MaxStars))
		if err != nil {
			return nil, err
		}
		places := make([]Place, len(stars))
		for i, star := range stars {
			places[i] = star.Place
		}
		paths, err := s.visible(ctx, a, store, places)
		if err != nil {
			return nil, err
		}
		for i, p := range paths {
			if p != "" {
				stars[i].Path = p
				list = append(list, stars[i])
			}
		}
	}
	slices.SortStableFunc(list, func(x, y Star) int { return y.At.Compare(x.At) })
	return list[:min(limit, len(list))], nil
}

// starGivers are looked at at a time.
const starGivers = 200

// ForgetStars takes away the stars of a user who was removed, in all stores of this node, and tells how many. Other nodes do so for the stores that they alone have, by
// [Service.SweepStars].
func (s *Service) ForgetStars(ctx context.Context, user string) (int64, error) {
	now, all := s.now(), int64(0)
	for _, store := range s.mounts.stores() {
		n, err := store.ForgetStars(ctx, user, now)
		if all += n; err != nil {
			return all, err
		}
	}
	return all, nil
}

// SweepStars takes away the stars of users who are gone, in all stores of this node, and tells how many. Any number of nodes may do it at the same time.
func (s *Service) SweepStars(ctx context.Context) (int64, error) {
	all := int64(0)
	for _, store := range s.mounts.stores() {
		n, err := s.sweepStars(ctx, store)
		if all += n; err != nil {
			return all, err
		}
	}
	return all, nil
}

func (s *Service) sweepStars(ctx context.Context, store Store) (all int64, err error) {
	for after := ""; ; {
		givers, err := store.StarGivers(ctx, after, starGivers)
		if err != nil || len(givers) == 0 {
			return all, err
		}
		for _, who := range givers {
			now := s.now() // whoever is made of that name later keeps what they star
			if _, err := s.directory.UserByName(ctx, who); CodeOf(err) != CodeNotFound {
				if err != nil {
					return all, err
				}
				continue
			}
			n, err := store.ForgetStars(ctx, who, now)
			if all += n; err != nil {
				return all, err
			}
		}
		after = givers[len(givers)-1]
	}
}
