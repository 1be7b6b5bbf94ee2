package lb

import (
	"strings"
	"testing"
	"time"
)

// stickyRequest is an exchange whose request has these Cookie fields, as it is when a pool was found for it.
func stickyRequest(t testing.TB, p *Pool, cookies ...string) *exchange {
	t.Helper()
	x := newExchange()
	x.pool, x.from = p, &client{scheme: schemeHTTP, major: 1}
	var head strings.Builder
	head.WriteString("GET / HTTP/1.1\r\nHost: app.example\r\n")
	for _, c := range cookies {
		head.WriteString("Cookie: " + c + "\r\n")
	}
	if n, err := x.req.Parse([]byte(head.String() + "\r\n")); err != nil || n == 0 {
		t.Fatalf("%q: %d, %v", head.String(), n, err)
	}
	x.choice.now = time.Now().UnixNano()
	x.readSticky()
	return x
}

// passed gives the Cookie fields as the member gets them.
func (x *exchange) passed() []string {
	var list []string
	for i := 1; i < x.req.Len(); i++ {
		if line := string(x.appendCookie(nil, i)); line != "" {
			list = append(list, strings.TrimSuffix(strings.TrimPrefix(line, "Cookie: "), "\r\n"))
		}
	}
	return list
}

func TestSticky_ReadsCookies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := stickyPool(t, AffinitySpec{Mode: AffinityApplication, SessionCookies: []string{"JSESSIONID", "PHPSESSID"}}, [][]byte{secretA}, "d", "m1", "m2")
	one, two := p.tokenOf("m1", now), p.tokenOf("m2", now)
	gone := stickyPool(t, AffinitySpec{Mode: AffinityCookie}, [][]byte{secretA}, "d", "m3").tokenOf("m3", now)
	foreign := stickyPool(t, AffinitySpec{Mode: AffinityCookie}, [][]byte{secretA}, "e", "m1").tokenOf("m1", now)
	list := func(s ...string) []string { return s }
	for name, c := range map[string]struct {
		cookies       []string
		passed        []string
		ours, session string // members
		named, forged bool
	}{
		"none":              {list("a=1; b=2"), list("a=1; b=2"), "", "", false, false},
		"alone":             {list("elb_route=" + one), nil, "m1", "", true, false},
		"first":             {list("elb_route=" + one + "; a=1"), list("a=1"), "m1", "", true, false},
		"first, no space":   {list("elb_route=" + one + ";a=1"), list("a=1"), "m1", "", true, false},
		"last":              {list("a=1; elb_route=" + one), list("a=1"), "m1", "", true, false},
		"between":           {list("a=1;  elb_route=" + one + " ;\t b=2"), list("a=1;  b=2"), "m1", "", true, false},
		"odd but not ours":  {list(`a; =; ;;b="x; y" ;c==;`), list(`a; =; ;;b="x; y" ;c==;`), "", "", false, false},
		"odd and ours":      {list(`a; =; ;;elb_route=` + one + `;c==;`), list(`a; =; ;;c==;`), "m1", "", true, false},
		"semicolon at end":  {list("a=1; elb_route=" + one + ";"), list("a=1"), "m1", "", true, false},
		"twice":             {list("elb_route=" + two + "; elb_route=" + one), nil, "m2", "", true, false},
		"twice at the end":  {list("a=1; elb_route=" + two + "; elb_route=" + one), list("a=1"), "m2", "", true, false},
		"two fields":        {list("a=1; elb_route="+one, "b=2"), list("a=1", "b=2"), "m1", "", true, false},
		"a field of ours":   {list("a=1", "elb_route="+one, "b=2"), list("a=1", "b=2"), "m1", "", true, false},
		"forged":            {list("a=1; elb_route=x" + one[1:]), list("a=1"), "", "", false, true},
		"forged, then good": {list("elb_route=x; elb_route=" + one), nil, "m1", "", true, true},
		"empty":             {list("elb_route=; a=1"), list("a=1"), "", "", false, true},
		"quoted":            {list(`elb_route="` + one + `"`), nil, "", "", false, true},
		"without value":     {list("elb_route; a=1"), list("elb_route; a=1"), "", "", false, false},
		"other case":        {list("ELB_route=" + one), list("ELB_route=" + one), "", "", false, false},
		"longer name":       {list("xelb_route=" + one), list("xelb_route=" + one), "", "", false, false},
		"binary":            {list("elb_route=\x80\xff" + one), nil, "", "", false, true},
		"huge":              {list("a=1; elb_route=" + strings.Repeat(one, 1000)), list("a=1"), "", "", false, true},
		"member gone":       {list("elb_route=" + gone), nil, "", "", true, false},
		"of another pool":   {list("elb_route=" + foreign), nil, "", "", false, true},

		"session":                     {list("JSESSIONID=abc." + one), list("JSESSIONID=abc"), "", "m1", true, false},
		"session, in quotes":          {list(`a=1; PHPSESSID="abc.` + one + `"; b=2`), list(`a=1; PHPSESSID="abc"; b=2`), "", "m1", true, false},
		"session, dots of its own":    {list("JSESSIONID=a.b.c." + one), list("JSESSIONID=a.b.c"), "", "m1", true, false},
		"session without a token":     {list("JSESSIONID=a.b.c"), list("JSESSIONID=a.b.c"), "", "", false, false},
		"session, member gone":        {list("JSESSIONID=abc." + gone), list("JSESSIONID=abc"), "", "", true, false},
		"session, not our token":      {list("JSESSIONID=abc.x" + one[1:]), list("JSESSIONID=abc.x" + one[1:]), "", "", false, true},
		"session, of another pool":    {list("JSESSIONID=abc." + foreign), list("JSESSIONID=abc." + foreign), "", "", false, true},
		"session, dot as value":       {list("JSESSIONID=." + one), list("JSESSIONID="), "", "m1", true, false},
		"session, value is a token":   {list("JSESSIONID=" + one), list("JSESSIONID=" + one), "", "", false, false},
		"both":                        {list("elb_route=" + two + "; JSESSIONID=abc." + one + "; c=3"), list("JSESSIONID=abc; c=3"), "m2", "m1", true, false},
		"two sessions":                {list("JSESSIONID=abc." + two + "; PHPSESSID=d." + one), list("JSESSIONID=abc; PHPSESSID=d"), "", "m2", true, false},
		"other cookie with our token": {list("b=abc." + one), list("b=abc." + one), "", "", false, false},
	} {
		x := stickyRequest(t, p, c.cookies...)
		s := &x.sticky
		if got := x.passed(); strings.Join(got, "\n") != strings.Join(c.passed, "\n") {
			t.Errorf("%s: the member gets %q, want %q", name, got, c.passed)
		}
		if idOf(s.ours) != c.ours || idOf(s.session) != c.session || s.named != c.named || s.forged != c.forged {
			t.Errorf("%s: ours %q, session %q, named %t, forged %t", name, idOf(s.ours), idOf(s.session), s.named, s.forged)
		}
	}
}

func idOf(t *Target) string {
	if t == nil {
		return ""
	}
	return t.Member.ID
}

// However many tokens a request has, only a few are looked at; the rest is nobody's.
func TestSticky_BoundsWhatTokensCost(t *testing.T) {
	t.Parallel()
	p := stickyPool(t, AffinitySpec{Mode: AffinityApplication}, [][]byte{secretA}, "d", "m1")
	forged := "x" + p.tokenOf("m1", time.Now())[1:]
	x := stickyRequest(t, p, strings.Repeat("JSESSIONID=a."+forged+"; elb_route="+forged+"; ", 500)+"z=1")
	if x.sticky.looked != tokensMost || len(x.sticky.cuts) != tokensMost/2 || x.sticky.ours != nil {
		t.Errorf("%d looked at, %d cut", x.sticky.looked, len(x.sticky.cuts))
	}
	many := stickyRequest(t, p, strings.Repeat("JSESSIONID=a; ", 500)+"elb_route="+p.tokenOf("m1", time.Now()))
	if many.sticky.looked != 1 || idOf(many.sticky.ours) != "m1" {
		t.Errorf("of cookies without a token, %d were looked at, and m1's was not found", many.sticky.looked-1)
	}
	if got := strings.Join(x.passed(), ""); strings.Count(got, "elb_route=") != 500-tokensMost/2 || strings.Count(got, "JSESSIONID=") != 500 || !strings.HasSuffix(got, "; z=1") {
		t.Errorf("the member gets %d bytes, ending in %q", len(got), got[len(got)-20:])
	}
}

func TestSticky_RoutesTheApplicationsCookie(t *testing.T) {
	t.Parallel()
	p := stickyPool(t, AffinitySpec{Mode: AffinityApplication, SessionTimeout: time.Hour}, [][]byte{secretA}, "d", "m1")
	token := p.active[0].token
	for in, want := range map[string]string{
		"JSESSIONID=abc":                         "JSESSIONID=abc." + token,
		"JSESSIONID=abc; Path=/carbon; HttpOnly": "JSESSIONID=abc." + token + "; Path=/carbon; HttpOnly",
		" JSESSIONID = abc ;Path=/":              " JSESSIONID = abc." + token + " ;Path=/",
		`JSESSIONID="abc"; Version=1`:            `JSESSIONID="abc.` + token + `"; Version=1`,
		"JSESSIONID=a=b.c; Secure":               "JSESSIONID=a=b.c." + token + "; Secure",
		`JSESSIONID="`:                           `JSESSIONID=".` + token,
		"JSESSIONID=":                            "",
		`JSESSIONID=""; Max-Age=0`:               "",
		"JSESSIONID=; Expires=Thu, 01 Jan 1970":  "",
		"JSESSIONID":                             "",
		"jsessionid=abc":                         "",
		"other=abc; JSESSIONID=x":                "",
		"":                                       "",
		"elb_route=of the application's own invention": "",
	} {
		x := stickyRequest(t, p)
		x.target = p.active[0]
		got, changed := x.routed([]byte(in))
		if want == "" {
			want = in
		}
		if string(got) != want || changed != (want != in) {
			t.Errorf("%q became %q, %t; want %q", in, got, changed, want)
		}
	}
	for _, spec := range []AffinitySpec{{}, {Mode: AffinityCookie, SessionCookies: []string{"JSESSIONID"}}} {
		p := stickyPool(t, spec, nil, "d", "m1")
		x := stickyRequest(t, p)
		x.target = p.active[0]
		if got, changed := x.routed([]byte("JSESSIONID=abc")); changed {
			t.Errorf("%q: %q", spec.Mode, got)
		}
	}
}

// When an answer carries a cookie of ours, and what is counted, by who was asked for and who answered.
func TestSticky_IssuesWhenTheMemberIsAnother(t *testing.T) {
	t.Parallel()
	now := time.Now()
	secrets := [][]byte{secretA, secretB}
	cookie := stickyPool(t, AffinitySpec{Mode: AffinityCookie, SessionTimeout: 100 * time.Second}, secrets, "d", "m1", "m2")
	application := stickyPool(t, AffinitySpec{Mode: AffinityApplication}, secrets, "d", "m1", "m2")
	gone := stickyPool(t, AffinitySpec{Mode: AffinityApplication}, secrets, "d", "m3").tokenOf("m3", now)
	old := stickyPool(t, AffinitySpec{Mode: AffinityApplication}, secrets[1:], "d", "m1").tokenOf("m1", now)
	for name, c := range map[string]struct {
		pool   *Pool
		cookie string
		issues bool // when m1 answers
		result stickyResult
	}{
		"no cookie":                              {cookie, "a=1", true, stickyMiss},
		"its cookie":                             {cookie, "elb_route=" + cookie.tokenOf("m1", now), false, stickyHit},
		"its cookie, older":                      {cookie, "elb_route=" + cookie.tokenOf("m1", now.Add(-20*time.Second)), true, stickyHit},
		"its cookie, too old":                    {cookie, "elb_route=" + cookie.tokenOf("m1", now.Add(-200*time.Second)), true, stickyMiss},
		"another's":                              {cookie, "elb_route=" + cookie.tokenOf("m2", now), true, stickyMoved},
		"gone":                                   {cookie, "elb_route=" + gone, true, stickyMoved},
		"old key":                                {cookie, "elb_route=" + old, true, stickyHit},
		"forged":                                 {cookie, "elb_route=x", true, stickyInvalid},
		"forged, and another's":                  {cookie, "elb_route=x; elb_route=" + cookie.tokenOf("m2", now), true, stickyMoved},
		"application: nothing":                   {application, "a=1", false, stickyMiss},
		"application: its token":                 {application, "JSESSIONID=a." + application.tokenOf("m1", now), false, stickyHit},
		"application: another's":                 {application, "JSESSIONID=a." + application.tokenOf("m2", now), true, stickyMoved},
		"application: gone":                      {application, "JSESSIONID=a." + gone, true, stickyMoved},
		"application: gone, and our cookie":      {application, "JSESSIONID=a." + gone + "; elb_route=" + application.tokenOf("m1", now), false, stickyHit},
		"application: gone, and another cookie":  {application, "JSESSIONID=a." + gone + "; elb_route=" + application.tokenOf("m2", now), true, stickyMoved},
		"application: a session without a token": {application, "JSESSIONID=a", true, stickyMiss},
		"application: no session, but ours":      {application, "elb_route=" + application.tokenOf("m2", now), false, stickyMoved},
		"application: the session is over":       {application, "JSESSIONID=", false, stickyMiss},
		"application: forged":                    {application, "JSESSIONID=a.x" + gone[1:], true, stickyInvalid},
	} {
		x := stickyRequest(t, c.pool, c.cookie)
		if _, ok := x.stickyResult(); ok || x.issues() {
			t.Errorf("%s: something comes of it though nobody was asked", name)
		}
		x.target = c.pool.active[0]
		if got := x.issues(); got != c.issues {
			t.Errorf("%s: a cookie is issued: %t", name, got)
		}
		if got, ok := x.stickyResult(); got != c.result || !ok {
			t.Errorf("%s: %s, %t", name, stickyLabels()[got], ok)
		}
		if value := string(x.oursValue()); !strings.HasPrefix(value, "elb_route="+c.pool.tokenOf("m1", time.Unix(0, x.choice.now))+"; Path=/; HttpOnly; SameSite=Lax") {
			t.Errorf("%s: %q", name, value)
		}
	}
}

func TestSticky_CookieIsSecureOverTLS(t *testing.T) {
	t.Parallel()
	p := stickyPool(t, AffinitySpec{Mode: AffinityCookie, Cookie: "route", SessionTimeout: 90*time.Second + time.Millisecond}, nil, "d", "m1")
	for _, c := range []struct {
		scheme, said string
		trusted      bool
		want         bool
	}{
		{schemeHTTP, "", false, false},
		{schemeHTTP, "https", false, false},
		{schemeHTTP, "https", true, true},
		{schemeHTTPS, "", false, true},
		{schemeHTTPS, "", true, true},
		{schemeHTTPS, "http", true, false},
		{schemeHTTPS, "http", false, true},
	} {
		x := newExchange()
		x.pool, x.from = p, &client{scheme: c.scheme, major: 1, trusted: c.trusted}
		if _, err := x.req.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: " + c.said + "\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		x.choice.now = time.Now().UnixNano()
		x.readSticky()
		x.target = p.active[0]
		value := string(x.oursValue())
		attributes := value[len("route=")+tokenText:]
		want := "; Path=/; HttpOnly; SameSite=Lax; Max-Age=90"
		if c.want {
			want += "; Secure"
		}
		if attributes != want || !strings.HasPrefix(value, "route=") {
			t.Errorf("%+v: %q", c, value)
		}
	}
}

// The session's member is asked first, as long as it can be used; else the balancer decides.
func TestSticky_Picks(t *testing.T) {
	t.Parallel()
	spec := AffinitySpec{Mode: AffinityApplication, DrainWindow: 10 * time.Second}
	p := stickyPool(t, spec, [][]byte{secretA}, "d", "m1", "m2", "m3")
	now := time.Now()
	both := "JSESSIONID=a." + p.tokenOf("m2", now) + "; elb_route=" + p.tokenOf("m3", now)
	x := stickyRequest(t, p, both)
	for range 5 {
		if got := idOf(x.pick()); got != "m2" {
			t.Fatalf("the session's member is m2, and %s was asked", got)
		}
	}
	x.choice.tried = append(x.choice.tried, p.active[1])
	if got := idOf(x.pick()); got != "m3" {
		t.Errorf("m2 was tried, our cookie names m3, and %s was asked", got)
	}
	x.choice.tried = append(x.choice.tried, p.active[2])
	if got := idOf(x.pick()); got != "m1" {
		t.Errorf("m2 and m3 were tried, and %s was asked", got)
	}
	x.choice.tried = append(x.choice.tried, p.active[0])
	if got := idOf(x.pick()); got != "" {
		t.Errorf("all were tried, and %s was asked", got)
	}

	if !p.eject(p.active[1], now.UnixNano(), now.UnixNano()) {
		t.Fatal("not ejected")
	}
	x = stickyRequest(t, p, "JSESSIONID=a."+p.tokenOf("m2", now))
	for range 5 {
		x.choice.resort = resortAnybody // an attempt before this one was
		if got := idOf(x.pick()); got == "m2" || got == "" {
			t.Errorf("m2 is ejected, and %q was asked", got)
		}
	}
}

// What the checks say counts for sessions too, but for a member that was not checked yet, and one that says itself that it is not ready.
func TestSticky_HeedsTheChecks(t *testing.T) {
	t.Parallel()
	spec := AffinitySpec{Mode: AffinityCookie, DrainWindow: time.Minute}
	for _, c := range []struct {
		verdict           int32
		draining, suspect bool
		want              string
	}{
		{verdictUp, false, false, "m1"},
		{verdictUnproven, false, false, "m1"},
		{verdictUnready, false, false, "m2"},
		{verdictDead, false, false, "m2"},
		{verdictUp, true, false, "m1"},
		{verdictUnready, true, false, "m1"},
		{verdictDead, true, false, "m2"},
		{verdictUp, false, true, "m1"},
		{verdictDead, false, true, "m2"},
	} {
		routes := newRoutes(t, []PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"app.example"}, Affinity: spec}})
		proxy, err := New(Config{Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		members := stickyMembers("d", []string{"m1", "m2"})
		members[0].Draining, members[0].Suspect = c.draining, c.suspect
		proxy.Use(NewTable(routes, members))
		p := proven(proxy.table.Load().pools[0])
		for _, target := range p.all() {
			if target.Member.ID == "m1" {
				target.health.verdict.Store(c.verdict)
			}
		}
		for range 4 {
			x := stickyRequest(t, p, "elb_route="+p.tokenOf("m1", time.Now()))
			if got := idOf(x.pick()); got != c.want {
				t.Errorf("%+v: %s", c, got)
			}
		}
		proxy.Close()
	}
}

// Sessions follow a member that drains for the window, counted from when it was first seen to drain.
func TestSticky_FollowsADrainingMember(t *testing.T) {
	t.Parallel()
	spec := AffinitySpec{Mode: AffinityCookie, DrainWindow: 10 * time.Second}
	routes := newRoutes(t, []PoolSpec{{Domain: "d", Tenants: everybody(t), Hosts: []string{"app.example"}, Affinity: spec}})
	proxy := newProxy(t, Config{Routes: routes})
	members := stickyMembers("d", []string{"m1", "m2"})
	use := func() *Pool {
		proxy.Use(NewTable(routes, members))
		return proxy.table.Load().pools[0]
	}
	cookie := "elb_route=" + use().tokenOf("m1", time.Now())
	members[0].Draining = true
	began := time.Now()
	use()
	pool := use() // a further table does not begin the window anew
	drains := pool.draining[0].drains
	if drains < began.UnixNano() || drains != use().draining[0].drains {
		t.Errorf("drains since %d, began at %d", drains, began.UnixNano())
	}
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{0, "m1"}, {9 * time.Second, "m1"}, {10 * time.Second, "m2"}, {time.Hour, "m2"}} {
		x := stickyRequest(t, pool, cookie)
		x.choice.now = drains + int64(c.after)
		x.target = x.pick()
		if got := idOf(x.target); got != c.want || x.issues() != (c.want == "m2") {
			t.Errorf("after %s: %s, new cookie %t", c.after, got, x.issues())
		}
	}
	if got := idOf(stickyRequest(t, pool, "a=1").pick()); got != "m2" {
		t.Errorf("a new session went to %s, which drains", got)
	}
	members[0].Draining = false
	if got := idOf(stickyRequest(t, use(), cookie).pick()); got != "m1" {
		t.Errorf("m1 is back, and %s was asked", got)
	}
}
