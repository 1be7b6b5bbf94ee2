package registry

import (
	"context"
	"fmt"
	"slices"
)

// Decision is what one role says of a right, and by which entry: that at Path, "" when none speaks of it, or the one that does is not for who asks.
type Decision struct {
	Role    string
	Allowed bool
	Path    Path
}

// Explanation tells why a user may do something or not. Decisions has those of all its roles, what decided first.
type Explanation struct {
	Allowed   bool
	Reason    string
	Decisions []Decision

	made wording // of Reason
}

func (x *Explanation) because(format string, args ...any) {
	x.Reason, x.made = fmt.Sprintf(format, args...), wording{format, args}
}

// ReasonIn is Reason in another language, as [MessageIn] has messages.
func (x *Explanation) ReasonIn(translated func(english string) string) string {
	return x.made.in(translated, x.Reason)
}

// Explain tells which entries decide whether a user has a right on p. Everybody may ask about themselves; about others, who has
// [RightAuthorize] on p. Who does not have that is told only of entries where they may read; those elsewhere count, and are not named.
func (s *Service) Explain(ctx context.Context, a Actor, p Path, user string, r Right) (Explanation, error) {
	if s.access == nil {
		return Explanation{}, Errorf(CodeConflict, "this registry has no permissions: everybody who signed in may do everything")
	}
	if !a.Scope.admits(RightRead, p) {
		return Explanation{}, Errorf(CodeDenied, "this token is not good for %s on %s", RightRead, p)
	}
	err := s.auth.Authorize(ctx, a, RightAuthorize, p)
	full := err == nil
	switch code := CodeOf(err); {
	case full || code == CodeDenied && user == a.User && a.User != "":
	default:
		return Explanation{}, err
	}
	u, err := s.directory.UserByName(ctx, user)
	if err != nil {
		return Explanation{}, err
	}
	roles, err := s.directory.Roles(ctx)
	if err != nil {
		return Explanation{}, err
	}
	trail, err := s.access.trail(ctx, p, Freshness{})
	if err != nil {
		return Explanation{}, err
	}
	hidden := map[Path]bool{}
	if !full {
		if hidden, err = s.unreadable(ctx, a, p, trail); err != nil {
			return Explanation{}, err
		}
	}
	return explain(u, p, r, roles, trail, hidden), nil
}

// unreadable are the paths on the way to p that have entries and that a may not read.
func (s *Service) unreadable(ctx context.Context, a Actor, p Path, trail []Bound) (map[Path]bool, error) {
	hidden := map[Path]bool{}
	for _, b := range trail {
		at := p.prefix(b.Depth)
		switch err := s.auth.Authorize(ctx, a, RightRead, at); CodeOf(err) {
		case "":
		case CodeDenied, CodeUnauthenticated:
			hidden[at] = true
		default:
			return nil, err
		}
	}
	return hidden, nil
}

// explain says in words what [ways.permit] decides. An entry at a hidden path is not named: a denial there is told like no entry at all.
func explain(u User, p Path, r Right, roles []Role, trail []Bound, hidden map[Path]bool) Explanation {
	subject := Actor{User: u.Name, Roles: u.Roles}
	upwards := slices.Clone(trail)
	slices.Reverse(upwards) // nearest looks from the end
	var x Explanation
	for _, role := range roles {
		has := false
		subject.anyRole(func(id ID) bool { has = has || id == role.ID; return false })
		if !has {
			continue
		}
		d := Decision{Role: role.Name}
		if role.ID == RoleAdmin {
			d.Allowed, d.Path = true, Root
		} else if v, i := nearest(upwards, role.ID, r); v != silent {
			d.Allowed, d.Path = v == allowed, p.prefix(upwards[i].Depth)
		}
		if hidden[d.Path] {
			d.Path = ""
		}
		x.Decisions = append(x.Decisions, d)
	}
	weight := func(d Decision) int {
		switch {
		case d.Allowed:
			return 0
		case d.Path != "":
			return 1
		}
		return 2
	}
	slices.SortStableFunc(x.Decisions, func(a, b Decision) int { return weight(a) - weight(b) })
	first := x.Decisions[0]
	x.Allowed = first.Allowed && !u.Disabled
	switch {
	case u.Disabled:
		x.because("the user is disabled")
	case first.Allowed && slices.Contains(u.Roles, RoleAdmin):
		x.because("the role admin may do everything")
	case first.Allowed && first.Path == "":
		x.because("the role %s is allowed to %s", first.Role, r)
	case first.Allowed:
		x.because("the role %s is allowed to %s at %s", first.Role, r, first.Path)
	case first.Path != "":
		x.because("the role %s is denied to %s at %s, and no other role of the user is allowed to", first.Role, r, first.Path)
	default:
		x.because("no role of the user is allowed to %s here", r)
	}
	return x
}
