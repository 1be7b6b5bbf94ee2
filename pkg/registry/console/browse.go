package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// browseView is a page of the entries of a collection.
type browseView struct {
	head
	Entries []registry.Resource
	Cursor  string // of this page; "" is the first
	Next    string
	Example string // a base URL to show how to store from the command line
	Tree    *treeView
	Limit   int64 // of one content, for what is dropped here

	Selectable bool // its entries can be ticked, and then copied or tagged
	Removable  bool // and moved and deleted
}

// redirectByKind leads from the page for one kind of thing to the page for what is there. A link that leads nowhere has none: err says why.
func (c *console) redirectByKind(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, err error) error {
	res, getErr := c.Service.Get(r.Context(), a, p, registry.Freshness{})
	if getErr != nil {
		return err
	}
	redirect(w, pageOf(res))
	return nil
}

// browse lists a collection; a resource is shown on its own page.
func (c *console) browse(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	page, err := c.Service.List(r.Context(), a, p, cursor, 0, registry.Freshness{})
	if registry.CodeOf(err) == registry.CodeConflict {
		return c.redirectByKind(w, r, a, p, err)
	}
	if err != nil {
		return err
	}
	v := browseView{
		head: c.headOf(r, page.Parent, "entries", page.Parent.Version), Entries: page.Entries, Cursor: cursor, Next: page.Next,
		Example: c.PublicHTTPS, Limit: c.Service.ContentLimit(),
	}
	if v.Example == "" {
		v.Example = c.PublicHTTP
	}
	// Entries below a link are changed where it leads.
	v.Selectable = v.Attaching && page.Parent.Real == ""
	v.Removable = v.Selectable && c.may(r, registry.RightDelete, p)
	if v.Tree, err = c.tree(r, a, page, cursor == ""); err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "browse", v.Name(), v.head, v)
}
