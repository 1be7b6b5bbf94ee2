package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// detailsView is what is known about a resource or collection beside its content, at its current or an older version.
type detailsView struct {
	head
	At registry.Version
	// HTTP and HTTPS are permalinks through the load balancer, "" where it has no such listener.
	HTTP, HTTPS string
	Store       string // the store and the path in it; "" for a collection that only leads to mounts
	StorePath   registry.Path
	ReadOnly    bool
}

func (c *console) details(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	h, at, err := c.atVersion(r, a, "details")
	if err != nil {
		return err
	}
	v := detailsView{head: h, At: at}
	if m, sp, ok := c.Service.Mounts().Resolve(h.Resource.Path); ok && !v.IsVirtual() {
		v.Store, v.StorePath, v.ReadOnly = m.Store.Name(), sp, m.ReadOnly
	}
	if !v.IsCollection() {
		suffix := ""
		if v.Version > 0 {
			suffix = ";version:" + formatNumber(v.Version)
		}
		if c.PublicHTTP != "" {
			v.HTTP = permalink(c.PublicHTTP, h.Resource.Path) + suffix
		}
		if c.PublicHTTPS != "" {
			v.HTTPS = permalink(c.PublicHTTPS, h.Resource.Path) + suffix
		}
	}
	return c.show(w, r, a, http.StatusOK, "details", c.say("Details of %s", v.Name()), v.head, v)
}

// atVersion reads what the address names, at the version that it names.
func (c *console) atVersion(r *http.Request, a registry.Actor, tab string) (head, registry.Version, error) {
	p, pick, err := refOf(r)
	if err != nil {
		return head{}, registry.Version{}, err
	}
	res, at, err := c.Service.GetPick(r.Context(), a, p, pick, registry.Freshness{})
	if err != nil {
		return head{}, registry.Version{}, err
	}
	return c.headOf(r, res, tab, at.Number), at, nil
}

// describeView is the form for description and media type.
type describeView struct {
	head
	ETag        string
	Description string
	MediaType   string
	Error       string
}

func (c *console) describeForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	v := describeView{
		head: c.headOf(r, res, "details", res.Version), ETag: res.ETag(),
		Description: res.Meta.Description, MediaType: res.Meta.MediaType,
	}
	return c.show(w, r, a, http.StatusOK, "describe", c.say("Edit details of %s", v.Name()), v.head, v)
}

// describe stores description and media type as a new version with the same content.
func (c *console) describe(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	v := describeView{
		head: c.headOf(r, res, "details", res.Version), ETag: res.ETag(),
		Description: fromTextarea(r.PostForm.Get("description"), newlinesLF), MediaType: strings.TrimSpace(r.PostForm.Get("media_type")),
	}
	in := registry.MetaInput{Path: res.Path, Description: &v.Description, If: ifMatch(r)}
	if !v.IsCollection() {
		in.MediaType = &v.MediaType
	}
	put, err := c.Service.UpdateMeta(r.Context(), oncePerForm(r, a), in)
	if err == nil {
		toPage(w, link("details", res.Path), noteFor(put, "described"))
		return nil
	}
	v.Error = c.formError(r, a, err)
	return c.show(w, r, a, statusOf(err), "describe", c.say("Edit details of %s", v.Name()), v.head, v)
}

// noteFor is the note about a change that may have changed nothing.
func noteFor(put registry.PutResult, note string) string {
	if !put.Changed {
		return "unchanged"
	}
	return note
}

// outcome is what a page with a form shows about failed, which its sending caused, and its status; nil is no failure.
func (c *console) outcome(r *http.Request, a registry.Actor, failed error) (text string, status int) {
	if failed == nil {
		return "", http.StatusOK
	}
	return c.formError(r, a, failed), statusOf(failed)
}

// formError is the text that a form shows about err, which its sending caused. A conflict is told as one: the form now carries the entity tag of
// what is there, so sending it again overwrites.
func (c *console) formError(r *http.Request, a registry.Actor, err error) string {
	c.logFault(r, a, err)
	switch registry.CodeOf(err) {
	case registry.CodePrecondition:
		return c.say("Somebody changed this after you opened the form. Your input is still below; send it again to save it over their change, " +
			"or open the page anew to see what they did.")
	case registry.CodeInternal:
		return c.say("%s: %s.", capitalize(c.messageOf(err)), requestID(r))
	default:
		return c.sentence(err)
	}
}
