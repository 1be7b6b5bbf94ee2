package httpapi

import (
	"net/http"
	"net/url"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// searchView is a page of hits.
type searchView struct {
	Hits     []hitView  `json:"hits"`
	Total    int        `json:"total"`
	AtLeast  bool       `json:"at_least"`
	Complete bool       `json:"complete"`
	Facets   facetsView `json:"facets"`
	Next     string     `json:"next,omitempty"`
}

// hitView is a resource that was found.
type hitView struct {
	placeView
	MediaType string        `json:"media_type,omitempty"`
	Size      int64         `json:"size"`
	CreatedAt time.Time     `json:"created_at"`
	CreatedBy string        `json:"created_by"`
	UpdatedAt time.Time     `json:"updated_at"`
	UpdatedBy string        `json:"updated_by"`
	Tags      []string      `json:"tags"`
	Rating    float64       `json:"rating,omitempty"`
	Snippet   []snippetView `json:"snippet"`
}

// snippetView is a piece of a snippet: plain text, no markup.
type snippetView struct {
	Text  string `json:"text"`
	Match bool   `json:"match,omitempty"`
}

type facetsView struct {
	Types       []facetView `json:"types"`
	Tags        []facetView `json:"tags"`
	Owners      []facetView `json:"owners"`
	Collections []facetView `json:"collections"`
}

type facetView struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

func viewFacets(f registry.SearchFacets) facetsView {
	list := func(facets []registry.Facet) []facetView {
		v := make([]facetView, 0, len(facets))
		for _, f := range facets {
			v = append(v, facetView(f))
		}
		return v
	}
	return facetsView{list(f.Types), list(f.Tags), list(f.Owners), list(f.Collections)}
}

func viewHit(h registry.SearchHit) hitView {
	v := hitView{
		placeView: viewPlace(h.Place), MediaType: h.Facts.MediaType, Size: h.Facts.Size, CreatedBy: h.Facts.Owner, UpdatedBy: h.Facts.User,
		CreatedAt: time.UnixMicro(h.Facts.Created).UTC(), UpdatedAt: time.UnixMicro(h.Facts.Updated).UTC(),
		Tags: append([]string{}, h.Facts.Tags...), Rating: h.Facts.Rating(), Snippet: make([]snippetView, 0, len(h.Snippet)),
	}
	for _, p := range h.Snippet {
		v.Snippet = append(v.Snippet, snippetView(p))
	}
	return v
}

// getSearch finds resources.
func (h *handler) getSearch(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxSearchPage)
	if err != nil {
		return err
	}
	query := c.URL.Query()
	page, err := h.service.Search(c.Context(), c.actor, registry.SearchInput{Query: query.Get("q"), Cursor: query.Get("cursor"), Limit: int(limit)})
	if err != nil {
		return err
	}
	v := searchView{
		Hits: make([]hitView, 0, len(page.Hits)), Total: page.Total, AtLeast: page.AtLeast, Complete: page.Complete, Facets: viewFacets(page.Facets), Next: page.Next,
	}
	for _, hit := range page.Hits {
		v.Hits = append(v.Hits, viewHit(hit))
	}
	return writeJSON(w, http.StatusOK, v)
}

// savedView is a saved search.
type savedView struct {
	Owner   string    `json:"owner"`
	Name    string    `json:"name"`
	Query   string    `json:"query"`
	Shared  bool      `json:"shared"`
	SavedAt time.Time `json:"saved_at"`
	ETag    string    `json:"etag"`
}

func viewSaved(s registry.SavedSearch) savedView {
	return savedView{s.Owner, s.Name, s.Query, s.Shared, s.At.UTC(), s.ETag()}
}

// getSaved lists saved searches.
func (h *handler) getSaved(w http.ResponseWriter, c *call) error {
	list, err := h.service.SavedSearches(c.Context(), c.actor)
	if err != nil {
		return err
	}
	v := struct {
		Searches []savedView `json:"searches"`
	}{make([]savedView, 0, len(list))}
	for _, s := range list {
		v.Searches = append(v.Searches, viewSaved(s))
	}
	return writeJSON(w, http.StatusOK, v)
}

// putSaved keeps a search.
func (h *handler) putSaved(w http.ResponseWriter, c *call) error {
	condition, err := precondition(c.Header)
	if err != nil {
		return err
	}
	var in struct {
		Query  string `json:"query"`
		Shared bool   `json:"shared"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	saved, seq, created, err := h.service.SaveSearch(c.Context(), c.actor,
		registry.SavedSearch{Name: c.URL.Query().Get("name"), Query: in.Query, Shared: in.Shared}, condition)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
		w.Header().Set("Location", "/api/v1/search?"+url.Values{"q": {saved.Query}}.Encode())
	}
	setSeq(w.Header(), seq)
	w.Header().Set("ETag", saved.ETag())
	return writeJSON(w, status, viewSaved(saved))
}

// deleteSaved forgets a search.
func (h *handler) deleteSaved(w http.ResponseWriter, c *call) error {
	condition, err := precondition(c.Header)
	if err != nil {
		return err
	}
	seq, err := h.service.ForgetSearch(c.Context(), c.actor, c.URL.Query().Get("name"), condition)
	return gone(w, seq, err)
}
