package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	parallelHashes = 2                // hashes at a time: each takes a core and 19 MiB
	waitingHashes  = 256              // more than that are turned away
	hashWait       = 10 * time.Second // the longest wait for a turn
	rememberedKeys = 4096
)

// verifier checks passwords against PHC strings without hashing more than it must. Safe for concurrent use.
type verifier struct {
	secret   [32]byte                       // key of credential; of this process, never stored
	verified *lru.Cache[credential, string] // what was right -> the PHC string that it was right for
	flights  singleflight.Group
	turns    chan struct{}
	waiting  atomic.Int64
	decoy    string // stands in for the hash of a user who does not exist

	verify func(phc, password string) (bool, error) // verifyPassword, but in tests
}

// credential names a user name with a password; without the verifier's secret it tells nothing about either.
type credential [sha256.Size]byte

func newVerifier() *verifier {
	verified, err := lru.New[credential, string](rememberedKeys)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	v := &verifier{verified: verified, turns: make(chan struct{}, parallelHashes), decoy: decoyHash(), verify: verifyPassword}
	rand.Read(v.secret[:]) // never fails: crypto/rand ends the program instead
	return v
}

// check tells whether the password is the one of phc, the user's current PHC string. Only right answers are remembered, each for that
// string alone: a changed password makes them void. The error has [registry.CodeUnavailable] when too many checks wait.
func (v *verifier) check(ctx context.Context, name, password, phc string) (bool, error) {
	c := v.credential(name, password)
	if known, ok := v.verified.Get(c); ok && known == phc {
		return true, nil
	}
	// One hash serves all who wait with the same credentials. So it must not end with the request that happened to come first.
	answer, err, _ := v.flights.Do(string(c[:])+phc, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hashWait)
		defer cancel()
		return v.inTurn(ctx, phc, password)
	})
	if err != nil {
		return false, err
	}
	right, _ := answer.(bool)
	if right {
		v.verified.Add(c, phc)
	}
	return right, nil
}

// inTurn hashes when one of the turns is free.
func (v *verifier) inTurn(ctx context.Context, phc, password string) (bool, error) {
	end, err := v.turn(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	return v.verify(phc, password)
}

// turn waits for one of the turns to hash, which end gives back.
func (v *verifier) turn(ctx context.Context) (end func(), err error) {
	if v.waiting.Add(1) <= waitingHashes {
		select {
		case v.turns <- struct{}{}:
			return func() { <-v.turns; v.waiting.Add(-1) }, nil
		case <-ctx.Done():
		}
	}
	v.waiting.Add(-1)
	return nil, registry.Errorf(registry.CodeUnavailable, "too many sign-ins at once; try again in a few seconds")
}

// hash is [HashPassword] in a turn.
func (a *Authenticator) hash(ctx context.Context, password string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	end, err := a.verifier.turn(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	return HashPassword(password)
}

func (v *verifier) credential(name, password string) credential {
	mac := hmac.New(sha256.New, v.secret[:])
	mac.Write([]byte(name))
	mac.Write([]byte{0}) // a user name has no NUL
	mac.Write([]byte(password))
	return credential(mac.Sum(nil))
}
