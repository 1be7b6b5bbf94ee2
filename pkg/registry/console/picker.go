package console

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	pickerScan  = 5  // pages of entries that one step of the picker looks through for collections
	pickerWants = 20 // collections that end a step
)

// pickerView is a place of the tree where somebody looks for a path to fill into a form. Its buttons send that form: pick names the collection that is
// chosen and shown next, pick_after goes on in its list. With script, only this part of the page is fetched anew.
type pickerView struct {
	Path    registry.Path
	Crumbs  []crumb
	Entries []registry.Resource
	Next    string // the cursor of what follows
	After   bool   // this is not the first page
	All     bool   // resources can be chosen, too
	Error   string // why nothing is shown
}

// picked tells whether a form was sent by its picker, and where that stands.
func picked(r *http.Request) (p registry.Path, cursor string, ok bool, err error) {
	form := r.PostForm
	switch {
	case form.Has("pick"):
		p, err = registry.ParsePath(form.Get("pick"))
		return p, "", true, err
	case form.Has("pick_after"):
		p, err = registry.ParsePath(form.Get("picked"))
		return p, form.Get("pick_after"), true, err
	}
	return "", "", false, nil
}

// picker reads what the picker shows at p. What cannot be read is told there: the form around it stays. A resource that was picked shows its collection.
func (c *console) picker(ctx context.Context, a registry.Actor, p registry.Path, cursor string, all bool) (*pickerView, error) {
	v := &pickerView{Path: p, After: cursor != "", All: all}
	if all {
		res, err := c.Service.Get(ctx, a, p, registry.Freshness{})
		if err == nil && res.Kind != registry.KindCollection {
			v.Path = p.Parent()
		}
	}
	v.Crumbs = crumbsOf(v.Path)
	for range pickerScan {
		page, err := c.Service.List(ctx, a, v.Path, cursor, 0, registry.Freshness{})
		switch registry.CodeOf(err) {
		case "":
		case registry.CodeNotFound, registry.CodeDenied, registry.CodeConflict, registry.CodeInvalid:
			v.Error = c.sentence(err)
			return v, nil
		default:
			return nil, err
		}
		for _, e := range page.Entries {
			if all || e.Kind == registry.KindCollection {
				v.Entries = append(v.Entries, e)
			}
		}
		if v.Next = page.Next; v.Next == "" || len(v.Entries) >= pickerWants {
			return v, nil
		}
		cursor = v.Next
	}
	return v, nil
}

// pick is the part of the page that the picker's script puts in place.
func (c *console) pick(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if err := c.Service.Authorize(r.Context(), a, registry.RightRead, p); err != nil {
		return err
	}
	v, err := c.picker(r.Context(), a, p, q.Get("cursor"), q.Get("all") != "")
	if err != nil {
		return err
	}
	return c.fragment(w, "move", "picker", v)
}

// fragment writes one template of a page, for the script of the page to put in place.
func (c *console) fragment(w http.ResponseWriter, page, name string, v any) error {
	var b bytes.Buffer
	if err := c.pages[page].ExecuteTemplate(&b, name, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // fails only when the browser is gone
	return nil
}

// under is the path of a name in a collection, as a form shows it before anybody checked it.
func under(p registry.Path, name string) string {
	return strings.TrimSuffix(p.String(), "/") + "/" + name
}
