package console_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestAssets_CachedByHash(t *testing.T) {
	s := newSite(t)
	b := s.visitor()
	body := b.get("/console/sign-in").body
	for _, name := range []string{"console.css", "console.js", "icons.svg", "favicon.svg"} {
		address := regexp.MustCompile(`/console/static/[0-9a-f]{16}/` + name).FindString(body)
		if address == "" {
			t.Errorf("the page does not use %s", name)
			continue
		}
		r := b.get(address).wantStatus(http.StatusOK)
		if got := r.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if r.body == "" || r.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %d bytes of %q", name, len(r.body), r.Header.Get("Content-Type"))
		}
		if strings.Contains(r.body, "http://") && !strings.Contains(r.body, "http://www.w3.org/2000/svg") || strings.Contains(r.body, "https://") {
			t.Errorf("%s names another site", name)
		}
	}
	// A node of another version still gives its own file, but not for keeps.
	r := b.get("/console/static/0000000000000000/console.css").wantStatus(http.StatusOK)
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("wrong hash: Cache-Control %q", got)
	}
	b.get("/console/static/0000000000000000/nothing.css").wantStatus(http.StatusNotFound)
}

// Files travel compressed to browsers that take that, and are the same as without.
func TestAssets_Compressed(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"console.css", "editor.js"} {
		address := "/console/static/0000000000000000/" + name
		for coding, want := range map[string]string{"": "", "br, gzip": "gzip", "gzip;q=0": "", "identity": ""} {
			b := s.visitor()
			b.header.Set("Accept-Encoding", coding)
			r := b.get(address).wantStatus(http.StatusOK)
			if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s for %q: Content-Encoding %q, Vary %q", name, coding, got, r.Header.Get("Vary"))
			}
			text := r.body
			if want == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(r.body))
				must(t, err)
				b, err := io.ReadAll(z)
				must(t, err)
				text = string(b)
				if len(r.body) > 140<<10 {
					t.Errorf("%s has %d bytes compressed", name, len(r.body))
				}
			}
			if plain, err := os.ReadFile("static/" + name); err == nil && text != string(plain) {
				t.Errorf("%s for %q is another file", name, coding)
			}
		}
	}
}

// The editor's bundle goes with the licences of what is in it, and only pages with an editor load it.
func TestAssets_Editor(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	b.get("/console/static/0000000000000000/editor-licences.txt").wantStatus(http.StatusOK).wantText("@codemirror/view", "style-mod", "MIT License")
	if strings.Contains(b.get("/console/").body, "editor.js") || !strings.Contains(b.get("/console/new-text/_system/governance").body, "/editor.js") {
		t.Error("the editor is loaded on the wrong pages")
	}
}

// TestPages_UseIconsThatExist checks the fragments of every <use>.
func TestPages_UseIconsThatExist(t *testing.T) {
	sprite, err := os.ReadFile("static/icons.svg")
	must(t, err)
	used := map[string]bool{}
	for _, p := range everyPage(t, newSite(t)) {
		for n := range p.reply.doc().Descendants() {
			if n.Data == "use" {
				u, err := url.Parse(attr(n, "href"))
				must(t, err)
				used[u.Fragment] = true
			}
		}
	}
	for name := range used {
		if !strings.Contains(string(sprite), `<symbol id="`+name+`"`) {
			t.Errorf("no icon %q", name)
		}
	}
}
