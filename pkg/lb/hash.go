package lb

import (
	"bytes"
	"math"
	"net/netip"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// hashing gives requests of the same key to the same member: the one whose hash together with the key's is the best of all
// (rendezvous, or highest random weight, hashing). When a member comes or goes, the keys that it has or had move, and no others. All load
// balancers choose alike, since nothing counts but the key, the members' addresses and their weights.
//
// A member that has bound times the average of requests in flight gets no more; the key's next best member does. Requests without the key
// take turns.
type hashing struct {
	bound float64
	turns roundRobin
}

var _ balancer = (*hashing)(nil)

// boundLeast is how many requests a member may have in flight in any case: with few of them the average means nothing, and
// the requests that one browser sends at once belong together.
const boundLeast = 8

func (b *hashing) pick(g *group, s *Selection) *Target {
	if !s.keyed {
		return b.turns.pick(g, s)
	}
	if best := b.best(g, s); best != nil && s.Take(best) {
		return best
	}
	return g.anyone(s, s.key)
}

// best finds the best member for the key that is usable and not at its bound. A member's key has a score that is exponentially
// distributed with the member's weight as rate; the least one is best, so each is best as often as its weight says.
func (b *hashing) best(g *group, s *Selection) *Target {
	var best *Target
	least := math.Inf(1)
	warm := s.now >= g.warm
	room := b.room(g)
	for i, seed := range g.seeds {
		inverse := g.inverses[i]
		if !warm {
			inverse *= fullShare / float64(g.members[i].warmth(s.now))
		}
		y := float64(mix(s.key^seed)>>11) / (1 << 53) // from 0 to just below 1
		// -log(1-y) is never less than y, which is cheaper and rules nearly all of them out.
		if y*inverse >= least {
			continue
		}
		score := -math.Log1p(-y) * inverse
		if t := g.members[i]; score < least && s.Usable(t) && room.has(t, s) {
			best, least = t, score
		}
	}
	return best
}

// room tells who has room for another request. What it needs to know of all members it finds out when it is first needed.
type room struct {
	group   *group
	bound   float64
	perUnit float64 // requests that a member may have for each unit of weight; 0 = not known yet
}

func (b *hashing) room(g *group) room { return room{group: g, bound: b.bound} }

func (r *room) has(t *Target, s *Selection) bool {
	running := t.load.inFlight.Load()
	if running < boundLeast {
		return true
	}
	if r.perUnit == 0 {
		total, weight := int64(1), 0.0
		for _, t := range r.group.members {
			if s.Usable(t) {
				total += t.load.inFlight.Load()
				weight += float64(t.weight) * float64(t.warmth(s.now)) / fullShare
			}
		}
		r.perUnit = r.bound * float64(total) / weight
	}
	return float64(running) < math.Ceil(r.perUnit*float64(t.weight)*float64(t.warmth(s.now))/fullShare)
}

// requestKey gives the hash of the part of a request that the pool's balancer goes by; false if there is none.
func (p *Pool) requestKey(x *exchange) (uint64, bool) {
	if p.spec.Policy != PolicyHash {
		return 0, false
	}
	var key []byte
	switch p.spec.Key.kind {
	case keyHeader:
		key = x.req.Find(p.spec.Key.name)
	case keyCookie:
		key = cookie(&x.req, p.spec.Key.name)
	case keyPath:
		key = x.path()
	case keyClient:
		return hashAddr(x.asked), true
	case keyNone:
	}
	return hashBytes(key), len(key) > 0
}

// cookie gives the value of the first cookie of that name in a request (RFC 6265 section 4.2), nil if there is none.
func cookie(r *h1.Request, name string) []byte {
	if r.First(h1.Cookie) == nil {
		return nil
	}
	for i := range r.Len() {
		if r.ID(i) != h1.Cookie {
			continue
		}
		for rest := r.Value(i); len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			have, value, ok := bytes.Cut(bytes.Trim(pair, " \t"), []byte("="))
			if ok && string(have) == name {
				return value
			}
		}
	}
	return nil
}

// seed is a member's own hash. It is that of the address, not of the id: a member that was restarted gets its keys back.
func (m *Member) seed() uint64 {
	h := hashBytes(m.Host)
	return mix(h ^ uint64(m.HTTPPort)<<16 ^ uint64(m.HTTPSPort))
}

func hashAddr(a netip.Addr) uint64 {
	b := a.As16()
	return hashBytes(b[:])
}

// hashBytes is FNV-1a of 64 bits, mixed. All load balancers must find the same, so the runtime's hash, which each process seeds
// anew, will not do.
func hashBytes[T ~string | ~[]byte](b T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(b) {
		h = (h ^ uint64(b[i])) * 1099511628211
	}
	return mix(h)
}

// mix makes every bit of the result depend on every bit of h: the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
