package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

// hostile are texts that would break out of a page that does not escape.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`</textarea></pre></title><script>alert(1)</script>`,
	`{{.User}}' onmouseover='alert(1)`,
	`javascript:alert(1)`,
}

// TestPages_EscapeEverything puts markup wherever a user may write and checks that it stays text.
func TestPages_EscapeEverything(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	const p registry.Path = "/_system/governance/hostile.html"
	for _, text := range hostile {
		_, err := s.service.Put(t.Context(), s.admin, registry.PutInput{
			Path: p, Body: strings.NewReader(text), MediaType: "text/html", Description: &text, Properties: registry.Properties{text: {text, text}},
		})
		must(t, err)
		for _, r := range []reply{
			b.get("/console/browse/_system/governance"),
			b.get("/console/resource" + string(p)),
			b.get("/console/details" + string(p)),
			b.get("/console/properties" + string(p)),
			b.get("/console/property" + string(p) + "?name=" + url.QueryEscape(text)),
			b.get("/console/describe" + string(p)),
			b.get("/console/edit" + string(p)),
			b.post("/console/edit"+string(p), "etag", `"stale"`, "newlines", "lf", "text", text),
			b.post("/console/new-text/_system/governance", "name", text, "description", text, "media_type", text, "text", text),
			b.post("/console/new-collection/_system/governance", "name", text, "description", text),
			b.upload("/console/upload/_system/governance", "x", "x", "name", text, "media_type", text, "description", text),
			b.post("/console/move"+string(p), "etag", `"stale"`, "new_path", text),
			b.post("/console/new-link/_system/governance", "name", text, "target", text),
			b.get("/console/go?to=" + url.QueryEscape(text)),
			b.get("/console/browse/" + url.PathEscape(text)),
			b.get("/console/browse/_system/governance?cursor=" + url.QueryEscape(text)),
			b.get("/console/browse/_system/governance?note=" + url.QueryEscape(text)),
			s.visitor().post("/console/sign-in", "user", text, "password", "x", "next", text),
			s.visitor().post("/console/edit"+string(p), text, text, "text", text),
			s.visitor().get("/console/sign-in?next=" + url.QueryEscape(text)),
		} {
			doc := r.doc()
			checkNothingInline(t, doc)
			checkWellFormed(t, r.body)
			for n := range doc.Descendants() {
				if n.Type == html.ElementNode && n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/console/static/") {
					t.Errorf("%s has a script of somebody else", r.Request.URL)
				}
			}
		}
	}
	// The text itself is all there.
	last := hostile[len(hostile)-1]
	b.get("/console/resource" + string(p)).wantText(last)
	if got := b.get("/console/edit" + string(p)).field("text"); got != last {
		t.Errorf("the edit form has %q", got)
	}
}

// TestPages_PathsWithOddNames goes through every operation on names that need escaping in an address.
func TestPages_PathsWithOddNames(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, name := range []string{"with space.txt", "what?.txt", "this & that.txt", "ünï cödé 漢字 🎩.txt", "(a) [b] $c:d`e.txt", "über?x&y z"} {
		p := registry.Path("/_system/governance/odd ?&/" + name)
		s.put(p, "text/plain", "one")
		s.put(p, "text/plain", "two")
		escaped := "/_system/governance/odd%20%3F&/" + url.PathEscape(name)
		for _, op := range []string{"resource", "details", "properties", "versions", "edit", "upload", "delete", "describe", "property"} {
			b.get("/console/" + op + escaped).wantStatus(http.StatusOK).wantText(name)
		}
		b.get("/console/browse" + escaped).wantRedirect("/console/resource" + escaped)
		b.post("/console/edit"+escaped, "etag", s.get(p).ETag(), "newlines", "lf", "text", "three").wantRedirect("/console/resource" + escaped + "?note=saved")
		r := b.get("/console/download" + escaped + "?version=2").wantStatus(http.StatusOK)
		if r.body != "two" {
			t.Errorf("%s: version 2 is %q", name, r.body)
		}
		list := b.get("/console/browse/_system/governance/odd%20%3F&").wantText(name)
		if !list.hasLink("/console/resource" + escaped) {
			t.Errorf("no link to %s", escaped)
		}
		b.get("/console/go?to=" + url.QueryEscape(string(p))).wantRedirect("/console/resource" + escaped)
	}
}

func TestGuard_RefusesBadPaths(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, path := range []string{"a/../b", "a/./b", "a//b", "%2e%2e", "a/%2E%2e/b", "a%00b", "a%25b", "a+b", "a;b", "a%3Cb", "%ff", strings.Repeat("x", 256), strings.Repeat("a/", 257) + "a"} {
		b.get("/console/browse/" + path).wantStatus(http.StatusBadRequest).wantText(testRequestID)
		b.post("/console/new-collection/"+path, "name", "x").wantStatus(http.StatusBadRequest)
	}
}

func TestDownload_RunsNothing(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put("/_system/governance/page ü.html", "", "<script>alert(1)</script>")
	s.put("/_system/governance/logo.svg", "", "<svg/>")
	html := b.get("/console/download/_system/governance/page%20%C3%BC.html?inline=1").wantStatus(http.StatusOK)
	if got := html.Header.Get("Content-Disposition"); got != "attachment; filename*=utf-8''page%20%C3%BC.html" {
		t.Errorf("Content-Disposition %q", got)
	}
	svg := b.get("/console/download/_system/governance/logo.svg?inline=1").wantStatus(http.StatusOK)
	if got := svg.Header.Get("Content-Disposition"); got != "inline; filename=logo.svg" {
		t.Errorf("Content-Disposition %q", got)
	}
	for _, r := range []reply{html, svg} {
		if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "sandbox") {
			t.Errorf("Content-Security-Policy %q", csp)
		}
	}
	b.header.Set("Range", "bytes=0-6")
	if r := b.get("/console/download/_system/governance/page%20%C3%BC.html").wantStatus(http.StatusPartialContent); r.body != "<script" {
		t.Errorf("range gives %q", r.body)
	}
	s.visitor().get("/console/download/_system/governance/logo.svg").wantStatus(http.StatusSeeOther)
}
