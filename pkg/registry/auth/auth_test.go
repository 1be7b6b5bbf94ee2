package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

const password = "correct horse"

// openAccounts opens a node's view of the accounts in a file, which the first one makes.
func openAccounts(t *testing.T, file string, now func() time.Time) *sqlstore.Store {
	t.Helper()
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		sqlstoretest.Fill(t, file)
	}
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Name: "shared", DSN: "sqlite:" + file, Logger: slog.New(slog.DiscardHandler), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newAuth makes an authenticator on new accounts that hold the user admin.
func newAuth(t *testing.T) (*auth.Authenticator, *sqlstore.Store) {
	t.Helper()
	s := openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil)
	a := auth.New(auth.Config{Accounts: s})
	if created, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil || !created {
		t.Fatalf("EnsureAdmin = %v, %v", created, err)
	}
	return a, s
}

func basic(user, password string) *http.Request {
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header.Set("X-Request-Id", "request-1")
	r.SetBasicAuth(user, password)
	return r
}

// withCookie makes a request that carries what SetCookie gave.
func withCookie(token string) *http.Request {
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	w := httptest.NewRecorder()
	auth.SetCookie(w, r, token)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

func wantCode(t *testing.T, what string, err error, code registry.Code) {
	t.Helper()
	if registry.CodeOf(err) != code {
		t.Errorf("%s: %v; want code %q", what, err, code)
	}
}

func TestAuthenticate_Basic(t *testing.T) {
	a, s := newAuth(t)
	actor, err := a.Authenticate(basic("admin", password))
	if err != nil || actor.User != "admin" || actor.UserID.IsZero() || actor.RequestID != "request-1" {
		t.Fatalf("Authenticate = %+v, %v", actor, err)
	}
	var words []string
	phc, err := auth.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser(t.Context(), registry.User{Name: "left", Password: phc, Disabled: true, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"admin", "correct hors"},
		{"admin", ""},
		{"admin", strings.Repeat("x", 100_000)},
		{"nobody", password},
		{"Admin", password},
		{"", ""},
		{"ad\x00min", password},
		{"left", password},
	} {
		_, err := a.Authenticate(basic(c[0], c[1]))
		wantCode(t, fmt.Sprintf("%q", c[0]), err, registry.CodeUnauthenticated)
		words = append(words, registry.MessageOf(err))
	}
	for _, w := range words {
		if w != words[0] {
			t.Errorf("the answers differ: %q and %q", words[0], w)
		}
	}
	for _, header := range []string{"", "Basic", "Basic !!!", "Basic YWRtaW4=", "Bearer abc"} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.Header.Set("Authorization", header)
		_, err := a.Authenticate(r)
		wantCode(t, header, err, registry.CodeUnauthenticated)
	}
	_, err = a.Authenticate(httptest.NewRequest("GET", "http://localhost/", nil))
	wantCode(t, "no credentials", err, registry.CodeUnauthenticated)
}

// The composed and the decomposed form of a name or password are the same to whoever types them.
func TestAuthenticate_NormalisesText(t *testing.T) {
	a, _ := newAuth(t)
	if _, err := a.EnsureAdmin(t.Context(), "Zoe\u0308", "pa\u00e9sword"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(basic("Zo\u00eb", "pae\u0301sword")); err != nil {
		t.Error(err)
	}
}

// The work tells nobody which user names exist; right credentials cost it once.
func TestAuthenticate_CostsTheSameForUnknownUsers(t *testing.T) {
	a, _ := newAuth(t)
	n := a.CountHashes()
	steps := []struct {
		user, password string
		hashes         int64
	}{
		{"admin", "wrong password", 1}, {"nobody", "wrong password", 2}, {"nobody", "wrong password", 3}, {"admin", password, 4}, {"admin", password, 4},
	}
	for _, s := range steps {
		_, err := a.Authenticate(basic(s.user, s.password))
		if (err == nil) != (s.password == password) || n.Load() != s.hashes {
			t.Errorf("%s: %v after %d hashes, want %d", s.user, err, n.Load(), s.hashes)
		}
	}
}

// A node that has verified a password must not go on taking it when another node has changed it.
func TestAuthenticate_FollowsAChangedPasswordAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	one, two := openAccounts(t, file, nil), openAccounts(t, file, nil)
	a := auth.New(auth.Config{Accounts: one})
	if _, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		old, next := password, fmt.Sprintf("new password %d", i)
		if i > 0 {
			old = fmt.Sprintf("new password %d", i-1)
		}
		actor, err := a.Authenticate(basic("admin", old))
		if err != nil {
			t.Fatal(err)
		}
		phc, err := auth.HashPassword(next)
		if err != nil {
			t.Fatal(err)
		}
		if err := two.SetPassword(t.Context(), actor.UserID, phc); err != nil {
			t.Fatal(err)
		}
		_, err = a.Authenticate(basic("admin", old))
		wantCode(t, "the old password", err, registry.CodeUnauthenticated)
		if _, err := a.Authenticate(basic("admin", next)); err != nil {
			t.Errorf("the new password: %v", err)
		}
	}
}

func TestSession_OpensOnEveryNodeAndEndsOnEvery(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	one := auth.New(auth.Config{Accounts: openAccounts(t, file, nil)})
	two := auth.New(auth.Config{Accounts: openAccounts(t, file, nil)})
	if _, err := one.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	token, expires, err := one.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(expires); left > auth.DefaultSessionLifetime || left < auth.DefaultSessionLifetime-time.Minute {
		t.Errorf("the session lasts %v", left)
	}
	again, _, err := one.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil || again == token || len(token) != 43 {
		t.Errorf("two sign-ins gave %d characters and the same token: %v, %v", len(token), again == token, err)
	}
	for _, a := range []*auth.Authenticator{one, two} {
		if actor, err := a.Authenticate(withCookie(token)); err != nil || actor.User != "admin" {
			t.Errorf("Authenticate = %+v, %v", actor, err)
		}
	}
	if err := two.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	_, err = one.Authenticate(withCookie(token))
	wantCode(t, "a session that another node ended", err, registry.CodeUnauthenticated)
	if _, err := one.Authenticate(withCookie(again)); err != nil {
		t.Errorf("the other session: %v", err)
	}
	for _, none := range []string{token, "", "nonsense", token + "="} {
		if err := one.SignOut(t.Context(), none); err != nil {
			t.Errorf("SignOut of no session: %v", err)
		}
	}
	_, _, err = one.SignInFrom(t.Context(), "admin", "wrong password", auth.Client{})
	wantCode(t, "SignIn", err, registry.CodeUnauthenticated)
}

func TestSession_EndsAtItsTime(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()).UTC() }
	a := auth.New(auth.Config{Accounts: openAccounts(t, filepath.Join(t.TempDir(), "store.db"), clock), Now: clock, SessionLifetime: time.Hour})
	if _, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	token, expires, err := a.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil || !expires.Equal(clock().Add(time.Hour)) {
		t.Fatalf("expires %v, %v", expires, err)
	}
	now.Add(int64(time.Hour - time.Second))
	if _, err := a.Authenticate(withCookie(token)); err != nil {
		t.Errorf("a second before: %v", err)
	}
	now.Add(int64(time.Second)) // using it has not made it longer
	_, expired := a.Authenticate(withCookie(token))
	wantCode(t, "at its end", expired, registry.CodeUnauthenticated)
	for _, other := range []string{"nonsense", strings.Repeat("A", 43), token[:42]} {
		_, err := a.Authenticate(withCookie(other))
		wantCode(t, other, err, registry.CodeUnauthenticated)
		if registry.MessageOf(err) != registry.MessageOf(expired) {
			t.Errorf("an unknown session answers %q, an expired one %q", err, expired)
		}
	}
}

func TestCookie_FitsTheScheme(t *testing.T) {
	for url, want := range map[string]string{
		"http://localhost/":  "regent_session=tok; Path=/; HttpOnly; SameSite=Lax",
		"https://localhost/": "__Host-regent_session=tok; Path=/; HttpOnly; Secure; SameSite=Lax",
	} {
		r, w := httptest.NewRequest("GET", url, nil), httptest.NewRecorder()
		auth.SetCookie(w, r, "tok")
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s sets %q, want %q", url, got, want)
		}
		w = httptest.NewRecorder()
		auth.ClearCookie(w, r)
		if got := w.Header().Get("Set-Cookie"); !strings.HasPrefix(got, strings.SplitN(want, "tok", 2)[0]+"; ") || !strings.Contains(got, "Max-Age=0") {
			t.Errorf("%s clears %q", url, got)
		}
	}
	// A page over http cannot plant the cookie that counts over https.
	r := httptest.NewRequest("GET", "https://localhost/", nil)
	r.AddCookie(&http.Cookie{Name: "regent_session", Value: "planted"})
	if got := auth.SessionToken(r); got != "" {
		t.Errorf("over https the token is %q", got)
	}
}

// Several nodes start on one empty database: one makes the admin, the others find it, none fails.
func TestEnsureAdmin_ByManyNodesAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "store.db")
	var created atomic.Int64
	var passwords [3]string
	var winner atomic.Int64
	var wg sync.WaitGroup
	for i := range passwords {
		a := auth.New(auth.Config{Accounts: openAccounts(t, file, nil)})
		passwords[i] = fmt.Sprintf("password of node %d", i)
		wg.Go(func() {
			ok, err := a.EnsureAdmin(t.Context(), "admin", passwords[i])
			if err != nil {
				t.Error(err)
			}
			if ok {
				created.Add(1)
				winner.Store(int64(i))
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Fatalf("%d nodes made the admin", created.Load())
	}
	a := auth.New(auth.Config{Accounts: openAccounts(t, file, nil)})
	for i, p := range passwords {
		_, err := a.Authenticate(basic("admin", p))
		if (err == nil) != (int64(i) == winner.Load()) {
			t.Errorf("the password of node %d: %v; node %d made the admin", i, err, winner.Load())
		}
	}
	if ok, err := a.EnsureAdmin(t.Context(), "admin", "another password"); ok || err != nil {
		t.Errorf("EnsureAdmin on a user there is = %v, %v", ok, err)
	}
}

func TestEnsureAdmin_NamesTheRule(t *testing.T) {
	a, _ := newAuth(t)
	for _, c := range []struct{ name, password, text string }{
		{"bob", "short", "8 characters or more"}, {"", password, "1 to 255"}, {"a:b", password, "':'"}, {strings.Repeat("x", 256), password, "1 to 255"}, {"a\nb", password, `'\n'`},
	} {
		created, err := a.EnsureAdmin(t.Context(), c.name, c.password)
		if created || registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), c.text) {
			t.Errorf("EnsureAdmin(%.20q) = %v, %v", c.name, created, err)
		}
	}
}

// When the accounts cannot be read, nobody is told that the password is wrong.
func TestAuthenticate_SaysWhenItCannotTell(t *testing.T) {
	a, s := newAuth(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := a.Authenticate(basic("admin", password))
	wantCode(t, "Basic on a closed store", err, registry.CodeUnavailable)
	_, err = a.Authenticate(withCookie(strings.Repeat("A", 43)))
	wantCode(t, "session on a closed store", err, registry.CodeUnavailable)
	_, _, err = a.SignInFrom(context.Background(), "admin", password, auth.Client{})
	wantCode(t, "SignIn on a closed store", err, registry.CodeUnavailable)
}
