package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// guesser tries passwords at a throttle whose clock stands still, unless it is moved.
type guesser struct {
	*throttle
	clock time.Time
	tries int
}

func newGuesser() *guesser {
	g := &guesser{clock: time.Now()}
	g.throttle = newThrottle(func() time.Time { return g.clock }, 3)
	return g
}

// guess tries one more password from an address; it tells whether it was answered.
func (g *guesser) guess(t *testing.T, address, account string, v verdict) bool {
	t.Helper()
	g.tries++
	done, err := g.try(clientOf(address), account, fmt.Sprint("password ", g.tries))
	if err != nil {
		if registry.CodeOf(err) != registry.CodeThrottled {
			t.Fatalf("%s at %s: %v", address, account, err)
		}
		return false
	}
	done(v)
	return true
}

// host is the i-th client of an IPv6 network.
func host(network string, i int) string { return fmt.Sprintf("[%s:%x::1]:443", network, i) }

// Whoever has a /48 is 65,536 clients, and has no more tries for it than a hundred of them.
func TestThrottle_CountsNetworksOfIPv6(t *testing.T) {
	g := newGuesser()
	answered := 0
	for i := range 2000 {
		if g.guess(t, host("2001:db8:7", i), "admin", wrong) {
			answered++
		}
	}
	if want := 3 * networkGuesses; answered != want {
		t.Errorf("%d guesses from one network were answered, want %d", answered, want)
	}
	if g.guess(t, host("2001:db8:7", 5000), "ann", right) {
		t.Error("the network may guess at another account")
	}
	for _, address := range []string{host("2001:db8:8", 1), "203.0.113.7:1", "[2001:db8:8::]:1"} {
		if !g.guess(t, address, "admin", right) {
			t.Errorf("the owner of the account at %s is slowed", address)
		}
	}
	g.clock = g.clock.Add(networkEvery + time.Millisecond)
	if !g.guess(t, host("2001:db8:7", 6000), "admin", wrong) || g.guess(t, host("2001:db8:7", 6001), "admin", wrong) {
		t.Error("want one more guess for each interval")
	}
}

// An owner in the guesser's own network, whose password was right there before, goes on; but not without limit.
func TestThrottle_LeavesTheOwnerInTheNetworkAlone(t *testing.T) {
	g := newGuesser()
	owner := host("2001:db8:7", 0xffff)
	if !g.guess(t, owner, "admin", right) {
		t.Fatal("the first sign-in is refused")
	}
	for i := range 1000 {
		g.guess(t, host("2001:db8:7", i), "admin", wrong)
	}
	if !g.guess(t, owner, "admin", right) {
		t.Error("the owner is slowed by others of the network")
	}
	if g.guess(t, owner, "ann", wrong) {
		t.Error("the owner of one account may guess at others")
	}
	for i := range 3 {
		if !g.guess(t, owner, "admin", wrong) {
			t.Errorf("a slip of the owner, the %d., is refused", i+1)
		}
	}
	if g.guess(t, owner, "admin", wrong) {
		t.Error("from the owner's address anything can be guessed")
	}
}

// Right passwords and guesses that nobody could check fill no network's bucket, and a flood of addresses does not empty it.
func TestThrottle_KeepsTheCountOfANetwork(t *testing.T) {
	g := newGuesser()
	for i := range 5 * networkGuesses {
		if !g.guess(t, host("2001:db8:7", i), "admin", []verdict{right, undecided}[i%2]) {
			t.Fatalf("guess %d is refused, after none that was wrong", i)
		}
	}
	for i := range 3 * networkGuesses {
		g.guess(t, host("2001:db8:7", i), "admin", wrong)
	}
	for i := range rememberedTries { // two buckets of an address each
		g.guess(t, fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&0xff, i&0xff), "admin", wrong)
	}
	if g.guess(t, host("2001:db8:7", 9999), "admin", wrong) {
		t.Error("the network's count is forgotten")
	}
}
