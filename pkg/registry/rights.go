package registry

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
)

// Right is what an operation does to a path.
type Right uint8

// The rights, as WSO2's registry has them.
const (
	RightRead Right = iota + 1
	RightWrite
	RightDelete
	RightAuthorize
)

var rightNames = [...]string{RightRead: "read", RightWrite: "write", RightDelete: "delete", RightAuthorize: "authorize"}

// String gives "read", "write", "delete" or "authorize".
func (r Right) String() string {
	if r == 0 || int(r) >= len(rightNames) {
		return "unknown"
	}
	return rightNames[r]
}

// ParseRight is the right of that name; the error has [CodeInvalid].
func ParseRight(name string) (Right, error) {
	if i := slices.Index(rightNames[1:], name); i >= 0 {
		return Right(i + 1), nil
	}
	return 0, Errorf(CodeInvalid, "right is %q; it must be one of %s", firstRunes(name, 20), strings.Join(rightNames[1:], ", "))
}

// Rights is a set of rights. The bits are those in the stores: 1 read, 2 write, 4 delete, 8 authorize.
type Rights uint8

// AllRights has every right.
const AllRights = Rights(1<<RightAuthorize - 1)

// RightsOf is the set of the given rights.
func RightsOf(rights ...Right) Rights {
	var s Rights
	for _, r := range rights {
		s |= 1 << (r - 1)
	}
	return s
}

// ParseRights is the set of the rights with the given names; the error has [CodeInvalid].
func ParseRights(names []string) (Rights, error) {
	var s Rights
	for _, name := range names {
		r, err := ParseRight(name)
		if err != nil {
			return 0, err
		}
		s |= RightsOf(r)
	}
	return s, nil
}

// Has tells whether r is in the set.
func (s Rights) Has(r Right) bool { return s&RightsOf(r) != 0 }

// Names are the names of the rights in the set, never nil.
func (s Rights) Names() []string {
	names := []string{}
	for r := RightRead; r <= RightAuthorize; r++ {
		if s.Has(r) {
			names = append(names, r.String())
		}
	}
	return names
}

// The roles that every registry has. They can be neither removed nor renamed.
var (
	RoleAdmin     = ID{15: 1} // may do everything
	RoleEveryone  = ID{15: 2} // whoever signed in; nobody is given it
	RoleAnonymous = ID{15: 3} // everybody, also who did not sign in where the configuration lets them in; nobody is given it
)

// Grants is a set of administrative rights, which a role gives beside the permissions on paths.
type Grants uint8

// The administrative rights. The role admin has them all.
const (
	GrantUsers    Grants = 1 << iota // make, change and remove users and roles, but none that has more rights
	GrantServer                      // see members, stores and mounts
	GrantWebhooks                    // make webhooks, which tell others what one may read
)

var grantNames = [...]string{"manage_users", "view_server", "manage_webhooks"}

// AllGrants has every administrative right.
const AllGrants = GrantUsers | GrantServer | GrantWebhooks

// Names are the names of the rights in the set, never nil.
func (g Grants) Names() []string {
	names := []string{}
	for i, name := range grantNames {
		if g&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ParseGrants is the set of the administrative rights with the given names; the error has [CodeInvalid].
func ParseGrants(names []string) (Grants, error) {
	var g Grants
	for _, name := range names {
		i := slices.Index(grantNames[:], name)
		if i < 0 {
			return 0, Errorf(CodeInvalid, "administrative right is %q; it must be one of %s", firstRunes(name, 40), strings.Join(grantNames[:], ", "))
		}
		g |= 1 << i
	}
	return g, nil
}

// IsAdmin tells whether a may do everything that its scope leaves.
func (a Actor) IsAdmin() bool { return slices.Contains(a.Roles, RoleAdmin) }

// Holds tells whether a has an administrative right.
func (a Actor) Holds(g Grants) bool {
	return (a.IsAdmin() || a.Grants&g == g) && (a.Scope == nil || a.Scope.Manage)
}

// anyRole calls f for each role that a has, until f tells true; it tells whether f did. A role that counts for everybody comes last.
func (a Actor) anyRole(f func(ID) bool) bool {
	return slices.ContainsFunc(a.Roles, f) || a.User != "" && f(RoleEveryone) || f(RoleAnonymous)
}

// Scope is what the credentials of a request are good for.
type Scope struct {
	Rights Rights
	Paths  []Path // and what lies below them; none means all
	Manage bool   // also the administrative rights
}

func (s *Scope) admits(r Right, p Path) bool {
	return s == nil || s.Rights.Has(r) && (len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(q Path) bool { return q.Covers(p) }))
}

// Entry says what a role may do at a node and below it. A right in neither set is left to the entries further up.
type Entry struct {
	Role        ID
	Allow, Deny Rights
}

// Bound is the permission entries of one node on the way to a path.
type Bound struct {
	Depth   int // how many names lead to the node
	Entries []Entry
}

// Permissions are permission entries as a store has them at one state. They may be shared: nobody may change them.
type Permissions struct {
	Way  []Bound   // on the way from the root to a path, from the top down; nodes without entries are left out
	Of   [][]Entry // of each node that was asked for by its id
	Node ID        // what is at the path; zero when nothing is
	Seq  Seq
}

// Origin is where an entry of the trash would be in its store, and the permission entries on the way there, from the root down.
type Origin struct {
	Path   Path
	Parent ID // the collection that it was deleted from
	Way    []Bound
}

// PathID stands for a path that no store has, in the permission entries of the store of users: the root, which is always there, and the
// collections that only lead to mounts.
func PathID(p Path) ID {
	h := sha256.Sum256([]byte("permissions of " + p.String()))
	id := ID(h[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8: no node has one
	return id
}

// Authorizer decides what an actor may do. Its errors have [CodeUnauthenticated] or [CodeDenied], or are those of a store.
type Authorizer interface {
	// Authorize tells whether a has a right on p. Nothing need be there: what would be made there inherits what counts above it.
	Authorize(ctx context.Context, a Actor, r Right, p Path) error
	// AuthorizeRead is Authorize for a resource that was read: at that node, and at a state not before the one that it was read at. The
	// error has [CodePrecondition] when something else is at its path by now.
	AuthorizeRead(ctx context.Context, a Actor, r Resource) error
	// AuthorizeTree is Authorize for p and all that is below it.
	AuthorizeTree(ctx context.Context, a Actor, r Right, p Path) error
	// Visible tells of some places, by their paths in the registry, whether a may read what is there, at a state not before this call. It may not where
	// something else is by now.
	Visible(ctx context.Context, a Actor, places []Place) ([]bool, error)
	// Gone tells of some entries of a store's trash, or of what was somewhere once, whether a has a right on them, with tree also on all that is below them. Their own permissions count, and
	// those of the collections that they were deleted from, wherever these are by now. The paths are those of the registry where they were.
	Gone(ctx context.Context, a Actor, r Right, store Store, entries []Place, tree bool) ([]bool, error)
	// Readable gives those of some children of a collection that a may read, at a state not before this call. It may reuse the list.
	Readable(ctx context.Context, a Actor, parent Resource, children []Resource) ([]Resource, error)
}

// SignedIn is the [Authorizer] that lets everybody who signed in do everything, for tests and for registries of one person.
type SignedIn struct{}

// Authorize implements [Authorizer].
func (SignedIn) Authorize(_ context.Context, a Actor, _ Right, _ Path) error {
	if a.User == "" {
		return Errorf(CodeUnauthenticated, "sign in first")
	}
	return nil
}

// AuthorizeRead implements [Authorizer].
func (s SignedIn) AuthorizeRead(ctx context.Context, a Actor, r Resource) error {
	return s.Authorize(ctx, a, RightRead, r.Path)
}

// AuthorizeTree implements [Authorizer].
func (s SignedIn) AuthorizeTree(ctx context.Context, a Actor, r Right, p Path) error {
	return s.Authorize(ctx, a, r, p)
}

// Visible implements [Authorizer].
func (s SignedIn) Visible(ctx context.Context, a Actor, places []Place) ([]bool, error) {
	return s.each(ctx, a, RightRead, places), nil
}

// Gone implements [Authorizer].
func (s SignedIn) Gone(ctx context.Context, a Actor, r Right, _ Store, entries []Place, _ bool) ([]bool, error) {
	return s.each(ctx, a, r, entries), nil
}

func (s SignedIn) each(ctx context.Context, a Actor, r Right, places []Place) []bool {
	may := make([]bool, len(places))
	for i, place := range places {
		may[i] = s.Authorize(ctx, a, r, place.Path) == nil
	}
	return may
}

// Readable implements [Authorizer].
func (s SignedIn) Readable(ctx context.Context, a Actor, parent Resource, children []Resource) ([]Resource, error) {
	return children, s.Authorize(ctx, a, RightRead, parent.Path)
}
