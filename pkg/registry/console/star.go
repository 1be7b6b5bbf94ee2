package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// homeStars is how many stars the first page shows.
const homeStars = 8

// starView is the button that gives a resource or collection the user's star, or takes it away.
type starView struct {
	Path registry.Path
	On   bool
	Next string // the page to come back to
}

// star describes the button for res on the page that r asks for; nil where there is none. A store that does not answer has none: the page is worth more.
func (c *console) star(r *http.Request, res registry.Resource) *starView {
	a, _ := r.Context().Value(actorKey{}).(registry.Actor)
	if a.User == "" || res.ID.IsZero() {
		return nil
	}
	on, err := c.Service.IsStarred(r.Context(), a, res)
	if err != nil {
		c.logFault(r, a, err)
		return nil
	}
	v := &starView{Path: res.Path, On: on, Next: pageOf(res)}
	if r.Method == http.MethodGet {
		v.Next = here(r)
	}
	return v
}

// setStar gives a star or takes it away, and leads back to where the button was.
func (c *console) setStar(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	on := r.PostForm.Get("on") != ""
	if _, err := c.Service.Star(r.Context(), a, p, on); err != nil {
		return err
	}
	redirect(w, safeNext(r.PostForm.Get("next")))
	return nil
}

// starsView is all that the user starred.
type starsView struct{ Stars []registry.Star }

func (c *console) stars(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	list, err := c.Service.Stars(r.Context(), a, 0)
	if err != nil {
		return err
	}
	f := c.frame(r, a, c.say("Starred"))
	f.Section, f.Page = "starred", starsView{list}
	return c.render(w, http.StatusOK, "starred", f)
}
