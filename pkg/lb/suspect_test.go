package lb

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// gossiped is an active member at an address, as gossip tells of it.
func gossiped(t *testing.T, id, addr string) membership.Member {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return membership.Member{ID: id, Name: "name-" + id, Domain: testDomain, Host: host, HTTPPort: n, State: membership.StateActive}
}

// listed gives the ids of all members on the page, suspects with a mark.
func (b *bench) listed() string {
	var ids []string
	for _, m := range b.discovery.Members() {
		if m.Suspect {
			m.ID += "?"
		}
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, " ")
}

func TestSuspect_AMemberThatAnswersIsKeptAsALastResort(t *testing.T) {
	b := checkedBench(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "lost") }))
	defer server.Close()
	lost := gossiped(t, "a", strings.TrimPrefix(server.URL, "http://"))
	other := gossiped(t, "b", goodMember(t, "well"))
	b.discovery.Update(testDomain, []membership.Member{lost, other})
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(1, StandingUp)

	b.discovery.Update(testDomain, []membership.Member{other})
	if got := b.listed(); got != "a? b" {
		t.Fatalf("listed: %s", got)
	}
	for range 6 {
		if _, text := b.get("/"); !strings.HasPrefix(text, "well") {
			t.Errorf("answered by %q while an active member is there", text)
		}
	}
	if n := value(t, b.metrics, "elb_member_up"); n != 2 {
		t.Errorf("%v members are up", n)
	}
	b.discovery.Update(testDomain, nil) // this process is cut off from the group
	if got := b.listed(); got != "a? b?" {
		t.Fatalf("listed: %s", got)
	}
	if res, _ := b.get("/"); res.StatusCode != 200 {
		t.Errorf("without gossip: %d", res.StatusCode)
	}
	b.discovery.Update(testDomain, []membership.Member{lost, other})
	if got := b.listed(); got != "a b" || b.standing(0).Standing != StandingUp {
		t.Errorf("back: %s, %+v", got, b.standing(0))
	}

	b.discovery.Update(testDomain, []membership.Member{other})
	server.Close()
	waitFor(t, func() bool { return b.listed() == "b" })
	log := b.log.String()
	if n := strings.Count(log, "Member lost by gossip, but it answers"); n != 3 {
		t.Errorf("told %d times of a suspect, want 3", n)
	}
	if strings.Count(log, `msg="Member left" id=a`) != 1 || strings.Contains(log, `msg="Member left" id=b`) {
		t.Errorf("log:\n%s", log)
	}
	if n := value(t, b.metrics, "elb_member_up"); n != 1 {
		t.Errorf("%v members are up after one is gone", n)
	}
}

func TestSuspect_WhoIsNone(t *testing.T) {
	addr := goodMember(t, "a")
	for name, c := range map[string]struct {
		before  func(*membership.Member)
		await   string
		after   []membership.Member
		listed  string
		address string
	}{
		"it said that it leaves": {before: func(m *membership.Member) { m.State = membership.StateDraining }, listed: ""},
		"it did not answer":      {await: StandingDown, address: refusedAddr(t), listed: ""},
		"another one is at its address": {
			await: StandingUp, after: []membership.Member{gossiped(t, "b", addr)}, listed: "b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := checkedBench(t)
			m := gossiped(t, "a", addr)
			if c.address != "" {
				m = gossiped(t, "a", c.address)
			}
			b.discovery.Update(testDomain, []membership.Member{m})
			if c.await != "" {
				b.awaitStanding(0, c.await)
			} else {
				b.awaitStanding(0, StandingUp)
			}
			if c.before != nil {
				c.before(&m)
				b.discovery.Update(testDomain, []membership.Member{m})
			}
			b.discovery.Update(testDomain, c.after)
			if got := b.listed(); got != c.listed {
				t.Errorf("listed: %q, want %q", got, c.listed)
			}
		})
	}
}

// Without checks nobody knows whether a lost member answers: it goes at once, as gossip says.
func TestSuspect_NeedsChecks(t *testing.T) {
	b := newBench(t, nil)
	b.members(goodMember(t, "a"))
	b.get("/")
	b.discovery.Update(testDomain, nil)
	if got := b.listed(); got != "" {
		t.Errorf("listed: %q", got)
	}
}

// A suspect is let go of after a while if its pool has another member, and kept if it has none.
func TestSuspect_IsNotKeptForEver(t *testing.T) {
	b := checkedBench(t)
	a, other := gossiped(t, "a", goodMember(t, "a")), gossiped(t, "b", goodMember(t, "b"))
	b.discovery.Update(testDomain, []membership.Member{a})
	b.awaitStanding(0, StandingUp)
	b.discovery.Update(testDomain, nil)
	b.discovery.mu.Lock()
	b.discovery.lost[testDomain][0].since = time.Now().Add(-suspectMost - time.Second)
	b.discovery.mu.Unlock()
	b.discovery.review(testDomain, "a")
	if got := b.listed(); got != "a?" {
		t.Errorf("alone: %q", got)
	}
	b.discovery.Update(testDomain, []membership.Member{other})
	waitFor(t, func() bool { return b.listed() == "b" })
	if lost := b.discovery.Overview().Pools[0].Lost; len(lost) != 1 || lost[0].ID != "a" || lost[0].Condition != ConditionLost {
		t.Errorf("lost: %+v", lost)
	}
}

func TestSameAddress(t *testing.T) {
	t.Parallel()
	type m = membership.Member
	a := m{Host: "192.0.2.1", HTTPPort: 80, HTTPSPort: 443}
	for name, c := range map[string]struct {
		other m
		want  bool
	}{
		"the same":                {a, true},
		"the same HTTP port":      {m{Host: "192.0.2.1", HTTPPort: 80}, true},
		"the same HTTPS port":     {m{Host: "192.0.2.1", HTTPPort: 81, HTTPSPort: 443}, true},
		"other ports":             {m{Host: "192.0.2.1", HTTPPort: 443, HTTPSPort: 80}, false},
		"no ports":                {m{Host: "192.0.2.1"}, false},
		"another host":            {m{Host: "192.0.2.2", HTTPPort: 80, HTTPSPort: 443}, false},
		"reached by another host": {m{Host: "192.0.2.1", RemoteHost: "b", HTTPPort: 80, HTTPSPort: 443}, false},
	} {
		if sameAddress(a, c.other) != c.want || sameAddress(c.other, a) != c.want {
			t.Errorf("%s: not %t", name, c.want)
		}
	}
	none := m{Host: "192.0.2.1"}
	if sameAddress(none, none) {
		t.Error("members without ports are at the same address")
	}
}

// Members of another pool of its domain are no reason to let go of it: they cannot stand in for it.
func TestSuspect_OtherSubDomainsDoNotReplaceIt(t *testing.T) {
	b := checkedBench(t, PoolSpec{Service: "s", Domain: testDomain, SubDomain: "mgt", Hosts: []string{"mgt.example"}})
	a, other := gossiped(t, "a", goodMember(t, "a")), gossiped(t, "b", goodMember(t, "b"))
	other.SubDomain = "mgt"
	b.discovery.Update(testDomain, []membership.Member{a, other})
	b.awaitStanding(0, StandingUp)
	b.discovery.Update(testDomain, []membership.Member{other})
	b.discovery.mu.Lock()
	b.discovery.lost[testDomain][0].since = time.Now().Add(-suspectMost - time.Second)
	b.discovery.mu.Unlock()
	b.discovery.review(testDomain, "a")
	if got := b.listed(); got != "a? b" {
		t.Errorf("listed: %q", got)
	}
}
