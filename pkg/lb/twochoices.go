package lb

import (
	"math/bits"
	"math/rand/v2"
)

// twoChoices draws two members by weight and takes the one that promises to answer sooner: the one with the smaller product
// of its latency squared and its queue, 1 + in flight/weight. Looking at two is nearly as good as looking at all, and keeps many
// load balancers from running after the same member.
//
// The latency counts twice since members work on several requests at once: to a quick one with three in flight the fourth is still
// quick, while a slow one is slow even when it is idle. Were it counted once, a member four times slower would get one request in fifty,
// and these would be the slowest hundredth of all.
//
// What is known of a latency counts less and less the older it is: a member that nobody has heard of for some seconds counts
// as the other one. So one that was slow is tried again, one that is new or back gets no more than its share, and
// one that answers nothing any more is found out by the requests that pile up on it.
type twoChoices struct {
	random func() uint64
}

var _ balancer = (*twoChoices)(nil)

func newTwoChoices() *twoChoices { return &twoChoices{random: rand.Uint64} }

// clearlyLess is by how much one of two must be better than the one drawn first. Smaller differences are noise: to run after
// them would starve members that are as good as the others.
const clearlyLess = 0.9

func (b *twoChoices) pick(g *group, s *Selection) *Target {
	if len(g.members) == 1 {
		return g.anyone(s, 0)
	}
	first := b.draw(g, s, nil)
	if first == nil {
		return g.anyone(s, b.random())
	}
	second := b.draw(g, s, first)
	if second != nil && prefers(second, first, s.now) {
		first, second = second, first
	}
	if s.Take(first) {
		return first
	}
	if second != nil && s.Take(second) {
		return second
	}
	return g.anyone(s, b.random())
}

// drawMost is how often a draw is repeated that met a member that cannot be chosen.
const drawMost = 8

// draw gives a usable member other than not, each as likely as its weight; nil if it met none.
func (b *twoChoices) draw(g *group, s *Selection, not *Target) *Target {
	for range drawMost {
		t := g.turns[b.below(len(g.turns))]
		if t == not {
			// Any other: a member of great weight would meet itself all the time.
			i := b.below(len(g.members) - 1)
			if i >= not.index {
				i++
			}
			t = g.members[i]
		}
		if s.Usable(t) && t.admitted(s.now) {
			return t
		}
	}
	return nil
}

// below gives a random number from 0 to n-1.
func (b *twoChoices) below(n int) int {
	high, _ := bits.Mul64(b.random(), uint64(n))
	return int(high)
}

// prefers reports whether t is clearly to be preferred to other.
func prefers(t, other *Target, now int64) bool {
	// One that waits for its probe has waited long enough: its success is what everybody waits for.
	if mine, its := t.health.due(now), other.health.due(now); mine != its {
		return mine
	}
	slow, known := t.load.latency(now)
	otherSlow, otherKnown := other.load.latency(now)
	if known+otherKnown < 1e-6 {
		return t.queue(now) < clearlyLess*other.queue(now)
	}
	middle := (known*slow + otherKnown*otherSlow) / (known + otherKnown)
	slow = known*slow + (1-known)*middle
	otherSlow = otherKnown*otherSlow + (1-otherKnown)*middle
	return slow*slow*t.queue(now) < clearlyLess*otherSlow*otherSlow*other.queue(now)
}

// queue is this request and those before it, for the weight of the member.
func (t *Target) queue(now int64) float64 {
	return 1 + float64(t.load.inFlight.Load())*fullShare/(t.share*float64(t.warmth(now)))
}
