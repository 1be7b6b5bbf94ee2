package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// hostile is a sample of the console's own corpus, which goes through every field there; here a browser is asked what it makes of it.
var hostile = []string{
	`<script>window.pwned=1</script>`, `<img src=x onerror=window.pwned=1>`, `"><svg onload=window.pwned=1>`, `</textarea></pre></code><script>window.pwned=1</script>`,
	`" autofocus onfocus="window.pwned=1`, `javascript:window.pwned=1`, `<iframe srcdoc="<script>parent.pwned=1;top.pwned=1;alert(1)</script>"></iframe>`,
	`<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/"><link rel=stylesheet href="https://evil.example/x.css">`,
	"[x](javascript:window.pwned=1) ![x](https://evil.example/x.png) <img src=https://evil.example/y.png onerror=window.pwned=1>",
	`<math><mtext></table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.pwned=1&gt;">`,
}

// TestBrowser_XSS shows a browser hostile texts in every place that takes them: nothing runs, the page's policy has nothing to refuse (that would
// be an error in the browser's console), and no request leaves the console.
func TestBrowser_XSS(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	v := c.Visitor(false)
	v.SignIn("admin", e2e.AdminPassword)
	const tree, doc = "/_system/governance/h", "/_system/governance/h/doc.md"
	put(t, c, doc, strings.Join(hostile, "\n\n"))
	put(t, c, doc, strings.Join(hostile, "\n"))
	taken := 0
	for i, text := range hostile {
		for name, content := range map[string]string{"svg": `<svg xmlns="http://www.w3.org/2000/svg">` + text + `</svg>`, "html": text, "xml": "<a>" + text + "</a>", "json": fmt.Sprintf("{%q: %q}", text, text)} {
			put(t, c, fmt.Sprintf("%s/f%d.%s", tree, i, name), content)
		}
		for _, form := range [][]string{
			{"/console/describe" + doc, "description", text, "media_type", "text/markdown"},
			{"/console/property" + doc, "name", fmt.Sprint("p", i), "value", text},
			{"/console/property" + doc, "name", text, "value", "x"},
			{"/console/comment" + doc, "text", text},
			{"/console/tag" + doc, "tags", text},
			{"/console/associate" + doc, "type", text, "target", tree},
			{"/console/associate" + doc, "type", "docs", "target", text},
			{"/console/label" + doc, "label", text, "version", "1", "do", "make"},
			{"/console/checkpoint" + tree, "checkpoint", fmt.Sprint("c", i), "comment", text, "do", "make"},
			{"/console/save-search", "q", "x", "name", text},
			{"/console/users", "name", fmt.Sprint("u", i), "password", e2e.AdminPassword, "full_name", text, "email", text},
			{"/console/roles", "do", "create", "name", fmt.Sprint("r", i), "description", text},
			{"/console/account/token", "name", text, "right", "read", "days", "9"},
			{"/console/account/profile", "full_name", text},
			{"/console/new-text" + tree, "name", strings.ReplaceAll(text, "/", "_"), "description", text, "text", text},
		} {
			if p := v.Post(form[0], form[1:]...); p.Status == http.StatusSeeOther || p.Status == http.StatusOK {
				taken++
			}
		}
	}
	if taken < 8*len(hostile) {
		t.Errorf("only %d fields took a hostile text", taken)
	}
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 4")
	b.Expect("Blocked attempt to show a 'beforeunload'")
	requests := e2e.Record(b, network.RequestWillBeSent)
	b.Do("open the console", chromedp.Navigate(v.Base+"/console/sign-in"), chromedp.WaitVisible("#password"))
	signIn(b)
	addresses := []string{"/console/search?q=pwned"}
	for i := range hostile {
		for _, name := range []string{"svg", "html", "xml", "json"} {
			addresses = append(addresses, fmt.Sprintf("/console/resource%s/f%d.%s", tree, i, name))
		}
	}
	for _, r := range consoleRoutes(t) {
		switch {
		case r.method != http.MethodGet || strings.Contains(r.pattern, "download") || strings.Contains(r.pattern, "csv"):
		case r.takesPath():
			addresses = append(addresses, r.prefix()+doc, r.prefix()+tree)
		case !strings.Contains(r.pattern, "{"):
			addresses = append(addresses, r.pattern)
		}
	}
	for _, address := range addresses {
		if p := v.Get(address); !p.IsPage() && p.Status == http.StatusOK {
			continue // a file or a stream
		}
		b.Do("open "+address, chromedp.Navigate(v.Base+address))
		if e2e.Read(b, "the marker", chromedp.Evaluate[bool](`"pwned" in window`)) {
			t.Errorf("%s runs a hostile text", address)
		}
		if url := b.URL(); !strings.HasPrefix(url, v.Base+"/console/") {
			t.Errorf("%s leads away, to %s", address, url)
		}
	}
	sent := requests()
	if len(sent) < len(addresses)/2 {
		t.Errorf("saw %d requests of %d pages", len(sent), len(addresses))
	}
	for _, r := range sent {
		if !strings.HasPrefix(r.Request.URL, v.Base+"/console") && !strings.HasPrefix(r.Request.URL, "data:") {
			t.Errorf("a request went to %s", r.Request.URL)
		}
	}
}
