package auth

import (
	"context"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// Accounts keeps users, roles, sessions and tokens where every node sees them. Reads are never stale. Errors are [registry.Error] values with
// the codes named below, or internal. All methods are safe for concurrent use. Functions that are passed in judge the state that a change is made to:
// they may run several times, and their error is passed on with nothing changed.
type Accounts interface {
	// UserByName reads the user of that name, compared byte by byte; [registry.CodeNotFound] when there is none.
	UserByName(ctx context.Context, name string) (registry.User, error)
	// UserByID reads the user of that ID; [registry.CodeNotFound] when there is none.
	UserByID(ctx context.Context, id registry.ID, f registry.Freshness) (registry.User, error)
	// Users reads up to limit users whose names sort (by bytes) after the given one, in that order.
	Users(ctx context.Context, after string, limit int) ([]registry.User, error)
	// Members reads up to limit users who were given a role, as Users does of all.
	Members(ctx context.Context, role registry.ID, after string, limit int) ([]registry.User, error)
	// AddUser adds a user and makes the ID; [registry.CodeConflict] when the name is taken.
	AddUser(ctx context.Context, op registry.Op, u registry.User) (registry.User, error)
	// ChangeUser puts what change makes of a user in its place; [registry.CodeNotFound] when there is none. others is how many other users
	// who are not disabled have the role admin.
	ChangeUser(ctx context.Context, op registry.Op, name string, change func(current registry.User, others int) (registry.UserChange, error)) error
	// DeleteUser removes a user with its sessions and tokens; [registry.CodeNotFound] when there is none.
	DeleteUser(ctx context.Context, op registry.Op, name string, check func(current registry.User, others int) error) error
	// HasAdmin tells whether somebody who is not disabled has the role admin.
	HasAdmin(ctx context.Context) (bool, error)

	// Roles reads all roles, sorted by name.
	Roles(ctx context.Context) ([]registry.Role, error)
	// AddRole adds a role and makes the ID; [registry.CodeConflict] when the name is taken or there are too many.
	AddRole(ctx context.Context, op registry.Op, r registry.Role) (registry.Role, error)
	// ChangeRole puts what change makes of a role in its place; [registry.CodeNotFound] when there is none.
	ChangeRole(ctx context.Context, op registry.Op, name string, change func(registry.Role) (registry.Role, error)) error
	// DeleteRole takes a role away from everybody; [registry.CodeNotFound] when there is none.
	DeleteRole(ctx context.Context, op registry.Op, name string, check func(registry.Role) error) error

	// CreateSession adds a session of a user whose password still is that PHC string; [registry.CodeUnauthenticated] when it is not. The user's oldest
	// sessions end for it, so that there are most of them, which is 1 or more.
	CreateSession(ctx context.Context, s registry.Session, password string, most int) error
	// SessionByToken reads a session; [registry.CodeNotFound] when there is none, or it has expired.
	SessionByToken(ctx context.Context, token registry.Hash) (registry.Session, error)
	// DeleteSession ends a session; one that does not exist is no error.
	DeleteSession(ctx context.Context, token registry.Hash) error
	// Sessions reads up to limit sessions of a user, newest first.
	Sessions(ctx context.Context, user registry.ID, limit int) ([]registry.Session, error)
	// EndSession ends the session of a user with that public ID; [registry.CodeNotFound] when there is none.
	EndSession(ctx context.Context, op registry.Op, user, public registry.ID) error

	// AddToken adds an API token and makes the ID; [registry.CodeConflict] when the user has most of them already.
	AddToken(ctx context.Context, op registry.Op, t registry.Token, most int) (registry.Token, error)
	// TokenByHash reads an API token, also one that has expired; [registry.CodeNotFound] when there is none.
	TokenByHash(ctx context.Context, hash registry.Hash) (registry.Token, error)
	// Tokens reads up to limit API tokens of a user, newest first.
	Tokens(ctx context.Context, user registry.ID, limit int) ([]registry.Token, error)
	// DeleteToken revokes the API token of a user with that ID; [registry.CodeNotFound] when there is none.
	DeleteToken(ctx context.Context, op registry.Op, user, id registry.ID) error
	// UseToken notes when an API token was used.
	UseToken(ctx context.Context, hash registry.Hash, used time.Time) error
}

// Directory verifies passwords and says which roles somebody has. The accounts are one; a directory outside, such as LDAP, is another: it
// brings the account of that name up to date ([Accounts.AddUser], [Accounts.ChangeUser]) and returns it, so that sessions, tokens and permissions are
// the same for its users. Nothing in this repository sets another one yet: it is the seam for LDAP and for the password grant of an OIDC provider, and a
// test holds it to what it promises.
type Directory interface {
	// Verify gives the user who has that name and that password, both normalised. The error has [registry.CodeUnauthenticated], the same and after
	// the same work, for an unknown user, a wrong password and a disabled user.
	Verify(ctx context.Context, name, password string) (registry.User, error)
}
