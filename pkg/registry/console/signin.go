package console

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// signInView is what the sign-in page shows.
type signInView struct {
	User  string
	Next  string
	Error string
}

// signInFormLimit bounds the body of the sign-in form.
const signInFormLimit = 16 << 10

// signInForm shows the sign-in page; who is signed in already goes on at once.
func (c *console) signInForm(w http.ResponseWriter, r *http.Request) {
	next := safeNext(r.URL.Query().Get("next"))
	if c.whoever(r).User != "" {
		redirect(w, next)
		return
	}
	c.showSignIn(w, r, http.StatusOK, signInView{Next: next})
}

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request, status int, v signInView) {
	f := c.frame(r, registry.Actor{}, c.say("Sign in"))
	f.Page = v
	if err := c.render(w, status, "sign-in", f); err != nil {
		c.fail(w, r, registry.Actor{}, err)
	}
}

// signIn starts a session. Wrong user and wrong password look the same.
func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r, signInFormLimit); err != nil {
		c.fail(w, r, registry.Actor{}, err)
		return
	}
	v := signInView{User: r.PostForm.Get("user"), Next: safeNext(r.PostForm.Get("next"))}
	token, _, err := c.Auth.SignInFrom(r.Context(), v.User, r.PostForm.Get("password"), auth.ClientOf(r))
	note := registry.AccessEvent{Kind: registry.AccessSignIn, User: auth.LoginName(v.User), Client: auth.AddressOf(r.RemoteAddr), Agent: registry.AgentOf(r.UserAgent()), RequestID: requestID(r)}
	switch registry.CodeOf(err) {
	case "":
		c.Service.NoteAccess(note)
		auth.SetCookie(w, r, token)
		redirect(w, v.Next)
	case registry.CodeUnauthenticated:
		note.Kind = registry.AccessFailed
		c.Service.NoteAccess(note)
		v.Error = c.say("User or password is wrong. Who manages the users can set you a new password.")
		c.showSignIn(w, r, http.StatusUnauthorized, v)
	case registry.CodeThrottled:
		note.Kind = registry.AccessFailed
		c.Service.NoteAccess(note)
		setRetryAfter(w, err)
		v.Error = c.sentence(err)
		c.showSignIn(w, r, http.StatusTooManyRequests, v)
	default:
		c.fail(w, r, registry.Actor{}, err)
	}
}

// signOut ends the session on every node and forgets the cookie.
func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	if token := auth.SessionToken(r); token != "" {
		if err := c.Auth.SignOut(r.Context(), token); err != nil && registry.CodeOf(err) != registry.CodeNotFound {
			c.fail(w, r, c.whoever(r), err)
			return
		}
	}
	auth.ClearCookie(w, r)
	redirect(w, "/console/sign-in?note=signed-out")
}

// expiredView is a form that was sent when nobody was signed in any more: its fields come back, so that it can be sent again.
type expiredView struct {
	Action string // where to send it again; "" when it carried a file, which cannot come back
	SignIn string // the sign-in page
	Text   string // the draft, when the form had one; shown
	Fields []field
}

type field struct{ Name, Value string }

// askToSignIn leads to the sign-in page, and from there back. A form that was sent is not lost: its fields are kept in the answer.
func (c *console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		redirect(w, "/console/sign-in?next="+url.QueryEscape(safeNext(r.URL.RequestURI())))
		return
	}
	v := expiredView{SignIn: "/console/sign-in"}
	if isMultipart(r) {
		v.SignIn += "?next=" + url.QueryEscape(safeNext(r.URL.RequestURI()))
	} else {
		if err := readForm(w, r, formLimit); err != nil {
			c.fail(w, r, registry.Actor{}, err)
			return
		}
		v.Action = r.URL.RequestURI()
		v.Text = r.PostForm.Get(textField)
		for name, values := range r.PostForm {
			if name == textField || secretFields[name] {
				continue
			}
			for _, value := range values {
				v.Fields = append(v.Fields, field{name, value})
			}
		}
		slices.SortStableFunc(v.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	}
	f := c.frame(r, registry.Actor{}, c.say("Your session ended"))
	f.Page = v
	if err := c.render(w, http.StatusUnauthorized, "expired", f); err != nil {
		c.fail(w, r, registry.Actor{}, err)
	}
}

// secretFields never come back in a page.
var secretFields = map[string]bool{"password": true, "old": true, "new": true, "again": true}

// isMultipart tells a form with a file from a plain one.
func isMultipart(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}

const (
	textField = "text" // the field that carries a text to store

	// maxEditable is the largest text that the edit page takes, in bytes. Larger ones are downloaded and uploaded.
	maxEditable = 1 << 20
	// formLimit bounds the body of a form: a text in which every byte is written as %XX, and the other fields.
	formLimit = 3*maxEditable + 256<<10
)

// readForm reads the fields of a form into r.PostForm.
func readForm(w http.ResponseWriter, r *http.Request, limit int64) error {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	err := r.ParseForm()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &registry.Error{
			Code: registry.CodeTooLarge, Err: err,
			Message: "the form has more than " + formatSize(limit) + "; store large contents with Upload",
		}
	}
	if err != nil {
		return &registry.Error{Code: registry.CodeInvalid, Message: "the form cannot be read", Err: err}
	}
	return nil
}
