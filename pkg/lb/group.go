package lb

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// group is members of a pool that are equal in rank, with what balancers want to know beforehand. It is immutable.
type group struct {
	rank    int
	members []*Target // by id
	// turns is the order in which members have their turns, smooth by weight: a member of weight 2 stands there twice, and
	// the others' turns lie between. It is members itself if all weights are alike.
	turns []*Target
	// For hashing, by the index of members: the member's own hash, and the inverse of its weight.
	seeds    []uint64
	inverses []float64
	warm     int64 // unix nanoseconds from which no member's share grows any more
}

// turnsMost bounds the slots of turns. Weights that need more are rounded.
const turnsMost = 8192

// newGroup prepares members, which are not empty, and tells each how its weight compares with the others'.
func newGroup(members []*Target) *group {
	g := &group{members: members, seeds: make([]uint64, len(members)), inverses: make([]float64, len(members))}
	sum := 0
	for _, t := range members {
		sum += t.weight
	}
	for i, t := range members {
		t.index = i
		t.share = float64(t.weight) * float64(len(members)) / float64(sum)
		g.seeds[i] = t.seed
		g.inverses[i] = 1 / float64(t.weight)
		g.warm = max(g.warm, t.warm)
	}
	g.turns = schedule(members, sum)
	return g
}

// schedule lays the turns out: the k-th turn of a member of weight w lies at (k + 1/2)/w of the whole, so that its turns
// are as far apart as can be. sum is that of the weights.
func schedule(members []*Target, sum int) []*Target {
	weights := make([]int, len(members))
	divisor := 0
	most := max(turnsMost, 4*len(members))
	for i, t := range members {
		weights[i] = t.weight
		divisor = gcd(divisor, t.weight)
	}
	slots := 0
	for i := range weights {
		if sum/divisor <= most {
			weights[i] /= divisor
		} else {
			weights[i] = max(1, int(math.Round(float64(weights[i])*float64(most)/float64(sum))))
		}
		slots += weights[i]
	}
	if slots == len(members) {
		return members
	}
	type slot struct {
		at     float64
		member *Target
	}
	order := make([]slot, 0, slots)
	for i, w := range weights {
		for k := range w {
			order = append(order, slot{(float64(k) + 0.5) / float64(w), members[i]})
		}
	}
	slices.SortStableFunc(order, func(a, b slot) int { return cmp.Compare(a.at, b.at) })
	turns := make([]*Target, len(order))
	for i := range order {
		turns[i] = order[i].member
	}
	return turns
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// anyone gives the first member from start on that can be taken, or nil.
func (g *group) anyone(s *Selection, start uint64) *Target {
	n := uint64(len(g.members))
	for i := range n {
		if t := g.members[(start%n+i)%n]; s.Usable(t) && s.Take(t) {
			return t
		}
	}
	return nil
}

// The ranks of members: one of a higher rank gets requests only while none of the lower ones can be used.
const (
	rankHere       = iota // active, in our zone
	rankElsewhere         // active, in another zone
	rankBackup            // a backup in our zone
	rankBackupAfar        // a backup in another zone
	rankReluctant         // announced that it wants nothing new
	rankSuspect           // lost by gossip, but it answers
	rankDraining          // about to leave, but alive
	rankCount
)

// rank gives the rank of a member for a load balancer in zone.
func rank(m *Member, zone string) int {
	switch {
	case m.Draining:
		return rankDraining
	case m.Suspect:
		return rankSuspect
	case m.Weight < 0:
		return rankReluctant
	}
	r := rankHere
	if zone != "" && m.Zone != "" && m.Zone != zone {
		r = rankElsewhere
	}
	if m.Backup {
		r += rankBackup - rankHere
	}
	return r
}

// arrange sorts the members of a pool, which are all there, into groups.
func (p *Pool) arrange() {
	var ranks [rankCount][]*Target
	for _, t := range p.all() {
		t.prepare(p.spec.SlowStart)
		t.limit = int64(p.limits.MaxInFlight)
		r := rank(&t.Member, p.spec.Zone)
		ranks[r] = append(ranks[r], t)
	}
	p.groups = nil
	for r, members := range ranks {
		if len(members) > 0 {
			g := newGroup(members)
			g.rank = r
			p.groups = append(p.groups, g)
		}
	}
}

// MaxWeight is the largest weight that counts; a member that announces more gets the share of this one.
const MaxWeight = 1000

// prepare works out what balancers need of a member.
func (t *Target) prepare(slowStart time.Duration) {
	m := &t.Member
	t.weight = min(max(m.Weight, 1), MaxWeight)
	t.seed = m.seed()
	t.cold, t.warm = 0, 0
	if slowStart > 0 && !m.StartedAt.IsZero() {
		started := m.StartedAt
		if !m.Since.IsZero() && m.Since.Before(started) {
			started = m.Since // its clock is ahead of ours: it was there already
		}
		t.cold = started.UnixNano()
		t.warm = t.cold + int64(slowStart)
	}
}

// Shares of members that start slowly are counted in whole parts, so that they add up exactly.
const (
	fullShare  = 1 << 16
	firstShare = fullShare / 10
)

// warmth is how much of its share a member gets now, from firstShare to fullShare.
func (t *Target) warmth(now int64) uint64 {
	if now >= t.warm {
		return fullShare
	}
	grown := float64(max(now-t.cold, 0)) / float64(t.warm-t.cold)
	return max(firstShare, uint64(grown*fullShare))
}

// weightNow is the weight that a member has now, for people.
func (t *Target) weightNow(now int64) float64 {
	if t.Member.Weight < 0 {
		return 0
	}
	return float64(t.weight) * float64(t.warmth(now)) / fullShare
}

// admitted reports whether a member may have a turn that fell to it: always, unless it starts slowly, when it has that part of
// its turns.
func (t *Target) admitted(now int64) bool {
	if now >= t.warm {
		return true
	}
	part := t.warmth(now)
	credit := t.load.credit.Add(part)
	return credit/fullShare != (credit-part)/fullShare
}
