package lb

import (
	"log/slog"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// TestDiscovery_SetAffinityKeys: through the steps of a change of keys a token of the old key is good until the old key is left out.
func TestDiscovery_SetAffinityKeys(t *testing.T) {
	t.Parallel()
	routes := newRoutes(t, []PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"app.example"}, Affinity: AffinitySpec{Mode: AffinityCookie}}})
	proxy := newProxy(t, Config{Routes: routes, AffinityKeys: [][]byte{secretA}})
	d := NewDiscovery(proxy, routes, slog.New(slog.DiscardHandler))
	var members []membership.Member
	for _, id := range []string{"m1", "m2"} {
		members = append(members, membership.Member{ID: id, Name: id, Domain: "d", Host: "127.0.0.1", HTTPPort: 1, State: membership.StateActive})
	}
	d.Update("d", members)
	pool := func() *Pool { return proxy.table.Load().pools[0] }
	before := pool().tokenOf("m1", time.Now())
	leadsTo := func(token string) string { return idOf(stickyRequest(t, pool(), "elb_route="+token).sticky.ours) }
	secretN := []byte("0123456789abcdef0123456789abcdeN")
	for _, step := range []struct {
		name   string
		keys   [][]byte
		before string // where the token of the old key leads
		signs  []byte
	}{
		{"the new one second", [][]byte{secretA, secretN}, "m1", secretA},
		{"the new one first", [][]byte{secretN, secretA}, "m1", secretN},
		{"the new one alone", [][]byte{secretN}, "", secretN},
	} {
		if err := d.SetAffinityKeys(step.keys); err != nil {
			t.Fatal(err)
		}
		if got := leadsTo(before); got != step.before {
			t.Errorf("%s: the old token leads to %q, want %q", step.name, got, step.before)
		}
		made := pool().tokenOf("m2", time.Now())
		if got := leadsTo(made); got != "m2" {
			t.Errorf("%s: a token of now leads to %q", step.name, got)
		}
		alone := stickyPool(t, AffinitySpec{Mode: AffinityCookie}, [][]byte{step.signs}, "d", "m1", "m2")
		if got := idOf(stickyRequest(t, alone, "elb_route="+made).sticky.ours); got != "m2" {
			t.Errorf("%s: another key signs than the first", step.name)
		}
	}
	if err := d.SetAffinityKeys([][]byte{[]byte("short")}); err == nil {
		t.Error("a short secret was taken")
	}
	if got := leadsTo(pool().tokenOf("m1", time.Now())); got != "m1" {
		t.Errorf("after a refused change a token leads to %q", got)
	}
}
