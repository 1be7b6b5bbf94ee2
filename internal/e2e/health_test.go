package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
)

// The load of the drills of health: four GETs to one POST, far below what the members can do, since the race detector takes its share.
const (
	healthRate = 200 // a second
	healthPost = 0   // the kind of the POSTs; the others are GETs
)

// healthMember is what the members of these drills are like. Some requests are under way at any moment.
func healthMember() drill.Member {
	return drill.Member{Workers: 16, Service: 5 * time.Millisecond, DrainTimeout: 5 * time.Second}
}

func isGET(s drill.Sample) bool  { return s.Kind != healthPost }
func isPOST(s drill.Sample) bool { return s.Kind == healthPost }

// otherFollows is how long after the load balancer that has the load the other one, which is told, may go on with a dead member.
const otherFollows = 300 * time.Millisecond

// kill -9 of one of three members under an open-loop load: no GET fails, and no POST but those that the member was at work on.
func TestELB_KilledMemberCostsNoGET(t *testing.T) {
	slow(t)
	f := startDrillField(t, 3, healthMember(), noLines)
	load := healthLoad(t, f.elbs[0].addr)
	pause(time.Second)
	type death struct{ from, to time.Time }
	var deaths []death
	running, held := 0, 0
	var lags []time.Duration
	rounds := e2e.Scale(20, 3)
	for i := range rounds {
		victim := f.members[i%len(f.members)]
		running += load.Running(healthPost) + 1
		began := time.Now()
		victim.Kill()
		dead := time.Now()
		held += drill.Unanswered(victim.lines())
		f.awaitUp(2)
		pause(500 * time.Millisecond)
		deaths = append(deaths, death{dead, time.Now()})
		lags = append(lags, f.lag(victim, began))
		victim.start()
		f.awaitUp(3)
		pause(500 * time.Millisecond)
	}
	samples := load.Stop()
	gets, posts := drill.Summarise(samples, isGET), drill.Summarise(samples, isPOST)
	t.Logf("%d kills\nGET: %v\nPOST: %v; members held %d, at most %d were running at the kills\nthe other load balancer followed after %v",
		rounds, gets, posts, held, running, lags)
	if gets.Failures() > 0 {
		t.Errorf("GETs failed: %v", gets)
	}
	if posts.Failures() > running {
		t.Errorf("more POSTs failed than were running: %v", posts)
	}
	later := drill.Summarise(samples, func(s drill.Sample) bool {
		for _, d := range deaths {
			if s.Err != nil && s.Due.After(d.from) && s.Due.Before(d.to) {
				return true
			}
		}
		return false
	})
	if later.Sent > 0 {
		t.Errorf("requests failed that were sent when the member was dead: %v", later)
	}
}

// lag is how long after the load balancer that has the load the other one left a member out.
func (f *drillField) lag(victim *fieldMember, after time.Time) time.Duration {
	f.t.Helper()
	first, ok1 := drill.LeftOut(f.elbs[0].Log(), victim.Name, after)
	second, ok2 := drill.LeftOut(f.elbs[1].Log(), victim.Name, after)
	lag := max(0, second.Sub(first)).Round(time.Millisecond)
	if !ok1 || !ok2 || lag > otherFollows {
		f.t.Errorf("%s was left out by the first load balancer: %t, the second: %t, %v later", victim.Name, ok1, ok2, lag)
	}
	return lag
}

// A member that is stopped where it is (SIGSTOP) refuses nothing and answers nothing. Its GETs are sent to another one as soon as checks find
// it out; POSTs wait for it.
func TestELB_FrozenMemberCostsNoGET(t *testing.T) {
	slow(t)
	const frozen = 5 * time.Second
	stall := 1500 * time.Millisecond
	if raceDetector() { // everything takes several times as long
		stall = 3 * time.Second
	}
	f := startDrillField(t, 3, healthMember(), noLines)
	load := healthLoad(t, f.elbs[0].addr)
	pause(time.Second)
	rounds := e2e.Scale(5, 2)
	for i := range rounds {
		victim := f.members[i%len(f.members)]
		began := time.Now()
		victim.Freeze()
		f.awaitUp(2)
		t.Logf("found out after %v", time.Since(began).Round(time.Millisecond))
		pause(frozen - time.Since(began))
		victim.Thaw()
		f.awaitUp(3)
		pause(500 * time.Millisecond)
	}
	samples := load.Stop()
	gets, posts := drill.Summarise(samples, isGET), drill.Summarise(samples, isPOST)
	t.Logf("%d stops of %v\nGET: %v\nPOST: %v", rounds, frozen, gets, posts)
	if gets.Failures() > 0 || gets.Max > stall {
		t.Errorf("GETs failed, or waited longer than %v: %v", stall, gets)
	}
	if posts.Failures() > 0 {
		t.Errorf("POSTs failed, though nothing was lost: %v", posts)
	}
	if log := f.elbs[0].Log(); strings.Count(log, "member is down: it does not answer") < rounds {
		t.Error("the log does not tell of it")
	}
}

// pause lets the load go on for a while.
func pause(d time.Duration) { <-time.After(d) }
