package lb

import "sync/atomic"

// leastInFlight gives a request to the member with the fewest requests running for its weight. Among equals, those without
// any above all, the turn decides.
type leastInFlight struct{ turn atomic.Uint64 }

var _ balancer = (*leastInFlight)(nil)

// lookAtMost is how many members one choice compares: in larger groups it is the least of that many, which change from turn to turn.
const lookAtMost = 64

func (b *leastInFlight) pick(g *group, s *Selection) *Target {
	turn := b.turn.Add(1) - 1
	if t := g.turns[turn%uint64(len(g.turns))]; t.load.inFlight.Load() == 0 && s.Usable(t) && t.admitted(s.now) && s.Take(t) {
		return t
	}
	var best *Target
	var least float64
	n := uint64(len(g.members))
	passed := uint64(0)
	for i := range min(n, lookAtMost) {
		t := g.members[(turn+i)%n]
		if !s.Usable(t) {
			continue
		}
		if cost := t.crowd(s.now); best == nil || cost < least {
			best, least, passed = t, cost, i
			if cost == 0 {
				break // there is no better one
			}
		}
	}
	b.turn.Add(passed) // those that were passed over had their turn, or the next in line would have it every time
	if best != nil && s.Take(best) {
		return best
	}
	return g.anyone(s, turn)
}

// crowd is how many requests run on a member for its weight. One that starts slowly counts as fuller than it is.
func (t *Target) crowd(now int64) float64 {
	running := float64(t.load.inFlight.Load())
	if part := t.warmth(now); part < fullShare {
		running = (running+1)*fullShare/float64(part) - 1
	}
	return running / float64(t.weight)
}
