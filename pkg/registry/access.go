package registry

import (
	"cmp"
	"context"
)

// Access is the [Authorizer] by roles and permission entries. For each role the nearest entry on the way up from the path that speaks of the
// right decides, deny before allow at one node; one role that ends allowed is enough; the role admin may do everything. Entries are bound to
// nodes, so they move with them. What a mount point inherits is what the registry has above it, not its store. Safe for concurrent use.
type Access struct {
	mounts *Mounts
	home   Store
}

// NewAccess makes an authorizer. home is the store of users; it has the entries of the paths that no store has.
func NewAccess(mounts *Mounts, home Store) *Access { return &Access{mounts, home} }

// maxDenials is how many nodes below a path may have a denial for somebody who changes the whole of it.
const maxDenials = 1000

// stretch is a part of the way from the root to a path that lies in one store.
type stretch struct {
	store Store
	path  Path // in the store
	base  int  // entries of nodes fewer names deep are not on the way
	shift int  // how many names more lead to a node in the registry than in the store
	ids   []ID // entries that are bound to paths of the registry, in place of path; from the top down
}

// stretches divides the way to p, the lowest part first.
func (x *Access) stretches(p Path) []stretch {
	all := make([]stretch, 0, 3)
	for !p.IsRoot() {
		m, sp, ok := x.mounts.Resolve(p)
		if !ok {
			break
		}
		base := m.Target.depth()
		shift := m.Path.depth() - base
		if m.Path.IsRoot() {
			base++ // the registry's root has its entries in the store of users, whatever is mounted there
		}
		all = append(all, stretch{store: m.Store, path: sp, base: base, shift: shift})
		if p = m.Path; !p.IsRoot() {
			p = p.Parent()
		}
	}
	ids := make([]ID, 0, 4)
	for q := p; !q.IsRoot(); q = q.Parent() {
		ids = append(ids, PathID(q))
	}
	for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
	}
	return append(all, stretch{store: x.home, ids: append([]ID{PathID(Root)}, ids...)})
}

func below(way []Bound, base int) []Bound {
	for len(way) > 0 && way[0].Depth < base {
		way = way[1:]
	}
	return way
}

// verdict is what a role's entries say of a right; silent when they do not speak of it.
type verdict int8

const (
	silent verdict = iota
	allowed
	denied
)

// nearest is what the lowest entry of a role on the way says, and at which of the nodes.
func nearest(way []Bound, role ID, r Right) (verdict, int) {
	for i := len(way) - 1; i >= 0; i-- {
		for _, e := range way[i].Entries {
			switch {
			case e.Role != role:
			case e.Deny.Has(r):
				return denied, i
			case e.Allow.Has(r):
				return allowed, i
			}
		}
	}
	return silent, 0
}

// ways are the parts of the way to a path, the lowest first.
type ways [][]Bound

// permit tells whether one role of a ends allowed.
func (w ways) permit(a Actor, r Right) bool {
	return a.anyRole(func(role ID) bool {
		for _, way := range w {
			if v, _ := nearest(way, role, r); v != silent {
				return v == allowed
			}
		}
		return false
	})
}

// before answers what needs no entries: whether a may do everything, or cannot by its scope.
func (x *Access) before(a Actor, r Right, p Path) (done bool, err error) {
	switch {
	case !a.Scope.admits(r, p):
		return true, Errorf(CodeDenied, "this token is not good for %s on %s", r, p)
	case a.IsAdmin():
		return true, nil
	}
	return false, nil
}

func refusal(a Actor, r Right, p Path) error {
	if a.User == "" {
		return Errorf(CodeUnauthenticated, "sign in first")
	}
	return Errorf(CodeDenied, "you may not %s %s", r, p)
}

// Authorize implements [Authorizer].
func (x *Access) Authorize(ctx context.Context, a Actor, r Right, p Path) error {
	if done, err := x.before(a, r, p); done {
		return err
	}
	w, _, err := x.since(a).ways(ctx, p)
	if err != nil {
		return err
	}
	if !w.permit(a, r) {
		return refusal(a, r, p)
	}
	return nil
}

// AuthorizeRead implements [Authorizer]. A state not before the resource's own sees every permission that was taken away before what was read
// was written, so nobody reads what came after.
func (x *Access) AuthorizeRead(ctx context.Context, a Actor, r Resource) error {
	if done, err := x.before(a, RightRead, r.Path); done {
		return err
	}
	l := x.since(a)
	if r.Seq.Store != "" { // else it only leads to mounts; nobody writes there
		l.seen = Seq{}
		for _, s := range x.stretches(r.Path) {
			if s.store.Name() == r.Seq.Store {
				l.at = append(l.at, reached{s.store, r.Seq})
			}
		}
	}
	w, node, err := l.ways(ctx, r.Path)
	if err != nil {
		return err
	}
	if !r.ID.IsZero() && node != r.ID && !r.Path.IsRoot() {
		return Errorf(CodePrecondition, "%s has changed meanwhile", r.Path)
	}
	if !w.permit(a, RightRead) {
		return refusal(a, RightRead, r.Path)
	}
	return nil
}

// AuthorizeTree implements [Authorizer].
func (x *Access) AuthorizeTree(ctx context.Context, a Actor, r Right, p Path) error {
	if done, err := x.before(a, r, p); done {
		return err
	}
	w, node, err := x.since(a).ways(ctx, p)
	if err != nil {
		return err
	}
	if !w.permit(a, r) {
		return refusal(a, r, p)
	}
	m, _, ok := x.mounts.Resolve(p)
	if !ok || node.IsZero() {
		return nil
	}
	may, err := x.permitBelow(ctx, a, r, m.Store, node, w)
	if err == nil && !may {
		err = Errorf(CodeDenied, "you may not %s everything below %s", r, p)
	}
	return err
}

// permitBelow tells whether nothing below a node takes the right away that w gives there.
func (x *Access) permitBelow(ctx context.Context, a Actor, r Right, store Store, node ID, w ways) (bool, error) {
	roles := append([]ID{RoleEveryone, RoleAnonymous}, a.Roles...)
	denials, err := store.Denials(ctx, node, roles, r, maxDenials)
	for _, way := range denials {
		if !append(ways{way}, w...).permit(a, r) {
			return false, err
		}
	}
	return err == nil, err
}

// Visible implements [Authorizer].
func (x *Access) Visible(ctx context.Context, a Actor, list []Place) ([]bool, error) {
	may := make([]bool, len(list))
	l := x.now()
	for i, place := range list {
		if done, err := x.before(a, RightRead, place.Path); done {
			may[i] = err == nil
			continue
		}
		w, node, err := l.ways(ctx, place.Path)
		if err != nil {
			return nil, err
		}
		may[i] = node == place.ID && w.permit(a, RightRead)
	}
	return may, nil
}

// Readable implements [Authorizer].
func (x *Access) Readable(ctx context.Context, a Actor, parent Resource, children []Resource) ([]Resource, error) {
	if a.Scope == nil && a.IsAdmin() || len(children) == 0 {
		return children, nil
	}
	ids := make([]ID, len(children))
	for i, c := range children {
		ids[i] = c.ID
	}
	p := cmp.Or(parent.Real, parent.Path)
	m, sp, ok := x.mounts.Resolve(p)
	if !ok {
		return nil, notFound(parent.Path)
	}
	l := x.now()
	perms, err := l.read(ctx, stretch{store: m.Store, path: sp}, ids...)
	if err != nil {
		return nil, err
	}
	if perms.Node != parent.ID {
		return nil, notFound(parent.Path)
	}
	above, _, err := l.ways(ctx, p)
	if err != nil {
		return nil, err
	}
	w, own := append(ways{nil}, above...), perms.Of // the first is the child's
	kept := children[:0]
	inherits := w[1:].permit(a, RightRead) || a.IsAdmin()
	for i, c := range children {
		ok := inherits
		if len(own[i]) > 0 && !a.IsAdmin() {
			w[0] = []Bound{{Entries: own[i]}}
			ok = w.permit(a, RightRead)
		}
		if ok && a.Scope.admits(RightRead, c.Path.rebase(parent.Path, p)) {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// Moderates implements [Moderator]: who may give permissions on p answers for what is said about it.
func (x *Access) Moderates(ctx context.Context, a Actor, p Path) (bool, error) {
	switch err := x.Authorize(ctx, a, RightAuthorize, p); CodeOf(err) {
	case "":
		return true, nil
	case CodeDenied, CodeUnauthenticated:
		return false, nil
	default:
		return false, err
	}
}

// Authorize tells whether a has a right on p, for pages that offer only what can be done.
func (s *Service) Authorize(ctx context.Context, a Actor, r Right, p Path) error {
	return s.auth.Authorize(ctx, a, r, p)
}
