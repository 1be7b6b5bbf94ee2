package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

func TestLoginName(t *testing.T) {
	for typed, want := range map[string]string{
		"ann": "ann", "ann@carbon.super": "ann", "ann@Carbon.SUPER": "ann", "ann@example.org": "ann@example.org", "ann@example.org@carbon.super": "ann@example.org",
		"ann@carbon.super@carbon.super": "ann@carbon.super", "@carbon.super": "@carbon.super", "carbon.super": "carbon.super", "ann@carbon.super.org": "ann@carbon.super.org",
		"Zoe\u0308@carbon.super": "Zo\u00eb", "ann\xff@carbon.super": "ann\xff", "": "",
	} {
		if got := auth.LoginName(typed); got != want {
			t.Errorf("who signs in as %q is %q, want %q", typed, got, want)
		}
	}
	for name, good := range map[string]bool{"ann": true, "ann@example.org": true, "ann@carbon.super": false, "ann@CARBON.super": false, "@carbon.super": true} {
		if err := auth.CheckUserName(name); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "carbon.super") {
			t.Errorf("%q as a user name: %v", name, err)
		}
	}
}

func TestAuthenticate_TakesTheSuperTenant(t *testing.T) {
	a, s := newAuth(t)
	for _, name := range []string{"ann@example.org", "old"} {
		if _, err := a.EnsureAdmin(t.Context(), name, password); err != nil {
			t.Fatal(err)
		}
	}
	for typed, want := range map[string]string{
		"admin": "admin", "admin@carbon.super": "admin", "ann@example.org": "ann@example.org", "ann@example.org@carbon.super": "ann@example.org",
	} {
		if actor, err := a.Authenticate(basic(typed, password)); err != nil || actor.User != want {
			t.Errorf("Basic of %s is %q, want %q: %v", typed, actor.User, want, err)
		}
		token, _, err := a.SignInFrom(t.Context(), typed, password, auth.Client{})
		if err != nil {
			t.Errorf("sign-in of %s: %v", typed, err)
			continue
		}
		if actor, err := a.Authenticate(withCookie(token)); err != nil || actor.User != want {
			t.Errorf("the session of %s is of %q, want %q: %v", typed, actor.User, want, err)
		}
	}

	// Another tenant is told like a wrong password, after the same work.
	n := a.CountHashes()
	_, wrong := a.Authenticate(basic("admin", "wrong password"))
	for _, typed := range []string{"admin@example.org", "ann", "ann@other.org"} {
		before := n.Load()
		_, err := a.Authenticate(basic(typed, password))
		wantCode(t, typed, err, registry.CodeUnauthenticated)
		if registry.MessageOf(err) != registry.MessageOf(wrong) || n.Load() != before+1 {
			t.Errorf("%s is told %q after %d hashes", typed, registry.MessageOf(err), n.Load()-before)
		}
	}

	// Somebody named like that before the rule signs in by the whole name, with the domain once more; and changes no other's password.
	phc, err := auth.HashPassword("password of the old")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser(t.Context(), registry.User{Name: "old@carbon.super", Password: phc}); err != nil {
		t.Fatal(err)
	}
	actor, err := a.Authenticate(basic("old@carbon.super@carbon.super", "password of the old"))
	if err != nil || actor.User != "old@carbon.super" {
		t.Fatalf("the old name: %q, %v", actor.User, err)
	}
	if err := a.ChangePassword(t.Context(), actor, auth.Client{}, "", "password of the old", "another password"); err != nil {
		t.Error(err)
	}
	if _, err := a.Authenticate(basic("old", password)); err != nil {
		t.Errorf("the other user's password: %v", err)
	}
}

// Both ways to write a name are one account for the limit on guesses.
func TestThrottle_CountsTheSuperTenantAsTheUser(t *testing.T) {
	a, _ := newSlowAuth(t)
	for _, typed := range []string{"admin", "admin@carbon.super", "admin@CARBON.super"} {
		_, err := a.Authenticate(from("203.0.113.7:1", basic(typed, "wrong for "+typed)))
		wantCode(t, typed, err, registry.CodeUnauthenticated)
	}
	_, err := a.Authenticate(from("203.0.113.7:1", basic("admin@carbon.SUPER", "wrong")))
	wantCode(t, "the fourth guess", err, registry.CodeThrottled)
}

// Whether the password of a disabled user is right is nobody's business: the answer and the work are the same, also on a node that has seen it right.
func TestAuthenticate_TellsNothingOfDisabledUsers(t *testing.T) {
	a, s := newAuth(t)
	if _, err := a.EnsureAdmin(t.Context(), "left", password); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(basic("left", password)); err != nil { // remembered
		t.Fatal(err)
	}
	disable := func(yes bool) {
		t.Helper()
		err := s.ChangeUser(t.Context(), registry.Op{}, "left", func(u registry.User, _ int) (registry.UserChange, error) {
			u.Disabled = yes
			return registry.UserChange{User: u}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	n := a.CountHashes()
	var words []string
	for _, pw := range []string{password, "wrong password", password, password} {
		before := n.Load()
		_, err := a.Authenticate(basic("left", pw))
		wantCode(t, pw, err, registry.CodeUnauthenticated)
		words = append(words, registry.MessageOf(err))
		if n.Load() != before+1 || words[0] != words[len(words)-1] {
			t.Errorf("%q is told %q after %d hashes", pw, words[len(words)-1], n.Load()-before)
		}
	}
	disable(false)
	if _, err := a.Authenticate(basic("left", password)); err != nil {
		t.Errorf("enabled again: %v", err)
	}
}

// A page of another site can put a password into an address, and so make the browser guess at an account: it is refused before that counts.
func TestAuthenticate_RefusesPasswordsOfOtherSites(t *testing.T) {
	a, _ := newSlowAuth(t)
	send := func(r *http.Request, site string) error {
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		_, err := a.Authenticate(from("203.0.113.7:1", r))
		return err
	}
	n := a.CountHashes()
	for _, pw := range []string{"wrong 1", "wrong 2", "wrong 3", "wrong 4", password} {
		wantCode(t, "cross-site with "+pw, send(basic("admin", pw), "cross-site"), registry.CodeDenied)
	}
	if n.Load() != 0 {
		t.Errorf("the refused passwords cost %d hashes", n.Load())
	}
	for _, site := range []string{"", "none", "same-origin", "same-site"} {
		wantCode(t, "from "+site, send(basic("admin", password), site), "")
	}
	token, _, err := a.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "a session, by a link of another site", send(withCookie(token), "cross-site"), "")
	wantCode(t, "nobody, by a link of another site", send(httptest.NewRequest("GET", "http://localhost/", nil), "cross-site"), registry.CodeUnauthenticated)
	bearer := httptest.NewRequest("GET", "http://localhost/", nil)
	bearer.Header.Set("Authorization", "Bearer rgt_x")
	wantCode(t, "a token from another site", send(bearer, "cross-site"), registry.CodeUnauthenticated)
}
