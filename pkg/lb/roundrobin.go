package lb

import "sync/atomic"

// roundRobin gives every usable member its turns, as many as its weight. A turn that falls to a member that is out is used up,
// and the next one counts: so the share of a member that is out is spread over all others by their weights, and does not
// fall to its neighbour.
type roundRobin struct{ turn atomic.Uint64 }

var _ balancer = (*roundRobin)(nil)

// Members that start slowly let turns pass, up to nine of ten: so many more turns are looked at than there are.
const (
	slowRounds = fullShare / firstShare
	slowMost   = 512
)

func (b *roundRobin) pick(g *group, s *Selection) *Target {
	n := uint64(len(g.turns))
	for range n + min(n*slowRounds, slowMost) {
		t := g.turns[(b.turn.Add(1)-1)%n]
		if s.Usable(t) && t.admitted(s.now) && s.Take(t) {
			return t
		}
	}
	// Others took the turns of those that are left, or these let theirs pass.
	return g.anyone(s, b.turn.Load())
}
