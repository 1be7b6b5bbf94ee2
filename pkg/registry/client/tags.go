package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Tag is a word that users gave a resource or collection.
type Tag struct {
	Name  string `json:"name"`
	Count int64  `json:"count"` // how many users gave it
	Mine  bool   `json:"mine"`
}

// CloudTag is a tag and how many resources have it; with About, the number may count some that are deleted or that the caller may not read.
type CloudTag struct {
	Name      string `json:"name"`
	Resources int64  `json:"resources"`
	About     bool   `json:"about"`
}

// Place is a resource or collection as some lists name it.
type Place struct {
	Path string `json:"path"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Tags gives the tags of a resource or collection, by name.
func (c *Client) Tags(ctx context.Context, path string) ([]Tag, error) {
	return c.tags(ctx, &call{method: http.MethodGet, operation: "tags", path: path})
}

// AddTags adds tags of the caller's, and gives all tags that the resource then has. Those that are there already stay.
func (c *Client) AddTags(ctx context.Context, path string, names ...string) ([]Tag, error) {
	body, err := jsonPayload(map[string][]string{"tags": append([]string{}, names...)}, "application/json")
	if err != nil {
		return nil, err
	}
	return c.tags(ctx, &call{method: http.MethodPost, operation: "tags", path: path, body: body})
}

func (c *Client) tags(ctx context.Context, k *call) ([]Tag, error) {
	var out struct {
		Tags []Tag `json:"tags"`
	}
	_, err := c.ask(ctx, k, &out)
	return out.Tags, err
}

// RemoveTag takes a tag of the caller's away, or that of every user, for which it takes the rights of a moderator. [ErrNotFound] when there is none.
func (c *Client) RemoveTag(ctx context.Context, path, name string, everybodys bool, o WriteOptions) error {
	query := url.Values{"tag": {name}}
	if everybodys {
		query.Set("all", "true")
	}
	return c.forget(ctx, "tags", path, query, o)
}

// TagCloud gives the tags of most resources, by name; most is how many of them, up to 100, and 0 is the server's choice.
func (c *Client) TagCloud(ctx context.Context, most int) ([]CloudTag, error) {
	query := url.Values{}
	if most > 0 {
		query.Set("limit", strconv.Itoa(most))
	}
	var out struct {
		Tags []CloudTag `json:"tags"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "tags", query: query}, &out)
	return out.Tags, err
}

// Tagged gives the resources and collections that have a tag, by path, as far as the caller may read them. It ends after the first error.
func (c *Client) Tagged(ctx context.Context, tag string, o ListOptions) iter.Seq2[Place, error] {
	return paged(func(cursor string) ([]Place, string, error) {
		query := o.page(cursor)
		query.Set("tag", tag)
		var page struct {
			Entries []Place `json:"entries"`
			Next    string  `json:"next"`
		}
		_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "tagged", query: query}, &page)
		return page.Entries, page.Next, err
	})
}

// page is the query for the page at a cursor.
func (o ListOptions) page(cursor string) url.Values {
	query := o.query()
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}
