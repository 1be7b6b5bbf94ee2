package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// doGrant is what the button of the form says that gives access to one role.
const doGrant = "grant"

// grantView is that form: who gets which access, and what becomes of the others.
type grantView struct {
	Role, Level, Others string
	Names               []string // of the roles, where they are few
}

// levels are the kinds of access, each with what is in it.
var levels = []struct {
	Name, Label string
	rights      registry.Rights
}{
	{"read", mark("read"), registry.RightsOf(registry.RightRead)},
	{"write", mark("read and write"), registry.RightsOf(registry.RightRead, registry.RightWrite)},
	{"delete", mark("read, write and delete"), registry.RightsOf(registry.RightRead, registry.RightWrite, registry.RightDelete)},
	{"authorize", mark("everything, also give permissions"), registry.AllRights},
}

// others are what may become of everybody else, each with what is taken away. Who may give permissions keeps that, so that nobody shuts the door behind himself.
var others = []struct {
	Name, Label string
	rights      registry.Rights
}{
	{"keep", mark("keeps what it has"), 0},
	{"read", mark("may not change anything here (reading stays as it is)"), registry.RightsOf(registry.RightWrite, registry.RightDelete)},
	{"none", mark("may not even see it"), registry.RightsOf(registry.RightRead, registry.RightWrite, registry.RightDelete)},
}

// Levels and OtherChoices are for the template.
func (grantView) Levels() any       { return levels }
func (grantView) OtherChoices() any { return others }

func grantOf(form url.Values) grantView {
	g := grantView{Role: strings.TrimSpace(form.Get("role")), Level: form.Get("level"), Others: form.Get("others")}
	if g.Level == "" {
		g.Level = "write"
	}
	if g.Others == "" {
		g.Others = "keep"
	}
	return g
}

// apply makes the entries of a path that give the access, of those that it has.
func (g grantView) apply(now registry.PathPermissions) ([]registry.RoleEntry, error) {
	if !slices.Contains(now.Roles, g.Role) {
		return nil, registry.Errorf(registry.CodeInvalid, "there is no role %q; choose one of the list, or make it under Roles first", g.Role)
	}
	var give, take registry.Rights
	for _, l := range levels {
		if l.Name == g.Level {
			give = l.rights
		}
	}
	for _, o := range others {
		if o.Name == g.Others {
			take = o.rights
		}
	}
	if give == 0 || g.Others != "keep" && take == 0 {
		return nil, registry.Errorf(registry.CodeInvalid, "the form says not which access to give")
	}
	mine := entryFor(now.Entries, g.Role)
	mine.Allow, mine.Deny = mine.Allow|give, mine.Deny&^give
	entries := []registry.RoleEntry{mine}
	for _, role := range g.concerned(now) {
		e := entryFor(now.Entries, role)
		e.Allow &^= take
		inherited := now.Inherits(role)
		for right := registry.RightRead; right <= registry.RightAuthorize; right++ {
			if take.Has(right) && inherited.Of(right).Allowed { // only what would be left is denied
				e.Deny |= registry.RightsOf(right)
			}
		}
		if e.Allow|e.Deny != 0 {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// concerned are the other roles that an entry at the path or above it speaks of.
func (g grantView) concerned(now registry.PathPermissions) []string {
	var roles []string
	for _, at := range append([]registry.PathEntries{now.PathEntries}, now.Inherited...) {
		for _, e := range at.Entries {
			if e.Role != g.Role {
				roles = append(roles, e.Role)
			}
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}
