package client

import (
	"context"
	"net/http"
)

// Stat tells what is known about a resource or collection; version 0 is the current one. The path may end in ";version:N".
func (c *Client) Stat(ctx context.Context, path string, version int64) (Resource, error) {
	var r Resource
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "resource", path: path, query: versionQuery(version)}, &r)
	return r, err
}

// Collection is a collection to make.
type Collection struct {
	Description *string    // nil keeps what is there
	Properties  Properties // likewise
}

// PutCollection makes a collection, with missing ones above it. When it is there, what in has replaces what it has. A resource is [ErrConflict].
func (c *Client) PutCollection(ctx context.Context, path string, in Collection, o WriteOptions) (PutResult, error) {
	body, err := jsonPayload(struct {
		Kind        string     `json:"kind"`
		Description *string    `json:"description,omitempty"`
		Properties  Properties `json:"properties,omitempty"`
	}{KindCollection, in.Description, in.Properties}, "application/json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPut, operation: "resource", path: path, header: o.header(), body: body})
}

// Patch changes metadata; what is nil stays.
type Patch struct {
	MediaType   *string
	Description *string
	Properties  Properties // a name without values goes; those that are not named stay
}

// Patch changes the metadata of a resource or collection, in a new version with the same content.
func (c *Client) Patch(ctx context.Context, path string, p Patch, o WriteOptions) (PutResult, error) {
	fields := map[string]any{}
	if p.MediaType != nil {
		fields["media_type"] = *p.MediaType
	}
	if p.Description != nil {
		fields["description"] = *p.Description
	}
	if p.Properties != nil {
		properties := map[string]any{}
		for name, values := range p.Properties {
			if properties[name] = values; len(values) == 0 {
				properties[name] = nil
			}
		}
		fields["properties"] = properties
	}
	body, err := jsonPayload(fields, "application/merge-patch+json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPatch, operation: "resource", path: path, header: o.header(), body: body})
}

// Properties gives the properties of a resource or collection; version 0 is the current one.
func (c *Client) Properties(ctx context.Context, path string, version int64) (Properties, error) {
	var p Properties
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "properties", path: path, query: versionQuery(version)}, &p)
	return p, err
}

// PutProperties replaces all properties, and gives those that are there then.
func (c *Client) PutProperties(ctx context.Context, path string, p Properties, o WriteOptions) (Properties, error) {
	if p == nil {
		p = Properties{}
	}
	body, err := jsonPayload(p, "application/json")
	if err != nil {
		return nil, err
	}
	var out Properties
	_, err = c.ask(ctx, &call{method: http.MethodPut, operation: "properties", path: path, header: o.header(), body: body}, &out)
	return out, err
}

// Restore makes a new version that holds what the given one held. The path may end in ";version:N" instead; version is 0 then.
func (c *Client) Restore(ctx context.Context, path string, version int64, o WriteOptions) (PutResult, error) {
	in := map[string]int64{}
	if version != 0 {
		in["version"] = version
	}
	body, err := jsonPayload(in, "application/json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPost, operation: "restore", path: path, header: o.header(), body: body})
}

// Mounts gives the mounts of the node that answers, by path.
func (c *Client) Mounts(ctx context.Context) ([]Mount, error) {
	var out struct {
		Mounts []Mount `json:"mounts"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "mounts"}, &out)
	return out.Mounts, err
}

// Whoami tells whom the credentials are of.
func (c *Client) Whoami(ctx context.Context) (User, error) {
	var u User
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "whoami"}, &u)
	return u, err
}
