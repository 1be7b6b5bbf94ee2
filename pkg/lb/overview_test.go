package lb

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestOverview_ALostMemberStaysInViewUntilItIsBack(t *testing.T) {
	b := checkedBench(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
	defer server.Close()
	crashed := gossiped(t, "a", strings.TrimPrefix(server.URL, "http://"))
	other := gossiped(t, "b", goodMember(t, "well"))
	leaves := gossiped(t, "c", goodMember(t, "well"))
	b.discovery.Update(testDomain, []membership.Member{crashed, other, leaves})
	b.awaitStanding(0, StandingUp)
	server.Close()
	b.awaitStanding(0, StandingDown)
	m := b.pool().Members[0]
	if m.Condition != ConditionDown || !strings.Contains(m.Why, "refused") || time.Since(m.ConditionSince) > time.Minute {
		t.Errorf("%s since %s: %s", m.Condition, m.ConditionSince, m.Why)
	}

	leaves.State = membership.StateDraining
	b.discovery.Update(testDomain, []membership.Member{crashed, other, leaves})
	if m := b.pool().Members[2]; m.Condition != ConditionDraining || time.Since(m.ConditionSince) > time.Minute {
		t.Errorf("%s since %s", m.Condition, m.ConditionSince)
	}
	b.discovery.Update(testDomain, []membership.Member{other})
	p := b.pool()
	if len(p.Members) != 1 || p.Usable != 1 || len(p.Lost) != 1 {
		t.Fatalf("%+v", p)
	}
	if m := p.Lost[0]; m.ID != "a" || m.Condition != ConditionLost || !strings.Contains(m.Why, "refused") || m.Gone == nil {
		t.Errorf("%+v", m)
	}
	again := gossiped(t, "a2", goodMember(t, "again"))
	again.Name = crashed.Name
	b.discovery.Update(testDomain, []membership.Member{other, again})
	if p := b.pool(); len(p.Lost) != 0 {
		t.Errorf("it is back, and still lost: %+v", p.Lost)
	}
}

// The list of lost members is bounded, whatever happens.
func TestOverview_LostMembersAreBounded(t *testing.T) {
	b := newBench(t, nil)
	for i := range 3 * departedMost {
		m := gossiped(t, "m"+strings.Repeat("x", i), "127.0.0.1:1")
		b.discovery.Update(testDomain, []membership.Member{m})
		b.discovery.Update(testDomain, nil)
	}
	if n := len(b.pool().Lost); n != departedMost {
		t.Errorf("%d lost members", n)
	}
}

func (b *bench) pool() PoolStatus {
	b.t.Helper()
	for _, p := range b.discovery.Overview().Pools {
		if p.Domain == testDomain {
			return p
		}
	}
	b.t.Fatal("the pool is not shown")
	return PoolStatus{}
}

func TestDrain(t *testing.T) {
	b := newBench(t, nil)
	one, two := gossiped(t, "1", goodMember(t, "one")), gossiped(t, "2", goodMember(t, "two"))
	members := []membership.Member{one, two}
	b.discovery.Update(testDomain, members)
	if err := b.discovery.Drain("3", true); !errors.Is(err, ErrNoMember) {
		t.Errorf("a member that is not there: %v", err)
	}
	if err := b.discovery.Undrain("1"); !errors.Is(err, ErrNoMember) {
		t.Errorf("undrain of a member that is not drained: %v", err)
	}
	for range 2 {
		if err := b.discovery.Drain("1", false); err != nil {
			t.Fatal(err)
		}
	}
	b.discovery.Update(testDomain, members) // a new table keeps it
	if m := b.pool().Members[0]; m.Condition != ConditionDrained || m.State != "active" || b.pool().Usable != 1 {
		t.Errorf("%+v", m)
	}
	for range 6 {
		if _, text := b.get("/"); !strings.HasPrefix(text, "two") {
			t.Errorf("%q answered", text)
		}
	}
	if err := b.discovery.Drain("2", false); !errors.Is(err, ErrLastMember) {
		t.Errorf("the last one: %v", err)
	}
	if err := b.discovery.Drain("2", true); err != nil {
		t.Errorf("the last one, forced: %v", err)
	}
	if res, _ := b.get("/"); res.StatusCode != 200 {
		t.Errorf("with all drained: %d; drained members are a last resort", res.StatusCode)
	}
	for _, id := range []string{"1", "2"} {
		if err := b.discovery.Undrain(id); err != nil {
			t.Error(err)
		}
	}
	if p := b.pool(); p.Usable != 2 {
		t.Errorf("after undrain: %+v", p)
	}
	if err := b.discovery.Drain("1", false); err != nil {
		t.Fatal(err)
	}
	b.discovery.Update(testDomain, []membership.Member{two})
	b.discovery.Update(testDomain, members)
	if b.pool().Usable != 2 {
		t.Error("a drain outlives its member")
	}
}
