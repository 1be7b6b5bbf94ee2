package console_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
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

// unpack undoes a content coding.
func unpack(t *testing.T, coding, body string) string {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(from)
		must(t, err)
		from = z
	case "br":
		from = brotli.NewReader(from)
	}
	text, err := io.ReadAll(from)
	must(t, err)
	return string(text)
}

// Files travel compressed to browsers that take that, and are the same as without.
func TestAssets_Compressed(t *testing.T) {
	s := newSite(t)
	limits := map[string]map[string]int{"console.css": {"br": 14_000, "gzip": 16_000}}
	editors, err := filepath.Glob("static/editor*.js")
	must(t, err)
	for _, file := range editors {
		limits[filepath.Base(file)] = map[string]int{"br": 17_000, "gzip": 17_000}
		if _, err := os.Stat(file + ".br"); err != nil {
			t.Errorf("whoever asks for %s first would wait for its compression: %v", file, err)
		}
	}
	limits["editor.js"] = map[string]int{"br": 95_000, "gzip": 110_000} // what Brotli makes of it when it takes its time
	for name, limit := range limits {
		address := "/console/static/0000000000000000/" + name
		for accept, want := range map[string]string{"": "", "gzip, deflate, br, zstd": "br", "gzip, deflate": "gzip", "br;q=0, gzip": "gzip", "gzip;q=0": "", "identity": ""} {
			b := s.visitor()
			b.header.Set("Accept-Encoding", accept)
			r := b.get(address).wantStatus(http.StatusOK)
			if got := r.Header.Get("Content-Encoding"); got != want || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s for %q: Content-Encoding %q, Vary %q", name, accept, got, r.Header.Get("Vary"))
			}
			if want != "" && len(r.body) > limit[want] {
				t.Errorf("%s has %d bytes as %s, the limit is %d", name, len(r.body), want, limit[want])
			}
			if plain, err := os.ReadFile("static/" + name); err == nil && unpack(t, want, r.body) != string(plain) {
				t.Errorf("%s for %q is another file", name, accept)
			}
		}
	}
}

// The parts of the editor that come when they are needed take what they share with it from it, by names that it has, and nothing from elsewhere.
func TestAssets_EditorParts(t *testing.T) {
	editor, err := os.ReadFile("static/editor.js")
	must(t, err)
	list := regexp.MustCompile(`export\{([^}]*)\}`).FindAllStringSubmatch(string(editor), -1)
	if len(list) != 1 {
		t.Fatalf("editor.js has %d lists of what it exports", len(list))
	}
	exported := map[string]bool{}
	for one := range strings.SplitSeq(list[0][1], ",") {
		words := strings.Fields(one)
		exported[words[len(words)-1]] = true
	}
	parts, err := os.ReadDir("editor/parts")
	must(t, err)
	for _, part := range parts {
		name := "editor-" + part.Name()
		text, err := os.ReadFile("static/" + name)
		must(t, err)
		if !strings.Contains(string(editor), `import("./`+name+`")`) {
			t.Errorf("nothing loads %s", name)
		}
		for _, found := range regexp.MustCompile(`\bimport\{([^}]*)\}from"([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			if found[2] != "./editor.js" {
				t.Errorf("%s imports %s", name, found[2])
			}
			for one := range strings.SplitSeq(found[1], ",") {
				if want := strings.Fields(one)[0]; !exported[want] {
					t.Errorf("%s takes %s, which editor.js does not have", name, want)
				}
			}
		}
	}
	if files, err := filepath.Glob("static/editor*.js"); err != nil || len(files) != len(parts)+1 {
		t.Errorf("editor.js and %d parts make %q, %v", len(parts), files, err)
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
