package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// rolesView is all roles, each with its form, and the form for a new one.
type rolesView struct {
	Roles []roleView
	part

	Grants []string
	Error  string
}

type roleView struct {
	registry.Role
	ETag string
}

// Holds tells whether the role has an administrative right.
func (v roleView) Holds(grant string) bool { return slices.Contains(v.Grants.Names(), grant) }

// What is said of the built-in roles, which the migrations of a store make, and the names of administrative rights.
var _ = []string{
	mark("May do everything"), mark("Whoever signed in"), mark("Who did not sign in, where the configuration lets them in"),
	mark("manage_users"), mark("view_server"), mark("manage_webhooks"),
}

func (c *console) roles(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showRoles(w, r, a, nil)
}

func (c *console) showRoles(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	if err := needsUsers(a); err != nil {
		return err
	}
	roles, err := c.Auth.Roles(r.Context(), a)
	if err != nil {
		return err
	}
	v := rolesView{Grants: registry.AllGrants.Names()}
	roles, v.part = cut(roles, r.URL.Query(), rolePage, func(role registry.Role) string { return role.Name })
	for _, role := range roles {
		v.Roles = append(v.Roles, roleView{role, auth.RoleTag(role)})
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, c.say("Roles"))
	f.Section, f.Page = "roles", v
	return c.render(w, status, "roles", f)
}

// changeRole makes, changes or removes a role, as the button of the form says.
func (c *console) changeRole(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	form := r.PostForm
	grants, err := registry.ParseGrants(form["grant"])
	if err != nil {
		return err
	}
	in := auth.RoleInput{Name: new(strings.TrimSpace(form.Get("name"))), Description: new(strings.TrimSpace(form.Get("description"))), Grants: &grants}
	note := "role-saved"
	switch form.Get("do") {
	case "create":
		note = "role-created"
		_, err = c.Auth.CreateRole(r.Context(), oncePerForm(r, a), in)
	case "save":
		_, err = c.Auth.UpdateRole(r.Context(), a, form.Get("role"), in, ifMatch(r))
	case "delete":
		note = "role-deleted"
		err = c.Auth.DeleteRole(r.Context(), a, form.Get("role"), ifMatch(r))
	default:
		err = registry.Errorf(registry.CodeInvalid, "the form says not what to do")
	}
	if err != nil {
		return c.showRoles(w, r, a, err)
	}
	toPage(w, "/console/roles", note)
	return nil
}
