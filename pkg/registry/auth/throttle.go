package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/regent-registry/regent/pkg/registry"
)

// What wrong passwords cost. Each fills a bucket of the client address with the account, and one of the address; a bucket leaks slowly, and while it is full
// the address gets no answer whether a password is right. The owner of the account, at another address, notices nothing. Each node counts for itself: a
// guesser who is sent to all of N nodes has N times the tries, which is still few, and no sign-in waits for a write.
const (
	defaultGuesses  = 10
	guessEvery      = time.Minute     // one more try at an account
	addressGuesses  = 10              // times those at one account
	addressEvery    = 6 * time.Second // one more try from an address
	rememberedTries = 1 << 15         // buckets; the least recently used are forgotten
)

// throttle counts wrong passwords. Safe for concurrent use.
type throttle struct {
	now     func() time.Time
	guesses int

	mu      sync.Mutex
	buckets *simplelru.LRU[bucketKey, *bucket]
	pending map[guess]*try // those that are being checked now
}

// guess is a password that a client tries at an account.
type guess struct {
	client            netip.Prefix
	account, password string
}

// buckets are those that a guess fills.
func (g guess) buckets() [2]bucketKey {
	return [...]bucketKey{{g.client, g.account}, {g.client, ""}}
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

// bucketKey is a client with an account; with "" all that the client tries.
type bucketKey struct {
	client  netip.Prefix
	account string
}

// bucket is full at a time from which on it leaks.
type bucket struct {
	level float64
	at    time.Time
}

func newThrottle(now func() time.Time, guesses int) *throttle {
	if guesses <= 0 {
		guesses = defaultGuesses
	}
	buckets, err := simplelru.NewLRU[bucketKey, *bucket](rememberedTries, nil)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return &throttle{now: now, guesses: guesses, buckets: buckets, pending: map[guess]*try{}}
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

// full tells whether one of the buckets has no room for a guess, or had none for one that is under way.
func (t *throttle) full(g guess, under *try) error {
	own := 0
	if under != nil && under.charged {
		own = 1
	}
	for _, k := range g.buckets() {
		every, most := guessEvery, t.guesses
		if k.account == "" {
			every, most = addressEvery, t.guesses*addressGuesses
		}
		if wait := t.wait(k, every, most+own); wait > 0 {
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
	for _, k := range g.buckets() {
		b, ok := t.buckets.Get(k)
		if !ok {
			b = &bucket{at: t.now()}
			t.buckets.Add(k, b)
		}
		b.level++
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
		t.giveBack(g.buckets())
	case v == undecided && p.charged && p.waiting == 0: // nobody knows; the wrong ones before it stay
		p.charged = false
		for _, k := range g.buckets() {
			if b, ok := t.buckets.Get(k); ok {
				b.level = max(b.level-1, 0)
			}
		}
	case v == wrong && !p.charged: // the password was right a moment ago
		t.charge(g, p)
	}
}

// wait is how long a bucket stays full.
func (t *throttle) wait(k bucketKey, every time.Duration, most int) time.Duration {
	b, ok := t.buckets.Get(k)
	if !ok {
		return 0
	}
	now := t.now()
	b.level = max(b.level-float64(now.Sub(b.at))/float64(every), 0)
	b.at = now
	return time.Duration((b.level - float64(most-1)) * float64(every))
}

// giveBack undoes a try, and forgets the wrong ones of the client at the account: its owner sits there.
func (t *throttle) giveBack(keys [2]bucketKey) {
	t.buckets.Remove(keys[0])
	if b, ok := t.buckets.Get(keys[1]); ok {
		b.level = max(b.level-1, 0)
		if b.level == 0 {
			t.buckets.Remove(keys[1])
		}
	}
}
