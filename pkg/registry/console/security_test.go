package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// checkPolicy checks the Content-Security-Policy of an answer: pages and everything around them have the strict one, contents of users one under
// which they can run nothing.
func checkPolicy(t *testing.T, r reply) {
	t.Helper()
	where := r.Request.Method + " " + r.Request.URL.String()
	all := r.Header.Values("Content-Security-Policy")
	if len(all) != 1 {
		t.Errorf("%s has %d policies", where, len(all))
		return
	}
	policy := map[string]string{}
	for directive := range strings.SplitSeq(all[0], ";") {
		name, sources, _ := strings.Cut(strings.TrimSpace(directive), " ")
		policy[name] = sources
	}
	want := map[string]string{
		"default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "img-src": "'self'", "connect-src": "'self'", "form-action": "'self'",
		"object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'",
	}
	if strings.HasPrefix(r.Request.URL.Path, "/console/download/") && r.StatusCode == http.StatusOK {
		if _, sandboxed := policy["sandbox"]; policy["default-src"] != "'none'" || policy["script-src"] != "" || policy["sandbox"] != "" || !sandboxed && r.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("%s: a content of users has the policy %q", where, all[0])
		}
		checkFrames(t, r, policy)
		if shown := strings.HasPrefix(r.Header.Get("Content-Disposition"), "inline"); !shown && len(policy["style-src"]) > 0 {
			t.Errorf("%s: a download has the policy %q", where, all[0])
		}
		for _, name := range []string{"form-action", "base-uri"} {
			if policy[name] != "'none'" {
				t.Errorf("%s: %s is %q", where, name, policy[name])
			}
		}
		return
	}
	checkFrames(t, r, policy)
	delete(policy, "frame-src") // looked at below
	for name, sources := range want {
		if policy[name] != sources {
			t.Errorf("%s: %s is %q, want %q", where, name, policy[name], sources)
		}
	}
	if len(policy) != len(want) || strings.Contains(all[0], "unsafe") || strings.Contains(all[0], "*") || strings.Contains(all[0], "frame-src") && !strings.Contains(all[0], "frame-src 'self'") {
		t.Errorf("%s: policy %q", where, all[0])
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", where, name, got, want)
		}
	}
}

// checkFrames checks that both headers say the same of who may show the answer in a frame: nobody, or the console itself where it shows a content.
func checkFrames(t *testing.T, r reply, policy map[string]string) {
	t.Helper()
	want := map[string]string{"'none'": "DENY", "'self'": "SAMEORIGIN"}[policy["frame-ancestors"]]
	if got := r.Header.Values("X-Frame-Options"); want == "" || len(got) != 1 || got[0] != want {
		t.Errorf("%s %s: X-Frame-Options %q beside frame-ancestors %q", r.Request.Method, r.Request.URL, got, policy["frame-ancestors"])
	}
}

// form fields with which most actions would do something.
func somethingToDo(etag string) []string {
	return []string{
		"text", "changed", "newlines", "lf", "name", "changed", "new_path", "/_system/config/changed", "tags", "changed", "tag", "payments", "all", "1", "rating", "1", "type", "depends",
		"target", "/_system/config", "version", "1", "value", "changed", "media_type", "text/plain", "password", "changed horse", "right", "read", "days", "3", "do", "create", "checkpoint", "changed",
		"keep_last", "1", "read:everyone", "allow", "label", "changed", "old", adminPassword, "new", "changed horse", "again", "changed horse", "full_name", "changed", "q", "changed", "description", "changed", "etag", etag,
	}
}

// state is what all pages say to the administrator: when nothing changed, the same.
func (s *site) state(b *browser, p registry.Path) string {
	s.t.Helper()
	gets, _ := routePatterns(s.t)
	var all strings.Builder
	for _, pattern := range gets {
		if r := b.get(addressOf(pattern, p)); strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") && !slices.Contains([]string{"/console/activity/{path...}", "/console/{$}"}, pattern) {
			all.WriteString(pattern + "\n" + r.text() + "\n")
		}
	}
	return all.String()
}

// Each answer has the policy: pages, files, downloads, redirects, errors, refusals, with a session and without.
func TestSecurity_PolicyOnEveryAnswer(t *testing.T) {
	s := newSite(t)
	s.put("/_system/governance/doc.svg", "", "<svg/>")
	s.put("/_system/governance/page.html", "text/html", "<p>hello")
	s.put("/_system/governance/paper.pdf", "application/pdf", "%PDF-1.4\n")
	b, nobody := s.signedIn(), s.visitor()
	gets, posts := routePatterns(t)
	addresses := []string{
		"/", "/carbon/", "/carbon/admin/index.jsp", "/console", "/console/none", "/console/browse/a/../b", "/console/browse/none", "/console/static/none/none", "/console/download/_system/governance/doc.svg?inline=1",
		"/console/download/_system/governance/page.html?inline=preview", "/console/download/_system/governance/page.html", "/console/download/_system/governance/paper.pdf?inline=1",
	}
	home := b.get("/console/")
	for n := range home.doc().Descendants() {
		for _, key := range []string{"href", "src"} {
			if address, _, _ := strings.Cut(attr(n, key), "#"); strings.HasPrefix(address, "/console/static/") {
				addresses = append(addresses, address)
			}
		}
	}
	for _, pattern := range gets {
		addresses = append(addresses, addressOf(pattern, "/_system/governance/doc.svg"), addressOf(pattern, "/_system/governance"))
	}
	statuses := map[int]int{}
	for _, who := range []*browser{b, nobody} {
		for _, address := range addresses {
			r := who.get(address)
			statuses[r.StatusCode]++
			checkPolicy(t, r)
			checkPolicy(t, who.do(http.MethodHead, address, "", nil))
			checkPolicy(t, who.do(http.MethodDelete, address, "", nil))
		}
		for _, pattern := range posts {
			if pattern != "/console/sign-out" {
				checkPolicy(t, who.post(addressOf(pattern, "/_system/governance/doc.svg")))
			}
		}
	}
	for _, status := range []int{200, 303, 400, 404} {
		if statuses[status] == 0 {
			t.Errorf("no answer with status %d was looked at: %v", status, statuses)
		}
	}
}

// A form that another site sends in the name of who is signed in changes nothing, whichever action it is for.
func TestSecurity_FormsOfOtherSitesChangeNothing(t *testing.T) {
	s := newSite(t)
	const doc, tree registry.Path = "/_system/governance/t/doc.txt", "/_system/governance/t"
	s.put(doc, "", "one")
	s.put(doc, "", "two")
	s.discuss(doc, tree)
	b := s.signedIn()
	before := s.state(b, doc)
	_, posts := routePatterns(t)
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {s.url}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {s.url}, "Sec-Fetch-Site": {"same-site"}},
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {""}},
		{"Origin": {"null"}, "Sec-Fetch-Site": {""}},
	} {
		b.header = header
		for _, pattern := range posts {
			for _, p := range []registry.Path{doc, tree} {
				r := b.post(addressOf(pattern, p), somethingToDo(s.get(p).ETag())...)
				if r.StatusCode != http.StatusForbidden || !strings.Contains(r.text(), "another site") {
					t.Errorf("%s with %v: status %d", r.Request.URL, header, r.StatusCode)
				}
				for _, ck := range r.Cookies() {
					t.Errorf("%s with %v sets %s", r.Request.URL, header, ck.Name)
				}
			}
		}
	}
	b.header = http.Header{}
	if after := s.state(b, doc); after != before {
		t.Errorf("something changed:\n%s", firstDifference(before, after))
	}
}

// Who has no session changes nothing: a form leads to the sign-in page, or comes back as a draft.
func TestSecurity_FormsWithoutSessionChangeNothing(t *testing.T) {
	s := newSite(t)
	const doc registry.Path = "/_system/governance/t/doc.txt"
	s.put(doc, "", "one")
	s.put(doc, "", "two")
	s.discuss(doc, "/_system/governance/t")
	b := s.signedIn()
	before := s.state(b, doc)
	_, posts := routePatterns(t)
	visitors := map[string]*browser{"nobody": s.visitor(), "a forged session": s.visitor()}
	visitors["a forged session"].header = http.Header{"Cookie": {"regent_session=" + strings.Repeat("A", 43)}}
	for who, v := range visitors {
		for _, pattern := range posts {
			if slices.Contains([]string{"/console/sign-in", "/console/sign-out", "/console/theme", "/console/zone"}, pattern) {
				continue // for everybody
			}
			r := v.post(addressOf(pattern, doc), somethingToDo(s.get(doc).ETag())...)
			leads := r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.Header.Get("Location"), "/console/sign-in")
			if draft := r.StatusCode == http.StatusUnauthorized && strings.Contains(r.text(), "Your session ended"); !leads && !draft {
				t.Errorf("%s: %s: status %d: %s", who, r.Request.URL, r.StatusCode, r.text())
			}
			if strings.Contains(r.body, "changed horse") {
				t.Errorf("%s: %s has a password in it", who, r.Request.URL)
			}
		}
	}
	if after := s.state(b, doc); after != before {
		t.Errorf("something changed:\n%s", firstDifference(before, after))
	}
}

func firstDifference(a, b string) string {
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			return "before: " + before[i] + "\nafter: " + after[i]
		}
	}
	return "more or fewer pages"
}

// A session that somebody planted in a browser is not adopted, and each sign-in makes a new one; its cookie is out of reach of script and others.
func TestSecurity_SessionsAreNotFixed(t *testing.T) {
	s := newSite(t)
	for scheme, name := range map[string]string{"http": "regent_session", "https": "__Host-regent_session"} {
		v := s.visitor()
		planted := s.signedInAs(adminName) // the attacker's own, which is good
		base, err := url.Parse(s.url)
		must(t, err)
		token := planted.client.Jar.Cookies(base)[0].Value
		seen := map[string]bool{token: true}
		for range 3 {
			v.header = http.Header{"X-Test-Scheme": {scheme}, "Cookie": {name + "=" + token}}
			r := v.post("/console/sign-in", "user", adminName, "password", adminPassword).wantStatus(http.StatusSeeOther)
			for _, ck := range r.Cookies() {
				if ck.Name != name || ck.Path != "/" || !ck.HttpOnly || ck.SameSite != http.SameSiteLaxMode || ck.Domain != "" || ck.Secure != (scheme == "https") {
					t.Errorf("%s: cookie %s", scheme, ck)
				}
				if seen[ck.Value] {
					t.Errorf("%s: a session was used again", scheme)
				}
				seen[ck.Value], token = true, ck.Value
			}
		}
		if len(seen) != 4 {
			t.Errorf("%s: %d sessions", scheme, len(seen))
		}
	}
	for _, scheme := range []string{"http", "https"} {
		checkCookies(t, s, scheme)
	}
	theme := s.signedIn()
	theme.header.Set("X-Test-Scheme", "https")
	for _, ck := range theme.post("/console/theme", "theme", "dark").Cookies() {
		if !ck.HttpOnly || ck.SameSite == http.SameSiteDefaultMode || !ck.Secure || !strings.HasPrefix(ck.Name, "__Host-") {
			t.Errorf("cookie %s", ck)
		}
	}
	b := s.signedIn()
	b.get("/console/sign-out").wantStatus(http.StatusMethodNotAllowed)
	b.get("/console/account").wantStatus(http.StatusOK)
	b.post("/console/sign-out").wantRedirect("/console/sign-in?note=signed-out")
	b.get("/console/account").wantRedirect("/console/sign-in?next=%2Fconsole%2Faccount")
}

// checkCookies looks at each cookie that any page or form sets or takes back: out of reach of script, of other sites and of other hosts, and over HTTPS bound
// to it.
func checkCookies(t *testing.T, s *site, scheme string) {
	t.Helper()
	gets, posts := routePatterns(t)
	seen := map[string]int{}
	look := func(r reply) {
		for _, ck := range r.Cookies() {
			seen[strings.TrimPrefix(ck.Name, "__Host-")]++
			if !ck.HttpOnly || ck.SameSite != http.SameSiteLaxMode && ck.SameSite != http.SameSiteStrictMode || ck.Path != "/" || ck.Domain != "" ||
				ck.Secure != (scheme == "https") || strings.HasPrefix(ck.Name, "__Host-") != (scheme == "https") {
				t.Errorf("%s: %s %s sets %s", scheme, r.Request.Method, r.Request.URL, ck)
			}
		}
	}
	b := s.visitor()
	b.header.Set("X-Test-Scheme", scheme)
	const doc registry.Path = "/_system/governance/cookies.txt"
	look(b.post("/console/sign-in", "user", adminName, "password", adminPassword))
	for _, pattern := range gets {
		look(b.get(addressOf(pattern, doc)))
	}
	for _, pattern := range posts {
		look(b.post(addressOf(pattern, doc), "zone", "Europe/Berlin", "theme", "dark", "keys", "1"))
	}
	look(b.post("/console/sign-out"))
	if len(seen) < 3 {
		t.Errorf("%s: only these cookies were seen: %v", scheme, seen)
	}
}
