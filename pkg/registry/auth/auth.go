package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

// DefaultSessionLifetime is how long a session lasts when the configuration does not say.
const DefaultSessionLifetime = 12 * time.Hour

// maxClient is how many bytes of a client's address are kept; the longest there is has 45.
const maxClient = 64

// tokenSize is the number of random bytes in a session token.
const tokenSize = 32

// Authenticator finds out who makes a request. Safe for concurrent use.
type Authenticator struct {
	accounts Accounts
	verifier *verifier
	now      func() time.Time
	lifetime time.Duration
}

// Config is what an [Authenticator] is made of. Only Accounts is required.
type Config struct {
	Accounts        Accounts
	Now             func() time.Time // time.Now when nil
	SessionLifetime time.Duration    // from sign-in to the end, whatever happens in between; DefaultSessionLifetime when zero
}

// New makes an authenticator.
func New(c Config) *Authenticator {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.SessionLifetime <= 0 {
		c.SessionLifetime = DefaultSessionLifetime
	}
	return &Authenticator{accounts: c.Accounts, verifier: newVerifier(), now: c.Now, lifetime: c.SessionLifetime}
}

// SignIn checks a user name and a password and opens a session. The token is for the cookie ([SetCookie]); it is a new one at every sign-in.
// Errors have [registry.CodeUnauthenticated], the same for an unknown user, a wrong password and a disabled user.
func (a *Authenticator) SignIn(ctx context.Context, user, password string) (token string, expires time.Time, err error) {
	u, err := a.checkPassword(ctx, user, password)
	if err != nil {
		return "", time.Time{}, err
	}
	secret := make([]byte, tokenSize)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	now := a.now()
	s := registry.Session{Token: sha256.Sum256(secret), User: u.ID, CreatedAt: now, ExpiresAt: now.Add(a.lifetime)}
	if err := a.accounts.CreateSession(ctx, s); err != nil {
		return "", time.Time{}, fmt.Errorf("create session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(secret), s.ExpiresAt, nil
}

// SignOut ends the session of a token, at every node. A token that opens no session is no error.
func (a *Authenticator) SignOut(ctx context.Context, token string) error {
	hash, ok := tokenHash(token)
	if !ok {
		return nil
	}
	if err := a.accounts.DeleteSession(ctx, hash); err != nil && registry.CodeOf(err) != registry.CodeNotFound {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// Authenticate tells who makes a request: by its Authorization header (Basic) when it has one, else by its session cookie. Errors have
// [registry.CodeUnauthenticated] when nobody, or nobody right, is named; other codes mean that the accounts cannot be read.
func (a *Authenticator) Authenticate(r *http.Request) (registry.Actor, error) {
	u, err := a.user(r)
	if err != nil {
		return registry.Actor{}, err
	}
	return registry.Actor{
		User: u.Name, UserID: u.ID, RequestID: r.Header.Get("X-Request-Id"), Client: ClientOf(r), Agent: registry.AgentOf(r.UserAgent()), Seen: u.Seq,
	}, nil
}

// ClientOf is the address that a request came from, without its port. r.RemoteAddr must be what trusted proxies say already.
func ClientOf(r *http.Request) string {
	// Cut, not parsed: this runs for every request.
	i := strings.LastIndexByte(r.RemoteAddr, ':')
	if i < 0 {
		return ""
	}
	host := strings.TrimSuffix(strings.TrimPrefix(r.RemoteAddr[:i], "["), "]")
	host, _, _ = strings.Cut(host, "%") // the zone is a name of this machine's
	return host[:min(len(host), maxClient)]
}

func (a *Authenticator) user(r *http.Request) (registry.User, error) {
	if len(r.Header.Values("Authorization")) > 0 {
		name, password, ok := r.BasicAuth()
		if !ok {
			return registry.User{}, registry.Errorf(registry.CodeUnauthenticated, "the Authorization header is not understood; only Basic is accepted")
		}
		return a.checkPassword(r.Context(), name, password)
	}
	if token := SessionToken(r); token != "" {
		return a.bySession(r.Context(), token)
	}
	return registry.User{}, registry.Errorf(registry.CodeUnauthenticated, "sign in first: this needs a user name and a password, or a session")
}

// bySession finds the user of a session. An unknown and an expired session are the same.
func (a *Authenticator) bySession(ctx context.Context, token string) (registry.User, error) {
	ended := registry.Errorf(registry.CodeUnauthenticated, "the session has ended; sign in again")
	hash, ok := tokenHash(token)
	if !ok {
		return registry.User{}, ended
	}
	s, err := a.accounts.SessionByToken(ctx, hash)
	switch {
	case registry.CodeOf(err) == registry.CodeNotFound:
		return registry.User{}, ended
	case err != nil:
		return registry.User{}, fmt.Errorf("read session: %w", err)
	case !a.now().Before(s.ExpiresAt):
		return registry.User{}, ended
	}
	u, err := a.accounts.UserByID(ctx, s.User, registry.Freshness{Min: s.Seq})
	switch {
	case registry.CodeOf(err) == registry.CodeNotFound:
		return registry.User{}, ended
	case err != nil:
		return registry.User{}, fmt.Errorf("read user: %w", err)
	case u.Disabled:
		return registry.User{}, ended
	}
	return u, nil
}

// checkPassword finds the user who has that name and that password.
func (a *Authenticator) checkPassword(ctx context.Context, name, password string) (registry.User, error) {
	wrong := registry.Errorf(registry.CodeUnauthenticated, "the user name or the password is wrong")
	if CheckUserName(name) != nil || len(password) > MaxPasswordLength {
		return registry.User{}, wrong // no user can be like that; the answer tells nothing about those there are
	}
	name, password = norm.NFC.String(name), norm.NFC.String(password)
	phc := a.verifier.decoy
	u, err := a.accounts.UserByName(ctx, name)
	known := err == nil
	switch {
	case known:
		phc = u.Password
	case registry.CodeOf(err) != registry.CodeNotFound:
		return registry.User{}, fmt.Errorf("read user: %w", err)
	}
	right, err := a.verifier.check(ctx, name, password, phc)
	if err != nil {
		return registry.User{}, err
	}
	if !known || !right || u.Disabled {
		return registry.User{}, wrong
	}
	return u, nil
}

// EnsureAdmin creates a user when there is none of that name, and tells whether it did. Several nodes may do so at once: one creates.
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
	_, err = a.accounts.CreateUser(ctx, registry.User{Name: name, Password: phc, CreatedAt: a.now()})
	if registry.CodeOf(err) == registry.CodeConflict {
		return false, nil
	}
	return err == nil, err
}

// CheckUserName tells why name cannot be a user name: it has 1 to [registry.MaxUserNameLength] characters, none of them a colon (Basic
// authentication ends the name there) or a control character. The error has [registry.CodeInvalid].
func CheckUserName(name string) error {
	if !utf8.ValidString(name) {
		return registry.Errorf(registry.CodeInvalid, "user name is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > registry.MaxUserNameLength {
		return registry.Errorf(registry.CodeInvalid, "user name has %d characters; it must have 1 to %d", n, registry.MaxUserNameLength)
	}
	for _, r := range name {
		if r == ':' || unicode.IsControl(r) {
			return registry.Errorf(registry.CodeInvalid, "user name has the character %q, which is not allowed", r)
		}
	}
	return nil
}

// tokenHash is what the accounts keep of a token; false when it cannot be a token.
func tokenHash(token string) (registry.Hash, bool) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(secret) != tokenSize {
		return registry.Hash{}, false
	}
	return sha256.Sum256(secret), true
}
