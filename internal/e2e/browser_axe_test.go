package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// themes are what a browser may prefer.
var themes = []string{"light", "dark"}

// TestBrowser_Axe runs axe-core on every page in both themes: those that routes and links lead to, those that forms with errors answer with, and
// those for who is not signed in. There is no violation.
func TestBrowser_Axe(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1, NodeKeys: siteKeys})
	v := fillSite(t, c)
	pages := sitePages(t, v)
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 4")  // the pages of refusals
	b.Expect("Blocked attempt to show a 'beforeunload'") // a page with a draft asks, and is left all the same
	script, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	x := &axe{t: t, b: b, base: v.Base, script: string(script), found: map[string][]string{}}
	began := time.Now()
	x.open("/console/sign-in?next=/console/cluster")
	x.post("/console/sign-in", "user", "ann", "password", "wrong")
	x.post("/console/edit"+siteDoc, "etag", `"x"`, "newlines", "lf", "text", "my draft")
	b.Do("open the console", chromedp.Navigate(v.Base+"/console/sign-in"), chromedp.WaitVisible("#password"))
	signIn(b)
	for _, address := range pages {
		x.open(address)
	}
	for _, p := range formsWithErrors {
		x.post(p[0], p[1:]...)
	}
	for _, what := range slices.Sorted(maps.Keys(x.found)) {
		where := x.found[what]
		t.Errorf("on %d pages, the first is %s: %s", len(where), where[0], what)
	}
	t.Logf("%d pages in %d themes, %v", x.pages, len(themes), time.Since(began).Round(time.Second))
}

// formsWithErrors are answers of forms that refuse what they got: the address, then names and values of fields.
var formsWithErrors = [][]string{
	{"/console/edit" + siteDoc, "etag", `"stale"`, "newlines", "lf", "text", "my draft"},
	{"/console/edit/_system/config/gone.txt", "etag", `"stale"`, "newlines", "lf", "text", "my draft"},
	{"/console/new-text" + siteTree + "/payments", "name", "openapi.yaml", "text", "my draft"},
	{"/console/new-collection" + siteTree, "name", "a//b"},
	{"/console/new-link" + siteTree, "name", "x", "target", "nowhere"},
	{"/console/upload" + siteTree},
	{"/console/move" + siteDoc, "new_path", siteTree + "/payments/fees.json"},
	{"/console/describe" + siteDoc, "etag", `"stale"`, "description", "mine"},
	{"/console/property" + siteDoc, "name", "", "value", "x"},
	{"/console/property" + siteDoc, "name", "x", "value", "y", "more", "1"},
	{"/console/label" + siteDoc, "label", "prod", "version", "2", "do", "make"},
	{"/console/restore" + siteDoc, "version", "1", "etag", `"stale"`},
	{"/console/checkpoint" + siteTree, "checkpoint", "v1", "do", "make"},
	{"/console/restore-tree" + siteTree, "checkpoint", "v1", "would", "0", "etag", `"stale"`},
	{"/console/retention" + siteTree, "keep_last", "many", "do", "set"},
	{"/console/tag" + siteDoc, "tags", "a<b>"},
	{"/console/comment" + siteDoc, "text", strings.Repeat("x", 501)},
	{"/console/associate" + siteDoc, "type", "docs", "target", "javascript:alert(1)"},
	{"/console/undelete/_system/config", "id", "x", "new_path", "/x"},
	{"/console/permissions" + siteTree, "etag", `"stale"`, "read:everyone", "allow"},
	{"/console/users", "name", "rita", "password", "x"},
	{"/console/user", "name", "admin", "do", "delete"},
	{"/console/roles", "do", "create", "name", "dev:x"},
	{"/console/account/profile", "email", "x"},
	{"/console/account/password", "old", "wrong", "new", "a", "again", "b"},
	{"/console/account/token", "name", "ci", "right", "read", "days", "400"},
	{"/console/account/token", "name", "another", "right", "read", "days", "30"},
	{"/console/save-search", "q", "tipe:x", "name", "x"},
}

// hashes differ from run to run, or from element to element.
var hashes = regexp.MustCompile(`[0-9a-f]{12,}`)

// axe judges pages in a browser.
type axe struct {
	t      *testing.T
	b      *e2e.Browser
	base   string
	script string // axe-core
	pages  int
	found  map[string][]string // where each violation is
}

func (x *axe) open(address string) {
	x.t.Helper()
	x.b.Do("open "+address, chromedp.Navigate(x.base+address))
	x.judge(address)
}

// post sends a form, as a page with that form would.
func (x *axe) post(address string, pairs ...string) {
	x.t.Helper()
	x.b.PostForm(x.base+address, pairs...)
	x.judge("POST " + address)
}

// judge runs axe-core in each theme: all its rules in the first, and in the second the one that looks at colours.
func (x *axe) judge(page string) {
	x.t.Helper()
	x.pages++
	options := `{iframes: false, resultTypes: ["violations"]}`
	for _, theme := range themes {
		x.b.Theme(theme)
		run := `axe.run(document, ` + options + `).then(r => r.violations.flatMap(v => v.nodes.map(n => ({rule: v.id, help: v.help, html: n.html, why: n.failureSummary}))))`
		if theme == themes[0] {
			run = x.script + "\n" + run // the browser's protocol runs it, so the page's policy need not allow it
		}
		found := e2e.Read(x.b, "axe-core on "+page, chromedp.Evaluate[[]violation](run, chromedp.EvalAwaitPromise))
		for _, v := range found {
			key := fmt.Sprintf("%s: %s (%s): %.300s: %s", theme, v.Rule, v.Help, hashes.ReplaceAllString(v.HTML, "HASH"), strings.Join(strings.Fields(v.Why), " "))
			x.found[key] = append(x.found[key], page)
		}
		options = `{iframes: false, resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block"]}`
	}
}

// violation is what axe-core says of one element.
type violation struct{ Rule, Help, HTML, Why string }
