package lb

import "sync/atomic"

// leastInFlight gives a request to the member with the fewest requests running for its weight. Among those without any, turns
// decide, as many as their weights; among others that are equal, turns one by one.
type leastInFlight struct {
	turn atomic.Uint64 // of members without requests
	from atomic.Uint64 // where comparing begins
}

var _ balancer = (*leastInFlight)(nil)

const (
	// lookForIdle is how many turns one choice gives to members without requests before it compares.
	lookForIdle = 4
	// lookAtMost is how many members one choice compares: in larger groups it is the least of that many, others each time.
	lookAtMost = 64
)

func (b *leastInFlight) pick(g *group, s *Selection) *Target {
	for range lookForIdle {
		t := g.turns[(b.turn.Add(1)-1)%uint64(len(g.turns))]
		if t.load.inFlight.Load() == 0 && s.Usable(t) && t.admitted(s.now) && s.Take(t) {
			return t
		}
	}
	var best *Target
	var least float64
	n := uint64(len(g.members))
	from := b.from.Add(1) - 1
	passed := uint64(0)
	for i := range min(n, lookAtMost) {
		t := g.members[(from+i)%n]
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
	b.from.Add(passed) // those that were passed over had their turn: else the next in line would get it every time
	if best != nil && s.Take(best) {
		return best
	}
	return g.anyone(s, from)
}

// crowd is how many requests run on a member for its weight. One that starts slowly counts as fuller than it is.
func (t *Target) crowd(now int64) float64 {
	running := float64(t.load.inFlight.Load())
	if part := t.warmth(now); part < fullShare {
		running = (running+1)*fullShare/float64(part) - 1
	}
	return running / float64(t.weight)
}
