package membership_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/regent-registry/regent/pkg/membership"
)

// A probe of memberlist that runs when its group is left ends by itself, some seconds later.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// openLoopback starts a group on a free port of 127.0.0.1; change may be nil.
func openLoopback(t *testing.T, name string, seeds []string, change func(*membership.Config)) *membership.Group {
	t.Helper()
	c := membership.Config{
		Local:    membership.Member{Name: name, Domain: domain, State: membership.StateActive},
		BindHost: "127.0.0.1",
		Seeds:    seeds,
	}
	if change != nil {
		change(&c)
	}
	g, err := membership.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Leave(leaveContext(t)) })
	return g
}

// leaveContext is short: these tests do not look at how the news of a leave travels.
func leaveContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// await reads snapshots until one satisfies cond.
func await(t *testing.T, g *membership.Group, what string, cond func([]membership.Member) bool) {
	t.Helper()
	updates, cancel := g.Subscribe()
	defer cancel()
	limit := time.NewTimer(15 * time.Second)
	defer limit.Stop()
	for {
		select {
		case members := <-updates:
			if cond(members) {
				return
			}
		case <-limit.C:
			t.Fatalf("not within 15s: %s; %s sees %s", what, g.Addr(), names(g))
		}
	}
}

func TestSockets_JoinStateLeave(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	keyed := keys("0123456789abcdef0123456789abcdef")
	a := openLoopback(t, "node1", nil, func(c *membership.Config) { keyed(c); c.Registerer = r })
	b := openLoopback(t, "node2", []string{a.Addr()}, func(c *membership.Config) { keyed(c); c.BindHost, c.Local.Host = "localhost", "localhost" })
	id := b.Local().ID
	for _, g := range []*membership.Group{a, b} {
		await(t, g, "both are seen", func(ms []membership.Member) bool { return len(ms) == 2 })
	}
	if m, _ := find(a.Members(), id); m.Address() != b.Addr() || m.Host != "127.0.0.1" {
		t.Errorf("node2 is seen at %s, it is at %s", m.Address(), b.Addr())
	}
	if err := b.SetState(membership.StateDraining); err != nil {
		t.Fatal(err)
	}
	await(t, a, "node2 is draining", func(ms []membership.Member) bool {
		m, _ := find(ms, id)
		return m.State == membership.StateDraining
	})
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v %v", problems, err)
	}
	if err := b.Leave(leaveContext(t)); err != nil {
		t.Fatal(err)
	}
	await(t, a, "node2 is gone", func(ms []membership.Member) bool { return len(ms) == 1 })
	again, err := net.Listen("tcp", b.Addr())
	if err != nil {
		t.Fatalf("the port is not free after leaving: %v", err)
	}
	_ = again.Close()
}

func TestSockets_PortInUse(t *testing.T) {
	t.Parallel()
	a := openLoopback(t, "node1", nil, nil)
	port := a.Local().Port
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for name, taken := range map[string]int{"another group": port, "udp alone": udp.LocalAddr().(*net.UDPAddr).Port} {
		start := time.Now()
		_, err := membership.Open(t.Context(), membership.Config{
			Local: membership.Member{Name: "node2", Domain: domain}, BindHost: "127.0.0.1", BindPort: taken, PortKey: "group_mgt_port",
		})
		want := fmt.Sprintf("listen on 127.0.0.1:%d (tcp and udp): the port is in use by another process; stop that one or change group_mgt_port", taken)
		if err == nil || err.Error() != want {
			t.Errorf("%s: error = %v\nwant %s", name, err, want)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: it took %v to fail", name, took)
		}
	}
}

func TestSockets_AddressThatIsNotHere(t *testing.T) {
	t.Parallel()
	_, err := membership.Open(t.Context(), membership.Config{
		Local: membership.Member{Name: "node1", Domain: domain}, BindHost: "192.0.2.1", InsecureGossip: true,
	})
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1") || strings.Contains(err.Error(), "in use") {
		t.Errorf("error = %v, want one that names the address and not a port in use", err)
	}
}

func TestSockets_WildcardWithKeyFindsAnAddress(t *testing.T) {
	t.Parallel()
	g := openLoopback(t, "node1", nil, func(c *membership.Config) {
		keys("0123456789abcdef")(c)
		c.BindHost, c.Local.Host = "0.0.0.0", "127.0.0.1"
		c.Seeds = []string{"127.0.0.1:4321"}
	})
	if m := g.Local(); m.Host != "127.0.0.1" || m.Port == 0 {
		t.Errorf("advertised at %s", m.Address())
	}
	if !g.Isolated() {
		t.Error("the seed is another process, but the group is not isolated")
	}
}

func TestSockets_GroupsShareARegisterer(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	in := func(d string) func(*membership.Config) {
		return func(c *membership.Config) { c.Local.Domain, c.Registerer = d, r }
	}
	a := openLoopback(t, "elb", nil, in("first.domain"))
	openLoopback(t, "elb", nil, in("second.domain"))
	if n := testutil.CollectAndCount(r, "membership_members"); n != 8 {
		t.Errorf("%d series of membership_members, want 4 of each domain", n)
	}
	_, err := membership.Open(t.Context(), membership.Config{
		Local: membership.Member{Name: "elb", Domain: "second.domain"}, Registerer: r,
	})
	if err == nil || !strings.Contains(err.Error(), "second.domain") {
		t.Errorf("second group of one domain on one registerer: %v", err)
	}
	if err := a.Leave(leaveContext(t)); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(r, "membership_members"); n != 4 {
		t.Errorf("%d series after the first group left, want 4", n)
	}
}

// A frozen seed takes connections and answers nothing; a stopping process must not wait for it.
func TestSockets_FrozenSeedDoesNotDelayLeave(t *testing.T) {
	t.Parallel()
	frozen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Close() }()
	g := openLoopback(t, "node1", []string{frozen.Addr().String()}, nil)
	conn, err := frozen.Accept() // it is being asked
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	start := time.Now()
	if err := g.Leave(leaveContext(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("leaving took %v, the stream to the seed alone may take 10s", took)
	}
}
