package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/mail"
	"slices"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// EnsureAdmin creates an administrator when there is no user of that name, and tells whether it did. Several nodes may do so at once: one creates.
func (a *Authenticator) EnsureAdmin(ctx context.Context, name, password string) (created bool, err error) {
	if err := CheckUserName(name); err != nil {
		return false, err
	}
	name = norm.NFC.String(name)
	_, err = a.accounts.UserByName(ctx, name)
	if registry.CodeOf(err) != registry.CodeNotFound {
		return false, err
	}
	phc, err := HashPassword(password)
	if err != nil {
		return false, err
	}
	op := registry.Op{Actor: registry.Actor{User: "system"}, At: a.now()}
	_, err = a.accounts.AddUser(ctx, op, registry.User{Name: name, Password: phc, CreatedAt: a.now(), Roles: []registry.ID{registry.RoleAdmin}})
	if registry.CodeOf(err) == registry.CodeConflict {
		return false, nil
	}
	return err == nil, err
}

// PromoteAdmin gives a user the role admin when nobody has it, as in a store of a version that had no roles, and tells whether it did.
func (a *Authenticator) PromoteAdmin(ctx context.Context, name string) (bool, error) {
	has, err := a.accounts.HasAdmin(ctx)
	if has || err != nil {
		return false, err
	}
	promoted := false
	op := registry.Op{Actor: registry.Actor{User: "system"}, At: a.now()}
	err = a.accounts.ChangeUser(ctx, op, norm.NFC.String(name), func(u registry.User, others int) (registry.UserChange, error) {
		promoted = others == 0 && !u.Disabled && !slices.Contains(u.Roles, registry.RoleAdmin)
		if promoted {
			u.Roles = append(slices.Clone(u.Roles), registry.RoleAdmin)
		}
		return registry.UserChange{User: u}, nil
	})
	return promoted && err == nil, err
}

// Account is a user as others may see it.
type Account struct {
	ID        registry.ID
	Name      string
	Email     string
	FullName  string
	Disabled  bool
	CreatedAt time.Time
	Roles     []string // names, sorted; never nil
	ETag      string   // of all this, with quotes
}

// AccountInput is what to change of a user; nil keeps it.
type AccountInput struct {
	Email    *string
	FullName *string
	Disabled *bool
	Roles    *[]string
}

// manage checks for the right to manage users.
func manage(by registry.Actor) error {
	if !by.Holds(registry.GrantUsers) {
		return registry.Errorf(registry.CodeDenied, "you may not manage users and roles")
	}
	return nil
}

// outranks refuses changes of users, and of what they are given, by somebody who has less. Else who manages users could become administrator.
func outranks(by registry.Actor, roles []registry.ID, grants registry.Grants) error {
	if !by.IsAdmin() && (slices.Contains(roles, registry.RoleAdmin) || grants&^by.Grants != 0) {
		return registry.Errorf(registry.CodeDenied, "you may not change a user or give a role that has more rights than you have")
	}
	return nil
}

// book translates between ids and names of roles.
type book []registry.Role

func (a *Authenticator) book(ctx context.Context) (book, error) { return a.accounts.Roles(ctx) }

func (b book) names(ids []registry.ID) []string {
	names := []string{}
	for _, r := range b { // sorted by name
		if slices.Contains(ids, r.ID) {
			names = append(names, r.Name)
		}
	}
	return names
}

// ids finds the roles of the given names that can be given to users, in order of their ids, and the administrative rights they bring.
func (b book) ids(names []string) ([]registry.ID, registry.Grants, error) {
	var ids []registry.ID
	var grants registry.Grants
	for _, name := range names {
		i := slices.IndexFunc(b, func(r registry.Role) bool { return r.Name == name })
		switch {
		case i < 0:
			return nil, 0, registry.Errorf(registry.CodeInvalid, "there is no role %q", name)
		case b[i].ID == registry.RoleEveryone || b[i].ID == registry.RoleAnonymous:
			return nil, 0, registry.Errorf(registry.CodeInvalid, "the role %s is given to nobody: everybody has it", name)
		}
		ids, grants = append(ids, b[i].ID), grants|b[i].Grants
	}
	slices.SortFunc(ids, func(x, y registry.ID) int { return slices.Compare(x[:], y[:]) })
	return slices.Compact(ids), grants, nil
}

func (b book) account(u registry.User) Account {
	v := Account{ID: u.ID, Name: u.Name, Email: u.Email, FullName: u.FullName, Disabled: u.Disabled, CreatedAt: u.CreatedAt, Roles: b.names(u.Roles)}
	data, _ := json.Marshal(v) // strings, times and a flag: cannot fail
	sum := sha256.Sum256(data)
	v.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	return v
}

// Users reads a page of users, sorted by name: those after the given name. A limit of 0 is [registry.DefaultPageSize]. next is the name to go on after, "" at
// the end. Needs [registry.GrantUsers].
func (a *Authenticator) Users(ctx context.Context, by registry.Actor, after string, limit int) (list []Account, next string, err error) {
	return a.usersPage(ctx, by, limit, func(_ book, most int) ([]registry.User, error) { return a.accounts.Users(ctx, after, most) })
}

// Members reads a page of the users who were given a role, as Users does of all. A role that is not there, or that nobody is given, is
// [registry.CodeInvalid]. Needs [registry.GrantUsers].
func (a *Authenticator) Members(ctx context.Context, by registry.Actor, role, after string, limit int) (list []Account, next string, err error) {
	return a.usersPage(ctx, by, limit, func(roles book, most int) ([]registry.User, error) {
		ids, _, err := roles.ids([]string{role})
		if err != nil {
			return nil, err
		}
		return a.accounts.Members(ctx, ids[0], after, most)
	})
}

// usersPage makes a page of what read gives, which is called with the most users to give.
func (a *Authenticator) usersPage(
	ctx context.Context, by registry.Actor, limit int, read func(roles book, most int) ([]registry.User, error),
) (list []Account, next string, err error) {
	if err := manage(by); err != nil {
		return nil, "", err
	}
	limit = cmp.Or(limit, registry.DefaultPageSize)
	if limit < 0 || limit > registry.MaxPageSize {
		return nil, "", registry.Errorf(registry.CodeInvalid, "limit is %d; it must be from 1 to %d", limit, registry.MaxPageSize)
	}
	roles, err := a.book(ctx)
	if err != nil {
		return nil, "", err
	}
	users, err := read(roles, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(users) > limit {
		users = users[:limit]
		next = users[limit-1].Name
	}
	for _, u := range users {
		list = append(list, roles.account(u))
	}
	return list, next, nil
}

// Account reads a user. Everybody may read their own; others need [registry.GrantUsers].
func (a *Authenticator) Account(ctx context.Context, by registry.Actor, name string) (Account, error) {
	if by.User == "" || by.User != name {
		if err := manage(by); err != nil {
			return Account{}, err
		}
	}
	u, err := a.accounts.UserByName(ctx, name)
	if err != nil {
		return Account{}, err
	}
	roles, err := a.book(ctx)
	return roles.account(u), err
}

// CreateUser makes a user. Needs [registry.GrantUsers].
func (a *Authenticator) CreateUser(ctx context.Context, by registry.Actor, name, password string, in AccountInput) (Account, error) {
	if err := manage(by); err != nil {
		return Account{}, err
	}
	name = norm.NFC.String(name)
	if err := CheckUserName(name); err != nil {
		return Account{}, err
	}
	roles, err := a.book(ctx)
	if err != nil {
		return Account{}, err
	}
	c, err := a.apply(by, roles, registry.User{Name: name}, 1, in)
	if err != nil {
		return Account{}, err
	}
	if err := a.rules.Check(name, password); err != nil {
		return Account{}, err
	}
	u := c.User
	if u.Password, err = a.hash(ctx, password); err != nil {
		return Account{}, err
	}
	u.CreatedAt = a.now()
	u, err = a.accounts.AddUser(ctx, a.op(by), u)
	return roles.account(u), err
}

// UpdateUser changes a user; one that is disabled is signed out everywhere. Email and full name are everybody's own; all else needs
// [registry.GrantUsers]. The last administrator who is not disabled stays one ([registry.CodeConflict]).
func (a *Authenticator) UpdateUser(ctx context.Context, by registry.Actor, name string, in AccountInput, c registry.Precondition) (Account, error) {
	own := by.User != "" && by.User == name && by.Scope == nil && in.Disabled == nil && in.Roles == nil
	if !own {
		if err := manage(by); err != nil {
			return Account{}, err
		}
	}
	roles, err := a.book(ctx)
	if err != nil {
		return Account{}, err
	}
	err = a.accounts.ChangeUser(ctx, a.op(by), name, func(u registry.User, others int) (registry.UserChange, error) {
		if err := c.CheckTag("the user "+u.Name, roles.account(u).ETag); err != nil {
			return registry.UserChange{}, err
		}
		if !own {
			if err := outranks(by, u.Roles, u.Grants); err != nil {
				return registry.UserChange{}, err
			}
		}
		return a.apply(by, roles, u, others, in)
	})
	if err != nil {
		return Account{}, err
	}
	u, err := a.accounts.UserByName(ctx, name)
	return roles.account(u), err
}

// apply changes u by in. others is how many other administrators there are.
func (a *Authenticator) apply(by registry.Actor, roles book, u registry.User, others int, in AccountInput) (registry.UserChange, error) {
	wasAdmin := slices.Contains(u.Roles, registry.RoleAdmin) && !u.Disabled
	wasDisabled := u.Disabled
	if in.Email != nil {
		if err := checkEmail(*in.Email); err != nil {
			return registry.UserChange{}, err
		}
		u.Email = *in.Email
	}
	if in.FullName != nil {
		if err := registry.CheckText("full name", *in.FullName, registry.MaxUserNameLength); err != nil {
			return registry.UserChange{}, err
		}
		u.FullName = *in.FullName
	}
	if in.Disabled != nil {
		u.Disabled = *in.Disabled
	}
	if in.Roles != nil {
		ids, grants, err := roles.ids(*in.Roles)
		if err == nil {
			err = outranks(by, ids, grants)
		}
		if err != nil {
			return registry.UserChange{}, err
		}
		u.Roles = ids
	}
	if wasAdmin && others == 0 && (u.Disabled || !slices.Contains(u.Roles, registry.RoleAdmin)) {
		return registry.UserChange{}, lastAdmin(u.Name)
	}
	return registry.UserChange{User: u, EndSessions: u.Disabled && !wasDisabled}, nil
}

func lastAdmin(name string) error {
	return registry.Errorf(registry.CodeConflict, "%s is the last administrator; make another one first", name)
}

func checkEmail(email string) error {
	if err := registry.CheckText("email", email, registry.MaxUserNameLength); err != nil || email == "" {
		return err
	}
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email {
		return registry.Errorf(registry.CodeInvalid, "email %q is not an address like name@example.org", email)
	}
	return nil
}

// DeleteUser removes a user; what they wrote keeps their name. The last administrator stays ([registry.CodeConflict]). Needs [registry.GrantUsers].
func (a *Authenticator) DeleteUser(ctx context.Context, by registry.Actor, name string, c registry.Precondition) error {
	if err := manage(by); err != nil {
		return err
	}
	roles, err := a.book(ctx)
	if err != nil {
		return err
	}
	removed := name
	err = a.accounts.DeleteUser(ctx, a.op(by), name, func(u registry.User, others int) error {
		removed = u.Name
		if err := outranks(by, u.Roles, u.Grants); err != nil {
			return err
		}
		if err := c.CheckTag("the user "+u.Name, roles.account(u).ETag); err != nil {
			return err
		}
		if slices.Contains(u.Roles, registry.RoleAdmin) && !u.Disabled && others == 0 {
			return lastAdmin(name)
		}
		return nil
	})
	if err == nil && a.removed != nil {
		a.removed(context.WithoutCancel(ctx), removed)
	}
	return err
}

// inPerson refuses API tokens where somebody acts on their own account: a token must not make another one, or a password.
func inPerson(by registry.Actor) error {
	switch {
	case by.User == "":
		return registry.Errorf(registry.CodeUnauthenticated, "sign in first")
	case by.Scope != nil:
		return registry.Errorf(registry.CodeDenied, "this cannot be done with a token; use the password or a session")
	}
	return nil
}

// opEver is op for a change that keeps no answer for its repetition: to tell whether that is the same request, something made of the password would have to be
// kept.
func (a *Authenticator) opEver(by registry.Actor) registry.Op {
	by.Once = registry.Once{}
	return a.op(by)
}

func (a *Authenticator) op(by registry.Actor) registry.Op { return registry.Op{Actor: by, At: a.now()} }
