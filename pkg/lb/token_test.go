package lb

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var secretA, secretB = bytes.Repeat([]byte("a"), 16), bytes.Repeat([]byte("b"), 32)

// stickyPool is a pool with affinity of members with these ids, in use in a Proxy of its own.
func stickyPool(t testing.TB, spec AffinitySpec, secrets [][]byte, domain string, ids ...string) *Pool {
	t.Helper()
	routes := newRoutes(t, []PoolSpec{{Service: "s", Domain: domain, Tenants: everybody(t), Hosts: []string{"app.example"}, Affinity: spec}})
	p, err := New(Config{Routes: routes, AffinityKeys: secrets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.Use(NewTable(routes, stickyMembers(domain, ids)))
	return proven(p.table.Load().pools[0])
}

// proven is the pool when all its members have passed a check.
func proven(p *Pool) *Pool {
	for _, t := range p.all() {
		t.health.verdict.Store(verdictUp)
	}
	return p
}

func stickyMembers(domain string, ids []string) []Member {
	var members []Member
	for _, id := range ids {
		members = append(members, Member{ID: id, Domain: domain, Host: "192.0.2.1", HTTPPort: 9763})
	}
	return members
}

func (p *Pool) check(text string, now time.Time) (string, tokenState) {
	target, is := p.affinity.check(&stickiness{}, []byte(text), now.UnixNano())
	if target == nil {
		return "", is
	}
	return target.Member.ID, is
}

func (p *Pool) tokenOf(id string, now time.Time) string {
	for _, t := range p.all() {
		if t.Member.ID == id {
			return string(p.affinity.appendToken(nil, &stickiness{}, t, now.UnixNano()))
		}
	}
	return ""
}

// Whatever is changed in a token, it is none.
func TestToken_EveryLetterCounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, timeout := range []time.Duration{0, time.Hour} {
		p := stickyPool(t, AffinitySpec{Mode: AffinityCookie, SessionTimeout: timeout}, [][]byte{secretA, secretB}, "d", "m1", "m2")
		token := p.tokenOf("m1", now)
		if id, is := p.check(token, now); id != "m1" || is != tokenGood || len(token) != tokenText {
			t.Fatalf("%q is of %q, %v", token, id, is)
		}
		changed := []byte(token)
		for i := range changed {
			for c := range 256 {
				if changed[i] = byte(c); string(changed) == token {
					continue
				}
				if id, is := p.check(string(changed), now); id != "" || is != tokenForged {
					t.Fatalf("%q instead of %q is taken for %q, %v", changed, token, id, is)
				}
			}
			changed[i] = token[i]
			for _, other := range []string{token[:i], token[:i] + token[i+1:], token[:i] + "A" + token[i:], token[:i] + "\n" + token[i+1:]} {
				if id, is := p.check(other, now); other != token && is != tokenForged {
					t.Fatalf("%q is taken for %q, %v", other, id, is)
				}
			}
		}
	}
}

// A token is good in its own pool, under every key of the ring, and nowhere else.
func TestToken_BelongsToAPool(t *testing.T) {
	t.Parallel()
	now := time.Now()
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.StringN(1, 40, -1).Filter(func(s string) bool { return s != "x" }).Draw(r, "id")
		domain := rapid.StringMatching(`[a-z]{1,3}(\.[a-z]{1,3})?`).Draw(r, "domain")
		other := rapid.StringMatching(`[a-z]{1,3}(\.[a-z]{1,3})?`).Filter(func(s string) bool { return s != domain }).Draw(r, "other domain")
		spec := AffinitySpec{Mode: AffinityCookie}
		if rapid.Bool().Draw(r, "timed") {
			spec.SessionTimeout = time.Minute
		}
		p := stickyPool(t, spec, [][]byte{secretA}, domain, id, id+"2")
		token := p.tokenOf(id, now)
		if strings.Contains(token, id) && len(id) > 2 {
			r.Errorf("%q shows the id %q", token, id)
		}
		for name, c := range map[string]struct {
			pool *Pool
			id   string
			is   tokenState
		}{
			"another load balancer":  {stickyPool(t, spec, [][]byte{secretA}, domain, id, "x"), id, tokenGood},
			"its key is the second":  {stickyPool(t, spec, [][]byte{secretB, secretA}, domain, id), id, tokenOld},
			"the member is gone":     {stickyPool(t, spec, [][]byte{secretA}, domain, "x"), "", tokenGood},
			"gone, an older key":     {stickyPool(t, spec, [][]byte{secretB, secretA}, domain, "x"), "", tokenGood},
			"nobody has its key":     {stickyPool(t, spec, [][]byte{secretB}, domain, id), "", tokenForged},
			"a made-up key":          {stickyPool(t, spec, nil, domain, id), "", tokenForged},
			"a pool of other domain": {stickyPool(t, spec, [][]byte{secretA}, other, id), "", tokenForged},
		} {
			if got, is := c.pool.check(token, now); got != c.id || is != c.is {
				r.Errorf("%s: %q, %v; want %q, %v", name, got, is, c.id, c.is)
			}
		}
	})
}

// Domain and sub-domain are told apart wherever the one ends and the other begins.
func TestToken_BelongsToASubDomain(t *testing.T) {
	t.Parallel()
	master, err := newMasterKey(secretA)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[memberTag]poolKey{}
	for _, k := range []poolKey{{"d", ""}, {"d", "mgt"}, {"dm", "gt"}, {"dmgt", ""}, {"", "dmgt"}} {
		tag := master.pool(k).tag("m")
		if twin, ok := seen[tag]; ok {
			t.Errorf("%v and %v have the same tag", k, twin)
		}
		seen[tag] = k
	}
}

func TestToken_Times(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	const timeout = 100 * time.Second
	timed := stickyPool(t, AffinitySpec{Mode: AffinityCookie, SessionTimeout: timeout}, [][]byte{secretA}, "d", "m")
	timeless := stickyPool(t, AffinitySpec{Mode: AffinityCookie}, [][]byte{secretA}, "d", "m")
	for name, c := range map[string]struct {
		pool  *Pool
		token string
		id    string
		is    tokenState
	}{
		"new":                         {timed, timed.tokenOf("m", now), "m", tokenGood},
		"a tenth old":                 {timed, timed.tokenOf("m", now.Add(-timeout/10)), "m", tokenGood},
		"older":                       {timed, timed.tokenOf("m", now.Add(-timeout/10-time.Second)), "m", tokenOld},
		"as old as can be":            {timed, timed.tokenOf("m", now.Add(-timeout)), "m", tokenOld},
		"too old":                     {timed, timed.tokenOf("m", now.Add(-timeout-time.Second)), "", tokenExpired},
		"of a clock ahead":            {timed, timed.tokenOf("m", now.Add(timeout)), "m", tokenGood},
		"of a clock too far ahead":    {timed, timed.tokenOf("m", now.Add(timeout+time.Second)), "", tokenExpired},
		"of the time before timeouts": {timed, timeless.tokenOf("m", now), "m", tokenOld},
		"of the time of timeouts":     {timeless, timed.tokenOf("m", now.Add(-10*timeout)), "m", tokenOld},
		"timeless":                    {timeless, timeless.tokenOf("m", now.Add(-10*timeout)), "m", tokenGood},
	} {
		if id, is := c.pool.check(c.token, now); id != c.id || is != c.is {
			t.Errorf("%s: %q, %v; want %q, %v", name, id, is, c.id, c.is)
		}
	}
}

func TestAffinitySpec_Check(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec AffinitySpec
		want string // in the error; "" = none
	}{
		{AffinitySpec{}, ""},
		{AffinitySpec{Mode: AffinityApplication, Cookie: "A", SessionCookies: []string{"B", "__Host-C"}, SessionTimeout: time.Second, DrainWindow: time.Hour}, ""},
		{AffinitySpec{Mode: AffinityCookie, Cookie: DefaultSessionCookie}, ""},
		{AffinitySpec{Mode: "sticky"}, `"sticky" is no affinity`},
		{AffinitySpec{Mode: AffinityCookie, Cookie: "a b"}, `"a b" cannot be the name`},
		{AffinitySpec{Mode: AffinityApplication, SessionCookies: []string{"a=b"}}, `"a=b" cannot be the name`},
		{AffinitySpec{Mode: AffinityApplication, Cookie: DefaultSessionCookie}, "both the load balancer's cookie and the application's"},
		{AffinitySpec{Mode: AffinityApplication, SessionCookies: []string{DefaultAffinityCookie}}, "both the load balancer's"},
		{AffinitySpec{Mode: AffinityCookie, SessionTimeout: time.Millisecond}, "is 1ms; a session's timeout"},
		{AffinitySpec{Mode: AffinityCookie, SessionTimeout: maxSessionTimeout + 1}, "from 1s to"},
		{AffinitySpec{Mode: AffinityCookie, DrainWindow: -1}, "not be negative"},
	} {
		switch err := c.spec.Check(); {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.spec, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
		}
	}
	if _, err := NewRoutes([]PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"a"}, Affinity: AffinitySpec{Mode: "x"}}}); err == nil {
		t.Error("routes took an unknown affinity")
	}
	if _, err := New(Config{Routes: testRoutes(t, nil), AffinityKeys: [][]byte{make([]byte, leastSecret-1)}}); err == nil {
		t.Error("a short key was taken")
	}
}
