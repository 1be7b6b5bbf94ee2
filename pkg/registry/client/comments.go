package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Comment is a plain text that a user wrote about a resource: on its own, or in answer to another one. One that began a thread and was deleted has
// neither text nor author, and stays while there are answers.
type Comment struct {
	ID        int64     `json:"id"`
	Thread    int64     `json:"thread"`             // the comment that began the thread; its own number when it did
	ReplyTo   int64     `json:"reply_to,omitempty"` // 0 for none
	Author    string    `json:"author,omitempty"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
	EditedAt  time.Time `json:"edited_at,omitzero"`
	EditedBy  string    `json:"edited_by,omitempty"`
	Deleted   bool      `json:"deleted,omitempty"`
	ETag      string    `json:"etag"` // of the comment, as IfMatch takes it
}

// Comments gives the comments on a resource or collection, thread by thread, oldest first. It ends after the first error.
func (c *Client) Comments(ctx context.Context, path string, o ListOptions) iter.Seq2[Comment, error] {
	return paged(func(cursor string) ([]Comment, string, error) {
		var page struct {
			Comments []Comment `json:"comments"`
			Next     string    `json:"next"`
		}
		_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "comments", path: path, query: o.page(cursor)}, &page)
		return page.Comments, page.Next, err
	})
}

// AddComment adds a comment, in answer to another one unless replyTo is 0.
func (c *Client) AddComment(ctx context.Context, path, text string, replyTo int64, o WriteOptions) (Comment, error) {
	in := map[string]any{"text": text}
	if replyTo != 0 {
		in["reply_to"] = replyTo
	}
	return c.comment(ctx, &call{method: http.MethodPost, operation: "comments", path: path, header: o.header()}, in)
}

// EditComment replaces the text of a comment of the caller's; moderators may edit every one. IfMatch takes the comment's own entity tag.
func (c *Client) EditComment(ctx context.Context, path string, id int64, text string, o WriteOptions) (Comment, error) {
	k := &call{method: http.MethodPut, operation: "comment", path: path, query: commentQuery(id), header: o.header()}
	return c.comment(ctx, k, map[string]any{"text": text})
}

func (c *Client) comment(ctx context.Context, k *call, in map[string]any) (Comment, error) {
	var err error
	if k.body, err = jsonPayload(in, "application/json"); err != nil {
		return Comment{}, err
	}
	var out Comment
	_, err = c.ask(ctx, k, &out)
	return out, err
}

// DeleteComment deletes a comment of the caller's; moderators may delete every one. The answers to it stay.
func (c *Client) DeleteComment(ctx context.Context, path string, id int64, o WriteOptions) error {
	return c.forget(ctx, "comment", path, commentQuery(id), o)
}

func commentQuery(id int64) url.Values { return url.Values{"id": {strconv.FormatInt(id, 10)}} }

// Rating is how users rate a resource or collection.
type Rating struct {
	Path    string  `json:"path"`
	Average float64 `json:"average"` // 0 without votes
	Count   int64   `json:"count"`   // of votes
	Mine    int     `json:"mine"`    // 1 to 5; 0 for none
}

// Rating gives the ratings of a resource or collection.
func (c *Client) Rating(ctx context.Context, path string) (Rating, error) {
	var r Rating
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "ratings", path: path}, &r)
	return r, err
}

// Rate sets the caller's rating, 1 to 5; 0 takes it away.
func (c *Client) Rate(ctx context.Context, path string, rating int) (Rating, error) {
	body, err := jsonPayload(map[string]int{"rating": rating}, "application/json")
	if err != nil {
		return Rating{}, err
	}
	var r Rating
	_, err = c.ask(ctx, &call{method: http.MethodPut, operation: "ratings", path: path, body: body}, &r)
	return r, err
}
