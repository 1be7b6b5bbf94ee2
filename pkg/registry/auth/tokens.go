package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/regent-registry/regent/pkg/registry"
)

// An API token is "rgt_" and 43 characters of base64url: 32 random bytes. Whoever finds one knows what it is, and so do scanners for secrets.
const (
	tokenPrefix = "rgt_"
	hintLength  = len(tokenPrefix) + 6

	// MaxTokens is how many API tokens one user may have.
	MaxTokens = 100
	// MaxTokenPaths is how many paths one API token may be good for.
	MaxTokenPaths = 50
	// MaxTokenLifetime is the longest time for which an API token is good.
	MaxTokenLifetime = 366 * 24 * time.Hour
	// MaxSessions is the most sessions that a user can have, and DefaultSessions what the configuration sets unless it says.
	MaxSessions     = 200
	DefaultSessions = 100

	useEvery   = time.Hour // how exactly the last use of a token is known
	useTimeout = 2 * time.Second
	maxUses    = 4096
)

// bearer gives the secret of an Authorization header of the scheme Bearer.
func bearer(header string) (string, bool) {
	scheme, secret, ok := strings.Cut(header, " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

// byToken finds the user of an API token. An unknown and an expired token, and one of a disabled user, are the same.
func (a *Authenticator) byToken(ctx context.Context, secret string) (registry.User, *registry.Scope, error) {
	wrong := registry.Errorf(registry.CodeUnauthenticated, "the token is not good, or no longer")
	text, ok := strings.CutPrefix(secret, tokenPrefix)
	hash, decoded := tokenHash(text)
	if !ok || !decoded {
		return registry.User{}, nil, wrong
	}
	t, err := a.accounts.TokenByHash(ctx, hash)
	switch {
	case registry.CodeOf(err) == registry.CodeNotFound:
		return registry.User{}, nil, wrong
	case err != nil:
		return registry.User{}, nil, fmt.Errorf("read token: %w", err)
	case !a.now().Before(t.ExpiresAt):
		return registry.User{}, nil, wrong
	}
	u, err := a.accounts.UserByID(ctx, t.User, registry.Freshness{Min: t.Seq})
	switch {
	case registry.CodeOf(err) == registry.CodeNotFound:
		return registry.User{}, nil, wrong
	case err != nil:
		return registry.User{}, nil, fmt.Errorf("read user: %w", err)
	case u.Disabled:
		return registry.User{}, nil, wrong
	}
	if a.uses.due(hash, a.now()) {
		ctx, cancel := context.WithTimeout(ctx, useTimeout)
		defer cancel()
		_ = a.accounts.UseToken(ctx, hash, a.now()) // only for people to see: no reason to refuse the request
	}
	return u, &t.Scope, nil
}

// uses remembers which tokens were noted as used of late, so that a request is no write. Safe for concurrent use.
type uses struct {
	mu    sync.Mutex
	noted *simplelru.LRU[registry.Hash, time.Time]
}

func newUses() *uses {
	noted, err := simplelru.NewLRU[registry.Hash, time.Time](maxUses, nil)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return &uses{noted: noted}
}

// due tells whether the use of a token now is to be noted.
func (u *uses) due(hash registry.Hash, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, ok := u.noted.Get(hash); ok && now.Sub(last) < useEvery {
		return false
	}
	u.noted.Add(hash, now)
	return true
}

// CreateToken makes an API token of the actor. The secret is told here and never again. It is good for no more than the scope, and for no more than
// the actor may do at the time of each request.
func (a *Authenticator) CreateToken(ctx context.Context, by registry.Actor, name string, scope registry.Scope, lifetime time.Duration) (secret string, t registry.Token, err error) {
	if err := inPerson(by); err != nil {
		return "", registry.Token{}, err
	}
	if err := checkName("token name", name); err != nil {
		return "", registry.Token{}, err
	}
	switch {
	case scope.Rights == 0 && !scope.Manage:
		return "", registry.Token{}, registry.Errorf(registry.CodeInvalid, "a token needs at least one right")
	case len(scope.Paths) > MaxTokenPaths:
		return "", registry.Token{}, registry.Errorf(registry.CodeInvalid, "the token has %d paths; the limit is %d", len(scope.Paths), MaxTokenPaths)
	case lifetime <= 0 || lifetime > MaxTokenLifetime:
		return "", registry.Token{}, registry.Errorf(registry.CodeInvalid, "the token would last %s; it must be more than 0 and at most %s", lifetime, MaxTokenLifetime)
	}
	random := make([]byte, tokenSize)
	rand.Read(random) // never fails: crypto/rand ends the program instead
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	now := a.now()
	t, err = a.accounts.AddToken(ctx, a.op(by), registry.Token{
		Hash: sha256.Sum256(random), User: by.UserID, Name: name, Hint: secret[:hintLength], Scope: scope, CreatedAt: now, ExpiresAt: now.Add(lifetime),
	}, MaxTokens)
	if err != nil {
		return "", registry.Token{}, err
	}
	return secret, t, nil
}

// owner is whose tokens or sessions somebody asks for: their own for "", else needs [registry.GrantUsers].
func (a *Authenticator) owner(ctx context.Context, by registry.Actor, user string) (registry.ID, error) {
	if user == "" || user == by.User {
		return by.UserID, inPerson(by)
	}
	if err := manage(by); err != nil {
		return registry.ID{}, err
	}
	u, err := a.accounts.UserByName(ctx, user)
	if err != nil {
		return registry.ID{}, err
	}
	return u.ID, outranks(by, u.Roles, u.Grants)
}

// Tokens reads the API tokens of a user, newest first; "" is the actor.
func (a *Authenticator) Tokens(ctx context.Context, by registry.Actor, user string) ([]registry.Token, error) {
	id, err := a.owner(ctx, by, user)
	if err != nil {
		return nil, err
	}
	return a.accounts.Tokens(ctx, id, MaxTokens)
}

// RevokeToken ends an API token of a user, at every node; "" is the actor.
func (a *Authenticator) RevokeToken(ctx context.Context, by registry.Actor, user string, token registry.ID) error {
	id, err := a.owner(ctx, by, user)
	if err != nil {
		return err
	}
	return a.accounts.DeleteToken(ctx, a.op(by), id, token)
}

// Sessions reads the newest sessions of a user; "" is the actor.
func (a *Authenticator) Sessions(ctx context.Context, by registry.Actor, user string) ([]registry.Session, error) {
	id, err := a.owner(ctx, by, user)
	if err != nil {
		return nil, err
	}
	return a.accounts.Sessions(ctx, id, MaxSessions)
}

// RevokeSession ends the session of a user with that public ID, at every node; "" is the actor.
func (a *Authenticator) RevokeSession(ctx context.Context, by registry.Actor, user string, session registry.ID) error {
	id, err := a.owner(ctx, by, user)
	if err != nil {
		return err
	}
	return a.accounts.EndSession(ctx, a.op(by), id, session)
}

// RevokeSessions ends all sessions of a user but the one with the given token, at every node; "" is the actor.
func (a *Authenticator) RevokeSessions(ctx context.Context, by registry.Actor, user, keep string) error {
	id, err := a.owner(ctx, by, user)
	if err != nil {
		return err
	}
	if user == "" {
		user = by.User
	}
	hash, _ := tokenHash(keep)
	return a.accounts.ChangeUser(ctx, a.op(by), user, func(u registry.User, _ int) (registry.UserChange, error) {
		if u.ID != id {
			return registry.UserChange{}, registry.Errorf(registry.CodeNotFound, "the user %s has changed meanwhile", user)
		}
		return registry.UserChange{User: u, EndSessions: true, KeepSession: hash}, nil
	})
}

// SessionID is the public ID of the session with a token; zero when it cannot be one.
func SessionID(token string) registry.ID {
	hash, ok := tokenHash(token)
	if !ok {
		return registry.ID{}
	}
	return registry.Session{Token: hash}.PublicID()
}
