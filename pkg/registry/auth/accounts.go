package auth

import (
	"context"

	"github.com/regent-registry/regent/pkg/registry"
)

// Accounts keeps users and sessions where every node sees them. Reads are never stale. Errors are [registry.Error] values with the codes
// named below, or internal. All methods are safe for concurrent use.
type Accounts interface {
	// UserByName reads the user of that name, compared byte by byte; [registry.CodeNotFound] when there is none.
	UserByName(ctx context.Context, name string) (registry.User, error)
	// UserByID reads the user of that ID; [registry.CodeNotFound] when there is none.
	UserByID(ctx context.Context, id registry.ID, f registry.Freshness) (registry.User, error)
	// CreateUser adds a user and makes the ID; [registry.CodeConflict] when the name is taken.
	CreateUser(ctx context.Context, u registry.User) (registry.User, error)
	// SetPassword replaces the PHC string of a user; [registry.CodeNotFound] when there is none.
	SetPassword(ctx context.Context, id registry.ID, phc string) error

	// CreateSession adds a session.
	CreateSession(ctx context.Context, s registry.Session) error
	// SessionByToken reads a session; [registry.CodeNotFound] when there is none, or it has expired.
	SessionByToken(ctx context.Context, token registry.Hash) (registry.Session, error)
	// DeleteSession ends a session; one that does not exist is no error.
	DeleteSession(ctx context.Context, token registry.Hash) error
}
