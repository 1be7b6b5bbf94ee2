package lb

import "sync/atomic"

// roundRobin gives every usable member its turn. The turn is counted among the usable ones only, so the
// share of a member that is out is spread evenly, and does not fall to its neighbour.
type roundRobin struct{ turn atomic.Uint64 }

var _ Balancer = (*roundRobin)(nil)

// Pick implements Balancer.
func (b *roundRobin) Pick(members []*Target, s *Selection) *Target {
	usable := uint64(0)
	for _, t := range members {
		if s.Usable(t) {
			usable++
		}
	}
	if usable == 0 {
		return nil
	}
	skip := (b.turn.Add(1) - 1) % usable
	for _, t := range members {
		if !s.Usable(t) {
			continue
		}
		if skip == 0 && s.Take(t) {
			return t
		}
		if skip > 0 {
			skip--
		}
	}
	// Health moved between the two passes, or a probe was lost to another request: take the first one left.
	for _, t := range members {
		if s.Usable(t) && s.Take(t) {
			return t
		}
	}
	return nil
}
