package e2e_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_EveryPageFits opens every page in a phone's window: none is wider than it. With REGENT_PICTURES it takes pictures of all, in both
// sizes and both themes (`make pictures`).
func TestBrowser_EveryPageFits(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1, NodeKeys: siteKeys})
	v := fillSite(t, c)
	pages := sitePages(t, v)
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 4")
	b.Expect("Blocked attempt to show a 'beforeunload'")
	windows := []window{{"phone", 390, 844, []string{"light"}}}
	pictures := os.Getenv("REGENT_PICTURES") != ""
	if pictures {
		windows = []window{{"phone", 390, 844, themes}, {"desktop", 1280, 900, themes}}
	}
	var albums []*e2e.Album
	for _, w := range windows {
		for _, theme := range w.themes {
			albums = append(albums, e2e.NewAlbum(t, w.name+"-"+theme, w.width, w.height))
		}
	}
	look := func(page string, open func()) {
		open()
		album := 0
		for _, w := range windows {
			b.Do(w.name, chromedp.EmulateViewport(w.width, w.height))
			if width := e2e.Read(b, "width", chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); width > w.width {
				t.Errorf("%s is %d wide in a window of %d", page, width, w.width)
			}
			for _, theme := range w.themes {
				if pictures {
					b.Theme(theme)
					albums[album].Add(b, page)
				}
				album++
			}
		}
	}
	visit := func(address string) { b.Do("open "+address, chromedp.Navigate(v.Base+address)) }
	look("sign-in", func() { visit("/console/sign-in?next=/console/cluster") })
	look("POST sign-in", func() { b.PostForm(v.Base+"/console/sign-in", "user", "ann", "password", "wrong") })
	look("POST without session", func() {
		b.PostForm(v.Base+"/console/edit"+siteDoc, "etag", `"x"`, "newlines", "lf", "text", "my draft")
	})
	b.Do("sign in", chromedp.Navigate(v.Base+"/console/sign-in"), chromedp.WaitVisible("#password"))
	signIn(b)
	for _, address := range pages {
		look(address, func() { visit(address) })
	}
	for _, form := range formsWithErrors {
		look("POST "+form[0], func() { b.PostForm(v.Base+form[0], form[1:]...) })
	}
	for _, a := range albums {
		a.Close()
	}
}

// window is a size that people look through.
type window struct {
	name          string
	width, height int64
	themes        []string
}
