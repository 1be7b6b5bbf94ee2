package membership

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Member is one process of a group: what it announces about itself, and where and since when this process sees it. Members come in snapshots
// that are shared: treat one, its map included, as read-only.
type Member struct {
	ID        string // ULID, made anew at every start of the process
	Name      string // human name, for people only; two members may share it
	Domain    string // cluster domain, one gossip group
	SubDomain string // role inside the domain, such as "mgt"; "" when it has none

	Host       string // IP address to reach it at, as its gossip carries it
	RemoteHost string // name or address to show or to reach it at from elsewhere, when it announces one
	Port       int    // gossip (member) port

	HTTPPort     int         // 0 when it has none
	HTTPSPort    int         // 0 when it has none
	PortMappings map[int]int // listening port at the load balancer -> port at the member

	State      State
	Weight     int    // share of the traffic relative to the others; 0 when not announced, which counts as 1; WeightNone
	Zone       string // where it runs, for zone preference
	Backup     bool   // for traffic only while no other member can take it
	HealthPath string // path that answers 200 while it can serve; "" when not announced
	Version    string // of the program

	StartedAt    time.Time // when the process started, in UTC, to the millisecond
	Balancer     bool      // a load balancer in the group, not an application member
	Epoch        uint32    // names the part of its configuration that all of its kind should share; 0 when not announced
	PropertyHash uint64    // of the larger property set that does not fit into gossip; 0 when there is none

	Since time.Time // when this process first saw it; not announced
}

// WeightNone is the weight of a member that wants no new traffic unless nobody else can take it.
const WeightNone = -1

// Address is the gossip address, "host:port".
func (m Member) Address() string {
	return net.JoinHostPort(m.Host, strconv.Itoa(m.Port))
}

// State is what a member says of its own readiness.
type State uint8

// The states. Only an active member should be given new work.
const (
	StateJoining     State = iota // started, not ready yet
	StateActive                   // ready for requests
	StateDraining                 // finishing what it has; it will leave
	StateMaintenance              // up, but told not to serve

	stateCount // number of states; append above, the numbers travel between versions
)

// String is the lower-case word of the state.
func (s State) String() string {
	switch s {
	case StateJoining:
		return "joining"
	case StateActive:
		return "active"
	case StateDraining:
		return "draining"
	case StateMaintenance:
		return "maintenance"
	default:
		return "state(" + strconv.Itoa(int(s)) + ")"
	}
}

// MarshalText makes JSON carry the word.
func (s State) MarshalText() ([]byte, error) {
	if s >= stateCount {
		return nil, fmt.Errorf("state %d is unknown", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the word back.
func (s *State) UnmarshalText(text []byte) error {
	for c := range stateCount {
		if c.String() == string(text) {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("state %q is unknown; want joining, active, draining or maintenance", text)
}
