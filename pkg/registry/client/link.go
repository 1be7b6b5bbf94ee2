package client

import (
	"context"
	"net/http"
)

// Link tells what is known about a symbolic link itself; other reads give what it leads to. Anything but a link is [ErrConflict].
func (c *Client) Link(ctx context.Context, path string) (Resource, error) {
	var r Resource
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "link", path: path}, &r)
	return r, err
}

// PutLink makes a symbolic link to a path, whatever is there now or later, or leads the link that is there to another one. Anything but a link is [ErrConflict].
func (c *Client) PutLink(ctx context.Context, path, target string, o WriteOptions) (PutResult, error) {
	body, err := jsonPayload(map[string]string{"target": target}, "application/json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPut, operation: "link", path: path, header: o.header(), body: body})
}
