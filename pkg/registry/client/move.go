package client

import (
	"context"
	"net/http"
)

// MoveOptions say how to move or copy.
type MoveOptions struct {
	// Overwrite puts what is at the new place into the trash; without it that is [ErrConflict].
	Overwrite bool
	WriteOptions
}

// Move puts a resource, or a collection with all below it, at another path, and makes missing collections above that. The conditions are on the old place. Into another
// store it may take long; with an IdempotencyKey the same call again gets it done after whatever failure.
func (c *Client) Move(ctx context.Context, path, to string, o MoveOptions) (PutResult, error) {
	return c.place(ctx, "move", path, to, o)
}

// Copy copies a resource, or a collection with all below it, to another path, where its versions begin at 1.
func (c *Client) Copy(ctx context.Context, path, to string, o MoveOptions) (PutResult, error) {
	return c.place(ctx, "copy", path, to, o)
}

func (c *Client) place(ctx context.Context, operation, path, to string, o MoveOptions) (PutResult, error) {
	body, err := jsonPayload(struct {
		To        string `json:"to"`
		Overwrite bool   `json:"overwrite,omitempty"`
	}{to, o.Overwrite}, "application/json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPost, operation: operation, path: path, header: o.header(), body: body})
}
