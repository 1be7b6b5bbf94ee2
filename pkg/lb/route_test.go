package lb

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func everybody(t testing.TB) TenantRange {
	t.Helper()
	r, err := ParseTenantRange("*")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testRoutes(t testing.TB, hosts map[string][]string) *Routes {
	t.Helper()
	var specs []PoolSpec
	for domain, list := range hosts {
		specs = append(specs, PoolSpec{Service: domain, Domain: domain, Tenants: everybody(t), Hosts: list})
	}
	return newRoutes(t, specs)
}

func newRoutes(t testing.TB, specs []PoolSpec) *Routes {
	t.Helper()
	r, err := NewRoutes(specs)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newProxy makes a Proxy, which ends with the test.
func newProxy(t testing.TB, c Config) *Proxy {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestNormalizeHost(t *testing.T) {
	for _, c := range []struct {
		in, want string
		ok       bool
	}{
		{"Governance.Localhost", "governance.localhost", true},
		{"governance.localhost:8280", "governance.localhost", true},
		{"governance.localhost.", "governance.localhost", true},
		{"governance.localhost.:8280", "governance.localhost", true},
		{"127.0.0.1:80", "127.0.0.1", true},
		{"[::1]:8280", "::1", true},
		{"[2001:DB8::1]", "2001:db8::1", true},
		{"a_b.example", "a_b.example", true},
		{"host:", "host", true}, // an empty port is allowed by RFC 3986
		{"", "", false},
		{".", "", false},
		{":80", "", false},
		{"a..b", "", false},
		{".a", "", false},
		{"a b", "", false},
		{"a/b", "", false},
		{"user@host", "", false},
		{"host:80:90", "", false},
		{"host:port", "", false},
		{"host:123456", "", false},
		{"::1", "", false},
		{"[::1", "", false},
		{"[::1%eth0]", "", false},
		{"[127.0.0.1]", "", false},
		{"exämple", "", false},
		{"a\x00b", "", false},
		{strings.Repeat("a", 64), "", false},
		{strings.Repeat("a.", 127) + "a", "", false},
	} {
		if got, ok := NormalizeHost(c.in); got != c.want || ok != c.ok {
			t.Errorf("NormalizeHost(%q) = %q, %v; want %q, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func TestTable_LongestHostWins(t *testing.T) {
	table := NewTable(testRoutes(t, map[string][]string{
		"as":    {"as.example", "*.wild.example"},
		"deep":  {"b.as.example", "127.0.0.1"},
		"local": {"localhost", "[::1]"},
		"both":  {"both.example"},
		"below": {"*.both.example"},
	}), nil)
	for host, domain := range map[string]string{
		"as.example":             "as",
		"AS.Example:8243":        "as",
		"x.as.example":           "as",
		"y.x.as.example.":        "as",
		"b.as.example":           "deep",
		"a.b.as.example":         "deep",
		"a.wild.example":         "as",
		"wild.example":           "",
		"example":                "",
		"notas.example":          "",
		"localhost":              "local",
		"governance.localhost:1": "local",
		"[::1]:8280":             "local",
		"127.0.0.1":              "deep",
		"1.127.0.0.1":            "",
		"both.example":           "both",
		"x.both.example":         "below",
	} {
		pool, ok := table.Lookup(host)
		if !ok {
			t.Errorf("Lookup(%q): no host", host)
			continue
		}
		got := ""
		if pool != nil {
			got = pool.Domain
		}
		if got != domain {
			t.Errorf("Lookup(%q) = %q, want %q", host, got, domain)
		}
	}
}

func TestNewRoutes_ReportsAllConflicts(t *testing.T) {
	_, err := NewRoutes([]PoolSpec{
		{Domain: "a", Tenants: everybody(t), Hosts: []string{"x.example", "bad host", "y.example:80", "*.127.0.0.1"}},
		{Domain: "b", Tenants: everybody(t), Hosts: []string{"X.example."}},
		{Domain: "a", Tenants: everybody(t), Hosts: []string{"z.example"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"X.example. leads to both a and b", `"bad host"`, "without a port", "no names below", "configured twice"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestTable_TenantsGoToTheirDomain(t *testing.T) {
	spec := func(domain, tenants string, hosts ...string) PoolSpec {
		r, err := ParseTenantRange(tenants)
		if err != nil {
			t.Fatal(err)
		}
		return PoolSpec{Domain: domain, Tenants: r, Hosts: hosts}
	}
	routes := newRoutes(t, []PoolSpec{
		spec("late", "1000001-*", "x.example"),
		spec("all", "*", "x.example", "X.example", "*.y.example"),
		spec("some", "1-100, 103", "x.example", "x.EXAMPLE"),
		spec("million", "200-1000000", "x.example", "*.y.example"),
		spec("one", "101", "x.example"),
		spec("other", "*", "z.example"),
	})
	if n := len(routes.exact["x.example"].spans); n != 5 {
		t.Errorf("%d intervals, want 5", n)
	}
	table := NewTable(routes, nil)
	for _, c := range []struct {
		host   string
		tenant int
		want   string
	}{
		{"x.example", 0, "all"},
		{"x.example", -1234, "all"},
		{"x.example", 1, "some"},
		{"a.x.example:80", 100, "some"},
		{"x.example", 101, "one"},
		{"x.example", 102, "all"},
		{"x.example", 103, "some"},
		{"x.example", 104, "all"},
		{"x.example", 199, "all"},
		{"x.example", 200, "million"},
		{"x.example", 1000000, "million"},
		{"x.example", 1000001, "late"},
		{"x.example", math.MaxInt, "late"},
		{"a.y.example", 300, "million"},
		{"a.y.example", 5, "all"},
		{"z.example", 5, "other"},
	} {
		if pool, ok := table.LookupTenant(c.host, c.tenant); !ok || pool == nil || pool.Domain != c.want {
			t.Errorf("tenant %d at %s goes to %+v, want %s", c.tenant, c.host, pool, c.want)
		}
	}
	if pool, ok := table.LookupTenant("y.example", 300); !ok || pool != nil {
		t.Errorf("a name above the wildcard goes to %+v", pool)
	}
}

func TestNewRoutes_RefusesTenantsOfTwoDomainsAtOneHost(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1-10", "10-20", true},
		{"10-20", "1-10", true},
		{"1-100", "50", true},
		{"50", "1-100", true},
		{"5-*", "1-4,900", true},
		{"1-10", "11-20", false},
		{"11-20", "1-10,21-*", false},
		{"*", "*", true},
	} {
		x, err1 := ParseTenantRange(c.a)
		y, err2 := ParseTenantRange(c.b)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		specs := []PoolSpec{
			{Domain: "x", Tenants: x, Hosts: []string{"h.example"}},
			{Domain: "y", Tenants: y, Hosts: []string{"h.example", "h2.example"}},
			{Domain: "z", Tenants: x, Hosts: []string{"h3.example"}}, // at another host the same tenants are no conflict
		}
		_, err := NewRoutes(specs)
		if got := err != nil && strings.Contains(err.Error(), "h.example leads to both x and y"); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, err)
		}
	}
}

func TestParseTenantRange(t *testing.T) {
	for _, bad := range []string{"", "0", "-1", "a", "5-1", "1-", "1,1", "1-5,3", "*,1", "1-2-3", "1.5"} {
		if _, err := ParseTenantRange(bad); err == nil {
			t.Errorf("ParseTenantRange(%q): no error", bad)
		}
	}
	overlaps := func(a, b string) bool {
		x, err := ParseTenantRange(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := ParseTenantRange(b)
		if err != nil {
			t.Fatal(err)
		}
		return x.Overlaps(y)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"*", "*", true},
		{"*", "1-100", false},
		{"1-100", "101-*", false},
		{"1-100", "100-*", true},
		{"1, 3, 5-9", "2,4", false},
		{"1, 3, 5-9", "9", true},
		{"1 - 100", "100 - *", true},
	} {
		if got := overlaps(c.a, c.b); got != c.want || overlaps(c.b, c.a) != c.want {
			t.Errorf("%q overlaps %q = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestParseStatic(t *testing.T) {
	m, err := ParseStatic("https://App.example/")
	if err != nil || m.HTTPSPort != 443 || m.HTTPPort != 0 || m.Host != "App.example" || !m.Static {
		t.Errorf("got %+v, %v", m, err)
	}
	for raw, want := range map[string]Member{
		"http://x:80":       {},
		"http://x weight=3": {Weight: 3},
		"http://x weight=0": {Weight: WeightNone},
		"http://x  weight=1000 zone=west  backup ": {Weight: 1000, Zone: "west", Backup: true},
	} {
		want.ID, want.Name, want.Host, want.HTTPPort, want.Static = "http://x:80", "http://x:80", "x", 80, true
		if m, err := ParseStatic(raw); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("ParseStatic(%q) = %+v, %v", raw, m, err)
		}
	}
	for _, bad := range []string{
		"", "app:9001", "ftp://x", "http://", "http://x/path", "http://x?q", "http://u@x", "http://x:0", "http://x:70000", "http://x:y", "http://[::1",
		"   ", "http://x weight", "http://x weight=", "http://x weight=-1", "http://x weight=1001", "http://x weight=1.5", "http://x zone=", "http://x backup=true", "http://x spare", "weight=1 http://x",
	} {
		if m, err := ParseStatic(bad); err == nil {
			t.Errorf("ParseStatic(%q) = %+v, no error", bad, m)
		}
	}
}

// The decision must not depend on how a host is spelled, and normal forms must be stable.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"a.as.example:80", "[::1]:1", "LOCALHOST.", "127.0.0.1", "a..b", "x:y", "[", "*.as.example", "a_b"} {
		f.Add(seed)
	}
	table := NewTable(testRoutes(f, map[string][]string{"as": {"as.example", "localhost"}, "ip": {"::1", "127.0.0.1"}}), nil)
	f.Fuzz(func(t *testing.T, host string) {
		pool, ok := table.Lookup(host)
		normal, valid := NormalizeHost(host)
		if ok != valid {
			t.Fatalf("Lookup says %v, NormalizeHost %v", ok, valid)
		}
		if !valid {
			return
		}
		spelled := normal
		if strings.Contains(normal, ":") {
			spelled = "[" + normal + "]"
		}
		if again, ok := NormalizeHost(spelled); !ok || again != normal {
			t.Fatalf("normal form of %q is not stable: %q", normal, again)
		}
		for _, same := range []string{strings.ToUpper(spelled), spelled + ":65535"} {
			if p, ok := table.Lookup(same); !ok || p != pool {
				t.Fatalf("%q and %q go different ways", host, same)
			}
		}
		if pool == nil {
			return
		}
		if pool.Domain == "as" && normal != "localhost" && !strings.HasSuffix(normal, ".localhost") && normal != "as.example" && !strings.HasSuffix(normal, ".as.example") {
			t.Fatalf("%q reached as", host)
		}
	})
}
