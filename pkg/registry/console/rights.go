package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// What a user may not do, the pages do not offer: neither the button nor, at its address, the form.

type actorKey struct{}

// withActor notes on whose behalf a page is made, for the parts of it that show what they may do.
func withActor(r *http.Request, a registry.Actor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), actorKey{}, a))
}

// may tells whether the user of the request has a right on p.
func (c *console) may(r *http.Request, right registry.Right, p registry.Path) bool {
	a, _ := r.Context().Value(actorKey{}).(registry.Actor)
	return c.Service.Authorize(r.Context(), a, right, p) == nil
}

// isSomebody tells whether the user of the request is somebody.
func (c *console) isSomebody(r *http.Request) bool {
	a, _ := r.Context().Value(actorKey{}).(registry.Actor)
	return a.User != ""
}

// formRights are the rights without which a form about a path is no use, by the operation.
var formRights = map[string]registry.Right{
	"describe": registry.RightWrite, "property": registry.RightWrite, "restore": registry.RightWrite, "edit": registry.RightWrite,
	"upload": registry.RightWrite, "new-collection": registry.RightWrite, "new-text": registry.RightWrite, "new-from-url": registry.RightWrite, "delete": registry.RightDelete,
	"checkpoint": registry.RightWrite, "restore-tree": registry.RightDelete,
	"new-link": registry.RightWrite, "move": registry.RightDelete, "permissions": registry.RightAuthorize,
}

// admit refuses the form of a change that the user may not make.
func (c *console) admit(r *http.Request, a registry.Actor) error {
	operation, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/console/"), "/")
	right, ok := formRights[operation]
	if !ok {
		return nil
	}
	p, err := pathOf(r)
	if err != nil {
		return nil //nolint:nilerr // the page itself says what is wrong with the path
	}
	return c.Service.Authorize(r.Context(), a, right, p)
}

// needsUsers refuses a page to who may not manage users.
func needsUsers(a registry.Actor) error {
	if !a.Holds(registry.GrantUsers) {
		return registry.Errorf(registry.CodeDenied, "you may not manage users and roles")
	}
	return nil
}
