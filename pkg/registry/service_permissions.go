package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Role is what users are given, and permissions are given to.
type Role struct {
	ID          ID
	Name        string
	Description string
	Grants      Grants
	CreatedAt   time.Time
}

// IsBuiltIn tells whether every registry has the role: it can be neither removed nor changed.
func (r Role) IsBuiltIn() bool {
	return r.ID == RoleAdmin || r.ID == RoleEveryone || r.ID == RoleAnonymous
}

// Directory tells which roles and users there are. Its reads are never stale.
type Directory interface {
	// Roles gives all roles, sorted by name; there are at most [MaxRoles].
	Roles(ctx context.Context) ([]Role, error)
	// UserByName reads a user; [CodeNotFound] when there is none.
	UserByName(ctx context.Context, name string) (User, error)
}

// RoleEntry is what a role may do at a path and below it, by the role's name.
type RoleEntry struct {
	Role        string
	Allow, Deny Rights
}

// PathEntries are the entries at one path.
type PathEntries struct {
	Path    Path
	Entries []RoleEntry // sorted by role
}

// PathPermissions are the entries that count at a path: its own, and those further up, the nearest first.
type PathPermissions struct {
	PathEntries
	Inherited []PathEntries
	Roles     []string // that can have entries, sorted
	ETag      string   // of the path's own entries, with quotes
}

// Permissions reads the entries that count at p. Needs [RightAuthorize].
func (s *Service) Permissions(ctx context.Context, a Actor, p Path) (PathPermissions, error) {
	names, err := s.authorityOn(ctx, a, p)
	if err != nil {
		return PathPermissions{}, err
	}
	return s.permissions(ctx, a, p, names)
}

// authorityOn checks for [RightAuthorize] on what is at p and gives the names of all roles.
func (s *Service) authorityOn(ctx context.Context, a Actor, p Path) (map[ID]string, error) {
	if s.access == nil {
		return nil, Errorf(CodeConflict, "this registry has no permissions: everybody who signed in may do everything")
	}
	if err := s.auth.Authorize(ctx, a, RightAuthorize, p); err != nil {
		return nil, err
	}
	if _, _, err := s.find(ctx, a, p, Freshness{}); err != nil && !p.IsRoot() {
		return nil, err
	}
	roles, err := s.directory.Roles(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[ID]string, len(roles))
	for _, r := range roles {
		names[r.ID] = r.Name
	}
	return names, nil
}

func (s *Service) permissions(ctx context.Context, a Actor, p Path, names map[ID]string) (PathPermissions, error) {
	trail, err := s.access.trail(ctx, p, Freshness{seen: a.Seen})
	if err != nil {
		return PathPermissions{}, err
	}
	res := PathPermissions{PathEntries: PathEntries{Path: p}}
	for id, name := range names {
		if id != RoleAdmin {
			res.Roles = append(res.Roles, name)
		}
	}
	slices.Sort(res.Roles)
	for _, b := range trail {
		named := PathEntries{Path: p.prefix(b.Depth), Entries: named(b.Entries, names)}
		if named.Path == p {
			res.Entries, res.ETag = named.Entries, entriesTag(b.Entries)
		} else if len(named.Entries) > 0 {
			res.Inherited = append(res.Inherited, named)
		}
	}
	if res.ETag == "" {
		res.ETag = entriesTag(nil)
	}
	return res, nil
}

// trail is all entries on the way to p, the nearest first; Depth counts names of p.
func (x *Access) trail(ctx context.Context, p Path, f Freshness) ([]Bound, error) {
	var trail []Bound
	l := &look{x: x, seen: f.seen}
	for _, s := range x.stretches(p) {
		perms, err := l.read(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, b := range slices.Backward(perms.Way) {
			trail = append(trail, Bound{b.Depth + s.shift, b.Entries})
		}
	}
	return trail, nil
}

// named puts names in place of ids. A role that is gone has none, and its entries count for nobody.
func named(entries []Entry, names map[ID]string) []RoleEntry {
	var list []RoleEntry
	for _, e := range entries {
		if name, ok := names[e.Role]; ok {
			list = append(list, RoleEntry{name, e.Allow, e.Deny})
		}
	}
	slices.SortFunc(list, func(a, b RoleEntry) int { return strings.Compare(a.Role, b.Role) })
	return list
}

// entriesTag is the entity tag of a node's entries, which are in order of their roles.
func entriesTag(entries []Entry) string {
	h := sha256.New()
	for _, e := range entries {
		h.Write(e.Role[:])
		h.Write([]byte{byte(e.Allow), byte(e.Deny)})
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// SetPermissions replaces the entries at p; what they say counts for the next request at every node. Who has [RightAuthorize] may give any right.
// Needs [RightAuthorize].
func (s *Service) SetPermissions(ctx context.Context, a Actor, p Path, list []RoleEntry, c Precondition) (PathPermissions, error) {
	names, err := s.authorityOn(ctx, a, p)
	if err != nil {
		return PathPermissions{}, err
	}
	entries, err := parseEntries(list, names)
	if err != nil {
		return PathPermissions{}, err
	}
	store := s.access.home
	m, sp, stored := s.mounts.Resolve(p)
	if stored = stored && !p.IsRoot(); stored {
		if m.ReadOnly {
			return PathPermissions{}, Errorf(CodeDenied, "the mount %s is read-only", m.Path)
		}
		store = m.Store
	}
	seq, err := store.Update(ctx, s.op(a), func(tx Tx) error {
		id := PathID(p)
		if stored {
			r, err := tx.Get(sp)
			if err != nil {
				return at(p, err)
			}
			id = r.ID
		}
		current, err := tx.Entries(id)
		if err != nil {
			return err
		}
		_, _, err = once(a, tx, func() (bool, error) {
			if err := c.CheckTag("the permissions of "+p.String(), entriesTag(current)); err != nil || slices.Equal(current, entries) {
				return true, err
			}
			return true, tx.SetEntries(id, entries)
		})
		return err
	})
	if err != nil {
		return PathPermissions{}, err
	}
	a.Seen = seq
	return s.permissions(ctx, a, p, names)
}

// parseEntries checks entries and puts ids in place of names; entries without rights are left out.
func parseEntries(list []RoleEntry, names map[ID]string) ([]Entry, error) {
	if len(list) > MaxRoles {
		return nil, Errorf(CodeInvalid, "there are %d entries; the limit is %d", len(list), MaxRoles)
	}
	ids := make(map[string]ID, len(names))
	for id, name := range names {
		ids[name] = id
	}
	var entries []Entry
	seen := map[ID]bool{}
	for _, e := range list {
		id, ok := ids[e.Role]
		switch {
		case !ok:
			return nil, Errorf(CodeInvalid, "there is no role %q", firstRunes(e.Role, MaxUserNameLength))
		case id == RoleAdmin:
			return nil, Errorf(CodeInvalid, "the role %s may do everything; it takes no entry", e.Role)
		case seen[id]:
			return nil, Errorf(CodeInvalid, "the role %s has two entries", e.Role)
		case e.Allow&e.Deny != 0:
			return nil, Errorf(CodeInvalid, "the role %s is both allowed and denied: %s", e.Role, strings.Join((e.Allow&e.Deny).Names(), ", "))
		}
		seen[id] = true
		if e.Allow|e.Deny != 0 {
			entries = append(entries, Entry{id, e.Allow, e.Deny})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return slices.Compare(a.Role[:], b.Role[:]) })
	return entries, nil
}
