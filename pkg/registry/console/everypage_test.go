package console_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// own are the pages that speak of nobody else but their reader.
var own = map[string]bool{
	"/console/{$}": true, "/console/go": true, "/console/suggest": true, "/console/tags": true, "/console/shortcuts": true, "/console/account/display": true, "/console/permissions-of": true, "/console/starred": true, "/console/tagged": true, "/console/account": true, "/console/account/profile": true,
	"/console/search": true, "/console/save-search": true, "/console/forget-search": true,
	"/console/account/token": true, "/console/account/revoke-token": true, "/console/account/end-session": true, "/console/account/password": true,
}

// At no page does anybody learn anything of what they may not see.
func TestEveryPage_TellsNothing(t *testing.T) {
	s := newSite(t)
	const tree, doc, open = registry.Path("/_system/governance/mark-tree"), registry.Path("/_system/governance/mark-tree/mark-doc"), "/_system/config/open.txt"
	ctx := t.Context()
	s.put(open, "", "x")
	s.put(doc, "text/plain", "mark-content")
	s.put(doc, "text/plain", "mark-content two")
	s.put(tree+"/mark-gone", "", "x")
	gone := s.get(tree + "/mark-gone").ID
	_, err := s.service.Delete(ctx, s.admin, tree+"/mark-gone", registry.Precondition{})
	must(t, err)
	s.discuss(doc, tree)
	_, err = s.service.AddTags(ctx, s.admin, doc, []string{"mark-tag"})
	must(t, err)
	_, err = s.service.SetCheckpoint(ctx, s.admin, registry.CheckpointInput{Path: tree, Name: "mark-point", Comment: "mark-comment"})
	must(t, err)
	_, err = s.service.SetRetention(ctx, s.admin, registry.RetentionInput{Path: tree, Rule: registry.Retention{KeepLast: 1000}})
	must(t, err)
	admin := s.signedIn()
	admin.post("/console/webhooks", "name", "mark-hook", "url", "https://mark.example/", "path", tree.String()).wantStatus(200)
	admin.post("/console/roles", "do", "create", "name", "mark-role").wantRedirect("/console/roles?note=role-created")
	s.newUser("mark-user", "mark-role")
	s.newUser("joe")
	admin.post("/console/permissions/").wantRedirect("/console/permissions/?note=permissions-saved") // nobody may do anything

	source, err := os.ReadFile("routes.go")
	must(t, err)
	pages := regexp.MustCompile(`page\("(GET|POST) (/console/[^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(pages) < 60 {
		t.Fatalf("found only %d pages", len(pages))
	}
	before := s.get(doc).ETag()
	nobody, joe := s.visitor(), s.signedInAs("joe")
	form := []string{
		"text", "x", "newlines", "lf", "name", "mark-user", "new_path", "/_system/config/new", "id", gone.String(), "tags", "x", "tag", "mark-tag", "all", "1", "rating", "3",
		"type", "depends", "target", open, "version", "1", "value", "x", "old_name", "x", "media_type", "text/plain", "password", adminPassword, "right", "read", "days", "3",
		"role", "admin", "do", "save", "checkpoint", "mine", "keep_last", "1", "read:everyone", "allow",
	}
	marks := regexp.MustCompile(`mark-[a-z]+`)
	for _, p := range pages {
		method, pattern := p[1], p[2]
		for _, path := range []registry.Path{doc, tree, tree + "/none", "/_system"} {
			address := strings.TrimSuffix(pattern, "/{path...}")
			if address == pattern && path != doc {
				continue
			}
			if address != pattern {
				address += path.String()
			}
			address = strings.TrimSuffix(address, "{$}")
			if method == "GET" && address != "/console/go" {
				address += "?version=1&name=mark-user&id=" + s.comment + "&tag=mark-tag&at=1"
			}
			if address, ok := strings.CutPrefix(address, "/console/search?"); ok && method == "GET" {
				joe.get("/console/search?q=kind:resource+OR+kind:collection+OR+mark&" + address).wantText("Nothing that you may see was found.")
			}
			if address == "/console/go" {
				address += "?path=" + url.QueryEscape(doc.String())
			}
			form := form
			if strings.Contains(pattern, "-comment/") {
				form = append([]string{"id", s.comment}, form...)
			}
			ask := func(b *browser) reply {
				if method == "GET" {
					return b.get(address)
				}
				if strings.HasPrefix(pattern, "/console/upload/") {
					return b.upload(address, "mine.txt", "x", form...)
				}
				return b.post(address, form...)
			}
			anonymous, answer := ask(nobody), ask(joe)
			if status := anonymous.StatusCode; status != http.StatusUnauthorized && status != http.StatusSeeOther {
				t.Errorf("nobody: %s %s: %d", method, address, status)
			}
			refused := answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusNotFound && address == pattern
			if !refused && !own[pattern] {
				t.Errorf("joe: %s %s: %d %s", method, address, answer.StatusCode, answer.text())
			}
			for who, r := range map[string]reply{"nobody": anonymous, "joe": answer} {
				text, err := url.PathUnescape(strings.ReplaceAll(r.body, "%", "%25"))
				must(t, err)
				for _, said := range []string{path.String(), "mark-user", "mark-tag"} { // what the request itself names
					text = strings.ReplaceAll(strings.ReplaceAll(text, said, ""), url.QueryEscape(said), "")
				}
				if found := marks.FindAllString(text, -1); found != nil {
					t.Errorf("%s: %s %s tells %q", who, method, address, found)
				}
			}
		}
	}
	if got := s.get(doc).ETag(); got != before || s.content(doc) != "mark-content two" {
		t.Errorf("the resource was changed: %s, before %s", got, before)
	}
	trash, err := s.service.Trash(ctx, s.admin, tree, "", 0)
	if err != nil || len(trash.Entries) != 1 {
		t.Errorf("the trash has %v: %v", trash.Entries, err)
	}
}
