package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// hands is a clock that a test moves.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func from(address string, r *http.Request) *http.Request {
	r.RemoteAddr = address
	return r
}

// newSlowAuth is an authenticator that takes three guesses, with the users admin and ann.
func newSlowAuth(t *testing.T) (*auth.Authenticator, *hands) {
	t.Helper()
	clock := &hands{now: time.Now()}
	a := auth.New(auth.Config{Accounts: openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil), Now: clock.Now, Guesses: 3})
	for _, name := range []string{"admin", "ann"} {
		if _, err := a.EnsureAdmin(t.Context(), name, password); err != nil {
			t.Fatal(err)
		}
	}
	return a, clock
}

func TestThrottle_SlowsTheGuesserAlone(t *testing.T) {
	a, clock := newSlowAuth(t)
	const guesser, owner = "203.0.113.7:4000", "198.51.100.1:4000"
	for i := range 3 {
		_, err := a.Authenticate(from(guesser, basic("admin", fmt.Sprintf("wrong %d", i))))
		wantCode(t, "a guess", err, registry.CodeUnauthenticated)
	}
	n := a.CountHashes()
	for _, pw := range []string{"wrong again", password} {
		_, err := a.Authenticate(from("203.0.113.7:5999", basic("admin", pw)))
		wantCode(t, "a guess too many", err, registry.CodeThrottled)
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.RetryAfter < time.Second || e.RetryAfter > 2*time.Minute {
			t.Errorf("the error says to come again in %v", e.RetryAfter)
		}
	}
	if n.Load() != 0 {
		t.Errorf("the refused guesses cost %d hashes", n.Load())
	}
	_, _, err := a.SignInFrom(t.Context(), "admin", password, auth.Client{Address: guesser})
	wantCode(t, "the sign-in page", err, registry.CodeThrottled)
	_, err = a.Authenticate(from(owner, basic("admin", password)))
	wantCode(t, "the owner elsewhere", err, "")
	_, err = a.Authenticate(from(guesser, basic("ann", password)))
	wantCode(t, "another account from there", err, "")

	clock.advance(time.Minute + time.Second)
	_, err = a.Authenticate(from(guesser, basic("admin", "wrong")))
	wantCode(t, "a minute later", err, registry.CodeUnauthenticated)
	_, err = a.Authenticate(from(guesser, basic("admin", "wrong")))
	wantCode(t, "at once after that", err, registry.CodeThrottled)
	clock.advance(time.Minute + time.Second)
	_, err = a.Authenticate(from(guesser, basic("admin", password)))
	wantCode(t, "the right one a minute later", err, "")
	for range 3 { // which clears the count
		_, err = a.Authenticate(from(guesser, basic("admin", "wrong")))
		wantCode(t, "after a right one", err, registry.CodeUnauthenticated)
	}
}

// A guesser who goes through accounts, known or not, is slowed by address; so is one with a network of IPv6 addresses.
func TestThrottle_CountsAddressesToo(t *testing.T) {
	for _, address := range []func(i int) string{
		func(i int) string { return fmt.Sprintf("203.0.113.9:%d", 1000+i) },
		func(i int) string { return fmt.Sprintf("[2001:db8::%x]:443", i+1) },
	} {
		a, clock := newSlowAuth(t)
		refused := 0
		for i := range 40 {
			_, err := a.Authenticate(from(address(i), basic(fmt.Sprintf("user%d", i), "wrong")))
			if registry.CodeOf(err) == registry.CodeThrottled {
				refused++
			}
		}
		if refused != 10 {
			t.Errorf("%d of 40 guesses were refused from %s, want 10", refused, address(0))
		}
		clock.advance(7 * time.Second)
		_, err := a.Authenticate(from(address(1), basic("user", "wrong")))
		wantCode(t, "one more after six seconds", err, registry.CodeUnauthenticated)
	}
}

// attentive is a directory that asks nothing for who has gone.
type attentive struct{ *outside }

func (d attentive) Verify(ctx context.Context, name, password string) (registry.User, error) {
	if err := ctx.Err(); err != nil {
		return registry.User{}, err
	}
	return d.outside.Verify(ctx, name, password)
}

// A guess that nobody could check is not counted, and forgives none before it.
func TestThrottle_ForgivesNothingForAGuessThatWasNotChecked(t *testing.T) {
	// The store itself may still answer somebody who has gone, from memory: then the guess is checked, and counts.
	s := openAccounts(t, filepath.Join(t.TempDir(), "store.db"), nil)
	clock := &hands{now: time.Now()}
	a := auth.New(auth.Config{Accounts: s, Directory: attentive{&outside{accounts: s}}, Now: clock.Now, Guesses: 3})
	if _, err := a.EnsureAdmin(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	const guesser = "203.0.113.7:4000"
	guess := func(i int) error {
		_, err := a.Authenticate(from(guesser, basic("admin", fmt.Sprintf("wrong %d", i))))
		return err
	}
	wantCode(t, "a guess", guess(1), registry.CodeUnauthenticated)
	wantCode(t, "a guess", guess(2), registry.CodeUnauthenticated)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 5 {
		if _, err := a.Authenticate(from(guesser, basic("admin", fmt.Sprintf("left %d", i))).WithContext(gone)); registry.CodeOf(err) == registry.CodeThrottled {
			t.Errorf("one that left was counted: %v", err)
		}
	}
	wantCode(t, "the last guess", guess(3), registry.CodeUnauthenticated)
	wantCode(t, "one too many", guess(4), registry.CodeThrottled)
}

// Guesses that come at once are counted before they are checked.
func TestThrottle_CountsGuessesThatComeAtOnce(t *testing.T) {
	a, _ := newSlowAuth(t)
	n := a.CountHashes()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := a.Authenticate(from("203.0.113.7:1", basic("admin", fmt.Sprint("wrong", i))))
			if err == nil {
				t.Error("a wrong password was right")
			}
		})
	}
	wg.Wait()
	if n.Load() > 3 {
		t.Errorf("%d guesses were checked, want 3", n.Load())
	}
}

// A program with many requests under way is no guesser, neither at its first sign-in nor later; and one wrong password that comes many times at once
// is one guess.
func TestThrottle_LetsManyRequestsOfOneUserThrough(t *testing.T) {
	a, _ := newSlowAuth(t)
	atOnce := func(password string, want registry.Code) {
		t.Helper()
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 64 {
			wg.Go(func() {
				<-start
				for range 5 {
					_, err := a.Authenticate(from(fmt.Sprintf("203.0.113.7:%d", 1000+i), basic("admin", password)))
					if got := registry.CodeOf(err); (err == nil) != (want == "") || err != nil && got != want {
						t.Errorf("with %q: %v, want %q", password, err, want)
					}
				}
			})
		}
		close(start)
		wg.Wait()
	}
	atOnce(password, "")
	atOnce(password, "")
	_, err := a.Authenticate(from("203.0.113.7:1", basic("admin", "wrong")))
	wantCode(t, "a guess", err, registry.CodeUnauthenticated)
	atOnce(password, "")
	for i := range 3 {
		_, err := a.Authenticate(from("203.0.113.7:1", basic("admin", fmt.Sprint("wrong ", i))))
		wantCode(t, "a guess after right ones", err, registry.CodeUnauthenticated)
	}
	atOnce(password, registry.CodeThrottled) // the guesser does not learn that it is right
}
