package membership_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

func timeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

func TestRejoin_AfterLongPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.three()
		d := w.open("node4", host(4), nil)
		w.sees(5*time.Second, 4, a, b, c, d)
		w.net.Partition([]string{host(1), host(2)}, []string{host(3), host(4)})
		w.sees(time.Minute, 2, a, b, c, d)
		pass(5 * time.Minute)
		w.sees(time.Millisecond, 2, a, b, c, d)
		w.net.HealAll()
		took := w.sees(time.Minute, 4, a, b, c, d)
		t.Logf("one group again %v after the partition", took)
		if took > 30*time.Second {
			t.Errorf("finding each other took %v, want at most 30s", took)
		}
	})
}

// Nobody that is left has a living seed: only the memory of lost peers can bring the two together.
func TestRejoin_AsksLostPeersWithoutSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.three()
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.sees(5*time.Second, 2, b, c)
		w.net.Cut(host(2), host(3))
		w.sees(time.Minute, 1, b, c)
		if !b.Isolated() {
			t.Error("node2 has a seed and sees nobody, but is not isolated")
		}
		pass(5 * time.Minute)
		w.net.Heal(host(2), host(3))
		if took := w.sees(time.Minute, 2, b, c); took > 30*time.Second {
			t.Errorf("finding each other took %v, want at most 30s", took)
		}
		if b.Isolated() {
			t.Error("node2 sees node3 but is isolated")
		}
	})
}

func TestRejoin_LeaverIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.sees(5*time.Second, 1, a)
		pass(5 * time.Minute)
		if n := metric(t, r, "membership_rejoin_attempts_total", "result=error"); n != 0 {
			t.Errorf("a member that left was asked %v times", n)
		}
		if n := metric(t, r, "membership_events_total", "event=left"); n != 1 {
			t.Errorf("left members counted: %v, want 1", n)
		}
	})
}

func TestRejoin_StartsWithoutSeedsAndFindsThemLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var logged recorder
		b := w.open("node2", host(2), func(c *membership.Config) { c.Logger = logged.logger() })
		if !b.Isolated() {
			t.Error("before a seed is up somebody is in sight")
		}
		pass(10 * time.Minute)
		if n := strings.Count(logged.String(), "no seed answers"); n != 1 {
			t.Errorf("%d warnings that no seed answers, want 1; log:\n%s", n, &logged)
		}
		if !strings.Contains(logged.String(), "connection refused") {
			t.Errorf("the log does not say why; log:\n%s", &logged)
		}
		a := w.open("node1", host(1), nil)
		if took := w.sees(15*time.Second, 2, a, b); took > 13*time.Second {
			t.Errorf("found after %v, want within one interval", took)
		}
		if b.Isolated() {
			t.Error("with the seed up nobody is in sight")
		}
	})
}

func TestRejoin_OwnAddressIsNoSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("node1", host(1), nil) // its own address is its only seed
		pass(time.Minute)
		if a.Isolated() {
			t.Error("a member with nobody to ask counts as isolated")
		}
	})
}

// Both a silent and a frozen seed must not delay a leave beyond its steps.
func TestRejoin_SilentSeedDoesNotDelayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.net.Node(host(1)) // accepts streams, never answers
		b := w.open("node2", host(2), nil)
		pass(100 * time.Millisecond)
		start := time.Now()
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("leaving took %v", took)
		}
	})
}
