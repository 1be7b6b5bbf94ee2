package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// fieldsOf gives what a browser would send of a form that nobody touched.
func fieldsOf(form *html.Node) url.Values {
	fields := url.Values{}
	for f := range form.Descendants() {
		switch {
		case f.Type != html.ElementNode || attr(f, "name") == "" || f.Data == "button" || attr(f, "type") == "radio":
		case f.Data == "textarea":
			text := ""
			if f.FirstChild != nil {
				text = f.FirstChild.Data
			}
			fields.Add(attr(f, "name"), text)
		default:
			fields.Add(attr(f, "name"), attr(f, "value"))
		}
	}
	return fields
}

// fill gives the fields of the page's first form that is sent to an address, with some of them set, as a browser would send them. Where there is one that makes
// something once, it is that.
func (r reply) fill(action string, pairs ...string) string {
	r.t.Helper()
	var form url.Values
	for n := range r.doc().Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || attr(n, "action") != action {
			continue
		}
		if fields := fieldsOf(n); form == nil || fields.Has("once") && !form.Has("once") {
			form = fields
		}
	}
	if form == nil {
		r.t.Fatalf("%s has no form for %s", r.Request.URL, action)
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form.Encode()
}

// A form with a text that comes twice - a double click, Reload, Send again - changes things once, and both answers are the same. Changed after Back, it is
// another request.
func TestForms_SentTwice(t *testing.T) {
	for _, c := range []struct {
		name, page, action, field string
		count                     func(s *site) int // of what the form makes
	}{
		{"comment", "community" + string(pay), "comment" + string(pay), "text", func(s *site) int {
			page, err := s.service.Comments(s.t.Context(), s.admin, pay, "", 0, registry.Freshness{})
			must(s.t, err)
			return len(page.Comments)
		}},
		{"edit", "edit" + string(pay), "edit" + string(pay), "text", versionOf(pay)},
		{"details", "describe" + string(pay), "describe" + string(pay), "description", versionOf(pay)},
		{"new property", "property" + string(pay), "property" + string(pay), "value", versionOf(pay)},
		{"new text", "new-text/_system/governance", "new-text/_system/governance", "text", versionOf("/_system/governance/made")},
		{"new collection", "new-collection/_system/governance", "new-collection/_system/governance", "description", versionOf("/_system/governance/made")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(pay, "", "one")
			b := s.signedIn()
			before := c.count(s)
			page := b.get("/console/" + c.page).wantStatus(http.StatusOK)
			send := func(text string) reply {
				pairs := []string{c.field, text}
				if strings.HasPrefix(c.name, "new") {
					pairs = append(pairs, "name", "made")
				}
				return b.do(http.MethodPost, "/console/"+c.action, "application/x-www-form-urlencoded", strings.NewReader(page.fill("/console/"+c.action, pairs...)))
			}
			first := send("mine").wantStatus(http.StatusSeeOther)
			send("mine").wantRedirect(first.Header.Get("Location"))
			if got := c.count(s); got != before+1 {
				t.Errorf("the form made %d things", got-before)
			}
			if c.name == "comment" {
				send("another, after Back").wantRedirect(first.Header.Get("Location"))
				if got := c.count(s); got != before+2 {
					t.Errorf("with the other there are %d comments more", got-before)
				}
				return
			}
			again := send("another, after Back")
			if again.StatusCode < 400 {
				t.Errorf("the stale form was taken: %d", again.StatusCode)
			}
			again.wantText("another, after Back")
		})
	}
}

func versionOf(p registry.Path) func(s *site) int {
	return func(s *site) int {
		res, err := s.service.Get(s.t.Context(), s.admin, p, registry.Freshness{})
		if registry.CodeOf(err) == registry.CodeNotFound {
			return 0
		}
		must(s.t, err)
		return int(res.Version)
	}
}

// When the session ends while somebody writes, the page that says so has all that was written, and sends it on after signing in.
func TestForms_SessionEndsMeanwhile(t *testing.T) {
	for _, c := range []struct{ name, page, action, field, shows string }{
		{"edit", "edit" + string(pay), "edit" + string(pay), "text", "resource" + string(pay)},
		{"comment", "community" + string(pay), "comment" + string(pay), "text", "community" + string(pay)},
		{"details", "describe" + string(pay), "describe" + string(pay), "description", "details" + string(pay)},
		{"property", "property" + string(pay), "property" + string(pay), "value", "properties" + string(pay)},
		{"new text", "new-text/_system/governance", "new-text/_system/governance", "text", "resource/_system/governance/made"},
		{"new collection", "new-collection/_system/governance", "new-collection/_system/governance", "description", "details/_system/governance/made"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(pay, "", "one")
			b := s.signedIn()
			const written = "what I wrote <b>"
			form := b.get("/console/"+c.page).fill("/console/"+c.action, c.field, written, "name", "made")
			b.post("/console/sign-out").wantStatus(http.StatusSeeOther)
			kept := b.do(http.MethodPost, "/console/"+c.action, "application/x-www-form-urlencoded", strings.NewReader(form)).
				wantStatus(http.StatusUnauthorized).wantText("nothing is lost", written)
			b.post("/console/sign-in", "user", adminName, "password", adminPassword).wantStatus(http.StatusSeeOther)
			b.do(http.MethodPost, "/console/"+c.action, "application/x-www-form-urlencoded", strings.NewReader(kept.fill("/console/"+c.action))).wantStatus(http.StatusSeeOther)
			b.get("/console/" + c.shows).wantStatus(http.StatusOK).wantText(written)
		})
	}
}

// notOnce are the actions whose forms may be sent twice as they are, and why. All others make something each time they are asked, so their forms ask for it
// once.
var notOnce = map[string]string{
	"/console/sign-in": "another session for the same user ends with the others", "/console/sign-out": "nothing is left to end",
	"/console/theme": "sets", "/console/zone": "sets", "/console/account/display": "sets", "/console/log-level": "sets", "/console/star/{path...}": "sets", "/console/rate/{path...}": "sets",
	"/console/retention/{path...}": "sets", "/console/permissions/{path...}": "sets", "/console/save-search": "sets what has this name", "/console/label/{path...}": "sets what has this name",
	"/console/tag/{path...}": "a tag is there or not", "/console/untag/{path...}": "a tag is there or not",
	"/console/forget-search": "removes", "/console/delete/{path...}": "removes", "/console/purge/{path...}": "removes", "/console/remove-property/{path...}": "removes, by etag",
	"/console/delete-comment/{path...}": "removes", "/console/dissociate/{path...}": "removes", "/console/account/revoke-token": "removes", "/console/account/end-session": "removes",
	"/console/undelete/{path...}": "nothing is left to bring back", "/console/restore-tree/{path...}": "nothing is left to change",
	"/console/selection/{path...}": "goes to free names", "/console/user": "by etag", "/console/account/profile": "by etag", "/console/account/password": "the old one is needed",
	"/console/webhook": "changes, by etag, or makes a new secret", "/console/backup": "a download", "/console/drain": "sets", "/console/run-job": "a job that runs is not started again",
}

// Each form that makes something has a field of its own that makes it happen once.
func TestForms_OnceWhereTheyMake(t *testing.T) {
	_, posts := routePatterns(t)
	mux, seen := http.NewServeMux(), map[string]int{}
	for _, pattern := range posts {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	values := map[string]bool{}
	s := newSite(t, func(c *console.Config) { c.FetchHosts = []string{"example.com"} })
	pages := everyPage(t, s)
	b := s.signedIn()
	pages = append(pages, page{reply: b.get("/console/new-from-url/_system/governance")}, page{reply: b.get("/console/webhooks")}, page{reply: b.get("/console/checkpoints/_system/governance")})
	for _, p := range pages {
		for n := range p.reply.doc().Descendants() {
			if n.Type != html.ElementNode || n.Data != "form" || attr(n, "method") != "post" || p.reply.StatusCode == http.StatusUnauthorized {
				continue
			}
			r, err := http.NewRequest(http.MethodPost, attr(n, "action"), nil)
			must(t, err)
			_, pattern := mux.Handler(r)
			once := fieldsOf(n).Get("once")
			switch reason := notOnce[pattern]; {
			case reason != "":
				if once != "" {
					t.Errorf("%s: the form for %s is taken once; it is said not to need that: %s", p.reply.Request.URL, pattern, reason)
				}
			case once != "":
				seen[pattern]++
				if values[once] {
					t.Errorf("%s: two forms have the same field", p.reply.Request.URL)
				}
				values[once] = true
			case pattern == "/console/roles" && fieldsOf(n).Has("role"), pattern == "/console/checkpoint/{path...}" && attrOfButton(n, "value") == "remove":
			default:
				t.Errorf("%s: the form for %s would make its thing each time that it is sent", p.reply.Request.URL, pattern)
			}
		}
	}
	for _, pattern := range posts {
		if notOnce[pattern] == "" && seen[pattern] == 0 {
			t.Errorf("no form for %s was seen", pattern)
		}
	}
}

func attrOfButton(form *html.Node, key string) string {
	for n := range form.Descendants() {
		if n.Data == "button" {
			return attr(n, key)
		}
	}
	return ""
}

// Forms that make something new, sent twice: one thing is made, and the second answer is the first where that can be told again.
func TestForms_MakeOnce(t *testing.T) {
	for _, c := range []struct {
		name, page, action string
		fields             []string
		second             int // the status of the second answer
		count              func(t *testing.T, s *site) int
	}{
		{"link", "new-link/_system/governance", "new-link/_system/governance", []string{"name", "made", "target", string(pay)}, http.StatusSeeOther, nil},
		{"copy", "move" + string(pay), "move" + string(pay), []string{"new_path", "/_system/governance/made", "do", "copy"}, http.StatusSeeOther, nil},
		{"restored version", "restore" + string(pay) + "?version=1", "restore" + string(pay), nil, http.StatusSeeOther, func(t *testing.T, s *site) int { return versionOf(pay)(s) - 2 }},
		{"association", "associations" + string(pay), "associate" + string(pay), []string{"type", "depends", "target", "/_system/config"}, http.StatusSeeOther, func(t *testing.T, s *site) int {
			page, err := s.service.Associations(t.Context(), s.admin, registry.AssociationsInput{Path: pay}, registry.Freshness{})
			must(t, err)
			return len(page.Associations)
		}},
		{"checkpoint", "checkpoints/_system/governance", "checkpoint/_system/governance", []string{"checkpoint", "made"}, http.StatusSeeOther, func(t *testing.T, s *site) int {
			list, err := s.checkpointsOf(t, "/_system/governance")
			must(t, err)
			return len(list)
		}},
		{"user", "users", "users", []string{"name", "made", "password", "correct horse battery"}, http.StatusSeeOther, func(t *testing.T, s *site) int {
			list, _, err := s.auth.Users(t.Context(), s.admin, "", 10)
			must(t, err)
			return len(list) - 1
		}},
		{"role", "roles", "roles", []string{"name", "made", "do", "create"}, http.StatusSeeOther, func(t *testing.T, s *site) int {
			list, err := s.auth.Roles(t.Context(), s.admin)
			must(t, err)
			return len(list)
		}},
		{"token", "account", "account/token", []string{"name", "made", "right", "read", "days", "3"}, http.StatusConflict, func(t *testing.T, s *site) int {
			return strings.Count(s.signedIn().get("/console/account").body, `action="/console/account/revoke-token"`)
		}},
		{"webhook", "webhooks", "webhooks", []string{"name", "made", "url", "https://good.example/", "path", "/_system/config"}, http.StatusConflict, func(t *testing.T, s *site) int {
			list, err := s.service.Webhooks(t.Context(), s.admin)
			must(t, err)
			return len(list)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.put(pay, "", "one")
			s.put(pay, "", "two")
			b := s.signedIn()
			made := c.count
			if made == nil {
				made = func(_ *testing.T, s *site) int { return min(versionOf("/_system/governance/made")(s), 1) }
			}
			before := made(t, s)
			form := b.get("/console/"+c.page).wantStatus(http.StatusOK).fill("/console/"+c.action, c.fields...)
			send := func() reply {
				return b.do(http.MethodPost, "/console/"+c.action, "application/x-www-form-urlencoded", strings.NewReader(form))
			}
			first := send()
			if first.StatusCode >= 400 {
				t.Fatalf("status %d: %s", first.StatusCode, first.text())
			}
			second := send().wantStatus(c.second)
			if c.second == http.StatusSeeOther {
				second.wantRedirect(first.Header.Get("Location"))
			} else {
				second.wantText("already")
			}
			if got := made(t, s) - before; got != 1 {
				t.Errorf("the form made %d things", got)
			}
		})
	}
}

// The same of files: one that comes twice is told as stored both times, and another one under the same form is not taken for it.
func TestUpload_SentTwice(t *testing.T) {
	s := newSite(t)
	s.put(shelf+"/old.txt", "", "old")
	b := s.signedIn()
	const in = "/console/upload" + string(shelf)
	page := b.get(in)
	fields := func(more ...string) []string { return append([]string{"once", page.field("once")}, more...) }
	for range 2 {
		b.files(in, fields(), "one.txt", "1").wantRedirect("/console/resource" + string(shelf) + "/one.txt?note=uploaded")
		b.files(in, fields(), "one.txt", "1", "two.txt", "2").wantStatus(http.StatusOK).wantText("two.txt")
	}
	if n := versionOf(shelf + "/one.txt")(s); n != 1 {
		t.Errorf("it has %d versions", n)
	}
	b.files(in, fields(), "one.txt", "another").wantStatus(http.StatusPreconditionFailed).wantText("exists already")
	b.files(in, fields("replace", "1"), "one.txt", "another").wantStatus(http.StatusSeeOther)
	b.files(in, fields("replace", "1"), "one.txt", "and another").wantStatus(http.StatusSeeOther)
	if got := s.content(shelf + "/one.txt"); got != "and another" {
		t.Errorf("stored %q", got)
	}

	next := "/console/upload" + string(shelf) + "/old.txt"
	page = b.get(next)
	version := []string{"once", page.field("once"), "etag", page.field("etag")}
	for range 2 {
		b.files(next, version, "new.txt", "new").wantStatus(http.StatusSeeOther)
	}
	if n := versionOf(shelf + "/old.txt")(s); n != 2 || s.content(shelf+"/old.txt") != "new" {
		t.Errorf("it has %d versions", n)
	}
	b.files(next, version, "new.txt", "newer").wantStatus(http.StatusPreconditionFailed)
}
