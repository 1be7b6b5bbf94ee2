package lb

import (
	"cmp"
	"fmt"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// Condition is in one word how it stands with a member.
type Condition string

// The conditions. What a member says of itself comes first, then what its checks say, then what requests met.
const (
	ConditionUp          Condition = "up"
	ConditionUnproven    Condition = "unproven"    // no check has passed yet
	ConditionSuspect     Condition = "suspect"     // gossip lost it, and it answers
	ConditionEjected     Condition = "ejected"     // requests failed, and it is given a rest
	ConditionDown        Condition = "down"        // its checks fail
	ConditionLost        Condition = "lost"        // it went without a word, and is in no table any more
	ConditionDraining    Condition = "draining"    // it said that it is about to stop
	ConditionDrained     Condition = "drained"     // an operator drained it at this ELB
	ConditionJoining     Condition = "joining"     // it is not ready yet, as it says
	ConditionMaintenance Condition = "maintenance" // it wants no requests, as it says
	ConditionStray       Condition = "no pool"     // it announces a sub-domain that no service has, or no port
)

// Usable reports whether a member in that condition gets new requests.
func (c Condition) Usable() bool { return c == ConditionUp }

// conclude fills in the condition, since when it is so, and why. changed is when the member last said another state of itself, held when an operator drained
// it; zero if not.
func (s *MemberStatus) conclude(changed, held time.Time) {
	s.Condition, s.ConditionSince, s.Why = ConditionUp, s.Since, ""
	if !s.StandingSince.IsZero() {
		s.ConditionSince, s.Why = s.StandingSince, s.Reason
	}
	switch {
	case s.Gone != nil:
		s.Condition, s.ConditionSince = ConditionLost, *s.Gone
		s.Why = "it went without a word"
		if s.Reason != "" {
			s.Why += "; before that: " + s.Reason
		}
	case s.Stray, s.HTTPPort == 0 && s.HTTPSPort == 0:
		s.Condition, s.ConditionSince = ConditionStray, s.Since
		s.Why = s.unrouted()
	case !held.IsZero():
		s.Condition, s.ConditionSince, s.Why = ConditionDrained, held, "an operator drained it at this ELB"
	case s.State != membership.StateActive.String():
		s.Condition, s.ConditionSince, s.Why = Condition(s.State), changed, announced(Condition(s.State))
	case s.Standing == StandingDown, s.Standing == StandingEjected:
		s.Condition = Condition(s.Standing)
	case s.Suspect:
		s.Condition, s.Why = ConditionSuspect, "gossip lost it, but it answers its checks: used as a last resort"
	case s.Standing == StandingUnproven:
		s.Condition = ConditionUnproven
		s.Why = cmp.Or(s.Why, "no health check has passed yet")
	default:
		s.Why = ""
	}
}

// unrouted says why no request will ever reach the member: mostly a sub-domain that one side misspelt.
func (s *MemberStatus) unrouted() string {
	switch {
	case s.Stray && s.SubDomain == "":
		return "it announces no sub-domain, and its domain has no hosts for such members"
	case s.Stray:
		return fmt.Sprintf("it announces the sub-domain %q, which its domain has no block for", s.SubDomain)
	}
	return "it announces neither an HTTP nor an HTTPS port"
}

// announced says what a state means that a member announced.
func announced(c Condition) string {
	switch c {
	case ConditionDraining:
		return "it says that it is about to stop"
	case ConditionJoining:
		return "it says that it is not ready yet"
	case ConditionMaintenance:
		return "it says that it wants no requests"
	default:
		return "it says so"
	}
}
