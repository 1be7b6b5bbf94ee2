package e2e_test

import (
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
)

// What two_choices owes its pool when one of three members gets slow.
const (
	slowShare = 0.12
	slowGain  = 0.7 // of the p99 of round_robin
	slowTimes = 4
)

// TestELB_SlowMemberGetsLess slows one of three members to a quarter, under half of the load that they can take. With two_choices its share is small within
// five seconds (measured from the second on) and the slowest of the clients are better off than with round_robin, which goes on as before.
func TestELB_SlowMemberGetsLess(t *testing.T) {
	slow(t)
	const workers, service = 4, 20 * time.Millisecond // three members do 600 a second
	const rate = 300
	policies := []string{"two_choices", "round_robin"} // one at each load balancer
	f := startDrillField(t, 3, drill.Member{Workers: workers, Service: service, DrainTimeout: 5 * time.Second}, func(i int) string {
		return "        balancer: " + policies[i] + "\n"
	})
	window := time.Duration(e2e.Scale(8, 3)) * time.Second
	p99, share := map[string]time.Duration{}, map[string]float64{}
	for i, policy := range policies {
		load := f.load(rate, f.kind(f.elbs[i], "GET", nil))
		pause(time.Second)
		f.slow(f.members[0], slowTimes)
		pause(2 * time.Second)
		before, from := f.requests(), time.Now()
		pause(window)
		after := f.requests()
		f.slow(f.members[0], 1) // or what waits there would take long
		samples := load.Stop()
		all := 0
		for m := range after {
			all += after[m] - before[m]
		}
		got := drill.Summarise(samples, func(s drill.Sample) bool { return s.Due.After(from) && s.Due.Before(from.Add(window)) })
		p99[policy], share[policy] = got.P99, float64(after[0]-before[0])/float64(all)
		t.Logf("%s: the slow member has %.1f %% of %d requests; %v", policy, 100*share[policy], all, got)
		if got.Failures() > 0 || all == 0 {
			t.Errorf("%s: %d requests, %v", policy, all, got)
		}
	}
	if share["two_choices"] > slowShare {
		t.Errorf("with two_choices the slow member has %.1f %% of the requests", 100*share["two_choices"])
	}
	if float64(p99["two_choices"]) > slowGain*float64(p99["round_robin"]) {
		t.Errorf("p99 is %v with two_choices, %v with round_robin", p99["two_choices"], p99["round_robin"])
	}
}
