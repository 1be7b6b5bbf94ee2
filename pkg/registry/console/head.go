package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// head is what every page about one resource shows above its own part: where it is, what it is, and what can be done with it.
type head struct {
	name     string
	Resource registry.Resource
	Crumbs   []crumb
	Tab      string // the tab that is open
	Version  int64  // the older version looked at; 0 for the current state

	Star *starView // nil where it takes none
	Live string    // address of the stream of what happens to it; "" for none

	Private *privateView // only this node has it, and the request may have come through the load balancer

	Writable  bool // it lies on a mount that takes changes, and the next request can be sent to it
	ReadOnly  bool // its mount takes no changes
	Deletable bool
	Attaching bool // who sees the page may attach tags, comments and ratings: whoever may read it
	Governed  bool // the user may set its permissions
	Fetching  bool // files may be fetched into it
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

// Elsewhere tells of what is to be changed on this node's own console, not here.
func (h head) Elsewhere() bool { return h.Private != nil && h.Private.Own != "" }

// Name is the resource's name, for titles.
func (h head) Name() string { return h.name }

func nameOf(p registry.Path) string {
	if p.IsRoot() {
		return mark("Root")
	}
	return p.Name()
}

// nameOf is the name in the console's language: the root's is a word.
func (c *console) nameOf(p registry.Path) string {
	if p.IsRoot() {
		return c.say(nameOf(p))
	}
	return nameOf(p)
}

// headOf describes res for the request r; n is the version that the page shows, 0 for the current one.
func (c *console) headOf(r *http.Request, res registry.Resource, tab string, n int64) head {
	h := head{name: c.nameOf(res.Path), Resource: res, Tab: tab, Crumbs: crumbsOf(res.Path), Private: c.private(r, res.Path, pageOf(res))}
	if n != res.Version {
		h.Version = n
	} else if h.Private == nil {
		h.Live = live(res)
	}
	m, _, covered := c.Service.Mounts().Resolve(res.Path)
	h.ReadOnly = covered && m.ReadOnly
	changeable := covered && !m.ReadOnly && !h.IsVirtual() && !h.Elsewhere()
	h.Attaching = changeable && c.isSomebody(r)
	h.Writable = changeable && c.may(r, registry.RightWrite, res.Path)
	h.Fetching = h.Writable && h.IsCollection() && c.fetcher != nil
	h.Deletable = changeable && !res.Mount && !res.Path.IsRoot() && c.may(r, registry.RightDelete, res.Path)
	h.Star = c.star(r, res)
	h.Governed = !h.Elsewhere() && c.may(r, registry.RightAuthorize, res.Path)
	h.Editable = h.Writable && res.Kind == registry.KindResource && res.Size <= maxEditable && soundsLikeText(res.Meta.MediaType)
	return h
}

// mounted refuses a place for new entries that no store holds.
func (c *console) mounted(p registry.Path) error {
	if _, _, covered := c.Service.Mounts().Resolve(p); !covered {
		return registry.Errorf(registry.CodeConflict, "no store is mounted at or above %s, so nothing can be created there; open a mount below it", p)
	}
	return nil
}

func crumbsOf(p registry.Path) []crumb {
	var up []crumb
	for ; !p.IsRoot(); p = p.Parent() {
		up = append(up, crumb{p.Name(), p})
	}
	crumbs := make([]crumb, 0, len(up)+1)
	crumbs = append(crumbs, crumb{nameOf(registry.Root), registry.Root})
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

// titleAt makes the title of a page about p one that no other page has: names alone are the same in many collections.
func titleAt(title string, p registry.Path) string {
	switch {
	case p.IsRoot():
		return title
	case strings.Contains(title, p.Name()):
		return title + " · " + p.Parent().String()
	}
	return title + " · " + p.String()
}

// show renders a page about the resource of h.
func (c *console) show(w http.ResponseWriter, r *http.Request, a registry.Actor, status int, name, title string, h head, view any) error {
	f := c.frame(r, a, titleAt(title, h.Resource.Path)).at(h.Resource.Path)
	f.Page = view
	if status == http.StatusOK {
		f.Recent = &h.Resource
	}
	return c.render(w, status, name, f)
}

// ifMatch is the precondition that a form carries: the state that its author saw.
func ifMatch(r *http.Request) registry.Precondition {
	if tag := r.PostForm.Get("etag"); tag != "" {
		return registry.Precondition{Match: []string{tag}}
	}
	return registry.Precondition{}
}
