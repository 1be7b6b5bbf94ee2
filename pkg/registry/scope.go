package registry

import "slices"

// scope is a path of the registry as one store's log has it.
type scope struct {
	mounts  *Mounts
	path    Path
	store   Store
	under   Path    // path in the store; the root when several mounts of the store lie below path
	through []Mount // by which the store's paths can be seen there
	stores  []string
}

// scopeOf finds the store of a path. Where none is mounted at the path or above, but some are below, name chooses among their stores; "" is the
// first of them in the order of paths.
func (s *Service) scopeOf(p Path, name string) (scope, error) {
	if m, sp, ok := s.mounts.Resolve(p); ok {
		if name != "" && name != m.Store.Name() {
			return scope{}, Errorf(CodeConflict, "%s lies in the store %s, not in %s", p, m.Store.Name(), name)
		}
		return scope{s.mounts, p, m.Store, sp, []Mount{m}, []string{m.Store.Name()}}, nil
	}
	sc := scope{mounts: s.mounts, path: p, under: Root}
	for _, m := range s.mounts.All() {
		if !p.Covers(m.Path) {
			continue
		}
		if !slices.Contains(sc.stores, m.Store.Name()) {
			sc.stores = append(sc.stores, m.Store.Name())
		}
		if sc.store == nil && (name == "" || name == m.Store.Name()) {
			sc.store = m.Store
		}
		if sc.store != nil && sc.store.Name() == m.Store.Name() {
			sc.through = append(sc.through, m)
		}
	}
	switch {
	case len(sc.stores) == 0:
		return scope{}, Errorf(CodeConflict, "no store is mounted at, above or below %s", p)
	case sc.store == nil:
		return scope{}, Errorf(CodeInvalid, "no store %q is mounted below %s; there are %q", firstRunes(name, 60), p, sc.stores)
	}
	return sc, nil
}

// place tells where in the registry a path of the store is; false when it cannot be seen there. A path above a mount's target is the mount point.
func (sc scope) place(sp Path) (Path, bool) {
	for _, m := range sc.through {
		switch {
		case sp == "":
			return "", false
		case m.Target.Covers(sp):
			p := sp.rebase(m.Target, m.Path)
			if by, _, ok := sc.mounts.Resolve(p); ok && by.Path == m.Path {
				return p, true // no other mount hides it
			}
		case sp.Covers(m.Target):
			return m.Path, true
		}
	}
	return "", false
}
