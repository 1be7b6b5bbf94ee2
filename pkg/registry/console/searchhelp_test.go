package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Every example that the help offers is a search that works.
func TestSearch_ExamplesCanBeClicked(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	page := b.get("/console/search").wantStatus(http.StatusOK)
	clicked := 0
	for n := range page.doc().Descendants() {
		address := ""
		if n.Type == html.ElementNode && n.Data == "a" {
			address = attr(n, "href")
		}
		if query, ok := strings.CutPrefix(address, "/console/search?q="); ok {
			query, err := url.QueryUnescape(query)
			must(t, err)
			b.get(address).wantStatus(http.StatusOK).wantNoText("cannot")
			if got := b.get(address).field("q"); got != query {
				t.Errorf("%s searches for %q", address, got)
			}
			clicked++
		}
	}
	if clicked < 10 {
		t.Errorf("the help has %d examples", clicked)
	}
}
