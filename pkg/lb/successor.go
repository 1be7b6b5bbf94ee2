package lb

import (
	"slices"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// A process that was killed and started again is another member at the same place. Gossip goes on for seconds to tell of the one that is dead, and its
// checks, and requests, would be answered by its successor: that would have two shares of the requests, and those that are counted as the dead
// one's would be watched by nobody once gossip takes it away.

// seat is a place that one living process has at most: an address of gossip, or a port for requests under a name.
type seat struct {
	name, host string
	port       int
}

// seatsOf gives the seats of a member. Members of different names may be reached at one port, behind another proxy.
func seatsOf(m membership.Member) (seats []seat) {
	reached := fromGossip(m)
	for _, s := range []seat{{"", m.Host, m.Port}, {m.Name, reached.Host, m.HTTPPort}, {m.Name, reached.Host, m.HTTPSPort}} {
		if s.port != 0 {
			seats = append(seats, s)
		}
	}
	return seats
}

// living removes the members of whose seats another one has taken one later, by the time of its start.
func living(members []membership.Member) []membership.Member {
	taken := make(map[seat]time.Time, 3*len(members))
	for _, m := range members {
		for _, s := range seatsOf(m) {
			if m.StartedAt.After(taken[s]) {
				taken[s] = m.StartedAt
			}
		}
	}
	return slices.DeleteFunc(members, func(m membership.Member) bool {
		return slices.ContainsFunc(seatsOf(m), func(s seat) bool { return taken[s].After(m.StartedAt) })
	})
}
