package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// pastView is what was at a path at a moment: the entries of a collection, or what is known of a resource.
type pastView struct {
	Name    string
	Crumbs  []crumb
	Path    registry.Path
	At      string // the moment, as addresses have it
	Was     registry.Resource
	Entries []registry.Resource
	Cursor  string // of this page; "" is the first
	Next    string
}

// IsCollection is for templates.
func (v pastView) IsCollection() bool { return v.Was.Kind == registry.KindCollection }

// past shows what was at a path; nothing can be changed there.
func (c *console) past(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	if err := c.Service.Authorize(r.Context(), a, registry.RightRead, p); err != nil {
		return err
	}
	q := r.URL.Query()
	when, err := momentOf(q.Get("at"))
	if err != nil {
		return err
	}
	if when.IsZero() {
		return registry.Errorf(registry.CodeInvalid, "at is empty; it must be a position of the change log, or a time")
	}
	v := pastView{Name: c.nameOf(p), Crumbs: crumbsOf(p), Path: p, At: q.Get("at"), Cursor: q.Get("cursor")}
	if v.Was, _, err = c.Service.GetPick(r.Context(), a, p, registry.Pick{At: when}, registry.Freshness{}); err != nil {
		return err
	}
	if v.IsCollection() {
		page, err := c.Service.ListAt(r.Context(), a, p, when, v.Cursor, registry.DefaultPageSize)
		if err != nil {
			return err
		}
		v.Entries, v.Next = page.Entries, page.Next
	}
	f := c.frame(r, a, c.say("%s as it was", v.Name)).at(p)
	f.Page = v
	return c.render(w, http.StatusOK, "past", f)
}
