package httpapi

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// Config is what the door is made of. All fields but Version are required.
type Config struct {
	Service *registry.Service
	Auth    *auth.Authenticator
	Logger  *slog.Logger
	Version string // of the program, for the API's description

	Heartbeat time.Duration // between signs of life of a watch that has nothing to tell; default 15 s
}

// handler serves the three URL spaces of this package.
type handler struct {
	service  *registry.Service
	auth     *auth.Authenticator
	log      *slog.Logger
	origin   *http.CrossOriginProtection
	routes   []route
	document []byte // the API's description, as JSON

	heartbeat time.Duration
}

// New makes the door. It must see request URLs as clients sent them: put no [http.ServeMux] in front of it, which redirects what it would
// rather have ("//", ".."), where this door answers 400. r.URL.Scheme, r.Host and the header X-Request-Id must be set already.
func New(c Config) http.Handler {
	h := &handler{service: c.Service, auth: c.Auth, log: c.Logger, origin: http.NewCrossOriginProtection(), document: apiDocument(c.Version)}
	h.routes = h.allRoutes()
	h.heartbeat = cmp.Or(c.Heartbeat, defaultHeartbeat)
	return h
}

// ServeHTTP finds the operation and runs it for whoever asks.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w}
	out.Header().Set("X-Content-Type-Options", "nosniff")
	out.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	// A shared cache must keep nothing, and a private one must ask: an answer is never older than the last acknowledged write.
	out.Header().Set("Cache-Control", "private, no-cache")
	c := &call{Request: r}
	if err := h.serve(out, c); err != nil {
		h.witness(r, c, err)
		h.fail(out, r, err)
	}
}

// witness notes refusals for the audit. Whoever sent no credentials at all has not tried anything, and who is known by then asked too much of something else.
func (h *handler) witness(r *http.Request, c *call, err error) {
	a := registry.AccessEvent{Client: auth.AddressOf(r.RemoteAddr), Agent: registry.AgentOf(r.UserAgent()), RequestID: r.Header.Get("X-Request-Id")}
	switch registry.CodeOf(err) {
	case registry.CodeUnauthenticated, registry.CodeThrottled:
		if c.actor.User != "" {
			return
		}
		a.Kind = registry.AccessFailed
		a.User, _, _ = r.BasicAuth()
		a.User = auth.LoginName(a.User)
	case registry.CodeDenied:
		a.Kind, a.User = registry.AccessDenied, c.actor.User
		if c.hasPath || c.byQuery {
			a.Path, _, _ = c.pathRef() // a path that is none is told as none
		}
	default:
		return
	}
	if a.User != "" {
		h.service.NoteAccess(a)
	}
}

func (h *handler) serve(w http.ResponseWriter, c *call) error {
	if err := h.origin.Check(c.Request); err != nil {
		return registry.Errorf(registry.CodeDenied, "a page of another origin sent this request; changes are taken from this origin and from programs only")
	}
	var err error
	if c.actor, err = h.auth.Authenticate(c.Request); err != nil {
		return err
	}
	err = h.dispatch(w, c)
	if c.actor.User == "" {
		return signInFirst(err)
	}
	return err
}

// dispatch finds the operation and runs it.
func (h *handler) dispatch(w http.ResponseWriter, c *call) error {
	route, rest, err := h.find(c.Method, c.URL.EscapedPath())
	if err != nil {
		return err
	}
	if c.actor.User == "" && !route.open() {
		return registry.Errorf(registry.CodeUnauthenticated, "sign in first")
	}
	c.rest, c.hasPath, c.byQuery = rest, route.hasPath(), route.byQuery()
	switch {
	case strings.HasPrefix(route.url, apiPrefix):
		err = c.known(route.query)
	case strings.HasPrefix(route.url, compatPrefix):
		err = c.prepareCompat(route)
	}
	if err != nil {
		return err
	}
	if err := c.once(); err != nil {
		return err
	}
	return route.serve(w, c)
}

// response remembers whether the answer has begun: from then on an error cannot be told, only the connection be cut.
type response struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *response) WriteHeader(status int) {
	w.begun = w.begun || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *response) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap serves [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
