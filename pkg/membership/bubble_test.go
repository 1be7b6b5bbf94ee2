package membership_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/membership/membershiptest"
)

const domain = "wso2.governance.domain"

// world is one simulated network with the groups on it. It lives inside a synctest bubble.
type world struct {
	t      *testing.T
	net    *membershiptest.Network
	groups []*membership.Group
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, net: membershiptest.NewNetwork(1)}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for _, g := range w.groups {
			wg.Go(func() { _ = g.Leave(ctx) })
		}
		wg.Wait()
		pass(20 * time.Second) // memberlist ends probes and streams under way
	})
	return w
}

// pass lets fake time go by; nothing in a bubble waits on a real clock.
func pass(d time.Duration) { <-time.After(d) }

// host makes the address of the n-th host.
func host(n int) string { return fmt.Sprintf("10.0.0.%d:4250", n) }

// open starts a group at addr; change may be nil.
func (w *world) open(name, addr string, change func(*membership.Config)) *membership.Group {
	w.t.Helper()
	c := membership.Config{
		Local:          membership.Member{Name: name, Domain: domain, SubDomain: "mgt", HTTPPort: 9764, State: membership.StateActive},
		Seeds:          []string{host(1)},
		InsecureGossip: true,
		Transport:      w.net.Node(addr),
	}
	if change != nil {
		change(&c)
	}
	g, err := membership.Open(w.t.Context(), c)
	if err != nil {
		w.t.Fatalf("open %s at %s: %v", name, addr, err)
	}
	w.groups = append(w.groups, g)
	return g
}

// three starts hosts 1 to 3 and waits until they see each other.
func (w *world) three() (a, b, c *membership.Group) {
	w.t.Helper()
	a, b, c = w.open("node1", host(1), nil), w.open("node2", host(2), nil), w.open("node3", host(3), nil)
	w.sees(5*time.Second, 3, a, b, c)
	return a, b, c
}

// within waits in fake time until cond holds and tells how long it took; it fails the test after limit.
func (w *world) within(limit time.Duration, what string, cond func() bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	for !cond() {
		if time.Since(start) > limit {
			for _, g := range w.groups {
				w.t.Logf("%s sees %s", g.Addr(), names(g))
			}
			w.t.Fatalf("not within %v: %s", limit, what)
		}
		pass(20 * time.Millisecond)
	}
	return time.Since(start)
}

// sees waits until each group has n members.
func (w *world) sees(limit time.Duration, n int, groups ...*membership.Group) time.Duration {
	w.t.Helper()
	return w.within(limit, fmt.Sprintf("each sees %d members", n), func() bool {
		return !slices.ContainsFunc(groups, func(g *membership.Group) bool { return len(g.Members()) != n })
	})
}

func names(g *membership.Group) string {
	var list []string
	for _, m := range g.Members() {
		list = append(list, m.Name+"="+m.State.String())
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func find(members []membership.Member, id string) (membership.Member, bool) {
	i := slices.IndexFunc(members, func(m membership.Member) bool { return m.ID == id })
	if i < 0 {
		return membership.Member{}, false
	}
	return members[i], true
}

func has(g *membership.Group, id string) bool {
	_, ok := find(g.Members(), id)
	return ok
}

// metric reads one value of a registry; the label pair is "name=value", "" for none.
func metric(t *testing.T, r prometheus.Gatherer, name, pair string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if pair == "" || l.GetName()+"="+l.GetValue() == pair {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, pair)
	return 0
}

// recorder keeps log lines for a test to look at.
type recorder struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines.String()
}

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(io.Writer(r), nil)) }
