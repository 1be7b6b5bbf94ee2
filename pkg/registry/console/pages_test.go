package console_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

var update = flag.Bool("update", false, "write the golden files")

// page is one page of the console, as some visitor gets it.
type page struct {
	name   string // of the golden file
	status int
	reply  reply
}

// everyPage visits every page that the console has, in every shape that differs.
func everyPage(t *testing.T, s *site) []page {
	t.Helper()
	const apis = "/_system/governance/apis"
	const yaml = apis + "/openapi.yaml"
	s.put(yaml, "", "openapi: 3.1.0\ninfo:\n  title: Pay\n")
	s.put(yaml, "", "openapi: 3.1.0\ninfo:\n  title: Pay & more\n")
	described := "Payments API"
	_, err := s.service.UpdateMeta(t.Context(), s.admin, registry.MetaInput{
		Path: yaml, Description: &described, Properties: registry.Properties{"owner": {"payments"}, "reviewers": {"ann", "joe"}, "blank": {""}},
		Comment: "Say who <b>owns</b> it",
	})
	must(t, err)
	_, err = s.service.SetLabel(t.Context(), s.admin, registry.LabelInput{Path: yaml, Name: "prod", Version: 2})
	must(t, err)
	s.put(apis+"/logo.svg", "", "<svg/>")
	s.put(apis+"/client.jar", "", "PK\x03\x04\x00\xff")
	s.put(apis+"/empty.txt", "", "")
	s.put(apis+"/long.txt", "", lines(12_000))
	s.put("/_system/local/note.txt", "", "of this node\n")
	_, err = s.service.CreateCollection(t.Context(), s.admin, registry.CollectionInput{Path: "/_system/config/empty"})
	must(t, err)
	_, err = s.service.Put(t.Context(), s.admin, registry.PutInput{Path: "/_system/config/gone.txt", Body: strings.NewReader("deleted")})
	must(t, err)
	_, err = s.service.Delete(t.Context(), s.admin, "/_system/config/gone.txt", registry.Precondition{})
	must(t, err)
	const links = "/_system/config/links"
	for _, link := range [][2]registry.Path{{links + "/pay", yaml}, {links + "/circle/1", links + "/circle/2"}, {links + "/circle/2", links + "/circle/1"}} {
		_, err = s.service.Link(t.Context(), s.admin, registry.LinkInput{Path: link[0], Target: link[1]})
		must(t, err)
	}

	s.members = []console.Member{
		{ID: "01B", Name: "node-2", Domain: "wso2.governance.domain", SubDomain: "mgt", Host: "127.0.0.1", MemberPort: 4251, HTTPPort: 9765, HTTPSPort: 9445, State: "draining", Since: s.clock.Now().Add(-time.Minute), Started: s.clock.Now().Add(-time.Hour), Version: "1.2.2", Facts: &console.MemberFacts{
			At: s.clock.Now(), PerSecond: 12.34, InFlight: 3, Heap: 96 << 20, Heads: map[string]int64{"shared": 12_300}, Down: []string{"other"}, Worst: registry.SeverityWarning, Finding: "3s <b>behind</b>",
			DrainedBy: "ann", DrainedAt: s.clock.Now().Add(-time.Minute),
			Jobs: []console.JobState{
				{Name: "retention", Began: s.clock.Now().Add(-time.Minute), Ended: s.clock.Now().Add(-time.Hour), Running: true},
				{Name: "sweep", Store: "shared", Began: s.clock.Now().Add(-time.Hour), Ended: s.clock.Now().Add(-time.Hour + time.Second), Result: "no <space>", Failed: true},
			},
		}},
		{ID: "01A", Name: "node-1", Domain: "wso2.governance.domain", SubDomain: "mgt", Host: "127.0.0.1", MemberPort: 4250, HTTPPort: 9764, HTTPSPort: 9444, State: "active", Since: s.clock.Now().Add(-5 * time.Hour), Version: "1.2.3", Self: true, Facts: &console.MemberFacts{
			At: s.clock.Now().Add(-time.Second), Heads: map[string]int64{"shared": 12_345}, Worst: registry.SeverityOK,
			Jobs: []console.JobState{{Name: "retention", Next: s.clock.Now().Add(time.Hour), Result: "shared: removed 3 versions, 1 contents", Began: s.clock.Now().Add(-time.Hour), Ended: s.clock.Now().Add(-time.Hour + 1500*time.Millisecond)}},
		}},
		{ID: "01C", Name: "elb", Domain: "wso2.governance.domain", Host: "127.0.0.1", MemberPort: 4321, State: "active", Since: s.clock.Now().Add(-5 * time.Hour), Balancer: true},
	}

	s.discuss(yaml, apis)
	for _, pair := range [][]string{{"name", "keepers", "description", "Keep <things>", "grant", "view_server", "do", "create"}} {
		s.signedIn().post("/console/roles", pair...).wantRedirect("/console/roles?note=role-created")
	}
	s.signedIn().post("/console/users", "name", "joe", "password", adminPassword, "full_name", "Joe <b>", "email", "joe@example.org").
		wantRedirect("/console/users?note=user-created")
	s.signedIn().post("/console/permissions"+apis, "read:everyone", "allow", "write:keepers", "allow", "delete:keepers", "deny").
		wantRedirect("/console/permissions" + apis + "?note=permissions-saved")
	point, err := s.service.SetCheckpoint(t.Context(), s.admin, registry.CheckpointInput{Path: apis, Name: "v1", Comment: "as <b>released</b>"})
	must(t, err)
	then := fmt.Sprintf("%s:%d", point.Seq.Store, point.Seq.N)
	s.put(apis+"/late.txt", "", "late")
	s.put(apis+"/client.jar", "", "PK\x03\x04\x00\xff\xff")
	_, err = s.service.SetRetention(t.Context(), s.admin, registry.RetentionInput{Path: "/_system/governance", Rule: registry.Retention{KeepLast: 5, KeepDays: 30}})
	must(t, err)
	b, anybody, joe := s.signedIn(), s.visitor(), s.signedInAs("joe")
	etag := s.get(yaml).ETag()
	pages := []page{
		{"sign-in", 200, anybody.get("/console/sign-in?next=/console/cluster")},
		{"sign-in-wrong", 401, anybody.post("/console/sign-in", "user", "ann", "password", "x")},
		{"expired", 401, anybody.post("/console/edit"+yaml, "etag", `"x"`, "newlines", "lf", "text", "my draft")},
		{"home", 200, b.get("/console/")},
		{"home-reader", 200, joe.get("/console/")},
		{"browse-root", 200, b.get("/console/browse/")},
		{"browse", 200, b.get("/console/browse" + apis)},
		{"browse-empty", 200, b.get("/console/browse/_system/config/empty?note=created")},
		{"browse-read-only", 200, b.get("/console/browse/_system/archive")},
		{"browse-system", 200, b.get("/console/browse/_system")},
		{"browse-private", 200, b.get("/console/browse/_system/local")},
		{"resource-private", 200, b.get("/console/resource/_system/local/note.txt")},
		{"delete-private", 200, b.get("/console/delete/_system/local/note.txt")},
		{"resource", 200, b.get("/console/resource" + yaml)},
		{"resource-old", 200, b.get("/console/resource" + yaml + "?version=1")},
		{"resource-image", 200, b.get("/console/resource" + apis + "/logo.svg")},
		{"resource-binary", 200, b.get("/console/resource" + apis + "/client.jar")},
		{"resource-empty", 200, b.get("/console/resource" + apis + "/empty.txt")},
		{"details", 200, b.get("/console/details" + yaml)},
		{"details-old", 200, b.get("/console/details" + yaml + "?version=2")},
		{"details-collection", 200, b.get("/console/details" + apis)},
		{"details-virtual", 200, b.get("/console/details/_system")},
		{"describe", 200, b.get("/console/describe" + yaml)},
		{"properties", 200, b.get("/console/properties" + yaml)},
		{"properties-none", 200, b.get("/console/properties" + apis)},
		{"property", 200, b.get("/console/property" + yaml + "?name=reviewers")},
		{"property-new", 200, b.get("/console/property" + yaml)},
		{"versions", 200, b.get("/console/versions" + yaml)},
		{"versions-collection", 200, b.get("/console/versions" + apis)},
		{"versions-virtual", 200, b.get("/console/versions/_system")},
		{"restore", 200, b.get("/console/restore" + yaml + "?version=1")},
		{"diff", 200, b.get("/console/diff" + yaml + "?version=2")},
		{"diff-metadata", 200, b.get("/console/diff" + yaml)},
		{"label-taken", 412, b.post("/console/label"+yaml, "label", "prod", "version", "1", "do", "make")},
		{"checkpoints", 200, b.get("/console/checkpoints" + apis)},
		{"checkpoints-none", 200, b.get("/console/checkpoints/_system/config/empty")},
		{"checkpoints-reader", 200, joe.get("/console/checkpoints" + apis)},
		{"checkpoints-read-only", 200, b.get("/console/checkpoints/_system/archive")},
		{"checkpoints-refused", 409, b.post("/console/checkpoint"+apis, "checkpoint", "v1", "comment", "again", "do", "make")},
		{"restore-tree", 200, b.get("/console/restore-tree" + apis + "?checkpoint=v1")},
		{"restore-tree-nothing", 200, b.get("/console/restore-tree/_system/config/empty?at=2026-11-23T12:00")},
		{"past", 200, b.get("/console/past" + apis + "?at=" + then)},
		{"past-resource", 200, b.get("/console/past" + yaml + "?at=" + then)},
		{"retention", 200, b.get("/console/retention/_system/governance")},
		{"retention-above", 200, b.get("/console/retention" + apis)},
		{"retention-none", 200, b.get("/console/retention/_system/config/empty")},
		{"retention-reader", 200, joe.get("/console/retention" + apis)},
		{"retention-preview", 200, b.get("/console/retention/_system/governance?keep_last=1&keep_days=")},
		{"retention-refused", 400, b.post("/console/retention"+apis, "keep_last", "many", "do", "set")},
		{"edit", 200, b.get("/console/edit" + yaml)},
		{"conflict", 412, b.post("/console/edit"+yaml, "etag", `"stale"`, "newlines", "lf", "text", "my draft")},
		{"conflict-deleted", 412, b.post("/console/edit"+apis+"/gone.txt", "etag", etag, "newlines", "lf", "text", "my draft")},
		{"upload", 200, b.get("/console/upload" + apis)},
		{"upload-version", 200, b.get("/console/upload" + yaml)},
		{"uploaded", 200, b.files("/console/upload"+apis, []string{"replace", "skip"}, "openapi.yaml", "x", "a;b.txt", "x", "empty.txt", "")},
		{"upload-none", 400, b.upload("/console/upload"+apis, "", "")},
		{"new-collection", 200, b.get("/console/new-collection" + apis)},
		{"new-text", 200, b.get("/console/new-text" + apis)},
		{"new-text-exists", 412, b.post("/console/new-text"+apis, "name", "openapi.yaml", "text", "my draft")},
		{"delete", 200, b.get("/console/delete" + yaml)},
		{"delete-collection", 200, b.get("/console/delete" + apis)},
		{"delete-mount", 200, b.get("/console/delete/_system/governance")},
		{"community", 200, b.get("/console/community" + yaml)},
		{"community-answer", 200, b.get("/console/community" + yaml + "?answer=1")},
		{"community-none", 200, b.get("/console/community" + apis)},
		{"community-read-only", 200, b.get("/console/community/_system/archive")},
		{"community-refused", 400, b.post("/console/tag"+yaml, "tags", "a<b>")},
		{"edit-comment", 200, b.get("/console/edit-comment" + yaml + "?id=" + s.comment)},
		{"associations", 200, b.get("/console/associations" + yaml)},
		{"associations-none", 200, b.get("/console/associations" + apis + "/empty.txt")},
		{"associations-refused", 400, b.post("/console/associate"+yaml, "type", "docs", "target", "javascript:alert(1)")},
		{"graph", 200, b.get("/console/dependencies" + yaml + "?type=*")},
		{"search-empty", 200, b.get("/console/search")},
		{"search", 200, s.search(b)},
		{"search-none", 200, b.get("/console/search?q=nothing")},
		{"search-refused", 400, b.get("/console/search?q=tipe%3Awsdl")},
		{"graph-impact", 200, b.get("/console/impact" + apis)},
		{"graph-none", 200, b.get("/console/impact" + apis + "/empty.txt")},
		{"starred-none", 200, joe.get("/console/starred")},
		{"starred", 200, s.starred(b, yaml, apis)},
		{"resource-starred", 200, b.get("/console/resource" + yaml)},
		{"home-starred", 200, b.get("/console/")},
		{"shortcuts", 200, b.get("/console/shortcuts")},
		{"tags", 200, b.get("/console/tags")},
		{"tagged", 200, b.get("/console/tagged?tag=payments")},
		{"tagged-none", 200, b.get("/console/tagged?tag=nobody")},
		{"activity", 200, b.get("/console/activity/_system/governance?user=admin&since=2026-11-22T12:00")},
		{"activity-resource", 200, b.get("/console/activity" + yaml + "?only=true&action=update")},
		{"activity-none", 200, b.get("/console/activity/_system?store=shared&user=nobody")},
		{"permissions", 200, b.get("/console/permissions" + apis)},
		{"permissions-why", 200, b.get("/console/permissions" + yaml + "?user=joe&right=write")},
		{"permissions-root", 200, b.get("/console/permissions/")},
		{"users", 200, b.get("/console/users")},
		{"user", 200, b.get("/console/user?name=joe")},
		{"roles", 200, b.get("/console/roles")},
		{"account", 200, joe.get("/console/account")},
		{"browse-reader", 200, joe.get("/console/browse" + apis)},
		{"error-denied", 403, joe.get("/console/edit" + yaml)},
		{"cluster", 200, b.get("/console/cluster")},
		{"jobs", 200, b.get("/console/jobs")},
		{"cluster-last", 409, b.post("/console/drain", "member", "01A", "do", "drain", "word", "node")},
		{"move", 200, b.get("/console/move" + yaml)},
		{"move-collection", 200, b.get("/console/move" + apis)},
		{"move-mount", 200, b.get("/console/move/_system/governance")},
		{"move-taken", 409, b.post("/console/move"+yaml, "etag", etag, "new_path", apis+"/logo.svg")},
		{"new-link", 200, b.get("/console/new-link" + apis)},
		{"move-pick", 200, b.post("/console/move"+yaml, "etag", etag, "pick", "/_system/governance")},
		{"new-link-pick", 200, b.post("/console/new-link"+apis, "name", "pay", "target", "", "pick", yaml)},
		{"new-link-pick-none", 200, b.post("/console/new-link"+apis, "name", "pay", "target", "", "pick", "/no/such")},
		{"selection-delete", 200, b.post("/console/selection"+apis, "do", "delete", "name", "logo.svg", "name", "openapi.yaml")},
		{"selection-move", 200, b.post("/console/selection"+apis, "do", "move", "name", "logo.svg", "name", "gone.txt")},
		{"selection-pick", 200, b.post("/console/selection"+apis, "do", "copy", "name", "logo.svg", "pick", "/_system")},
		{"selection-tag", 200, b.post("/console/selection"+apis, "do", "tag", "name", "logo.svg")},
		{"selection-refused", 409, b.post("/console/selection"+apis, "do", "copy", "name", "logo.svg", "sure", "1", "to", apis)},
		{"selection-done", 200, b.post("/console/selection/_system/config", "do", "copy", "name", "empty", "name", "no-such", "sure", "1", "to", "/_system/local")},
		{"trash", 200, b.get("/console/trash/_system/config")},
		{"trash-empty", 200, b.get("/console/trash" + apis)},
		{"browse-links", 200, b.get("/console/browse" + links)},
		{"delete-link", 200, b.get("/console/delete" + links + "/pay")},
		{"resource-linked", 200, b.get("/console/resource" + links + "/pay")},
		{"error-circle", 409, b.get("/console/browse" + links + "/circle/1")},
		{"server", 200, b.get("/console/server")},
		{"backup", 200, b.get("/console/backup")},
		{"backup-none", 404, b.post("/console/backup", "store", "none")},
		{"metrics", 200, s.counted(b, 300).get("/console/metrics")},
		{"", 200, s.counted(b, 720).get("/console/metrics?span=1h&node=node-1")},
		{"metrics-none", 200, s.counted(b, 0).get("/console/metrics")},
		{"logs", 200, b.get("/console/logs")},
		{"logs-filtered", 200, b.get("/console/logs?level=warn&q=SLOW&order=oldest&node=node-2&try=8")},
		{"logs-none", 200, b.get("/console/logs?q=nothing+like+it")},
		{"logs-level-elsewhere", 409, b.post("/console/log-level?try=8", "node", "node-2", "level", "debug")},
		{"doctor", 200, b.get("/console/doctor")},
		{"error-not-found", 404, b.get("/console/browse" + apis + "/no/such")},
		{"error-not-found-private", 404, b.get("/console/resource/_system/local/no-such.txt")},
		{"error-no-store", 409, b.get("/console/upload/")},
		{"error-no-page", 404, b.get("/console/nonsense")},
		{"error-method", 405, b.get("/console/sign-out")},
		{"error-path", 400, b.get("/console/browse/a/../b")},
		{"error-read-only", 403, b.post("/console/new-collection/_system/archive", "name", "x")},
	}
	s.members = nil
	pages = append(pages, page{"cluster-alone", 200, b.get("/console/cluster")})
	const longYAML = "/_system/config/long.yaml"
	s.put(longYAML, "", lines(90))
	s.put(longYAML, "", strings.NewReplacer("line 30\n", "line thirty\n", "line 31\n", "", "line 60\n", "line 60\nmore <b>\n", "line 61\n", "line 61\r\n").Replace(lines(90)))
	pages = append(pages,
		page{"conflict-merged", 412, s.conflict(b, "first\n2\n3\n4\n5\n6\n7\n8\nninth of mine\n")},
		page{"conflict-clean", 412, s.conflict(b, "1\n2\n3\n4\n5\n6\n7\n8 <b>\n9\n")},
		page{"edit-merged", 200, s.conflict(b, "first\n2\n3\n4\n5\n6\n7\n8\nninth of mine\n", "do", "edit-merged")},
		page{"diff-side", 200, b.get("/console/diff" + longYAML)},
		page{"diff-inline", 200, b.get("/console/diff" + longYAML + "?view=inline&context=25&from=1&version=2")},
	)
	theme := s.signedIn()
	theme.post("/console/theme", "theme", "dark")
	pages = append(pages, page{"dark", 200, theme.get("/console/browse/")})
	hook, ann := s.hooks(t)
	pages = append(pages, []page{
		{"webhooks", 200, b.get("/console/webhooks")},
		{"webhooks-none", 200, ann.get("/console/webhooks?path=/_system/config")},
		{"webhooks-refused", 400, b.post("/console/webhooks", "name", "<b>", "url", "ftp://x", "path", apis, "action", "create")},
		{"webhooks-made", 200, b.post("/console/webhooks", "name", "made", "url", "https://good.example/", "path", apis)},
		{"webhook", 200, b.get("/console/webhook?id=" + hook)},
		{"webhook-fails", 409, b.post("/console/webhook", "id", hook, "do", "test")},
	}...)
	// Too long for a golden file, checked like the rest.
	pages = append(pages, page{"", 200, b.get("/console/resource" + apis + "/long.txt")})
	return pages
}

func TestPages(t *testing.T) {
	s := newSite(t)
	pages := everyPage(t, s)
	checker := &linkChecker{site: s, as: s.signedIn(), seen: map[string]bool{}}
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			p.reply.t = t
			p.reply.wantStatus(p.status)
			checkHeaders(t, p.reply)
			checkWellFormed(t, p.reply.body)
			checkNothingInline(t, p.reply.doc())
			checkAccess(t, p.reply.doc())
			checker.check(t, p.reply)
			if p.name != "" {
				checkGolden(t, p.name+".html", golden(p.name, p.reply.body))
			}
		})
	}
}

// TestPages_CoverEveryTemplate makes sure that no page is added without a golden file.
func TestPages_CoverEveryTemplate(t *testing.T) {
	templates, err := filepath.Glob("templates/pages/*.html")
	must(t, err)
	golden, err := filepath.Glob("testdata/pages/*.html")
	must(t, err)
	for _, name := range templates {
		base := strings.TrimSuffix(filepath.Base(name), ".html")
		if !slices.ContainsFunc(golden, func(g string) bool { return strings.HasPrefix(filepath.Base(g), base) }) {
			t.Errorf("page %s has no golden file", base)
		}
	}
}

func checkHeaders(t *testing.T, r reply) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

var void = map[string]bool{"meta": true, "link": true, "input": true, "img": true, "br": true}

// checkWellFormed checks that every element is closed, in order.
func checkWellFormed(t *testing.T, body string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(body))
	var open []string
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		default:
		}
	}
}

// checkNothingInline checks what the Content-Security-Policy would refuse, and that nothing comes from elsewhere.
func checkNothingInline(t *testing.T, doc *html.Node) {
	t.Helper()
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "base" || n.Data == "script" && (n.FirstChild != nil || attr(n, "src") == "") {
			t.Errorf("the page has an inline <%s>", n.Data)
		}
		for _, a := range n.Attr {
			leads := a.Key == "href" || a.Key == "src" || a.Key == "action"
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || leads && strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
			loads := a.Key == "src" || a.Key == "href" && (n.Data == "link" && attr(n, "rel") != "expect" || n.Data == "use") || a.Key == "action"
			if loads && !strings.HasPrefix(a.Val, "/console/") {
				t.Errorf("<%s> has %s=%q, which is not the console's", n.Data, a.Key, a.Val)
			}
		}
	}
}

// checkAccess checks labels, names, ids and headings.
func checkAccess(t *testing.T, doc *html.Node) {
	t.Helper()
	ids, labelled, headings := map[string]bool{}, map[string]bool{}, 0
	for n := range doc.Descendants() {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("two elements have the id %q", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = true
		}
		if n.Data == "h1" {
			headings++
		}
	}
	if headings != 1 {
		t.Errorf("the page has %d <h1>", headings)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name := attr(n, "aria-label")
		switch n.Data {
		case "input", "textarea":
			hidden := attr(n, "type") == "hidden" || slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" })
			if !hidden && name == "" && !labelled[attr(n, "id")] {
				t.Errorf("<%s name=%s> has no label", n.Data, attr(n, "name"))
			}
		case "button", "a", "summary":
			if strings.TrimSpace(textOf(n)) == "" && name == "" && attr(n, "aria-hidden") == "" {
				t.Errorf("<%s> has no name: %v", n.Data, n.Attr)
			}
		case "img":
			if attr(n, "alt") == "" {
				t.Error("<img> has no alt")
			}
		case "table":
			if n.FirstChild == nil || !strings.Contains(textOf(n), " ") || !hasChild(n, "caption") {
				t.Error("<table> has no caption")
			}
		}
		for _, ref := range []string{"aria-labelledby", "aria-describedby", "for", "list"} {
			if id := attr(n, ref); id != "" && !ids[id] {
				t.Errorf("<%s> refers to %q, which is not on the page", n.Data, id)
			}
		}
	}
}

func hasChild(n *html.Node, name string) bool {
	for c := range n.ChildNodes() {
		if c.Data == name {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// linkChecker follows every link once and asks whether a form's address takes posts.
type linkChecker struct {
	site *site
	as   *browser
	seen map[string]bool
}

func (c *linkChecker) check(t *testing.T, r reply) {
	t.Helper()
	doc := r.doc()
	for n := range doc.Descendants() {
		for _, key := range []string{"href", "src", "action"} {
			address := attr(n, key)
			switch {
			case address == "", address == metricsURL, c.seen[key+address], strings.HasPrefix(address, publicHTTP+"/registry/resource/"), strings.HasPrefix(address, publicHTTPS+"/registry/resource/"):
				continue
			case strings.HasPrefix(address, selfHTTPS+"/console/"):
				address = strings.TrimPrefix(address, selfHTTPS) // the same console, by the node's own name
			case strings.HasPrefix(address, "https://127.0.0.1:9445/console/"):
				address = strings.TrimPrefix(address, "https://127.0.0.1:9445") // that of node-2
			case strings.HasPrefix(address, "#"):
				if !strings.Contains(r.body, `id="`+address[1:]+`"`) {
					t.Errorf("%s is not on the page", address)
				}
				continue
			}
			c.seen[key+address] = true
			if key == "action" && attr(n, "method") == "post" {
				got := c.as.do(http.MethodDelete, address, "", nil)
				if got.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(got.Header.Get("Allow"), http.MethodPost) {
					t.Errorf("%s takes no posts: %d, Allow %q", address, got.StatusCode, got.Header.Get("Allow"))
				}
				continue
			}
			if address == "/console/go" {
				continue // needs what the user types
			}
			path, _, _ := strings.Cut(address, "#")
			if strings.Contains(path, "circle%2F") { // the page that they lead to says that these links lead in a circle
				c.as.get(path).wantStatus(http.StatusConflict)
				continue
			}
			if got := c.as.get(path); got.StatusCode != http.StatusOK && got.StatusCode != http.StatusSeeOther {
				t.Errorf("<%s> leads to %s, which answers %d", n.Data, address, got.StatusCode)
			}
		}
	}
}

var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`<svg class="icon" aria-hidden="true" focusable="false"><use href="/console/static/[0-9a-f]{16}/icons.svg#([a-z-]+)"></use></svg>`), "{{icon $1}}"},
	{regexp.MustCompile(`data-events="([^"?]*)\?[^"]*"`), `data-events="$1?…"`},
	{regexp.MustCompile(`/console/static/[0-9a-f]{16}/`), "/console/static/HASH/"},
	{regexp.MustCompile(`name="once" value="[A-Z2-7]{26}"`), `name="once" value="ONCE"`},
	{regexp.MustCompile(`role-[0-9a-f]{32}`), "role-ID"},
	{regexp.MustCompile(`(name|description)-[0-9a-f]{32}`), "$1-ID"},
	{regexp.MustCompile(`(name="(?:id|etag)" value="(?:&#34;)?)[0-9a-f]{32}((?:&#34;)?")`), "${1}HASH$2"},
	{regexp.MustCompile(`[0-9a-f]{32}(\.[0-9]+)+`), "ETAG"},
	{regexp.MustCompile(`<code>[0-9a-f]{32}</code>`), "<code>ID</code>"},
	{regexp.MustCompile(`"(to-)?[0-9a-f]{32}"`), `"${1}ID"`},
	{regexp.MustCompile(`webhook\?id=[0-9a-f]{32}`), "webhook?id=ID"},
	{regexp.MustCompile(`(?:name="delivery" value=")[0-9a-f]{32}"`), `name="delivery" value="ID"`},
	{regexp.MustCompile(`[0-9]+\.(?:end|[0-9]+)\.[0-9a-f]{8}`), "POSITION"},
	{regexp.MustCompile(`the next one in [^<]*`), "the next one SOON"}, // its wait is random
	{regexp.MustCompile(`whsec_[A-Za-z0-9+/&#;]+=`), "whsec_SECRET"},
	// Numbers of comments, which count what happened in the store before.
	{regexp.MustCompile(`(comment-|comment |[?&;]answer=|edit-comment\S*id=|name="id" value=")[0-9]+`), "${1}N"},
}

// whole are the pages whose golden files have the frame, too: of the others they have the title, what the navigation marks, and the main part.
var whole = map[string]bool{"browse": true, "browse-reader": true, "sign-in": true, "dark": true}

var (
	titlePattern   = regexp.MustCompile(`(?m)^<title>.*$`)
	currentPattern = regexp.MustCompile(`<a href="[^"]*" aria-current`)
)

// golden is what the golden file of a page has of it.
func golden(name, body string) string {
	if !whole[name] {
		frame, main, _ := strings.Cut(body, "<main")
		main, _, _ = strings.Cut(main, "</main>")
		_, navigation, _ := strings.Cut(frame, "<nav")
		body = titlePattern.FindString(frame) + "\n"
		for _, current := range currentPattern.FindAllString(navigation, -1) {
			body += current + "\n"
		}
		body += "<main" + main + "</main>\n"
	}
	for _, v := range volatile {
		body = v.pattern.ReplaceAllString(body, v.with)
	}
	return body
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "pages", name)
	if *update {
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); run the test with -update if that is right:\n%s", file, diff)
	}
}

func TestResource_MarkdownThatIsTangledIsShownAsText(t *testing.T) {
	s := newSite(t)
	s.put("/_system/config/a.md", "text/markdown", "*now*")
	s.put("/_system/config/b.md", "text/markdown", "*now* "+strings.Repeat("[", 5000))
	s.put("/_system/config/c.md", "text/markdown", "*now*\n\n"+strings.Repeat("words and more words\n\n", 3000))
	b := s.signedIn()
	if got := b.get("/console/resource/_system/config/a.md").wantStatus(http.StatusOK).body; !strings.Contains(got, "<em>now</em>") || strings.Contains(got, `id="L1"`) {
		t.Errorf("no page: %s", got)
	}
	for _, name := range []string{"b.md", "c.md"} {
		if got := b.get("/console/resource/_system/config/" + name).wantStatus(http.StatusOK).body; strings.Contains(got, "<em>now</em>") || !strings.Contains(got, `id="L1"`) {
			t.Errorf("%s is not shown as text", name)
		}
	}
}
