package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// ListOptions say how to read a list.
type ListOptions struct {
	PageSize int    // entries that one request asks for, up to 1000; 0 is the server's choice
	At       string // of [Client.Children] and [Client.Walk]: what was there at a moment, as in [GetOptions]; "" is now
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	if o.PageSize > 0 {
		q.Set("limit", strconv.Itoa(o.PageSize))
	}
	return q
}

var errEndless = errors.New("the server gives the same page again and again")

// Children gives the children of a collection by name, page after page. It ends after the first error. A resource is [ErrConflict].
func (c *Client) Children(ctx context.Context, path string, o ListOptions) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		query := o.query()
		if o.At != "" {
			query.Set("at", o.At)
		}
		for {
			var page struct {
				Entries []Resource `json:"entries"`
				Next    string     `json:"next"`
			}
			_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "children", path: path, query: query}, &page)
			if err == nil && page.Next != "" && page.Next == query.Get("cursor") {
				err = errEndless
			}
			if err != nil {
				yield(Resource{}, err)
				return
			}
			for _, r := range page.Entries {
				if !yield(r, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

// Walk gives all that is below a collection, each collection before what is in it, by name. It ends after the first error.
func (c *Client) Walk(ctx context.Context, path string, o ListOptions) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) { c.walk(ctx, path, o, yield) }
}

func (c *Client) walk(ctx context.Context, path string, o ListOptions, yield func(Resource, error) bool) bool {
	for r, err := range c.Children(ctx, path, o) {
		if !yield(r, err) || err != nil {
			return false
		}
		if r.Kind == KindCollection && !c.walk(ctx, r.Path, o, yield) {
			return false
		}
	}
	return true
}

// Versions gives the versions of a resource or collection, newest first, page after page. It ends after the first error.
func (c *Client) Versions(ctx context.Context, path string, o ListOptions) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		query := o.query()
		for {
			var page struct {
				Versions []Version `json:"versions"`
				Next     int64     `json:"next"`
			}
			_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "versions", path: path, query: query}, &page)
			next := strconv.FormatInt(page.Next, 10)
			if err == nil && page.Next != 0 && next == query.Get("before") {
				err = errEndless
			}
			if err != nil {
				yield(Version{}, err)
				return
			}
			for _, v := range page.Versions {
				if !yield(v, nil) {
					return
				}
			}
			if page.Next == 0 {
				return
			}
			query.Set("before", next)
		}
	}
}
