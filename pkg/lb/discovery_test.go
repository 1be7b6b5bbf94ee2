package lb

import (
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestDiscovery_LogsInTheWordsOfTheWSO2ELB(t *testing.T) {
	b := newBench(t, nil)
	node := membership.Member{
		ID: "01J", Name: "node1", Domain: testDomain, Host: "127.0.0.1", Port: 4250, HTTPPort: 9764, HTTPSPort: 9444, State: membership.StateJoining,
	}
	elb := membership.Member{ID: "01E", Domain: testDomain, Balancer: true, State: membership.StateActive}
	other := membership.Member{ID: "01X", Domain: "other.domain", State: membership.StateActive}
	b.discovery.Update(testDomain, []membership.Member{elb, node, other})
	log := b.log.String()
	if !strings.Contains(log, `msg="Member joined" id=01J`) || strings.Contains(log, "Added member") || strings.Contains(log, "01E") || strings.Contains(log, "01X") {
		t.Errorf("while joining:\n%s", log)
	}
	node.State = membership.StateActive
	b.discovery.Update(testDomain, []membership.Member{elb, node})
	b.discovery.Update(testDomain, []membership.Member{elb, node})
	log = b.log.String()
	const line = `member="Host:127.0.0.1, Remote Host:null, Port: 4250, HTTP:9764, HTTPS:9444, Domain: test.domain, Sub-domain:__$default, Active:true"`
	for _, message := range []string{`msg="Member joined" `, `msg="Added member" `, `msg="Application member joined application cluster" `} {
		if n := strings.Count(log, message); n != 1 {
			t.Errorf("%s stands %d times in\n%s", message, n, log)
		}
	}
	if strings.Count(log, line) != 2 {
		t.Errorf("the log lacks %s:\n%s", line, log)
	}
	for _, attr := range []string{"host=127.0.0.1", `remote_host=""`, "port=4250", "http=9764", "https=9444", "domain=test.domain", "active=true"} {
		if !strings.Contains(log, attr) {
			t.Errorf("the log lacks %s", attr)
		}
	}
	b.discovery.Update(testDomain, []membership.Member{elb})
	if log = b.log.String(); strings.Count(log, `msg="Member left" id=01J`) != 1 {
		t.Errorf("after leaving:\n%s", log)
	}
}

func TestMemberLine(t *testing.T) {
	got := memberLine{Host: "10.0.0.1", RemoteHost: "203.0.113.7", Port: 4251, HTTPPort: 9765, HTTPSPort: 9445, Domain: "wso2.governance.domain", SubDomain: "mgt"}.String()
	want := "Host:10.0.0.1, Remote Host:203.0.113.7, Port: 4251, HTTP:9765, HTTPS:9445, Domain: wso2.governance.domain, Sub-domain:mgt, Active:false"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDiscovery_WarnsOfAMemberWithoutPool(t *testing.T) {
	b := newBench(t, nil)
	stray := membership.Member{ID: "s", Domain: testDomain, SubDomain: "worker", Host: "127.0.0.1", HTTPPort: 1, State: membership.StateActive}
	for range 3 {
		b.discovery.Update(testDomain, []membership.Member{stray})
	}
	log := b.log.String()
	if strings.Count(log, "has no pool") != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "sub_domain=worker") {
		t.Errorf("log:\n%s", log)
	}
	if list := b.discovery.Members(); len(list) != 1 || !list[0].Stray {
		t.Errorf("members: %+v", list)
	}
	if res, _ := b.get("/"); res.StatusCode != 503 {
		t.Errorf("a stray got a request: %d", res.StatusCode)
	}
}

// What a member announces about its share comes to the balancers as it is.
func TestDiscovery_WeightZoneAndStart(t *testing.T) {
	b := newBench(t, nil)
	started := time.Now().Add(-time.Hour).UTC()
	seen := started.Add(time.Minute)
	announced := membership.Member{
		ID: "a", Name: "a", Domain: testDomain, Host: "127.0.0.1", HTTPPort: 1, State: membership.StateActive,
		Weight: 7, Zone: "west", Backup: true, StartedAt: started, Since: seen,
	}
	reluctant := membership.Member{ID: "b", Name: "b", Domain: testDomain, Host: "127.0.0.1", HTTPPort: 2, State: membership.StateActive, Weight: membership.WeightNone}
	b.discovery.Update(testDomain, []membership.Member{announced, reluctant})
	pool, _ := b.proxy.table.Load().Lookup("app.example")
	m := pool.active[0].Member
	if m.Weight != 7 || m.Zone != "west" || !m.Backup || !m.StartedAt.Equal(started) || !m.Since.Equal(seen) {
		t.Errorf("%+v", m)
	}
	list := b.discovery.Members()
	if list[0].Weight != 7 || list[0].Zone != "west" || !list[0].Backup || list[1].Weight != 0 {
		t.Errorf("%+v", list)
	}
	if got := value(t, b.metrics, "elb_member_weight"); got != 7 {
		t.Errorf("weights add up to %v", got)
	}
}

func TestDiscovery_HealthSurvivesANewTable(t *testing.T) {
	b := newBench(t, nil)
	bad, good := refusedAddr(t), goodMember(t, "good")
	b.members(bad, good)
	b.get("/")
	b.get("/")
	if !b.discovery.Members()[0].Ejected {
		t.Fatal("not ejected")
	}
	b.members(bad, good, goodMember(t, "new"))
	if !b.discovery.Members()[0].Ejected {
		t.Error("a new member made the ELB forget that another one is out")
	}
}

// A member that announces another address or port under its old id is asked there, and only there.
func TestDiscovery_MemberThatMovesIsAskedAtItsNewAddress(t *testing.T) {
	b := newBench(t, nil)
	old, next := startDying(t, false, false), goodMember(t, "new")
	b.members(old.addr, goodMember(t, "other"))
	b.get("/warm")
	b.get("/warm")
	moved, _ := b.proxy.table.Load().Lookup("app.example")
	now := time.Now().UnixNano()
	if !moved.eject(moved.active[0], now, now) {
		t.Fatal("not ejected")
	}
	b.members(next)
	if b.discovery.Members()[0].Ejected {
		t.Error("the new address pays for what happened at the old one")
	}
	if res, text := b.get("/act"); res.StatusCode != 200 || text != "new GET 0" || old.carried.Load() != 0 {
		t.Errorf("got %d %q, want the answer of the new address", res.StatusCode, text)
	}
	waitFor(t, func() bool { return old.open.Load() == 0 })                                    // its connections are of no use any more
	waitFor(t, func() bool { return value(t, b.metrics, "elb_upstream_requests_total") == 2 }) // it is the same member
}

func TestMember_SameEndpoints(t *testing.T) {
	m := Member{ID: "a", Host: "h", HTTPPort: 1, HTTPSPort: 2, PortMappings: map[int]int{80: 3}}
	for name, c := range map[string]struct {
		change func(*Member)
		same   bool
	}{
		"draining": {func(m *Member) { m.Draining = true }, true},
		"since":    {func(m *Member) { m.Since = time.Now() }, true},
		"equal":    {func(m *Member) { m.PortMappings = map[int]int{80: 3} }, true},
		"host":     {func(m *Member) { m.Host = "other" }, false},
		"http":     {func(m *Member) { m.HTTPPort = 0 }, false},
		"https":    {func(m *Member) { m.HTTPSPort = 9 }, false},
		"mapping":  {func(m *Member) { m.PortMappings = map[int]int{80: 4} }, false},
		"mappings": {func(m *Member) { m.PortMappings = nil }, false},
	} {
		other := m
		if c.change(&other); m.sameEndpoints(&other) != c.same {
			t.Errorf("%s: same is %t", name, !c.same)
		}
	}
}
