package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// pageLimit is how many bytes a page may transfer with all that belongs to it, without the content that it shows.
const pageLimit = 150_000

// figures are what a page costs a browser whose cache is empty.
type figures struct {
	Bytes, Content, Requests int64
	Elsewhere                []string // requests to other sites
	Moved                    []string // elements, and from where to where
	Shift                    float64  // how much moved after the first paint
	Paint                    float64  // milliseconds to the first contentful paint
}

// measure reads them in the page itself: what was transferred counts heads, too.
const measure = `new Promise(done => {
	const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
	const own = entries.filter(e => !e.name.includes("/console/download/"));
	const sum = list => list.reduce((n, e) => n + e.transferSize, 0);
	const f = {
		Bytes: sum(own), Content: sum(entries) - sum(own), Requests: entries.length,
		Elsewhere: entries.map(e => e.name).filter(n => !n.startsWith(location.origin + "/") && !n.startsWith("data:")), Shift: 0, Moved: [],
		Paint: 0,
	};
	const at = r => [r.x, r.y, r.width, r.height].map(Math.round).join(" ");
	const moved = s => (s.node ? s.node.nodeName + "." + s.node.className : "?") + ": " + at(s.previousRect) + " -> " + at(s.currentRect);
	new PerformanceObserver(list => list.getEntries().forEach(e => f.Paint = e.startTime)).observe({type: "paint", buffered: true});
	new PerformanceObserver(list => list.getEntries().forEach(e => { f.Shift += e.value; f.Moved.push(...e.sources.map(moved)); })).observe({type: "layout-shift", buffered: true});
	requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(f), 50)));
})`

// TestBrowser_Figures measures every page through the load balancer's HTTPS port with an empty cache: what it transfers is bounded, comes from the
// console alone, and nothing that can be seen on it moves. Times depend on the machine, so the table tells them and no test fails for them.
func TestBrowser_Figures(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{NodeKeys: siteKeys})
	pages := sitePages(t, fillSite(t, c))
	base := c.Visitor(true).Base
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 4")
	b.Expect("Blocked attempt to show a 'beforeunload'")
	b.Do("no cache", e2e.Command(network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}))
	b.Do("open the console", chromedp.Navigate(base+"/console/sign-in"), chromedp.WaitVisible("#password"))
	pages = append([]string{"/console/sign-in"}, pages...)
	var table strings.Builder
	fmt.Fprintf(&table, "%8s %8s %8s %6s %8s  page\n", "bytes", "content", "requests", "shift", "paint ms")
	for i, address := range pages {
		if i == 1 {
			signIn(b)
		}
		b.Do("open "+address, chromedp.Navigate(base+address))
		if b.Has(`textarea[data-editor]`) {
			b.AwaitTrue("the editor with its language", `document.querySelector(".editor[data-language]") !== null`)
		}
		f := e2e.Read(b, "figures of "+address, chromedp.Evaluate[figures](measure, chromedp.EvalAwaitPromise))
		fmt.Fprintf(&table, "%8d %8d %8d %6.3f %8.0f  %s\n", f.Bytes, f.Content, f.Requests, f.Shift, f.Paint, address)
		if f.Bytes > pageLimit {
			t.Errorf("%s transfers %d bytes, the limit is %d", address, f.Bytes, pageLimit)
		}
		if f.Bytes == 0 || f.Requests < 3 {
			t.Errorf("%s: nothing was measured: %+v", address, f)
		}
		if f.Requests > 12 {
			t.Errorf("%s makes %d requests", address, f.Requests)
		}
		if len(f.Elsewhere) > 0 {
			t.Errorf("%s asks elsewhere: %q", address, f.Elsewhere)
		}
		if f.Shift > 0 {
			t.Errorf("%s: layout shift %.4f of %q", address, f.Shift, f.Moved)
		}
	}
	b.Keep("figures.txt", table.String())
	t.Log("\n" + table.String())
}
