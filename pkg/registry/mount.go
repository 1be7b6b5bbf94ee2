package registry

import (
	"slices"
	"strings"
)

// Mount maps a path of the registry, and all below it, to a place in a store.
type Mount struct {
	Path     Path
	Store    Store
	Target   Path // the store's collection that stands at Path
	ReadOnly bool
}

// Mounts is the table of all mounts. Paths that no mount covers hold nothing, apart from the collections above mount points.
// It is immutable.
type Mounts struct {
	mounts []Mount // longest path first
}

// NewMounts makes the table; two mounts on one path are [CodeInvalid].
func NewMounts(mounts ...Mount) (*Mounts, error) {
	sorted := slices.Clone(mounts)
	slices.SortStableFunc(sorted, func(a, b Mount) int { return len(b.Path) - len(a.Path) })
	seen := map[Path]bool{}
	for _, m := range sorted {
		if seen[m.Path] {
			return nil, Errorf(CodeInvalid, "two mounts on the path %s", m.Path)
		}
		seen[m.Path] = true
	}
	return &Mounts{sorted}, nil
}

// All gives the mounts in order of their paths.
func (t *Mounts) All() []Mount {
	all := slices.Clone(t.mounts)
	slices.SortFunc(all, func(a, b Mount) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return all
}

// Resolve finds the mount that covers p and p's path in its store.
func (t *Mounts) Resolve(p Path) (Mount, Path, bool) {
	for _, m := range t.mounts {
		if m.Path.Covers(p) {
			return m, p.rebase(m.Path, m.Target), true
		}
	}
	return Mount{}, "", false
}

// below gives the names directly below p under which mounts lie, sorted; with the mount where the name is itself a mount point.
func (t *Mounts) below(p Path) []mountName {
	var names []mountName
	for _, m := range t.mounts {
		if m.Path == p || !p.Covers(m.Path) {
			continue
		}
		rest := m.Path.rebase(p, Root)
		first, _, more := strings.Cut(string(rest[1:]), "/")
		i := slices.IndexFunc(names, func(n mountName) bool { return n.name == first })
		if i < 0 {
			i = len(names)
			names = append(names, mountName{name: first})
		}
		if !more {
			names[i].point = true
		}
	}
	slices.SortFunc(names, func(a, b mountName) int { return strings.Compare(a.name, b.name) })
	return names
}

type mountName struct {
	name  string
	point bool
}

// Around finds the mount inside which the mount point p lies, and p's path in that mount's store.
func (t *Mounts) Around(p Path) (Mount, Path, bool) {
	for _, m := range t.mounts {
		if m.Path != p && m.Path.Covers(p) {
			return m, p.rebase(m.Path, m.Target), true
		}
	}
	return Mount{}, "", false
}
