package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

// fill gives the fields of the page's first form that is sent to an address, with some of them set, as a browser would send them.
func (r reply) fill(action string, pairs ...string) string {
	r.t.Helper()
	form := url.Values{}
	for n := range r.doc().Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || attr(n, "action") != action {
			continue
		}
		for f := range n.Descendants() {
			switch {
			case f.Type != html.ElementNode || attr(f, "name") == "" || f.Data == "button" || attr(f, "type") == "radio":
			case f.Data == "textarea":
				text := ""
				if f.FirstChild != nil {
					text = f.FirstChild.Data
				}
				form.Add(attr(f, "name"), text)
			default:
				form.Add(attr(f, "name"), attr(f, "value"))
			}
		}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form.Encode()
	}
	r.t.Fatalf("%s has no form for %s", r.Request.URL, action)
	return ""
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
