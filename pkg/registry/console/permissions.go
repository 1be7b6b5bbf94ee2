package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// permissionsView is the matrix of roles and rights at a path, what it inherits, and why a user may do something there.
type permissionsView struct {
	head
	ETag      string
	Rights    []string
	Rows      []permissionRow
	Inherited []inheritedView
	Error     string

	// The question "why", when it was asked.
	User, Right string
	Answer      *registry.Explanation
}

// permissionRow is what one role may do here: a choice for each right.
type permissionRow struct {
	Role  string
	Cells []permissionCell
}

// permissionCell is the choice for a role and a right: "allow", "deny" or "" for what is inherited.
type permissionCell struct{ Right, Choice string }

type inheritedView struct {
	Path registry.Path
	Rows []permissionRow
}

// permissionRights are the rights in the order of the columns.
func permissionRights() []string { return registry.AllRights.Names() }

func rowOf(e registry.RoleEntry) permissionRow {
	row := permissionRow{Role: e.Role}
	for _, right := range permissionRights() {
		cell := permissionCell{Right: right}
		switch {
		case slices.Contains(e.Deny.Names(), right):
			cell.Choice = "deny"
		case slices.Contains(e.Allow.Names(), right):
			cell.Choice = "allow"
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func (c *console) permissions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showPermissions(w, r, a, nil)
}

func (c *console) showPermissions(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	perms, err := c.Service.Permissions(r.Context(), a, res.Path)
	if err != nil {
		return err
	}
	v := permissionsView{head: c.headOf(r, res, "permissions", res.Version), ETag: perms.ETag, Rights: permissionRights()}
	for _, role := range perms.Roles {
		e := registry.RoleEntry{Role: role}
		if i := slices.IndexFunc(perms.Entries, func(x registry.RoleEntry) bool { return x.Role == role }); i >= 0 {
			e = perms.Entries[i]
		}
		v.Rows = append(v.Rows, rowOf(e))
	}
	for _, entries := range perms.Inherited {
		in := inheritedView{Path: entries.Path}
		for _, e := range entries.Entries {
			in.Rows = append(in.Rows, rowOf(e))
		}
		v.Inherited = append(v.Inherited, in)
	}
	status := http.StatusOK
	if failed != nil {
		v.Error, status = c.formError(r, a, failed), statusOf(failed)
	} else if err := c.why(r, a, res.Path, &v); err != nil {
		v.Error, status = c.formError(r, a, err), statusOf(err)
	}
	return c.show(w, r, a, status, "permissions", "Permissions of "+v.Name(), v.head, v)
}

// why answers the question that the address has, if any.
func (c *console) why(r *http.Request, a registry.Actor, p registry.Path, v *permissionsView) error {
	v.User, v.Right = r.URL.Query().Get("user"), r.URL.Query().Get("right")
	if v.User == "" {
		return nil
	}
	right, err := registry.ParseRight(v.Right)
	if err != nil {
		return err
	}
	x, err := c.Service.Explain(r.Context(), a, p, v.User, right)
	if err == nil {
		v.Answer = &x
	}
	return err
}

// setPermissions replaces the entries of a path by the form's. Fields are named right and role, "read:developers".
func (c *console) setPermissions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	byRole := map[string]*registry.RoleEntry{}
	for name, values := range r.PostForm {
		right, role, ok := strings.Cut(name, ":")
		if !ok || len(values) == 0 || values[0] == "" {
			continue
		}
		rights, err := registry.ParseRights([]string{right})
		if err != nil {
			return err
		}
		if byRole[role] == nil {
			byRole[role] = &registry.RoleEntry{Role: role}
		}
		if values[0] == "deny" {
			byRole[role].Deny |= rights
		} else {
			byRole[role].Allow |= rights
		}
	}
	var entries []registry.RoleEntry
	for _, e := range byRole {
		entries = append(entries, *e)
	}
	if _, err := c.Service.SetPermissions(r.Context(), a, p, entries, ifMatch(r)); err != nil {
		return c.showPermissions(w, r, a, err)
	}
	toPage(w, link("permissions", p), "permissions-saved")
	return nil
}
