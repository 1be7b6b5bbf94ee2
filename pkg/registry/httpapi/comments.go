package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// commentView is a comment. One that was deleted and holds a thread together has neither text nor author.
type commentView struct {
	ID        int64     `json:"id"`
	Thread    int64     `json:"thread"`
	ReplyTo   int64     `json:"reply_to,omitempty"`
	Author    string    `json:"author,omitempty"`
	Text      string    `json:"text"`
	CreatedAt time.Time `json:"created_at"`
	EditedAt  time.Time `json:"edited_at,omitzero"`
	EditedBy  string    `json:"edited_by,omitempty"`
	Deleted   bool      `json:"deleted,omitempty"`
	ETag      string    `json:"etag"`
}

func viewComment(c registry.Comment) commentView {
	return commentView{
		ID: c.Number, Thread: c.Thread, ReplyTo: c.ReplyTo, Author: c.Author, Text: c.Text, CreatedAt: c.CreatedAt.UTC(), EditedAt: c.EditedAt.UTC(),
		EditedBy: c.EditedBy, Deleted: c.Deleted, ETag: c.ETag(),
	}
}

// commentsView is a page of comments, thread by thread.
type commentsView struct {
	Path     registry.Path `json:"path"`
	Comments []commentView `json:"comments"`
	Next     string        `json:"next,omitempty"`
}

// commentBody is the body that makes or edits a comment.
type commentBody struct {
	Text    string `json:"text"`
	ReplyTo int64  `json:"reply_to"`
}

// getComments gives a page of the comments on a resource.
func (h *handler) getComments(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	page, err := h.service.Comments(c.Context(), c.actor, p, c.URL.Query().Get("cursor"), int(limit), fresh)
	if err != nil {
		return err
	}
	v := commentsView{Path: p, Comments: make([]commentView, 0, len(page.Comments)), Next: page.Next}
	for _, comment := range page.Comments {
		v.Comments = append(v.Comments, viewComment(comment))
	}
	setSeq(w.Header(), page.Resource.Seq)
	return writeJSON(w, http.StatusOK, v)
}

// postComment adds a comment.
func (h *handler) postComment(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in commentBody
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	r, comment, err := h.service.AddComment(c.Context(), c.actor, p, in.Text, in.ReplyTo)
	if err != nil {
		return err
	}
	w.Header().Set("Location", location(commentURL, p)+"?id="+strconv.FormatInt(comment.Number, 10))
	return writeComment(w, http.StatusCreated, r, comment)
}

// writeComment answers with a comment on r, and its own entity tag.
func writeComment(w http.ResponseWriter, status int, r registry.Resource, comment registry.Comment) error {
	setSeq(w.Header(), r.Seq)
	w.Header().Set("ETag", comment.ETag())
	return writeJSON(w, status, viewComment(comment))
}

// commentNumber is the number that the query names.
func (c *call) commentNumber() (int64, error) {
	n, err := c.number("id", unlimited)
	if err == nil && n == 0 {
		err = registry.Errorf(registry.CodeInvalid, "query parameter id is missing; it is the number of the comment")
	}
	return n, err
}

// getComment gives one comment.
func (h *handler) getComment(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	n, err := c.commentNumber()
	if err != nil {
		return err
	}
	r, comment, err := h.service.Comment(c.Context(), c.actor, p, n, fresh)
	if err != nil {
		return err
	}
	setSeq(w.Header(), r.Seq)
	w.Header().Set("ETag", comment.ETag())
	return writeUnlessKnown(w, c, viewComment(comment))
}

// putComment replaces the text of a comment.
func (h *handler) putComment(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	n, err := c.commentNumber()
	if err != nil {
		return err
	}
	var in struct {
		Text string `json:"text"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	r, comment, err := h.service.EditComment(c.Context(), c.actor, p, n, in.Text, condition)
	if err != nil {
		return err
	}
	return writeComment(w, http.StatusOK, r, comment)
}

// deleteComment deletes a comment; the answers to it stay.
func (h *handler) deleteComment(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	n, err := c.commentNumber()
	if err != nil {
		return err
	}
	seq, err := h.service.DeleteComment(c.Context(), c.actor, p, n, condition)
	return gone(w, seq, err)
}
