package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Label is a name that points at one version of a resource or collection.
type Label struct {
	Label   string    `json:"label"`
	Version int64     `json:"version"`
	ETag    string    `json:"etag"` // of the label, as IfMatch takes it
	SetAt   time.Time `json:"set_at"`
	SetBy   string    `json:"set_by"`
}

// Labels gives the labels of a resource or collection, by name.
func (c *Client) Labels(ctx context.Context, path string) ([]Label, error) {
	var out struct {
		Labels []Label `json:"labels"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "labels", path: path}, &out)
	return out.Labels, err
}

// SetLabel makes a label point at a version, or makes it. The conditions are on the label.
func (c *Client) SetLabel(ctx context.Context, path, label string, version int64, o WriteOptions) (Label, error) {
	body, err := jsonPayload(map[string]int64{"version": version}, "application/json")
	if err != nil {
		return Label{}, err
	}
	var l Label
	_, err = c.ask(ctx, &call{
		method: http.MethodPut, operation: "labels", path: path, query: url.Values{"label": {label}}, header: o.header(), body: body,
	}, &l)
	return l, err
}

// RemoveLabel takes a label away; [ErrNotFound] when there is none.
func (c *Client) RemoveLabel(ctx context.Context, path, label string, o WriteOptions) error {
	return c.forget(ctx, "labels", path, url.Values{"label": {label}}, o)
}

// forget deletes something that is about a path and named by the query.
func (c *Client) forget(ctx context.Context, operation, path string, query url.Values, o WriteOptions) error {
	_, err := c.ask(ctx, &call{method: http.MethodDelete, operation: operation, path: path, query: query, header: o.header()}, nil)
	return err
}

// Checkpoint is a name for the state of a collection with all below it.
type Checkpoint struct {
	Name    string    `json:"checkpoint"`
	At      string    `json:"at"` // the position in the change log, "<store>:<seq>"
	Comment string    `json:"comment"`
	SetAt   time.Time `json:"set_at"`
	SetBy   string    `json:"set_by"`
}

// Checkpoints gives the checkpoints of a collection, by name.
func (c *Client) Checkpoints(ctx context.Context, path string) ([]Checkpoint, error) {
	var out struct {
		Checkpoints []Checkpoint `json:"checkpoints"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "checkpoints", path: path}, &out)
	return out.Checkpoints, err
}

// SetCheckpoint gives the state of a collection at a moment, "" for now, a name that never moves; [ErrConflict] when that is taken. A moment is a
// position ("4711", "shared:4711") or a time (RFC 3339).
func (c *Client) SetCheckpoint(ctx context.Context, path, name, at, comment string, o WriteOptions) (Checkpoint, error) {
	in := map[string]string{"comment": comment}
	if at != "" {
		in["at"] = at
	}
	body, err := jsonPayload(in, "application/json")
	if err != nil {
		return Checkpoint{}, err
	}
	var point Checkpoint
	_, err = c.ask(ctx, &call{
		method: http.MethodPut, operation: "checkpoints", path: path, query: url.Values{"checkpoint": {name}}, header: o.header(), body: body,
	}, &point)
	return point, err
}

// RemoveCheckpoint takes the name of a state away; [ErrNotFound] when there is none.
func (c *Client) RemoveCheckpoint(ctx context.Context, path, name string, o WriteOptions) error {
	return c.forget(ctx, "checkpoints", path, url.Values{"checkpoint": {name}}, o)
}

// TreeRestored tells what a restore of a collection did: how many got a new version, came back from the trash, were made again, and went to the trash.
type TreeRestored struct {
	Path     string `json:"path"`
	Revised  int    `json:"revised"`
	Returned int    `json:"returned"`
	Created  int    `json:"created"`
	Removed  int    `json:"removed"`
}

// RestoreTree makes a collection, with all below it, what it was at a checkpoint, or when that is "" at a moment (see [Client.SetCheckpoint]).
func (c *Client) RestoreTree(ctx context.Context, path, checkpoint, at string, o WriteOptions) (TreeRestored, error) {
	in := map[string]string{"checkpoint": checkpoint}
	if checkpoint == "" {
		in = map[string]string{"at": at}
	}
	body, err := jsonPayload(in, "application/json")
	if err != nil {
		return TreeRestored{}, err
	}
	var done TreeRestored
	_, err = c.ask(ctx, &call{method: http.MethodPost, operation: "restore-tree", path: path, header: o.header(), body: body}, &done)
	return done, err
}

// Retention is a rule by which old versions go: one that is neither among the last KeepLast nor was current within the last KeepDays. 0 switches a part off.
type Retention struct {
	Path     string    `json:"path"`
	KeepLast int64     `json:"keep_last"`
	KeepDays int64     `json:"keep_days"`
	Own      bool      `json:"own"`            // the rule is that of the path itself
	From     string    `json:"from,omitempty"` // the collection whose rule it is; "" when there is none
	SetAt    time.Time `json:"set_at,omitzero"`
	SetBy    string    `json:"set_by,omitempty"`
	ETag     string    `json:"etag,omitempty"` // of the path's own rule, as IfMatch takes it
}

// Retention gives the rule that holds at a path.
func (c *Client) Retention(ctx context.Context, path string) (Retention, error) {
	var r Retention
	_, header, err := c.askHeader(ctx, &call{method: http.MethodGet, operation: "retention", path: path}, &r)
	if err == nil {
		r.ETag = header.Get("ETag")
	}
	return r, err
}

// SetRetention gives a collection a rule of its own, which holds for all below it, down to collections with rules of their own.
func (c *Client) SetRetention(ctx context.Context, path string, keepLast, keepDays int64, o WriteOptions) error {
	body, err := jsonPayload(map[string]int64{"keep_last": keepLast, "keep_days": keepDays}, "application/json")
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, &call{method: http.MethodPut, operation: "retention", path: path, header: o.header(), body: body}, nil)
	return err
}

// RemoveRetention takes the rule of a collection away.
func (c *Client) RemoveRetention(ctx context.Context, path string, o WriteOptions) error {
	return c.forget(ctx, "retention", path, nil, o)
}

// Deleted is an entry of the trash.
type Deleted struct {
	ID        string    `json:"id"`
	Path      string    `json:"path"` // where it was
	Kind      string    `json:"kind"`
	Version   int64     `json:"version"`
	MediaType string    `json:"media_type,omitempty"`
	Size      int64     `json:"size"` // bytes
	DeletedAt time.Time `json:"deleted_at"`
	DeletedBy string    `json:"deleted_by"`
}

// Trash gives what was deleted at a path or below it, newest first. It ends after the first error.
func (c *Client) Trash(ctx context.Context, path string, o ListOptions) iter.Seq2[Deleted, error] {
	return paged(func(cursor string) ([]Deleted, string, error) {
		var page struct {
			Entries []Deleted `json:"entries"`
			Next    string    `json:"next"`
		}
		_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "trash", path: path, query: o.page(cursor)}, &page)
		return page.Entries, page.Next, err
	})
}

// Undelete puts an entry of the trash at a path: its old place or another one in its store. A name that is taken is [ErrConflict].
func (c *Client) Undelete(ctx context.Context, path, id string, o WriteOptions) (PutResult, error) {
	body, err := jsonPayload(map[string]string{"id": id}, "application/json")
	if err != nil {
		return PutResult{}, err
	}
	return c.change(ctx, &call{method: http.MethodPost, operation: "undelete", path: path, header: o.header(), body: body})
}

// Purge removes an entry of the trash for good. The path is where it was, or above.
func (c *Client) Purge(ctx context.Context, path, id string, o WriteOptions) error {
	return c.forget(ctx, "trash", path, url.Values{"id": {id}}, o)
}
