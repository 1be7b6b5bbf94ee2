package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func tableOnly() *handler {
	h := &handler{}
	h.routes = h.allRoutes()
	return h
}

func TestFind(t *testing.T) {
	h := tableOnly()
	for _, c := range []struct{ method, url, route, rest string }{
		{"GET", "/api/v1/content/a/b", "GET /api/v1/content/{path}", "a/b"},
		{"HEAD", "/api/v1/content/a", "GET /api/v1/content/{path}", "a"},
		{"GET", "/api/v1/content/", "GET /api/v1/content/{path}", ""},
		{"GET", "/api/v1/content", "GET /api/v1/content/{path}", ""},
		{"GET", "/api/v1/content//a", "GET /api/v1/content/{path}", "/a"},
		{"GET", "/api/v1/content/../mounts", "GET /api/v1/content/{path}", "../mounts"},
		{"PATCH", "/api/v1/resource/%2e%2e", "PATCH /api/v1/resource/{path}", "%2e%2e"},
		{"GET", "/api/v1/mounts", "GET /api/v1/mounts", ""},
		{"PUT", "/resource/1.0.0/artifact/x", "PUT /resource/1.0.0/artifact/{path}", "x"},
		{"GET", "/registry/resource/x;version:2", "GET /registry/resource/{path}", "x;version:2"},
	} {
		r, rest, err := h.find(c.method, c.url)
		if got := r.method + " " + r.url; err != nil || got != c.route || rest != c.rest {
			t.Errorf("find(%s %s) = %s with %q, %v", c.method, c.url, got, rest, err)
		}
	}
	for _, url := range []string{"/", "*", "/api/v1", "/api/v1/", "/api/v1/contents/a", "/api/v1/mounts/", "/api/v2/content/a", "/API/v1/content/a", "//api/v1/content/a", "/registry/resources/a", "/registry/resource-x"} {
		if r, _, err := h.find("GET", url); registry.CodeOf(err) != registry.CodeNotFound {
			t.Errorf("find(GET %s) = %s %s, %v; want not found", url, r.method, r.url, err)
		}
	}
	_, _, err := h.find("POST", "/api/v1/resource/a")
	e, ok := errors.AsType[*refusal](err)
	if !ok || e.status != http.StatusMethodNotAllowed || e.header != "Allow" || e.value != "DELETE, GET, HEAD, PATCH, PUT" {
		t.Errorf("find(POST a resource) = %+v; want 405 with the methods there are", err)
	}
}

// No client can make the door take a path for another one than it wrote: what is accepted is already in its one form.
func FuzzParseRest(f *testing.F) {
	for _, s := range []string{"a/b", "a%20b", "a/../b", "%2e%2e/a", "a%2fb", "a//b", "/a", "%00", "a;version:3", "a%3Bversion:3", "%zz", "a/", "", "%C3%A9", "e%CC%81", "%ff", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, n, err := parseRest(s)
		if err != nil {
			if registry.CodeOf(err) != registry.CodeInvalid {
				t.Errorf("parseRest(%q): code %s", s, registry.CodeOf(err))
			}
			return
		}
		if n < 0 || !strings.HasPrefix(p.String(), "/") || strings.Contains(p.String(), "//") {
			t.Errorf("parseRest(%q) = %q, %d", s, p, n)
		}
		for _, name := range p.Names() {
			if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
				t.Errorf("parseRest(%q) lets the name %q pass", s, name)
			}
		}
		back, err := tableOnlyRest(location(contentURL, p))
		if err != nil {
			t.Fatalf("the location of %q: %v", p, err)
		}
		if again, _, err := parseRest(back); err != nil || again != p {
			t.Errorf("%q is located at %q, which means %q, %v", p, back, again, err)
		}
	})
}

func tableOnlyRest(escaped string) (string, error) {
	_, rest, err := tableOnly().find(http.MethodGet, escaped)
	return rest, err
}
