package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_Views looks at contents as pages: what they have of script does not run, what they refer to is not loaded, and the picture of dependencies
// works by keyboard.
func TestBrowser_Views(t *testing.T) {
	slow(t)
	var asked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	put := func(name, mediaType, content string) {
		t.Helper()
		body := []byte(strings.ReplaceAll(content, "ELSEWHERE", elsewhere.URL))
		a, err := c.Direct(0).Do(t.Context(), http.MethodPut, "/api/v1/content/_system/governance/views/"+name, body, "Content-Type", mediaType)
		if err != nil || a.Status != http.StatusCreated {
			t.Fatalf("%s: %v, %d %s", name, err, a.Status, a.Body)
		}
	}
	const run = `parent.pwned=1;top.location='ELSEWHERE/top'`
	put("evil.html", "text/html", `<h1>Hello</h1><script>`+run+`</script><img src="ELSEWHERE/a.png" onerror="`+run+`"><svg onload="`+run+`"></svg>
<iframe src="ELSEWHERE/frame"></iframe><object data="ELSEWHERE/object"></object><link rel="stylesheet" href="ELSEWHERE/a.css"><meta http-equiv="refresh" content="0;url=ELSEWHERE/refresh">
<style>body { background: url(ELSEWHERE/b.png) }</style>`)
	put("evil.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>`+run+`</script><image href="ELSEWHERE/c.png"/></svg>`)
	put("evil.yaml", "application/yaml", "openapi: 3.1.0\ninfo: {title: '<img src=x onerror=window.pwned=1>', description: \"<script>window.pwned=1</script>\\n\\n![x](ELSEWHERE/d.png) **bold**\"}\n"+
		"paths: {/a: {get: {summary: a, responses: {'200': {$ref: 'ELSEWHERE/e.yaml'}}}}}\n")
	put("evil.wsdl", "application/wsdl+xml", `<!DOCTYPE d SYSTEM "ELSEWHERE/f.dtd"><definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><import location="ELSEWHERE/g.wsdl"/></definitions>`)

	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	at := console + "resource/_system/governance/views/"
	for _, view := range []struct{ address, shows string }{
		{"evil.html?as=preview", "no script runs in it"}, {"evil.svg", "40 × 30 pixels"}, {"evil.yaml", "bold"}, {"evil.yaml?as=tree", "onerror"}, {"evil.wsdl", "WSDL 1.1"},
	} {
		b.Do(view.address, chromedp.Navigate(at+view.address), chromedp.WaitVisible("section.content"))
		b.AwaitText(view.shows)
		if strings.HasPrefix(view.address, "evil.html") {
			// Whatever the frame does while it loads, it has done when it loads for the second time.
			e2e.Read(b, "load the frame again", chromedp.Evaluate[bool](`(() => { const f = document.querySelector("iframe.frame"), g = f.cloneNode();
				g.onload = () => { document.body.classList.add("frame-loaded"); }; f.replaceWith(g); return true; })()`))
			b.Do("the frame", chromedp.WaitVisible("body.frame-loaded"))
		}
		b.Shot("view-" + strings.NewReplacer("?", "-", "=", "-").Replace(view.address))
		if e2e.Read(b, "the mark", chromedp.Evaluate[bool]("window.pwned !== undefined")) || b.URL() != at+view.address {
			t.Errorf("%s ran a script; the page is %s", view.address, b.URL())
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}

	impact := console + "impact/_system/governance/views/"
	b.Do("associate", chromedp.Navigate(console+"associations/_system/governance/views/evil.wsdl"), chromedp.WaitVisible("#target"),
		chromedp.SendKeys("#target", "/_system/governance/views/evil.yaml"), chromedp.Click(`form[action^="/console/associate/"] button[type=submit]`))
	b.AwaitText("Association added.")
	b.Do("the impact", chromedp.Navigate(impact+"evil.yaml"), chromedp.WaitVisible(".graph svg"))
	b.AwaitText("Deleting it breaks 1 directly.")
	b.Shot("impact")
	b.Do("choose a box by keyboard", chromedp.Focus(".graph .box.near a"), chromedp.WaitVisible(".graph.tracing .edge.on"), chromedp.SendKeys(".graph .box.near a", "\r"))
	b.AwaitText("Nothing depends on it")
	if url := b.URL(); url != impact+"evil.wsdl" {
		t.Errorf("the box leads to %s", url)
	}
}
