package console

import (
	"crypto/rand"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// onceField is the field with which a form makes its change once, however often it is sent: by a double click, by Reload, by Send again.
const onceField = "once"

// newOnce is another value for each form that is shown.
func newOnce() string { return rand.Text() }

// oncePerForm is the actor for the change that a form asks for. A form that somebody went back to and changed is another request.
func oncePerForm(r *http.Request, a registry.Actor) registry.Actor {
	if r.PostForm.Get(onceField) != "" {
		a.Once = registry.NewOnce(a.User, "console form\n"+r.URL.Path+"\n"+r.PostForm.Encode())
	}
	return a
}
