package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// RoleInput is what to change of a role; nil keeps it.
type RoleInput struct {
	Name        *string
	Description *string
	Grants      *registry.Grants
}

// RoleTag is the entity tag of a role, with quotes.
func RoleTag(r registry.Role) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %q %d", r.ID, r.Name, r.Description, r.Grants))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// Roles reads the roles, sorted by name: all of them for who has [registry.GrantUsers], else those that the actor has.
func (a *Authenticator) Roles(ctx context.Context, by registry.Actor) ([]registry.Role, error) {
	if by.User == "" {
		return nil, registry.Errorf(registry.CodeUnauthenticated, "sign in first")
	}
	roles, err := a.accounts.Roles(ctx)
	if err != nil || by.Holds(registry.GrantUsers) {
		return roles, err
	}
	return slices.DeleteFunc(roles, func(r registry.Role) bool { return r.ID != registry.RoleEveryone && !slices.Contains(by.Roles, r.ID) }), nil
}

// Role reads one of the roles that Roles gives.
func (a *Authenticator) Role(ctx context.Context, by registry.Actor, name string) (registry.Role, error) {
	all, err := a.Roles(ctx, by)
	if err != nil {
		return registry.Role{}, err
	}
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
	}
	return registry.Role{}, registry.Errorf(registry.CodeNotFound, "there is no role %s", name)
}

// CreateRole makes a role. Needs [registry.GrantUsers], and the administrative rights that the role gets.
func (a *Authenticator) CreateRole(ctx context.Context, by registry.Actor, in RoleInput) (registry.Role, error) {
	if err := manage(by); err != nil {
		return registry.Role{}, err
	}
	r, err := in.apply(by, registry.Role{})
	if err != nil {
		return registry.Role{}, err
	}
	return a.accounts.AddRole(ctx, a.op(by), r)
}

// UpdateRole changes a role; its permissions and users stay. The built-in ones cannot be changed ([registry.CodeConflict]). Needs [registry.GrantUsers], and
// the administrative rights that the role has or gets.
func (a *Authenticator) UpdateRole(ctx context.Context, by registry.Actor, name string, in RoleInput, c registry.Precondition) (registry.Role, error) {
	if err := manage(by); err != nil {
		return registry.Role{}, err
	}
	var next registry.Role
	err := a.accounts.ChangeRole(ctx, a.op(by), name, func(r registry.Role) (registry.Role, error) {
		if err := mayChange(by, r, c); err != nil {
			return r, err
		}
		var err error
		next, err = in.apply(by, r)
		return next, err
	})
	if err == nil && next.ID.IsZero() { // a repeated request
		if in.Name != nil {
			name = norm.NFC.String(*in.Name)
		}
		return a.Role(ctx, by, name)
	}
	return next, err
}

// DeleteRole takes a role away from everybody and everything. The built-in ones stay ([registry.CodeConflict]). Needs [registry.GrantUsers], and the administrative
// rights that the role has.
func (a *Authenticator) DeleteRole(ctx context.Context, by registry.Actor, name string, c registry.Precondition) error {
	if err := manage(by); err != nil {
		return err
	}
	return a.accounts.DeleteRole(ctx, a.op(by), name, func(r registry.Role) error { return mayChange(by, r, c) })
}

func mayChange(by registry.Actor, r registry.Role, c registry.Precondition) error {
	if r.IsBuiltIn() {
		return registry.Errorf(registry.CodeConflict, "the role %s is built in; it stays as it is", r.Name)
	}
	if err := outranks(by, nil, r.Grants); err != nil {
		return err
	}
	return c.CheckTag("the role "+r.Name, RoleTag(r))
}

// apply changes r by in.
func (in RoleInput) apply(by registry.Actor, r registry.Role) (registry.Role, error) {
	if in.Name != nil {
		r.Name = norm.NFC.String(*in.Name)
	}
	if err := checkName("role name", r.Name); err != nil {
		return r, err
	}
	if in.Description != nil {
		r.Description = *in.Description
	}
	if err := registry.CheckText("description", r.Description, registry.MaxDescriptionLength); err != nil {
		return r, err
	}
	if in.Grants != nil {
		r.Grants = *in.Grants
	}
	return r, outranks(by, nil, r.Grants)
}
