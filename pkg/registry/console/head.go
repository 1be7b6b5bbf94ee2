package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// head is what every page about one resource shows above its own part: where it is, what it is, and what can be done with it.
type head struct {
	Resource registry.Resource
	Crumbs   []crumb
	Tab      string // the tab that is open
	Version  int64  // the older version looked at; 0 for the current state

	Writable  bool // it lies on a mount that takes changes
	Deletable bool
	Editable  bool // its content is a text that the edit page takes, or seems to be where nobody looked into it
}

type crumb struct {
	Name string
	Path registry.Path
}

// IsCollection is for templates.
func (h head) IsCollection() bool { return h.Resource.Kind == registry.KindCollection }

// IsVirtual tells of a collection that exists only because a mount lies below it: it has no versions, properties or dates.
func (h head) IsVirtual() bool { return h.Resource.ID.IsZero() }

// Name is the resource's name, for titles.
func (h head) Name() string { return nameOf(h.Resource.Path) }

func nameOf(p registry.Path) string {
	if p.IsRoot() {
		return "Root"
	}
	return p.Name()
}

// headOf describes r; n is the version that the page shows, 0 for the current one.
func (c *console) headOf(r registry.Resource, tab string, n int64) head {
	h := head{Resource: r, Tab: tab, Crumbs: crumbsOf(r.Path)}
	if n != r.Version {
		h.Version = n
	}
	m, _, covered := c.Service.Mounts().Resolve(r.Path)
	h.Writable = covered && !m.ReadOnly && !h.IsVirtual()
	h.Deletable = h.Writable && !r.Mount && !r.Path.IsRoot()
	h.Editable = h.Writable && r.Kind == registry.KindResource && r.Size <= maxEditable && soundsLikeText(r.Meta.MediaType)
	return h
}

func crumbsOf(p registry.Path) []crumb {
	var up []crumb
	for ; !p.IsRoot(); p = p.Parent() {
		up = append(up, crumb{p.Name(), p})
	}
	crumbs := make([]crumb, 0, len(up)+1)
	crumbs = append(crumbs, crumb{"Root", registry.Root})
	for i := len(up) - 1; i >= 0; i-- {
		crumbs = append(crumbs, up[i])
	}
	return crumbs
}

// find reads what the address names.
func (c *console) find(r *http.Request, a registry.Actor) (registry.Resource, error) {
	p, err := pathOf(r)
	if err != nil {
		return registry.Resource{}, err
	}
	return c.Service.Get(r.Context(), a, p, registry.Freshness{})
}

// show renders a page about the resource of h.
func (c *console) show(w http.ResponseWriter, r *http.Request, a registry.Actor, status int, name, title string, h head, view any) error {
	f := c.frame(r, a, title).at(h.Resource.Path)
	f.Page = view
	return c.render(w, status, name, f)
}

// ifMatch is the precondition that a form carries: the state that its author saw.
func ifMatch(r *http.Request) registry.Precondition {
	if tag := r.PostForm.Get("etag"); tag != "" {
		return registry.Precondition{Match: []string{tag}}
	}
	return registry.Precondition{}
}
