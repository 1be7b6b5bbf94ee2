package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// failures says how each code is told to a browser.
var failures = map[registry.Code]struct {
	status int
	title  string
}{
	registry.CodeInvalid:         {http.StatusBadRequest, mark("That cannot be done as asked")},
	registry.CodeUnauthenticated: {http.StatusUnauthorized, mark("Sign in first")},
	registry.CodeDenied:          {http.StatusForbidden, mark("Not allowed")},
	registry.CodeNotFound:        {http.StatusNotFound, mark("Nothing here")},
	registry.CodeGone:            {http.StatusGone, mark("Not kept any more")},
	registry.CodeConflict:        {http.StatusConflict, mark("That does not fit what is there")},
	registry.CodePrecondition:    {http.StatusPreconditionFailed, mark("Somebody was faster")},
	registry.CodeKeyReused:       {http.StatusUnprocessableEntity, mark("That belongs to another request")},
	registry.CodeTooLarge:        {http.StatusRequestEntityTooLarge, mark("Too large")},
	registry.CodeMediaType:       {http.StatusUnsupportedMediaType, mark("Wrong media type")},
	registry.CodeThrottled:       {http.StatusTooManyRequests, mark("Too many tries")},
	registry.CodeUnavailable:     {http.StatusServiceUnavailable, mark("The store does not answer")},
	registry.CodeInternal:        {http.StatusInternalServerError, mark("Something broke on our side")},
}

// nextSteps says what somebody can do about a failure that its message does not say already.
var nextSteps = map[registry.Code]string{
	registry.CodeDenied: mark("Who may give permissions there, or an administrator, can let you in. " +
		"If you have another account that may, sign out and sign in with that one."),
	registry.CodeNotFound: mark("It may have been moved, renamed or deleted, or the address was cut. " +
		"What was deleted is in the trash of the collection that it was in."),
	registry.CodeGone:         mark("Choose a later version or time."),
	registry.CodeConflict:     mark("Go back, change what does not fit, and send the form again."),
	registry.CodePrecondition: mark("Open the page anew to see what is there now, then make your change again."),
	registry.CodeInvalid:      mark("Go back, correct it, and try again; what you wrote is still in the form."),
	registry.CodeTooLarge:     mark("Make it smaller, or ask an administrator to raise the limit."),
	registry.CodeThrottled:    mark("Wait a moment; then try again."),
	registry.CodeInternal:     mark("If it happens again, give the request id below to whoever runs this server: the log says what broke."),
}

// statusOf is the HTTP status for err.
func statusOf(err error) int {
	if f, ok := failures[registry.CodeOf(err)]; ok {
		return f.status
	}
	return http.StatusInternalServerError
}

// errorView is what the error page shows.
type errorView struct {
	Status    int
	Title     string
	Message   string
	RequestID string
	Nearest   *registry.Path // the closest collection that exists, when a path led nowhere
	Private   *privateView   // another node may have it
	Retry     bool           // the same request may succeed later
	Next      string         // what the reader can do now
	Again     string         // the address to try once more, where that may help
	Search    string         // a search for what was not found
}

// fail turns what an action returned into a page, and logs it when it is a fault of ours.
func (c *console) fail(w http.ResponseWriter, r *http.Request, a registry.Actor, err error) {
	code := registry.CodeOf(err)
	if code == registry.CodeCanceled || errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read an answer
	}
	c.logFault(r, a, err)
	if code == registry.CodeDenied && a.User != "" {
		p, _ := registry.ParsePath(r.PathValue("path")) // none where the address names none
		c.Service.NoteAccess(registry.AccessEvent{Kind: registry.AccessDenied, User: a.User, Client: a.Client, Agent: a.Agent, RequestID: requestID(r), Path: p})
	}
	f, ok := failures[code]
	if !ok {
		f = failures[registry.CodeInternal]
	}
	v := errorView{Status: f.status, Title: c.say(f.title), Message: c.sentence(err), Retry: code == registry.CodeUnavailable}
	v.Next = c.say(nextSteps[code])
	if v.Retry && r.Method == http.MethodGet {
		v.Again = here(r)
	}
	switch code {
	case registry.CodeNotFound:
		c.helpFind(r, a, &v)
	case registry.CodeDenied, registry.CodeInvalid, registry.CodeConflict:
		c.helpBack(r, a, code, &v)
	default: // nothing else is nearer than the overview
	}
	if v.Retry {
		w.Header().Set("Retry-After", "2")
	}
	setRetryAfter(w, err)
	c.errorPage(w, r, a, v)
}

// setRetryAfter says when to come again, where err does.
func setRetryAfter(w http.ResponseWriter, err error) {
	if e, ok := errors.AsType[*registry.Error](err); ok && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
}

// logFault logs err when it is not the user's to mend.
func (c *console) logFault(r *http.Request, a registry.Actor, err error) {
	switch registry.CodeOf(err) {
	case registry.CodeInternal:
		c.Logger.ErrorContext(r.Context(), "console page failed", "request_id", requestID(r), "method", r.Method, "path", r.URL.Path,
			"user", a.User, "error", err)
	case registry.CodeUnavailable:
		c.Logger.WarnContext(r.Context(), "console page without store", "request_id", requestID(r), "method", r.Method, "path", r.URL.Path,
			"user", a.User, "error", err)
	default: // the user is told, and can mend it
	}
}

// errorPage writes the page for v. It cannot fail: when the template does, plain text goes out.
func (c *console) errorPage(w http.ResponseWriter, r *http.Request, a registry.Actor, v errorView) {
	v.RequestID = requestID(r)
	f := c.frame(r, a, v.Title)
	f.Page = v
	if err := c.render(w, v.Status, "error", f); err != nil {
		c.Logger.ErrorContext(r.Context(), "console error page failed", "request_id", v.RequestID, "error", err)
		http.Error(w, v.Title, v.Status)
	}
}

// nearestSteps bounds how far up the error page looks for something that exists.
const nearestSteps = 12

// helpFind says where to look for what the request asked for and did not find.
func (c *console) helpFind(r *http.Request, a registry.Actor, v *errorView) {
	text := r.PathValue("path")
	if text == "" {
		text, _, _ = strings.Cut(locationOf(r.URL.Query().Get("to")), ";")
	}
	p, err := registry.ParsePath(text)
	if err != nil {
		return
	}
	v.Private = c.private(r, p, link("browse", p))
	if !p.IsRoot() {
		v.Search = condition("name", p.Name())
	}
	if r.Method == http.MethodGet {
		v.Nearest = c.nearest(r, a, p)
	}
}

// helpBack offers what the address names, where somebody may read it, and does not speak of a form to who only opened an address.
func (c *console) helpBack(r *http.Request, a registry.Actor, code registry.Code, v *errorView) {
	if r.Method == http.MethodGet && code != registry.CodeDenied {
		v.Next = c.say("Nothing was changed. Check the address, or open the page anew.")
	}
	text := r.PathValue("path")
	if text == "" || a.User == "" {
		return
	}
	p, err := registry.ParsePath(text)
	if err != nil {
		return
	}
	if _, err := c.Service.Get(r.Context(), a, p, registry.Freshness{}); err == nil {
		v.Nearest = &p
	}
}

// nearest finds the closest thing above p that exists.
func (c *console) nearest(r *http.Request, a registry.Actor, p registry.Path) *registry.Path {
	for range nearestSteps {
		p = p.Parent()
		if _, err := c.Service.Get(r.Context(), a, p, registry.Freshness{}); err == nil || p.IsRoot() {
			return &p
		}
	}
	root := registry.Root
	return &root
}
