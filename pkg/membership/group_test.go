package membership_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestGroup_MembersFindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		announced := membership.Member{
			Name: "node2", Domain: domain, SubDomain: "worker", RemoteHost: "node2.example", HTTPPort: 9765, HTTPSPort: 9445,
			PortMappings: map[int]int{8280: 9765, 8243: 9445}, State: membership.StateActive, Weight: 3, Zone: "west",
			HealthPath: "/readyz", Version: "1.2.3", StartedAt: time.Now(), PropertyHash: 42,
		}
		a := w.open("node1", host(1), func(c *membership.Config) { c.Policy.Hosts = []string{"*.example"} })
		opened := time.Now()
		b := w.open("node2", host(2), func(c *membership.Config) { c.Local = announced })
		if took := w.sees(5*time.Second, 2, a, b); took > 2*time.Second {
			t.Errorf("joining took %v, want at most 2s", took)
		}
		got, ok := find(a.Members(), b.Local().ID)
		if !ok {
			t.Fatalf("node1 sees %s", names(a))
		}
		want := announced
		want.ID, want.Host, want.Port = b.Local().ID, "10.0.0.2", 4250
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(membership.Member{}, "Since")); d != "" {
			t.Errorf("member as node1 sees it (-want +got):\n%s", d)
		}
		if got.Since.Before(opened) || got.Since.After(time.Now()) {
			t.Errorf("since = %v, want between %v and now", got.Since, opened)
		}
		if members := b.Members(); members[0].ID >= members[1].ID {
			t.Errorf("snapshot is not sorted by id: %s", names(b))
		}
	})
}

func TestGroup_StateTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.three()
		since, _ := find(a.Members(), b.Local().ID)
		if err := b.SetState(membership.StateMaintenance); err != nil {
			t.Fatal(err)
		}
		if s := b.Local().State; s != membership.StateMaintenance {
			t.Errorf("own state = %v", s)
		}
		w.within(2*time.Second, "all see node2 in maintenance", func() bool {
			for _, g := range []*membership.Group{a, b, c} {
				if m, _ := find(g.Members(), b.Local().ID); m.State != membership.StateMaintenance {
					return false
				}
			}
			return true
		})
		if m, _ := find(a.Members(), b.Local().ID); !m.Since.Equal(since.Since) {
			t.Errorf("since moved from %v to %v with the state", since.Since, m.Since)
		}
		if err := b.SetState(membership.State(9)); err == nil {
			t.Error("an unknown state was accepted")
		}
	})
}

// TestGroup_BalancersHearOfDrainingWithoutGossip has all packets lost: what is left is what a member tells a load balancer itself.
func TestGroup_BalancersHearOfDrainingWithoutGossip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		balancer := func(c *membership.Config) { c.Local.Balancer = true }
		one, other := w.open("elb1", host(1), balancer), w.open("elb2", host(2), balancer)
		member := w.open("node1", host(3), nil)
		w.sees(5*time.Second, 3, one, other, member)
		draining := func(g *membership.Group) bool {
			m, _ := find(g.Members(), member.Local().ID)
			return m.State == membership.StateDraining
		}
		w.net.SetLoss(1)
		if err := member.SetState(membership.StateDraining); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !draining(one) || !draining(other) {
			t.Errorf("one sees %s, the other %s", names(one), names(other))
		}
		w.net.SetLoss(0)
	})
}

func TestGroup_SetStateDoesNotWaitForASilentBalancer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		elb := w.open("elb1", host(1), func(c *membership.Config) { c.Local.Balancer = true })
		member := w.open("node1", host(2), nil)
		w.sees(5*time.Second, 2, elb, member)
		w.net.Cut(host(1), host(2))
		start := time.Now()
		_ = member.SetState(membership.StateDraining)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		w.net.HealAll()
	})
}

func TestGroup_LeaverIsDrainingThenGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.three()
		updates, cancel := a.Subscribe()
		defer cancel()
		seen := make(chan []membership.State, 1)
		id := c.Local().ID
		go func() {
			var states []membership.State
			for snapshot := range updates {
				m, ok := find(snapshot, id)
				if !ok {
					break
				}
				if len(states) == 0 || states[len(states)-1] != m.State {
					states = append(states, m.State)
				}
			}
			seen <- states
		}()
		start := time.Now()
		if err := c.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("leaving took %v", took)
		}
		w.sees(2*time.Second, 2, a, b)
		want := []membership.State{membership.StateActive, membership.StateDraining}
		if d := cmp.Diff(want, <-seen); d != "" {
			t.Errorf("states of the leaver before it went (-want +got):\n%s", d)
		}
		if err := c.SetState(membership.StateActive); err == nil {
			t.Error("a group that was left accepted a state")
		}
		if err := c.Leave(t.Context()); err != nil {
			t.Errorf("second leave: %v", err)
		}
	})
}

func TestGroup_LeaveIsBoundedByContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.three()
		w.net.Partition([]string{host(3)}, []string{host(1), host(2)})
		ctx, cancel := timeout(t, 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := c.Leave(ctx); err == nil {
			t.Error("a leave that was cut short gave no error")
		}
		if took := time.Since(start); took > 350*time.Millisecond {
			t.Errorf("leaving took %v, the context allowed 300ms", took)
		}
		w.sees(40*time.Second, 2, a, b)
	})
}

func TestGroup_AloneLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("node1", host(1), nil)
		updates, cancel := a.Subscribe()
		defer cancel()
		start := time.Now()
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("leaving alone took %v", took)
		}
		for range updates { // ends only if Leave closed the channel
			continue
		}
	})
}

func TestGroup_CrashedMemberGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })
		b, c := w.open("node2", host(2), nil), w.open("node3", host(3), nil)
		w.sees(5*time.Second, 3, a, b, c)
		w.net.Crash(host(3))
		if took := w.sees(30*time.Second, 2, a, b); took < 4*time.Second {
			t.Errorf("gone after %v; the stock profile gives a slow member at least 4s", took)
		}
		if n := metric(t, r, "membership_events_total", "event=lost"); n != 1 {
			t.Errorf("lost members counted: %v, want 1", n)
		}
		if n := metric(t, r, "membership_members", "state=active"); n != 2 {
			t.Errorf("active members: %v, want 2", n)
		}
	})
}

func TestGroup_RestartUnderTheSameNameIsAcceptedAtOnce(t *testing.T) {
	for name, addr := range map[string]string{"other address": host(4), "same address": host(3)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, b, c := w.three()
				w.net.Crash(host(3))
				again := w.open("node3", addr, nil)
				took := w.within(5*time.Second, "the new node3 is seen", func() bool {
					return has(a, again.Local().ID) && has(b, again.Local().ID)
				})
				if took > 2*time.Second {
					t.Errorf("accepted after %v, want at most 2s", took)
				}
				w.within(40*time.Second, "the old node3 is gone", func() bool {
					return !has(a, c.Local().ID) && !has(b, c.Local().ID) && !has(again, c.Local().ID)
				})
				w.sees(time.Second, 3, a, b, again)
			})
		})
	}
}

func TestGroup_FalsePositivesUnderLossAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		groups := []*membership.Group{w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })}
		for n := 2; n <= 5; n++ {
			groups = append(groups, w.open("node", host(n), nil))
		}
		w.sees(10*time.Second, 5, groups...)
		w.net.SetLoss(0.05)
		w.net.SetDelay(20 * time.Millisecond)
		pass(5 * time.Minute)
		if n := metric(t, r, "membership_events_total", "event=lost"); n != 0 {
			t.Errorf("%v healthy members were removed at 5%% loss", n)
		}
		w.net.SetLoss(0)
		w.sees(time.Minute, 5, groups...)
	})
}
