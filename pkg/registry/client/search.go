package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Hit is a resource that a search found. The JSON is that of the API.
type Hit struct {
	Path      string        `json:"path"`
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	ID        string        `json:"id"`
	MediaType string        `json:"media_type,omitempty"`
	Size      int64         `json:"size"`
	CreatedAt time.Time     `json:"created_at"`
	CreatedBy string        `json:"created_by"`
	UpdatedAt time.Time     `json:"updated_at"`
	UpdatedBy string        `json:"updated_by"`
	Tags      []string      `json:"tags"`
	Rating    float64       `json:"rating,omitempty"` // the mean, 0 without votes
	Snippet   []SnippetPart `json:"snippet"`
}

// SnippetPart is a piece of a part of a content: plain text.
type SnippetPart struct {
	Text  string `json:"text"`
	Match bool   `json:"match,omitempty"` // it was searched for
}

// Facet is a value that hits have, and how many.
type Facet struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// Facets are the most frequent values among the hits.
type Facets struct {
	Types       []Facet `json:"types"`
	Tags        []Facet `json:"tags"`
	Owners      []Facet `json:"owners"`
	Collections []Facet `json:"collections"`
}

// SearchPage is a page of hits, best first.
type SearchPage struct {
	Hits     []Hit  `json:"hits"`
	Total    int    `json:"total"`
	AtLeast  bool   `json:"at_least"` // there may be more hits than Total
	Complete bool   `json:"complete"` // false: some resources were not looked at
	Facets   Facets `json:"facets"`
	Next     string `json:"next,omitempty"`
}

// Search gives a page of what a query finds; cursor is "" or the Next of the page before. A query that is not understood is [ErrInvalid].
func (c *Client) Search(ctx context.Context, query, cursor string, o ListOptions) (SearchPage, error) {
	q := o.query()
	q.Set("q", query)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var page SearchPage
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "search", query: q}, &page)
	return page, err
}

// SearchAll gives what a query finds, page after page. It ends after the first error.
func (c *Client) SearchAll(ctx context.Context, query string, o ListOptions) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		for cursor := ""; ; {
			page, err := c.Search(ctx, query, cursor, o)
			if err == nil && page.Next != "" && page.Next == cursor {
				err = errEndless
			}
			if err != nil {
				yield(Hit{}, err)
				return
			}
			for _, h := range page.Hits {
				if !yield(h, nil) {
					return
				}
			}
			if cursor = page.Next; cursor == "" {
				return
			}
		}
	}
}

// SavedSearch is a query that a user keeps.
type SavedSearch struct {
	Owner   string    `json:"owner"`
	Name    string    `json:"name"`
	Query   string    `json:"query"`
	Shared  bool      `json:"shared"`
	SavedAt time.Time `json:"saved_at"`
	ETag    string    `json:"etag"`
}

// SavedSearches gives the user's saved searches, and the shared ones of others.
func (c *Client) SavedSearches(ctx context.Context) ([]SavedSearch, error) {
	var out struct {
		Searches []SavedSearch `json:"searches"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "searches"}, &out)
	return out.Searches, err
}

// SaveSearch keeps a query under a name, in place of what has that name; with shared, others see it.
func (c *Client) SaveSearch(ctx context.Context, name, query string, shared bool, o WriteOptions) (SavedSearch, error) {
	body, err := jsonPayload(map[string]any{"query": query, "shared": shared}, "application/json")
	if err != nil {
		return SavedSearch{}, err
	}
	var saved SavedSearch
	_, err = c.ask(ctx, &call{
		method: http.MethodPut, operation: "searches", query: url.Values{"name": {name}}, header: o.header(), body: body,
	}, &saved)
	return saved, err
}

// ForgetSearch deletes a saved search of the user's.
func (c *Client) ForgetSearch(ctx context.Context, name string, o WriteOptions) error {
	_, err := c.ask(ctx, &call{method: http.MethodDelete, operation: "searches", query: url.Values{"name": {name}}, header: o.header()}, nil)
	return err
}
