package lb

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/membership"
)

// What was found out about members, and what operators said of them, while routes and settings change.

// useRoutes puts the routes of the bench in use, changed.
func (b *bench) useRoutes(change func(s *PoolSpec)) {
	b.t.Helper()
	specs := slices.Clone(b.routes.pools)
	for i := range specs {
		change(&specs[i])
	}
	routes, err := NewRoutes(specs)
	if err != nil {
		b.t.Fatal(err)
	}
	b.discovery.UseRoutes(routes)
}

// TestDiscovery_DrainsStay: a member that an operator drained stays so whatever makes a new table, until its group is left.
func TestDiscovery_DrainsStay(t *testing.T) {
	b := newBench(t, nil)
	members := []membership.Member{gossiped(t, "1", goodMember(t, "one")), gossiped(t, "2", goodMember(t, "two"))}
	b.discovery.Update(testDomain, members)
	if err := b.discovery.Drain("1", false); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
		want Condition
	}{
		{"other routes", func() { b.useRoutes(func(s *PoolSpec) { s.Hosts = append(s.Hosts[:1:1], "more."+s.Hosts[0]) }) }, ConditionDrained},
		{"other keys", func() {
			if err := b.discovery.SetAffinityKeys([][]byte{secretA}); err != nil {
				t.Fatal(err)
			}
		}, ConditionDrained},
		{"another group goes", func() { b.discovery.Forget("empty.domain") }, ConditionDrained},
		{"its group is left, and entered again", func() { b.discovery.Forget(testDomain); b.discovery.Update(testDomain, members) }, ConditionUp},
	} {
		step.do()
		if m := b.pool().Members[0]; m.ID != "1" || m.Condition != step.want {
			t.Errorf("%s: %s is %s, want %s", step.name, m.ID, m.Condition, step.want)
		}
	}
}

// TestDiscovery_ForgetsSuspectsAndLostOnes: a group that was left has no members, not even those that it lost before.
func TestDiscovery_ForgetsSuspectsAndLostOnes(t *testing.T) {
	b := checkedBench(t)
	suspect, lost := gossiped(t, "a", goodMember(t, "a")), gossiped(t, "b", refusedAddr(t))
	b.discovery.Update(testDomain, []membership.Member{suspect, lost})
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingDown)
	b.discovery.Update(testDomain, nil)
	if got, gone := b.listed(), b.pool().Lost; got != "a?" || len(gone) != 1 {
		t.Fatalf("before: %q, %v", got, gone)
	}
	b.discovery.Forget(testDomain)
	if got, gone := b.listed(), b.pool().Lost; got != "" || len(gone) != 0 {
		t.Errorf("after: %q, %v", got, gone)
	}
	if res, _ := b.get("/"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a request got %d", res.StatusCode)
	}
}

// TestDiscovery_OtherHealthReachesRunningChecks: members that stay are checked as the pool says now.
func TestDiscovery_OtherHealthReachesRunningChecks(t *testing.T) {
	b := checkedBench(t)
	addr := member(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b.discovery.Update(testDomain, []membership.Member{gossiped(t, "a", addr)})
	b.awaitStanding(0, StandingUp)
	b.useRoutes(func(s *PoolSpec) { s.Health.Path = "/ready" })
	b.awaitStanding(0, StandingDown)
	b.useRoutes(func(s *PoolSpec) { s.Health = HealthSpec{} })
	if m := b.standing(0); m.Standing != StandingUp {
		t.Errorf("without checks it is %s", m.Standing)
	}
	b.useRoutes(func(s *PoolSpec) { s.Health.Path = "/ready" })
	b.awaitStanding(0, StandingDown)
}

// TestProxy_ChecksGoByTheRootsOfNow: a member whose certificate is trusted no more does not pass, and does again when it is.
func TestProxy_ChecksGoByTheRootsOfNow(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	t.Cleanup(s.Close)
	b := checkedBench(t)
	good := x509.NewCertPool()
	good.AddCert(s.Certificate())
	use := func(roots *x509.CertPool) {
		settings := *b.proxy.settings.Load()
		settings.Roots = roots
		b.proxy.Set(settings)
	}
	use(good)
	m := gossiped(t, "a", strings.TrimPrefix(s.URL, "https://"))
	m.HTTPSPort, m.HTTPPort = m.HTTPPort, 0
	b.discovery.Update(testDomain, []membership.Member{m})
	b.awaitStanding(0, StandingUp)
	use(x509.NewCertPool())
	b.awaitStanding(0, StandingDown)
	use(good)
	b.awaitStanding(0, StandingUp)
}

// TestDiscovery_OverviewWhileRoutesChange: whoever looks at the page meanwhile sees one configuration or the other.
func TestDiscovery_OverviewWhileRoutesChange(t *testing.T) {
	b := newBench(t, nil)
	all := b.routes
	few, err := NewRoutes(all.pools[:1])
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			b.discovery.UseRoutes([]*Routes{few, all}[i%2])
		}
	}()
	for running := true; running; {
		for _, p := range b.discovery.Overview().Pools {
			if len(p.Hosts) == 0 {
				t.Fatalf("%s has no hosts", p.Domain)
			}
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
}
