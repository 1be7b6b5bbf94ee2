package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// searchView is the search page: the form, a page of hits, and saved searches.
type searchView struct {
	Query  string
	Asked  bool // there was a query
	Page   registry.SearchPage
	Hits   []hitView
	Facets []facetView
	Cursor string // of this page; "" is the first
	Saved  []savedView
	Keeps  bool // searches can be saved
	Error  string

	// What the form to save had when it was refused.
	Name   string
	Shared bool
}

// hitView is a hit as the page shows it.
type hitView struct {
	registry.SearchHit
	Resource registry.Resource // for the picture
	Updated  time.Time
}

// facetView is a facet, each value with the search that has it as well.
type facetView struct {
	Title  string
	Values []facetLink
}

type facetLink struct {
	registry.Facet
	Query string
}

type savedView struct {
	registry.SavedSearch
	Mine bool
}

const searchPage = "/console/search"

func (c *console) search(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	query := r.URL.Query()
	return c.showSearch(w, r, a, searchView{Query: strings.TrimSpace(query.Get("q")), Cursor: query.Get("cursor")}, nil)
}

// showSearch renders the page; failed is why a form on it was refused.
func (c *console) showSearch(w http.ResponseWriter, r *http.Request, a registry.Actor, v searchView, failed error) error {
	if v.Asked = v.Query != ""; v.Asked {
		page, err := c.Service.Search(r.Context(), a, registry.SearchInput{Query: v.Query, Cursor: v.Cursor})
		if code := registry.CodeOf(err); err != nil && code != registry.CodeInvalid {
			return err
		}
		if err != nil && failed == nil {
			failed = err
		}
		v.show(page)
	}
	saved, err := c.Service.SavedSearches(r.Context(), a)
	if code := registry.CodeOf(err); err != nil && code != registry.CodeUnavailable {
		return err
	}
	v.Keeps = err == nil
	for _, s := range saved {
		v.Saved = append(v.Saved, savedView{s, s.Owner == a.User})
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	title := c.say("Search")
	if v.Asked {
		title = c.say("Search for %s", v.Query)
	}
	f := c.frame(r, a, title)
	f.Section, f.Page, f.Location = "search", v, v.Query
	return c.render(w, status, "search", f)
}

// show takes over a page of hits.
func (v *searchView) show(page registry.SearchPage) {
	v.Page = page
	for _, h := range page.Hits {
		r := registry.Resource{Path: h.Path, Kind: h.Kind, Meta: registry.Meta{MediaType: h.Facts.MediaType}}
		v.Hits = append(v.Hits, hitView{h, r, time.UnixMicro(h.Facts.Updated)})
	}
	for _, f := range []struct {
		title, field string
		list         []registry.Facet
	}{
		{mark("Type"), "type", page.Facets.Types},
		{mark("Tag"), "tag", page.Facets.Tags},
		{mark("Owner"), "owner", page.Facets.Owners},
		{mark("Collection"), "path", page.Facets.Collections},
	} {
		if len(f.list) == 0 {
			continue
		}
		view := facetView{Title: f.title}
		for _, value := range f.list {
			view.Values = append(view.Values, facetLink{value, narrowed(v.Query, f.field, value.Value)})
		}
		v.Facets = append(v.Facets, view)
	}
}

// narrowed adds a condition to a query.
func narrowed(query, field, value string) string {
	if strings.Contains(query, "OR") {
		query = "(" + query + ")"
	}
	return query + " " + condition(field, value)
}

// condition is a condition of a query.
func condition(field, value string) string {
	if strings.ContainsAny(value, " \t()\"*\\") {
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
	}
	return field + ":" + value
}

// searchFor is the address of a search.
func searchFor(text string) (string, error) {
	address, err := query(searchPage, "q", text)
	return string(address), err
}

// saveSearch keeps the query of the form.
func (c *console) saveSearch(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	v := searchView{Query: r.PostForm.Get("q"), Name: r.PostForm.Get("name"), Shared: r.PostForm.Get("shared") != ""}
	_, _, _, err := c.Service.SaveSearch(r.Context(), a, registry.SavedSearch{Name: v.Name, Query: v.Query, Shared: v.Shared}, registry.Precondition{})
	return c.afterSearchForm(w, r, a, v, "search-saved", err)
}

// forgetSearch deletes a saved search.
func (c *console) forgetSearch(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	_, err := c.Service.ForgetSearch(r.Context(), a, r.PostForm.Get("name"), registry.Precondition{})
	return c.afterSearchForm(w, r, a, searchView{Query: r.PostForm.Get("q")}, "search-forgotten", err)
}

// afterSearchForm leads back to the page, or shows it with the reason why the form was refused.
func (c *console) afterSearchForm(w http.ResponseWriter, r *http.Request, a registry.Actor, v searchView, note string, err error) error {
	if err != nil {
		if _, ok := errors.AsType[*registry.Error](err); !ok {
			return err
		}
		return c.showSearch(w, r, a, v, err)
	}
	address, err := query(searchPage, "q", v.Query, "note", note)
	if err != nil {
		return err
	}
	redirect(w, string(address))
	return nil
}
