package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// associationsView lists the associations from a resource or collection, and those to it.
type associationsView struct {
	head
	Out, In         []registry.Association
	OutNext, InNext string // cursors of the next pages
	Paged           bool   // this is not the first page of one of them

	// What a form that was refused had, and why.
	Type, Target string
	Error        string
}

func (c *console) associations(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showAssociations(w, r, a, associationsView{Type: registry.DependsType}, nil)
}

// showAssociations renders the page; v has what a refused form had, and failed why it was refused.
func (c *console) showAssociations(w http.ResponseWriter, r *http.Request, a registry.Actor, v associationsView, failed error) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	in := registry.AssociationsInput{Path: p, Cursor: query.Get("out")}
	out, err := c.Service.Associations(r.Context(), a, in, registry.Freshness{})
	if err != nil {
		return err
	}
	in.Incoming, in.Cursor = true, query.Get("in")
	incoming, err := c.Service.Associations(r.Context(), a, in, registry.Freshness{})
	if err != nil {
		return err
	}
	v.head = c.headOf(r, out.Resource, "associations", out.Resource.Version)
	v.Out, v.OutNext, v.In, v.InNext = out.Associations, out.Next, incoming.Associations, incoming.Next
	v.Paged = query.Get("out") != "" || query.Get("in") != ""
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "associations", c.say("Associations of %s", v.Name()), v.head, v)
}

func (c *console) associate(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	v := associationsView{Type: r.PostForm.Get("type"), Target: strings.TrimSpace(r.PostForm.Get("target"))}
	_, _, made, err := c.Service.Associate(r.Context(), oncePerForm(r, a), p, v.Type, v.Target)
	switch registry.CodeOf(err) {
	case "":
		note := "associated"
		if !made {
			note = ""
		}
		toPage(w, link("associations", p), note)
		return nil
	case registry.CodeInvalid, registry.CodeConflict, registry.CodeNotFound:
		return c.showAssociations(w, r, a, v, err) // which has its own answer when it is the source that is missing
	default:
		return err
	}
}

func (c *console) dissociate(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	if _, err := c.Service.Dissociate(r.Context(), a, p, r.PostForm.Get("type"), r.PostForm.Get("target")); err != nil {
		return err
	}
	toPage(w, link("associations", p), "dissociated")
	return nil
}

// isWeb tells of a URI that a browser may follow; others stand as text.
func isWeb(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")
}
