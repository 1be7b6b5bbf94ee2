package auth_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// outside is a directory outside of the registry. It makes an account for who is new to it, without a password that would be good here.
type outside struct {
	accounts  *sqlstore.Store
	passwords map[string]string
	down      error
}

func (d *outside) Verify(ctx context.Context, name, password string) (registry.User, error) {
	if d.down != nil {
		return registry.User{}, d.down
	}
	if want, ok := d.passwords[name]; !ok || want != password {
		return registry.User{}, registry.Errorf(registry.CodeUnauthenticated, "the user name or the password is wrong")
	}
	u, err := d.accounts.UserByName(ctx, name)
	if registry.CodeOf(err) == registry.CodeNotFound {
		return d.accounts.AddUser(ctx, registry.Op{}, registry.User{Name: name})
	}
	return u, err
}

// TestDirectory_OutsideIsAskedAlone: with a directory outside its passwords count, and no others; sessions and permissions are those of the account here.
func TestDirectory_OutsideIsAskedAlone(t *testing.T) {
	s := openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil)
	d := &outside{accounts: s, passwords: map[string]string{"ann": "of the directory"}}
	a := auth.New(auth.Config{Accounts: s, Directory: d, Guesses: 3})
	if _, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	_, err := a.Authenticate(basic("admin", password))
	wantCode(t, "a password of the accounts", err, registry.CodeUnauthenticated)

	first, err := a.Authenticate(basic("ann", "of the directory"))
	if err != nil || first.User != "ann" || first.UserID.IsZero() {
		t.Fatalf("%+v, %v", first, err)
	}
	token, _, err := a.SignInFrom(t.Context(), "ann", "of the directory", auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	if actor, err := a.Authenticate(withCookie(token)); err != nil || actor.UserID != first.UserID {
		t.Errorf("the session is of %+v, %v; want %s", actor, err, first.UserID)
	}

	d.down = registry.Errorf(registry.CodeUnavailable, "the directory does not answer")
	for range 5 { // none of them is a guess
		_, err = a.Authenticate(basic("ann", "of the directory"))
		wantCode(t, "while the directory is down", err, registry.CodeUnavailable)
	}
	d.down = nil
	if _, err := a.Authenticate(basic("ann", "of the directory")); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	for range 3 {
		_, err = a.Authenticate(basic("ann", "guess"))
		wantCode(t, "a guess", err, registry.CodeUnauthenticated)
	}
	_, err = a.Authenticate(basic("ann", "of the directory"))
	wantCode(t, "after too many guesses", err, registry.CodeThrottled)
}
