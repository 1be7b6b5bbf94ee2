package console

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/regent-registry/regent/pkg/registry"
)

// onceField is the field with which a form makes its change once, however often it is sent: by a double click, by Reload, by Send again.
const onceField = "once"

// newOnce is another value for each form that is shown.
func newOnce() string { return rand.Text() }

// oncePerForm is the actor for the change that a form asks for. A form that somebody went back to and changed is another request. Nothing is made of a
// password: what names a request is kept in the store.
func oncePerForm(r *http.Request, a registry.Actor) registry.Actor {
	form := maps.Clone(r.PostForm)
	form.Del("password")
	return onceAs(r, a, form)
}

// once is the actor for the file that an upload is at. What the file holds is part of the request, but not of its name, since it comes last: see
// [takenBefore]. A form that replaces whatever is there makes no second version of the same anyway.
func (u *uploadParts) once(r *http.Request, a registry.Actor) registry.Actor {
	if u.fields["replace"] == existsReplace {
		return a
	}
	form := url.Values{"file": {strconv.Itoa(u.count), u.name()}}
	for name, value := range u.fields {
		form.Add(name, value)
	}
	return onceAs(r, a, form)
}

func onceAs(r *http.Request, a registry.Actor, form url.Values) registry.Actor {
	if form.Get(onceField) != "" {
		a.Once = registry.NewOnce(a.User, "console form\n"+r.URL.Path+"\n"+form.Encode())
	}
	return a
}

// takenBefore is the error of a form whose file goes to a free name or onto a known state, where the form was sent before with another content: then
// the name is taken, or the state is gone, by that.
func takenBefore(err error, p registry.Path) error {
	if registry.CodeOf(err) == registry.CodeKeyReused {
		return registry.Errorf(registry.CodePrecondition, "%s was stored by this form before, with another content", p)
	}
	return err
}
