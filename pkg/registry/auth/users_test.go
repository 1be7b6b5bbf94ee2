package auth_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

func TestPasswordRules(t *testing.T) {
	rules := auth.PasswordRules{MinLength: 10, MinClasses: 3}
	for password, want := range map[string]string{
		"Abcdefgh12":               "",
		"abcdefgh 1":               "",
		"Abcdef 12":                "it must have 10 characters or more",
		"abcdefgh12":               "password has 2 of lower case",
		"short":                    "it must have 8 characters or more",
		"äöüßé":                    "it must have 8 characters or more", // though it has 10 bytes
		"Äöüßéàè12":                "it must have 10 characters or more",
		strings.Repeat("aB1", 400): "it must have 1024 bytes at most",
		"Some One 1":               "must not be the user name",
	} {
		err := rules.Check("some one 1", password)
		if want == "" && err != nil || want != "" && (registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, want %q", password, err, want)
		}
	}
	if err := (auth.PasswordRules{}).Check("", "12345678"); err != nil {
		t.Errorf("no rules: %v", err)
	}
}

// A store of a version that had no roles has users and no administrator; the configured one becomes it, once.
func TestPromoteAdmin(t *testing.T) {
	s := openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil)
	a := auth.New(auth.Config{Accounts: s})
	for _, name := range []string{"admin", "ann"} {
		if _, err := s.CreateUser(t.Context(), registry.User{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{true, false} {
		if promoted, err := a.PromoteAdmin(t.Context(), "admin"); promoted != want || err != nil {
			t.Errorf("start %d: %v, %v", i, promoted, err)
		}
	}
	if promoted, err := a.PromoteAdmin(t.Context(), "ann"); promoted || err != nil {
		t.Errorf("a second administrator: %v, %v", promoted, err)
	}
	u, err := s.UserByName(t.Context(), "admin")
	if err != nil || !slices.Equal(u.Roles, []registry.ID{registry.RoleAdmin}) {
		t.Errorf("%+v, %v", u, err)
	}
}

// Each node refuses a token from the request after it was revoked, has expired, or its owner was disabled.
func TestTokens_EndAtOnceEverywhere(t *testing.T) {
	clock := &hands{now: time.Now()}
	file := filepath.Join(t.TempDir(), "store.db")
	var nodes []*auth.Authenticator
	for range 2 {
		nodes = append(nodes, auth.New(auth.Config{Accounts: openAccounts(t, file, clock.Now), Now: clock.Now}))
	}
	if _, err := nodes[0].EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	admin, err := nodes[0].Authenticate(basic("admin", password))
	if err != nil || !admin.IsAdmin() {
		t.Fatal(admin, err)
	}
	if _, err := nodes[0].CreateUser(t.Context(), admin, "ann", password, auth.AccountInput{}); err != nil {
		t.Fatal(err)
	}
	ann, err := nodes[1].Authenticate(basic("ann", password))
	if err != nil {
		t.Fatal(err)
	}
	make := func() (string, registry.ID) {
		t.Helper()
		secret, tok, err := nodes[0].CreateToken(t.Context(), ann, "ci", registry.Scope{Rights: registry.AllRights}, 2*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return secret, tok.ID
	}
	good := func(what, secret string, want registry.Code) {
		t.Helper()
		for i, n := range nodes {
			r := httptest.NewRequest("GET", "http://localhost/", nil)
			r.Header.Set("Authorization", "bearer  "+secret)
			actor, err := n.Authenticate(r)
			if registry.CodeOf(err) != want || err == nil && (actor.User != "ann" || actor.Scope == nil) {
				t.Errorf("%s: node %d: %+v, %v", what, i, actor, err)
			}
		}
	}
	secret, id := make()
	good("new", secret, "")
	good("cut", secret[:len(secret)-1], registry.CodeUnauthenticated)
	good("without its prefix", strings.TrimPrefix(secret, "rgt_"), registry.CodeUnauthenticated)
	if list, err := nodes[1].Tokens(t.Context(), ann, ""); err != nil || len(list) != 1 || list[0].UsedAt.IsZero() || !strings.HasPrefix(secret, list[0].Hint) {
		t.Errorf("tokens: %+v, %v", list, err)
	}
	if err := nodes[1].RevokeToken(t.Context(), ann, "", id); err != nil {
		t.Fatal(err)
	}
	good("revoked", secret, registry.CodeUnauthenticated)

	secret, _ = make()
	good("another", secret, "")
	if _, err := nodes[0].UpdateUser(t.Context(), admin, "ann", auth.AccountInput{Disabled: new(true)}, registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	good("of a disabled user", secret, registry.CodeUnauthenticated)
	if _, err := nodes[1].UpdateUser(t.Context(), admin, "ann", auth.AccountInput{Disabled: new(false)}, registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	good("enabled again", secret, "")
	clock.advance(2 * time.Hour)
	good("expired", secret, registry.CodeUnauthenticated)
}

// Disabling signs out for good; a role given or taken counts for the next request.
func TestUsers_ChangesCountForTheNextRequest(t *testing.T) {
	a, _ := newAuth(t)
	admin, err := a.Authenticate(basic("admin", password))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateUser(t.Context(), admin, "ann", password, auth.AccountInput{}); err != nil {
		t.Fatal(err)
	}
	token, _, err := a.SignInFrom(t.Context(), "ann", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	set := func(in auth.AccountInput) {
		t.Helper()
		if _, err := a.UpdateUser(t.Context(), admin, "ann", in, registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want bool) {
		t.Helper()
		actor, err := a.Authenticate(withCookie(token))
		if err != nil || actor.IsAdmin() != want {
			t.Errorf("%+v, %v; want administrator: %v", actor, err, want)
		}
	}
	is(false)
	set(auth.AccountInput{Roles: &[]string{"admin"}})
	is(true)
	set(auth.AccountInput{Roles: &[]string{}})
	is(false)
	set(auth.AccountInput{Disabled: new(true)})
	_, err = a.Authenticate(withCookie(token))
	wantCode(t, "disabled", err, registry.CodeUnauthenticated)
	set(auth.AccountInput{Disabled: new(false)})
	_, err = a.Authenticate(withCookie(token))
	wantCode(t, "enabled again, with the old session", err, registry.CodeUnauthenticated)
}

// Whoever keeps something of users elsewhere is told of those who were removed, and only of those.
func TestDeleteUser_TellsOfIt(t *testing.T) {
	var told []string
	removed := func(_ context.Context, name string) { told = append(told, name) }
	a := auth.New(auth.Config{Accounts: openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil), Removed: removed})
	if _, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	admin, err := a.Authenticate(basic("admin", password))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateUser(t.Context(), admin, "ann", password, auth.AccountInput{}); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]registry.Code{"admin": registry.CodeConflict, "nobody": registry.CodeNotFound, "ann": ""} {
		if err := a.DeleteUser(t.Context(), admin, name, registry.Precondition{}); registry.CodeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !slices.Equal(told, []string{"ann"}) {
		t.Errorf("told of %v", told)
	}
}
