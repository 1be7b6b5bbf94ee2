package lb

import (
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestLiving(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2026, 11, 22, 10, 0, second, 0, time.UTC) }
	first := membership.Member{ID: "first", Name: "a", Host: "10.0.0.1", Port: 4250, HTTPPort: 80, HTTPSPort: 443, StartedAt: at(1)}
	for name, c := range map[string]struct {
		change func(*membership.Member)
		gone   bool
	}{
		"started again":                         {func(*membership.Member) {}, true},
		"with another name and other ports":     {func(m *membership.Member) { m.Name, m.HTTPPort, m.HTTPSPort = "b", 81, 444 }, true},
		"with another port of gossip":           {func(m *membership.Member) { m.Port = 4251 }, true},
		"with HTTPS alone in common":            {func(m *membership.Member) { m.Port, m.HTTPPort = 4251, 0 }, true},
		"another one behind the same proxy":     {func(m *membership.Member) { m.Port, m.Name = 4251, "b" }, false},
		"at another host":                       {func(m *membership.Member) { m.Host = "10.0.0.2" }, false},
		"at the same time, nobody knows better": {func(m *membership.Member) { m.StartedAt = at(1) }, false},
		"that does not say when it started":     {func(m *membership.Member) { m.StartedAt = time.Time{} }, false},
	} {
		second := first
		second.ID, second.StartedAt = "second", at(2)
		c.change(&second)
		for _, order := range [][]membership.Member{{first, second}, {second, first}} {
			var ids []string
			for _, m := range living(order) {
				ids = append(ids, m.ID)
			}
			has := strings.Join(ids, " ")
			if second.StartedAt.IsZero() { // then it is the older one
				if has != "first" {
					t.Errorf("%s: %s are left", name, has)
				}
				continue
			}
			if gone := !strings.Contains(has, "first"); gone != c.gone || !strings.Contains(has, "second") {
				t.Errorf("%s: %s are left", name, has)
			}
		}
	}
}

// A member that was killed and started again has one share of the requests, though gossip still tells of both, and it is the new one that is asked.
func TestDiscovery_AMemberThatStartedAgainTakesItsOwnPlace(t *testing.T) {
	b := checkedBench(t)
	again, other := goodMember(t, "again"), goodMember(t, "other")
	dead := gossiped(t, "a", again)
	dead.StartedAt = time.Now().Add(-time.Hour)
	next := gossiped(t, "b", again)
	next.Name, next.StartedAt = dead.Name, time.Now()
	well := gossiped(t, "c", other)
	b.discovery.Update(testDomain, []membership.Member{dead, well})
	b.awaitStanding(0, StandingUp)
	b.discovery.Update(testDomain, []membership.Member{dead, next, well})
	if got := b.listed(); got != "b c" {
		t.Fatalf("listed: %s", got)
	}
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingUp)
	shares := map[string]int{}
	for range 10 {
		_, text := b.get("/")
		name, _, _ := strings.Cut(text, " ")
		shares[name]++
	}
	if shares["again"] != 5 || shares["other"] != 5 {
		t.Errorf("shares: %v", shares)
	}
	b.discovery.Update(testDomain, []membership.Member{next, well}) // gossip knows now
	if log := b.log.String(); strings.Count(log, `msg="Member left" id=a`) != 1 || b.listed() != "b c" {
		t.Errorf("listed %s, log:\n%s", b.listed(), log)
	}
}
