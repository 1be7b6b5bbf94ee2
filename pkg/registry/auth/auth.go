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

// maxAddress is how many bytes of a client's address are kept; the longest there is has 45.
const maxAddress = 64

// tokenSize is the number of random bytes in a session token.
const tokenSize = 32

// Authenticator finds out who makes a request. Safe for concurrent use.
type Authenticator struct {
	accounts  Accounts
	directory Directory
	verifier  *verifier
	throttle  *throttle
	rules     PasswordRules
	now       func() time.Time
	lifetime  time.Duration
	sessions  int
	anonymous bool
	removed   func(ctx context.Context, name string)
	uses      *uses
}

// Config is what an [Authenticator] is made of. Only Accounts is required.
type Config struct {
	Accounts        Accounts
	Now             func() time.Time // time.Now when nil
	SessionLifetime time.Duration    // from sign-in to the end, whatever happens in between; DefaultSessionLifetime when zero

	Directory Directory     // verifies passwords; nil for Accounts
	Passwords PasswordRules // for new passwords
	// Guesses is how many wrong passwords an address may try at one account before it must wait between tries; 0 for 10.
	Guesses int
	// Sessions is how many sessions a user may have at a time, up to [MaxSessions]; the oldest one ends for another. 0 for [DefaultSessions].
	Sessions int
	// Anonymous lets requests without credentials pass, as nobody: they may read what the role anonymous is allowed to.
	Anonymous bool
	// Removed is told of a user who was removed, for what lies elsewhere; nil for nobody.
	Removed func(ctx context.Context, name string)
}

// New makes an authenticator.
func New(c Config) *Authenticator {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.SessionLifetime <= 0 {
		c.SessionLifetime = DefaultSessionLifetime
	}
	if c.Sessions <= 0 {
		c.Sessions = DefaultSessions
	}
	a := &Authenticator{
		accounts: c.Accounts, directory: c.Directory, verifier: newVerifier(), throttle: newThrottle(c.Now, c.Guesses), rules: c.Passwords.complete(),
		now: c.Now, lifetime: c.SessionLifetime, sessions: min(c.Sessions, MaxSessions), anonymous: c.Anonymous, uses: newUses(), removed: c.Removed,
	}
	if a.directory == nil {
		a.directory = accountDirectory{a}
	}
	return a
}

// Client is where a sign-in comes from, for the limit on guesses and the list of sessions.
type Client struct {
	Address string // with or without port
	Agent   string // what the program calls itself
}

// ClientOf tells where a request comes from.
func ClientOf(r *http.Request) Client { return Client{Address: r.RemoteAddr, Agent: r.UserAgent()} }

// SignInFrom checks a user name and a password and opens a session. The token is for the cookie ([SetCookie]); it is a new one at every sign-in.
// Errors have [registry.CodeUnauthenticated], the same for an unknown user, a wrong password and a disabled user, or [registry.CodeThrottled].
func (a *Authenticator) SignInFrom(ctx context.Context, user, password string, from Client) (token string, expires time.Time, err error) {
	u, err := a.checkPassword(ctx, LoginName(user), password, from.Address)
	if err != nil {
		return "", time.Time{}, err
	}
	secret := make([]byte, tokenSize)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	now := a.now()
	s := registry.Session{
		Token: sha256.Sum256(secret), User: u.ID, CreatedAt: now, ExpiresAt: now.Add(a.lifetime),
		Address: AddressOf(from.Address), Agent: registry.AgentOf(from.Agent),
	}
	if err := a.accounts.CreateSession(ctx, s, u.Password, a.sessions); err != nil {
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

// Authenticate tells who makes a request: by its Authorization header (Basic, or Bearer with an API token) when it has one, else by its session
// cookie. Errors have [registry.CodeUnauthenticated] when nobody, or nobody right, is named, and [registry.CodeThrottled] after too many wrong
// passwords, and [registry.CodeDenied] for a password that a page of another site sent; other codes mean that the accounts cannot be read. Where anonymous requests are let in, one without credentials is by nobody.
func (a *Authenticator) Authenticate(r *http.Request) (registry.Actor, error) {
	u, scope, err := a.user(r)
	if err != nil {
		return registry.Actor{}, err
	}
	return registry.Actor{
		User: u.Name, UserID: u.ID, Roles: u.Roles, Grants: u.Grants, Scope: scope, RequestID: r.Header.Get("X-Request-Id"),
		Client: AddressOf(r.RemoteAddr), Agent: registry.AgentOf(r.UserAgent()), Seen: u.Seq,
	}, nil
}

// AddressOf is the address that a request came from as it is kept: of r.RemoteAddr, which must be what trusted proxies say already, or of a bare address.
func AddressOf(remote string) string {
	// Cut, not parsed: this runs for every request.
	host := remote
	if inner, ok := strings.CutPrefix(remote, "["); ok {
		host, _, _ = strings.Cut(inner, "]")
	} else if strings.Count(remote, ":") == 1 {
		host, _, _ = strings.Cut(remote, ":")
	}
	host, _, _ = strings.Cut(host, "%") // the zone is a name of this machine's
	if v4, ok := strings.CutPrefix(host, "::ffff:"); ok && strings.Contains(v4, ".") {
		host = v4
	}
	return host[:min(len(host), maxAddress)]
}

func (a *Authenticator) user(r *http.Request) (registry.User, *registry.Scope, error) {
	if len(r.Header.Values("Authorization")) > 0 {
		if secret, ok := bearer(r.Header.Get("Authorization")); ok {
			return a.byToken(r.Context(), secret)
		}
		name, password, ok := r.BasicAuth()
		if !ok {
			return registry.User{}, nil, registry.Errorf(registry.CodeUnauthenticated, "the Authorization header is not understood; only Basic and Bearer are accepted")
		}
		if fromOtherSite(r) {
			return registry.User{}, nil, registry.Errorf(registry.CodeDenied,
				"a page of another site sent this request with a password; open the address by hand, or sign in at the console")
		}
		u, err := a.checkPassword(r.Context(), LoginName(name), password, r.RemoteAddr)
		return u, nil, err
	}
	if token := SessionToken(r); token != "" {
		u, err := a.bySession(r.Context(), token)
		return u, nil, err
	}
	if a.anonymous {
		return registry.User{}, nil, nil
	}
	return registry.User{}, nil, registry.Errorf(registry.CodeUnauthenticated, "sign in first: this needs a user name and a password, a token, or a session")
}

// fromOtherSite tells whether a page of another site made a browser send the request (W3C Fetch Metadata, Sec-Fetch-Site). Such a page can put a password
// into an address: enough wrong ones, and the browser's own address may guess no more. Programs do not send the header.
func fromOtherSite(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "cross-site" }

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

// checkPassword finds the user who has that name, in its composed form, and that password, unless the client has guessed too often.
func (a *Authenticator) checkPassword(ctx context.Context, name, password, address string) (registry.User, error) {
	if checkName("user name", name) != nil || len(password) > MaxPasswordLength {
		return registry.User{}, wrongPassword() // no user can be like that; the answer tells nothing about those there are
	}
	password = norm.NFC.String(password)
	done, err := a.throttle.try(clientOf(address), name, password)
	if err != nil {
		return registry.User{}, err
	}
	verdict := undecided // when the accounts cannot be read, or the client goes: that was no guess, and proves nothing
	defer func() { done(verdict) }()
	u, err := a.directory.Verify(ctx, name, password)
	if err == nil {
		verdict = right
	} else if registry.CodeOf(err) == registry.CodeUnauthenticated {
		verdict = wrong
	}
	return u, err
}

func wrongPassword() error {
	return registry.Errorf(registry.CodeUnauthenticated, "the user name or the password is wrong")
}

// accountDirectory is the [Directory] of the accounts themselves.
type accountDirectory struct{ a *Authenticator }

// Verify implements [Directory].
func (d accountDirectory) Verify(ctx context.Context, name, password string) (registry.User, error) {
	phc := d.a.verifier.decoy
	u, err := d.a.accounts.UserByName(ctx, name)
	known := err == nil
	switch {
	case known && u.Disabled: // checked against no password at all: a right one that is remembered would be told by how soon the answer comes
	case known:
		phc = u.Password
	case registry.CodeOf(err) != registry.CodeNotFound:
		return registry.User{}, fmt.Errorf("read user: %w", err)
	}
	right, err := d.a.verifier.check(ctx, name, password, phc)
	if err != nil {
		return registry.User{}, err
	}
	if !known || !right || u.Disabled {
		return registry.User{}, wrongPassword()
	}
	return u, nil
}

func checkName(field, name string) error {
	if !utf8.ValidString(name) {
		return registry.Errorf(registry.CodeInvalid, "%s is not valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(name); n < 1 || n > registry.MaxUserNameLength {
		return registry.Errorf(registry.CodeInvalid, "%s has %d characters; it must have 1 to %d", field, n, registry.MaxUserNameLength)
	}
	for _, r := range name {
		if r == ':' || unicode.IsControl(r) {
			return registry.Errorf(registry.CodeInvalid, "%s has the character %q, which is not allowed", field, r)
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
