package elbd

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// sight follows whether anybody else of a gossip group is in sight, to tell a group that nobody has joined from one that this ELB is cut off from.
// Safe for concurrent use.
type sight struct {
	mu       sync.Mutex
	since    time.Time // of the last change between company and none
	company  int       // others in sight
	left     int       // of those who were in sight last, how many said that they would leave
	expected bool      // somebody ought to be there: a well-known address, one of the last run, somebody who went without a word
}

// newSight is the sight of a group that was just entered. expected tells that addresses of others are known.
func newSight(now time.Time, expected bool) *sight { return &sight{since: now, expected: expected} }

// saw takes a snapshot in. self is this ELB's own id in the group.
func (s *sight) saw(self string, snapshot []membership.Member, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	company, leaving := 0, 0
	for _, m := range snapshot {
		if m.ID == self {
			continue
		}
		company++
		if m.State == membership.StateDraining {
			leaving++
		}
	}
	if company == 0 && s.company > 0 {
		s.expected = s.left < s.company
	}
	if (company == 0) != (s.company == 0) {
		s.since = now
	}
	s.company, s.left = company, leaving
}

// groupStatus is one gossip group as the admin page shows it.
type groupStatus struct {
	Domain   string    `json:"domain"`
	Address  string    `json:"address"` // of this ELB in it
	Others   int       `json:"others"`  // members and ELBs in sight
	Isolated bool      `json:"isolated"`
	Since    time.Time `json:"since"` // when the first came, or the last went
}

// status tells what is in sight. A group in which somebody ought to be, and nobody is, is isolated.
func (s *sight) status() groupStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return groupStatus{Others: s.company, Isolated: s.company == 0 && s.expected, Since: s.since.UTC()}
}

// groupsInSight tells of each group, and whether this ELB is isolated: a group is, and no other group has anybody in sight either. Then it is rather
// this ELB that is cut off. It goes on with the members that answer its checks.
func (b *balancer) groupsInSight() (list []groupStatus, isolated bool) {
	company := false
	for _, g := range b.getGroups() {
		s := g.sight.status()
		s.Domain, s.Address = g.domain, g.group.Addr()
		list = append(list, s)
		company = company || s.Others > 0
		isolated = isolated || s.Isolated
	}
	return list, isolated && !company
}

// isolatedGauge is 1 while this ELB is isolated.
func (b *balancer) isolatedGauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "elb_isolated", Help: "1 while nobody of any gossip group is in sight though somebody ought to be.",
	}, func() float64 {
		if _, isolated := b.groupsInSight(); isolated {
			return 1
		}
		return 0
	})
}

// sampleTraffic has the proxy remember its counters again and again, so that there are rates of the last seconds; the function that it gives ends that.
func (b *balancer) sampleTraffic(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	sampling.Go(func() {
		tick := time.NewTicker(lb.TrafficSampling)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				b.proxy.SampleTraffic(now)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		sampling.Wait()
	}
}
