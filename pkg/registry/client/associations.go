package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// End is one end of an association: a resource or collection, or a URI outside of the registry.
type End struct {
	Path string `json:"path,omitempty"`
	Kind string `json:"kind,omitempty"`
	ID   string `json:"id,omitempty"`
	URI  string `json:"uri,omitempty"`
}

// String is the path or the URI.
func (e End) String() string { return e.Path + e.URI }

// Association is a typed, directed link.
type Association struct {
	Type      string    `json:"type"`
	Source    End       `json:"source"`
	Target    End       `json:"target"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
}

// AssociationOptions say which associations to read.
type AssociationOptions struct {
	ListOptions

	Incoming bool   // those that lead to the path, not those that lead from it
	Type     string // "" for all
}

// Associations gives the associations from a resource or collection, or to it. It ends after the first error.
func (c *Client) Associations(ctx context.Context, path string, o AssociationOptions) iter.Seq2[Association, error] {
	return paged(func(cursor string) ([]Association, string, error) {
		query := o.page(cursor)
		if o.Incoming {
			query.Set("direction", "in")
		}
		if o.Type != "" {
			query.Set("type", o.Type)
		}
		var page struct {
			Associations []Association `json:"associations"`
			Next         string        `json:"next"`
		}
		_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "associations", path: path, query: query}, &page)
		return page.Associations, page.Next, err
	})
}

// Associate links a resource or collection to a target: a path, or a URI outside of the registry. made is false when the link was there already.
func (c *Client) Associate(ctx context.Context, path, kind, target string) (l Association, made bool, err error) {
	body, err := jsonPayload(map[string]string{"type": kind, "target": target}, "application/json")
	if err != nil {
		return Association{}, false, err
	}
	status, err := c.ask(ctx, &call{method: http.MethodPost, operation: "associations", path: path, body: body}, &l)
	return l, status == http.StatusCreated, err
}

// Dissociate removes a link; [ErrNotFound] when there is none.
func (c *Client) Dissociate(ctx context.Context, path, kind, target string, o WriteOptions) error {
	query := url.Values{"type": {kind}, "target": {target}}
	return c.forget(ctx, "associations", path, query, o)
}

// GraphOptions bound a graph. 0 and "" stand for what the server chooses: 10 steps, 200 nodes, and associations of the type "depends".
type GraphOptions struct {
	Depth int    // steps, up to 100
	Limit int    // nodes, up to 2000
	Type  string // of the associations; "*" for all
}

// Graph is what a resource leads to, or what leads to it. Nodes come breadth first, the resource itself first, at depth 0.
type Graph struct {
	Path  string      `json:"path"`
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	Cut   string      `json:"cut,omitempty"` // "depth" or "limit" when there is more than that; "" when this is all that the caller may read
}

// GraphNode is an end of associations, Depth steps away.
type GraphNode struct {
	End

	Depth int `json:"depth"`
}

// GraphEdge is an association between two nodes, which it names by path or URI.
type GraphEdge struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Type   string `json:"type"`
}

// Dependencies gives what a resource depends on, directly and through others.
func (c *Client) Dependencies(ctx context.Context, path string, o GraphOptions) (Graph, error) {
	return c.graph(ctx, "dependencies", path, o)
}

// Impact gives what depends on a resource, directly and through others.
func (c *Client) Impact(ctx context.Context, path string, o GraphOptions) (Graph, error) {
	return c.graph(ctx, "impact", path, o)
}

func (c *Client) graph(ctx context.Context, operation, path string, o GraphOptions) (Graph, error) {
	query := url.Values{}
	if o.Depth > 0 {
		query.Set("depth", strconv.Itoa(o.Depth))
	}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.Type != "" {
		query.Set("type", o.Type)
	}
	var g Graph
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: operation, path: path, query: query}, &g)
	return g, err
}

// Dependents is what a deletion takes along, and what it leaves pointing nowhere, as far as the caller may read it. What begins with More says that there is more than the
// server has looked at.
type Dependents struct {
	Path         string        `json:"path"`
	Collections  int           `json:"collections"`
	Resources    int           `json:"resources"`
	Links        int           `json:"links"`
	More         bool          `json:"more"`
	Guarded      int           `json:"guarded"` // those with permissions of their own; 0 for who may not set them
	Incoming     []Association `json:"incoming"`
	MoreIncoming bool          `json:"more_incoming"`
	Pointing     []Place       `json:"pointing"` // symbolic links
	MorePointing bool          `json:"more_pointing"`
}

// Dependents tells what a deletion of a path would take along. It deletes nothing.
func (c *Client) Dependents(ctx context.Context, path string) (Dependents, error) {
	var d Dependents
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "dependents", path: path}, &d)
	return d, err
}
