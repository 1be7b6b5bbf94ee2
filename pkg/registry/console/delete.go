package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// deleteView asks whether something is to go, and shows what that is.
type deleteView struct {
	head
	ETag   string
	Sample []registry.Resource // of its children
	Others bool                // there are more of them
	Going  goingView
	Error  string
}

// sampleSize is how many children the page names.
const sampleSize = 8

func (c *console) deleteForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.askDelete(w, r, a, nil)
}

func (c *console) askDelete(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	res, err := c.itself(r, a)
	if err != nil {
		return err
	}
	v := deleteView{head: c.headOf(r, res, "", res.Version), ETag: res.ETag()}
	if v.IsCollection() {
		page, err := c.Service.List(r.Context(), a, res.Path, "", sampleSize, registry.Freshness{})
		if err != nil {
			return err
		}
		v.Sample, v.Others = page.Entries, page.Next != ""
	}
	if v.Deletable {
		if v.Going, err = c.going(r, a, res.Path); err != nil {
			return err
		}
		if res.Kind == registry.KindResource {
			if v.Going.Impact, err = c.breaking(r, a, res.Path); err != nil {
				return err
			}
		}
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "delete", c.say("Delete %s", v.Name()), v.head, v)
}

// delete takes what the address names out of the tree, if it is still what the page showed.
func (c *console) delete(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	_, err = c.Service.Delete(r.Context(), a, p, ifMatch(r))
	switch registry.CodeOf(err) {
	case "":
		toPage(w, link("browse", p.Parent()), "deleted")
		return nil
	case registry.CodePrecondition:
		return c.askDelete(w, r, a, err)
	default:
		return err
	}
}
