package auth

import (
	"iter"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/regent-registry/regent/pkg/registry"
)

// What wrong passwords cost. Each fills a bucket of the client address with the account, one of the address, and in IPv6 one of the network that an address's
// owner may have beside it; a bucket leaks slowly, and while it is full nobody there gets an answer whether a password is right. The owner of the account, at
// another address, notices nothing; nor does one in the same network whose password was right there before. Each node counts for itself: a guesser who is
// sent to all of N nodes has N times the tries, which is still few, and no sign-in waits for a write.
const (
	defaultGuesses  = 10
	guessEvery      = time.Minute            // one more try at an account
	addressGuesses  = 10                     // times those at one account
	addressEvery    = 6 * time.Second        // one more try from an address
	networkGuesses  = 100                    // times those at one account
	networkEvery    = 600 * time.Millisecond // one more try from a network
	rememberedTries = 1 << 15                // buckets of addresses; the least recently used are forgotten
	rememberedNets  = 1 << 14                // buckets of networks, which no number of addresses pushes out
	rememberedHomes = 1 << 14                // addresses with an account whose password was right there
)

// throttle counts wrong passwords. Safe for concurrent use.
type throttle struct {
	now     func() time.Time
	guesses int

	mu        sync.Mutex
	addresses *buckets
	networks  *buckets
	homes     *simplelru.LRU[bucketKey, struct{}] // where a verdict on an account was right once
	pending   map[guess]*try                      // those that are being checked now
}

// guess is a password that a client tries at an account.
type guess struct {
	client            netip.Prefix
	account, password string
}

// measure is a bucket that a guess fills, and how large it is.
type measure struct {
	in    *buckets
	key   bucketKey
	every time.Duration
	most  int
}

// measures are what a guess fills: the client with the account, the client, and its network where it may have many addresses.
func (t *throttle) measures(g guess) iter.Seq[measure] {
	return func(yield func(measure) bool) {
		if !yield(measure{t.addresses, bucketKey{g.client, g.account}, guessEvery, t.guesses}) ||
			!yield(measure{t.addresses, bucketKey{g.client, ""}, addressEvery, t.guesses * addressGuesses}) {
			return
		}
		if n, ok := networkOf(g.client); ok {
			yield(measure{t.networks, bucketKey{n, ""}, networkEvery, t.guesses * networkGuesses})
		}
	}
}

// verdict is what became of a guess.
type verdict int

const (
	undecided verdict = iota // nobody could tell
	right
	wrong
)

// try is a guess under way.
type try struct {
	waiting int // requests that wait for what becomes of it
	charged bool
}

func newThrottle(now func() time.Time, guesses int) *throttle {
	if guesses <= 0 {
		guesses = defaultGuesses
	}
	return &throttle{
		now: now, guesses: guesses, addresses: newBuckets(now, rememberedTries), networks: newBuckets(now, rememberedNets),
		homes: newLRU[bucketKey, struct{}](rememberedHomes), pending: map[guess]*try{},
	}
}

// clientOf is the network that counts as one client: an IPv4 address, or the /64 that one IPv6 host has at least.
func clientOf(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return netip.Prefix{}
		}
		a = ap.Addr()
	}
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// networkOf is what the owner of an IPv6 client may have: a /48, with 65,536 clients in it. The owner of an IPv4 address has no more than that.
func networkOf(client netip.Prefix) (netip.Prefix, bool) {
	if !client.IsValid() || !client.Addr().Is6() {
		return netip.Prefix{}, false
	}
	p, err := client.Addr().Prefix(48)
	return p, err == nil
}

// try takes one try of a client at an account. Whoever tries the same password at the same time has the same try: it is one guess, and a program with
// many requests under way is no guesser. done must be called with what became of it: a right one is given back, with the wrong ones before it. The error
// has [registry.CodeThrottled] and says when to come again.
func (t *throttle) try(client netip.Prefix, account, password string) (done func(verdict), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := guess{client, account, password}
	p := t.pending[g]
	if err := t.full(g, p); err != nil {
		return nil, err
	}
	if p == nil {
		p = &try{}
		t.pending[g] = p
		t.charge(g, p)
	}
	p.waiting++
	return func(v verdict) { t.settle(g, p, v) }, nil
}

// full tells whether one of the buckets has no room for a guess, or had none for one that is under way. What others of the network did is nothing to who
// was right about the account before.
func (t *throttle) full(g guess, under *try) error {
	own := 0
	if under != nil && under.charged {
		own = 1
	}
	_, home := t.homes.Get(bucketKey{g.client, g.account})
	for m := range t.measures(g) {
		if home && m.in == t.networks {
			continue
		}
		if wait := m.in.wait(m.key, m.every, m.most+own); wait > 0 {
			return &registry.Error{
				Code: registry.CodeThrottled, RetryAfter: wait.Round(time.Second) + time.Second,
				Message: "too many wrong passwords from your address; wait before you try again",
			}
		}
	}
	return nil
}

func (t *throttle) charge(g guess, p *try) {
	p.charged = true
	for m := range t.measures(g) {
		m.in.fill(m.key)
	}
}

// settle ends one part in a try.
func (t *throttle) settle(g guess, p *try, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.waiting--; p.waiting == 0 {
		delete(t.pending, g)
	}
	switch {
	case v == right && p.charged:
		p.charged = false
		for m := range t.measures(g) {
			m.in.giveBack(m.key)
		}
		t.addresses.forget(bucketKey{g.client, g.account}) // with the wrong ones before it: the account's owner sits there
	case v == undecided && p.charged && p.waiting == 0: // nobody knows; the wrong ones before it stay
		p.charged = false
		for m := range t.measures(g) {
			m.in.giveBack(m.key)
		}
	case v == wrong && !p.charged: // the password was right a moment ago
		t.charge(g, p)
	}
	if v == right {
		t.homes.Add(bucketKey{g.client, g.account}, struct{}{})
	}
}
