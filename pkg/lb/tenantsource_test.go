package lb

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// tenantList is a source for tests; the tenant lost.com cannot be looked up.
type tenantList map[string]int

func (l tenantList) Tenant(domain []byte) TenantID {
	if string(domain) == "lost.com" {
		return TenantID{Err: errors.New("no answer"), From: "test"}
	}
	id, ok := l[string(domain)]
	return TenantID{ID: id, Known: ok, From: "test"}
}

// tenantProxy is a proxy with members that answer with their name and the path they got: hosts split.example (few: 1-100, many: 101-*, rest: *),
// ranges.example without rest, plain.example (plain: *).
func tenantProxy(t *testing.T) (*testServer, *Proxy, *prometheus.Registry) {
	t.Helper()
	pool := func(domain, tenants string, hosts ...string) PoolSpec {
		addr := member(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, domain+" "+r.RequestURI) })
		m, err1 := ParseStatic("http://" + addr)
		r, err2 := ParseTenantRange(tenants)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return PoolSpec{Service: "s", Domain: domain, Tenants: r, Hosts: hosts, Static: []Member{m}}
	}
	routes := newRoutes(t, []PoolSpec{
		pool("few", "1-100", "split.example", "ranges.example"),
		pool("many", "101-*", "split.example"),
		pool("rest", "*", "split.example"),
		pool("plain", "*", "plain.example"),
	})
	metrics := prometheus.NewRegistry()
	p, err := New(Config{Routes: routes.WithTenants(tenantList{"a.com": 7, "b.com": 200, "carbon.super": -1234}), Registerer: metrics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return serveProxy(t, p, ServerConfig{}), p, metrics
}

var tenantRequests = []struct {
	host, path string
	status     int
	want       string // the member and what it got, or a part of the refusal
}{
	{"split.example", "/t/a.com/x", 200, "few /t/a.com/x"},
	{"split.example", "/t/b.com/x", 200, "many /t/b.com/x"},
	{"split.example", "/t/A.COM/x?q=%2F", 200, "few /t/A.COM/x?q=%2F"},
	{"SPLIT.example:80", "/t/a.com/x", 200, "few /t/a.com/x"},
	{"x.split.example", "/t/a.com/x", 200, "few /t/a.com/x"},
	{"split.example", "/t/nobody.com/x", 200, "rest /t/nobody.com/x"},
	{"split.example", "/t/carbon.super/x", 200, "rest /t/carbon.super/x"},
	{"split.example", "/t/lost.com/x", 200, "rest /t/lost.com/x"},
	{"split.example", "/x", 200, "rest /x"},
	{"split.example", "/acs?tenantDomain=b.com", 200, "many /acs?tenantDomain=b.com"},
	{"split.example", "/t/a.com/../b.com/%7e", 200, "many /t/b.com/~"},
	{"split.example", "/t/b.com/%2e%2E/a.com", 200, "few /t/a.com"},
	{"split.example", "/t/a.com%2F..%2Fb.com/", 400, "different tenants"},
	{"split.example", "/t/b.com/..;/a.com", 400, "different tenants"},
	{"split.example", "/registry/a%2Fb;version:1", 200, "rest /registry/a%2Fb;version:1"},

	{"ranges.example", "/t/a.com/x", 200, "few /t/a.com/x"},
	{"ranges.example", "/t/b.com/x", 404, "No domain of the host ranges.example serves the tenant b.com"},
	{"ranges.example", "/t/nobody.com/x", 404, "serves the tenant nobody.com"},
	{"ranges.example", "/t/lost.com/x", 503, "cannot be found out now"},
	{"ranges.example", "/x", 404, "serves tenants only"},

	// Without ranges nothing is looked at.
	{"plain.example", "/t/a.com/../b.com/%7e//x%2fy;z", 200, "plain /t/a.com/../b.com/%7e//x%2fy;z"},
	{"plain.example", "/t/a.com%2F..%2Fb.com/", 200, "plain /t/a.com%2F..%2Fb.com/"},
}

// On one connection, forth and back: what the last request found out must not be taken for the next one's.
func TestProxy_TenantsGoToTheirDomain(t *testing.T) {
	t.Parallel()
	front, p, metrics := tenantProxy(t)
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", front.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	named := 0
	for i := range 3 * len(tenantRequests) {
		c := tenantRequests[(i*7+i/5)%len(tenantRequests)]
		if _, err := io.WriteString(conn, "GET "+c.path+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s%s: %v", c.host, c.path, err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != c.status || c.status == 200 && string(body) != c.want || !strings.Contains(string(body), c.want) {
			t.Errorf("%s%s: %d %q, %v; want %d %q", c.host, c.path, res.StatusCode, body, err, c.status, c.want)
		}
		if (res.Header.Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s%s: Retry-After %q", c.host, c.path, res.Header.Get("Retry-After"))
		}
		if c.status != 400 && c.host != "plain.example" && (strings.Contains(c.path, "/t/") || strings.Contains(c.path, "tenantDomain")) {
			named++
		}
		answer := p.Explain(RouteQuestion{Host: c.host, Path: c.path})
		member, _, _ := strings.Cut(c.want, " ")
		if c.status == 200 && (answer.Status != 0 || answer.Domain != member || member+" "+answer.Path != c.want) || c.status != 200 && (answer.Status != c.status || !strings.Contains(answer.Detail, c.want)) {
			t.Errorf("%s%s is explained as %+v", c.host, c.path, answer)
		}
	}
	waitFor(t, func() bool { return int(value(t, metrics, "elb_tenant_requests_total")) == named }) // the client has its answer before it is counted
	if n, err := testutil.GatherAndCount(metrics, "elb_tenant_requests_total"); err != nil || n != 3 {
		t.Errorf("%d series, %v", n, err)
	}
}

// Without a source tenants are not told apart, and paths pass as they come.
func TestTable_WithoutASourceTenantsAreAlike(t *testing.T) {
	t.Parallel()
	few, err := ParseTenantRange("1-9")
	if err != nil {
		t.Fatal(err)
	}
	routes := newRoutes(t, []PoolSpec{{Domain: "few", Tenants: few, Hosts: []string{"h.example"}}, {Domain: "rest", Tenants: everybody(t), Hosts: []string{"h.example"}}})
	p := newProxy(t, Config{Routes: routes})
	a := p.Explain(RouteQuestion{Host: "h.example", Path: "/t/a.com%2F../x"})
	if a.Domain != "rest" || a.Tenant != nil || a.Path != "/t/a.com%2F../x" {
		t.Errorf("%+v", a)
	}
	p.Use(NewTable(routes.WithTenants(tenantList{"a.com": 3}), nil))
	if a := p.Explain(RouteQuestion{Host: "h.example", Path: "/t/a.com/x"}); a.Domain != "few" || a.Tenant == nil || a.Tenant.ID == nil || *a.Tenant.ID != 3 || a.TenantRange != "1-9" {
		t.Errorf("with a source: %+v", a)
	}
}

func TestTenantRange_String(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"*": "*", "7": "7", " 1-5 ": "1-5", "200-*, 3,7 - 9": "3,7-9,200-*"} {
		r, err := ParseTenantRange(in)
		if err != nil || r.String() != want {
			t.Errorf("%q is %q, %v; want %q", in, r.String(), err, want)
		}
	}
}

func TestExplain_HostsAndMembers(t *testing.T) {
	t.Parallel()
	static := func(raw string) Member {
		m, err := ParseStatic(raw)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	key, err := ParseHashKey("cookie SESSION")
	if err != nil {
		t.Fatal(err)
	}
	routes := newRoutes(t, []PoolSpec{
		{Service: "s", Domain: "turns", Tenants: everybody(t), Hosts: []string{"as.example", "*.wild.example"}, Static: []Member{
			static("http://127.0.0.1:1"), static("http://127.0.0.1:2 weight=2"), static("http://127.0.0.1:3 backup"),
		}},
		{Service: "s", Domain: "hash", SubDomain: "mgt", Tenants: everybody(t), Hosts: []string{"hash.example"}, Balancer: BalancerSpec{Policy: PolicyHash, Key: key}, Static: []Member{
			static("http://127.0.0.1:4"), static("http://127.0.0.1:5"), static("https://127.0.0.1:6"),
		}},
		{Service: "s", Domain: "nobody", Tenants: everybody(t), Hosts: []string{"nobody.example"}},
	})
	p := newProxy(t, Config{Routes: routes})
	for _, c := range []struct{ host, normal, pattern, match, domain string }{
		{"AS.example:8280", "as.example", "as.example", "exact", "turns"},
		{"b.a.as.example", "b.a.as.example", "as.example", "labels dropped: b.a", "turns"},
		{"x.wild.example", "x.wild.example", "*.wild.example", "wildcard", "turns"},
		{"wild.example", "wild.example", "", "", ""},
	} {
		a := p.Explain(RouteQuestion{Host: c.host, Path: "/"})
		if a.Host != c.normal || a.Pattern != c.pattern || a.Match != c.match || a.Domain != c.domain || (a.Status == 404) != (c.domain == "") {
			t.Errorf("%s: %+v", c.host, a)
		}
	}
	a := p.Explain(RouteQuestion{Host: "as.example", Path: "/x"})
	if len(a.Members) != 3 || !a.Members[0].Next || !a.Members[1].Next || a.Members[2].Next || a.Members[2].Rank != "backup" || a.Choice != "one of 2, by turns" || a.Balancer != "round_robin" {
		t.Errorf("%+v", a)
	}
	chosen := func(cookie string) (id string, n int, a RouteAnswer) {
		a = p.Explain(RouteQuestion{Host: "hash.example", Path: "/", Cookie: cookie})
		for _, m := range a.Members {
			if m.Next {
				id, n = m.ID, n+1
			}
		}
		return id, n, a
	}
	seen := map[string]bool{}
	for _, session := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		first, n, _ := chosen("SESSION=" + session)
		again, _, _ := chosen("x=y; SESSION=" + session)
		if n != 1 || first != again {
			t.Errorf("the session %s goes to %s and %s", session, first, again)
		}
		seen[first] = true
	}
	if len(seen) < 2 {
		t.Error("all sessions go to one member")
	}
	if _, n, a := chosen(""); n != 3 || !strings.Contains(a.Choice, "the request has no cookie SESSION") {
		t.Errorf("without the cookie: %+v", a)
	}
	if a := p.Explain(RouteQuestion{Host: "nobody.example", Path: "/"}); a.Status != 503 || a.Domain != "nobody" {
		t.Errorf("%+v", a)
	}
	for _, q := range []RouteQuestion{
		{Host: "as.example\r\nX: y", Path: "/"},
		{Host: "as.example", Path: "/ HTTP/1.1\r\nHost: x"},
		{Host: "as.example", Path: "/", Cookie: "a\nb"},
		{Host: "a b", Path: "/"},
		{Host: "as.example", Path: "/%zz"},
		{Host: "as.example", Path: "/a b"},
		{Host: "", Path: "/"},
		{Host: "as.example", Path: ""},
	} {
		if a := p.Explain(q); a.Status != 400 || a.Detail == "" || a.Domain != "" {
			t.Errorf("%+q: %+v", q, a)
		}
	}
}

func TestExplain_Affinity(t *testing.T) {
	t.Parallel()
	var members []Member
	for _, raw := range []string{"http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"} {
		m, err := ParseStatic(raw)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	routes := newRoutes(t, []PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"a.example"}, Static: members, Affinity: AffinitySpec{Mode: AffinityCookie, Cookie: "ROUTE"}}})
	p := newProxy(t, Config{Routes: routes})
	for _, target := range p.table.Load().pools[0].all() {
		a := p.Explain(RouteQuestion{Host: "a.example", Path: "/", Cookie: "x=y; ROUTE=" + target.token})
		if a.Choice != "the member of the session" || !strings.Contains(a.Affinity, target.Member.Name) {
			t.Errorf("%s: %+v", target.Member.ID, a)
		}
		for _, m := range a.Members {
			if m.Next != (m.ID == target.Member.ID) || m.Standing != StandingUp {
				t.Errorf("%s: %+v", target.Member.ID, m)
			}
		}
	}
	for cookie, want := range map[string]string{"": "no cookie names a member", "ROUTE=" + strings.Repeat("A", tokenText): "counts as none"} {
		if a := p.Explain(RouteQuestion{Host: "a.example", Path: "/", Cookie: cookie}); !strings.Contains(a.Affinity, want) || a.Choice != "one of 3, by turns" {
			t.Errorf("%q: %+v", cookie, a)
		}
	}
}
