package lb

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// balancer chooses among the members of a group. pick is called by many requests at once: it takes no lock and no memory.
type balancer interface {
	// pick gives one of the members that the selection admits, after taking it with s.Take; or nil.
	pick(g *group, s *Selection) *Target
}

// Policy is the way in which a pool chooses among its members; its values are the words of the configuration.
type Policy string

// The policies.
const (
	PolicyRoundRobin    Policy = "round_robin"    // one after the other
	PolicyLeastInFlight Policy = "least_inflight" // the one with the fewest requests running
	PolicyTwoChoices    Policy = "two_choices"    // of two drawn at random the one that promises to answer sooner
	PolicyHash          Policy = "hash"           // the same member for the same key
)

// Policies lists all policies, the default first.
func Policies() []Policy {
	return []Policy{PolicyRoundRobin, PolicyLeastInFlight, PolicyTwoChoices, PolicyHash}
}

// BalancerSpec is how a pool chooses among its members. The zero value is round robin without slow start and zones.
type BalancerSpec struct {
	Policy Policy  // "" = round robin
	Key    HashKey // what PolicyHash goes by; required there
	// LoadBound is how many times the average of requests in flight a member may have before PolicyHash sends further
	// ones to the next; above 1, 0 = DefaultLoadBound.
	LoadBound float64
	// SlowStart is how long a member's share grows from a tenth to the whole, from when its process started; 0 = at once.
	SlowStart time.Duration
	// Zone is where this load balancer runs: members elsewhere get requests only while none here is usable. "" = no preference.
	Zone string
}

// DefaultLoadBound is the load bound where nothing else is configured.
const DefaultLoadBound = 1.25

// check tells what is wrong with a specification.
func (s BalancerSpec) check() error {
	switch s.Policy {
	case "", PolicyRoundRobin, PolicyLeastInFlight, PolicyTwoChoices:
	case PolicyHash:
		if s.Key == (HashKey{}) {
			return errors.New("balancer hash needs a key")
		}
		if s.LoadBound != 0 && !(s.LoadBound > 1) { // nor NaN
			return fmt.Errorf("load bound %v is not above 1", s.LoadBound)
		}
	default:
		return fmt.Errorf("balancer %q is unknown", s.Policy)
	}
	return nil
}

// newBalancer makes the balancer of a pool. What it keeps, it keeps from table to table.
func newBalancer(s BalancerSpec) balancer {
	switch s.Policy {
	case PolicyLeastInFlight:
		return &leastInFlight{}
	case PolicyTwoChoices:
		return newTwoChoices()
	case PolicyHash:
		bound := s.LoadBound
		if bound == 0 {
			bound = DefaultLoadBound
		}
		return &hashing{bound: bound}
	case PolicyRoundRobin:
	}
	return &roundRobin{}
}

// HashKey is the part of a request that PolicyHash goes by. The zero value is none.
type HashKey struct {
	kind keyKind
	name string // of the header or cookie
}

type keyKind uint8

const (
	keyNone keyKind = iota
	keyHeader
	keyCookie
	keyPath
	keyClient
)

// String gives the key as the configuration writes it.
func (k HashKey) String() string {
	switch k.kind {
	case keyHeader:
		return "header " + k.name
	case keyCookie:
		return "cookie " + k.name
	case keyPath:
		return "path"
	case keyClient:
		return "client"
	case keyNone:
	}
	return ""
}

// ParseHashKey reads a key as the configuration writes it: "header NAME", "cookie NAME", "path", or "client".
func ParseHashKey(s string) (HashKey, error) {
	words := strings.Fields(s)
	switch {
	case len(words) == 1 && words[0] == "path":
		return HashKey{kind: keyPath}, nil
	case len(words) == 1 && words[0] == "client":
		return HashKey{kind: keyClient}, nil
	case len(words) == 2 && words[0] == "header" && isToken(words[1]):
		return HashKey{kind: keyHeader, name: words[1]}, nil
	case len(words) == 2 && words[0] == "cookie" && isToken(words[1]):
		return HashKey{kind: keyCookie, name: words[1]}, nil
	}
	return HashKey{}, fmt.Errorf("%q is no key; write header NAME, cookie NAME, path or client", s)
}

// isToken reports whether s can be the name of a header or cookie (RFC 9110 section 5.1, RFC 6265 section 4.1.1).
func isToken(s string) bool { return h1.IsToken([]byte(s)) }

// Selection is one attempt's view of who may be chosen.
type Selection struct {
	now    int64     // unix nanoseconds
	tried  []*Target // by earlier attempts of the same request
	resort resort    // who is admitted
	full   bool      // of those, somebody was passed over for want of room
	key    uint64    // hash of what PolicyHash goes by
	keyed  bool      // there is a key
}

// resort is how bad a member may be to be chosen, while there is none better.
type resort uint8

const (
	resortNone     resort = iota // none but those in good health
	resortUnproven               // also those that have passed no check yet
	resortAlive                  // also those that were ejected, or say that they are not ready
	resortAnybody                // also those that do not answer
)

// Usable reports whether the member may be chosen: it was not tried, is well enough, and has room.
func (s *Selection) Usable(t *Target) bool {
	for _, tried := range s.tried {
		if tried.Member.ID == t.Member.ID {
			return false
		}
	}
	if !t.health.admitted(s.resort, s.now) {
		return false
	}
	if t.full() {
		s.full = true
		return false
	}
	return true
}

// Take makes the choice final. It reports false if another request has just taken the member's only probe.
func (s *Selection) Take(t *Target) bool {
	return s.resort >= resortAlive || t.health.take(s.now)
}
