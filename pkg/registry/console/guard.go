package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// contentSecurityPolicy lets a page use the console's own style sheet, script and pictures, and nothing else.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

// guard is what stands before every route: security headers, refusal of forms sent by other sites and of paths that the mux would
// silently clean, and the console's look for the mux's own refusals.
func (c *console) guard(mux *http.ServeMux) http.Handler {
	csrf := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Frame-Options", "DENY") // says what frame-ancestors says, to what does not know that
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")

		if err := csrf.Check(r); err != nil {
			c.fail(w, r, registry.Actor{}, registry.Errorf(registry.CodeDenied,
				"this request came from another site (Origin %q); open the console itself and send the form from there", r.Header.Get("Origin")))
			return
		}
		if err := checkRawPath(r.URL.EscapedPath()); err != nil {
			c.fail(w, r, c.whoever(r), err)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			c.refuse(w, r, mux)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// checkRawPath refuses what http.ServeMux would answer with a redirect to a cleaned path: a resource's path is taken as it was written.
func checkRawPath(escaped string) error {
	names := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, name := range names {
		switch {
		case name == "." || name == "..":
			return registry.Errorf(registry.CodeInvalid, "path has the name %q, which is not allowed", name)
		case strings.Contains(strings.ToLower(name), "%2f"):
			return registry.Errorf(registry.CodeInvalid, "path has an encoded slash (%%2F); a name cannot hold a slash")
		case name == "" && i < len(names)-1:
			return registry.Errorf(registry.CodeInvalid, "path has an empty name (two slashes in a row)")
		}
	}
	return nil
}

// refuse answers a request that no route takes, with the status and headers that the mux chose.
func (c *console) refuse(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	seen := &statusOnly{header: http.Header{}}
	mux.ServeHTTP(seen, r)
	a := c.whoever(r)
	if seen.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", seen.header.Get("Allow"))
		c.errorPage(w, r, a, errorView{
			Status: seen.status, Title: c.say("Not that way"),
			Message: c.say("This address takes %s, not %s.", seen.header.Get("Allow"), r.Method),
			Next:    c.say("Use the button or the form of the page that leads here."),
		})
		return
	}
	c.errorPage(w, r, a, errorView{
		Status: http.StatusNotFound, Title: c.say("No such page"), Message: c.say("The console has no page at this address."),
		Next: c.say("Check the address, or search for what you wanted in the box above."),
	})
}

// whoever tells who asks where it does not matter for the answer, only for the frame around it.
func (c *console) whoever(r *http.Request) registry.Actor {
	a, err := c.Auth.Authenticate(r)
	if err != nil {
		return registry.Actor{}
	}
	return a
}

// statusOnly is a response that nobody reads: it remembers status and headers.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
