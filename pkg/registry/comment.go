package registry

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MaxCommentLength is the most characters that a comment may have.
const MaxCommentLength = 500

// Comment is a plain text that a user wrote about a resource: on its own, or in answer to another one. A comment that began a thread and was deleted stays,
// without text and author, as long as the thread has others.
type Comment struct {
	Resource  ID
	Number    int64 // unique and growing for the resource; the position of the change log that made it, unless the resource came from another store
	Thread    int64 // the number of the comment that began the thread; its own when it did
	ReplyTo   int64 // the number of the comment that it answers, which may be gone by now; 0 for none
	Rev       int64 // from 1, grows with every change
	Deleted   bool
	Author    string
	Text      string
	CreatedAt time.Time
	EditedAt  time.Time // zero for never
	EditedBy  string
}

// ETag is the strong entity tag of the comment's current state, with its quotes.
func (c Comment) ETag() string { return entityTag(c.Resource, c.Number, c.Rev) }

// CommentPage is a page of the comments of a resource: thread by thread, oldest first, and in each thread oldest first.
type CommentPage struct {
	Resource Resource
	Comments []Comment
	Next     string // the cursor of the next page, "" at the end; opaque to callers
}

// CommentKey is a place in the order of comments.
type CommentKey struct {
	Thread, Number int64
}

// CommentReader is the part of a [Store] that reads comments. What it reads is as fresh as the database.
type CommentReader interface {
	// Comments reads up to limit comments of a node after a key, in order.
	Comments(ctx context.Context, id ID, after CommentKey, limit int) ([]Comment, error)
	// Comment reads one; [CodeNotFound] when the node has none with that number.
	Comment(ctx context.Context, id ID, number int64) (Comment, error)
}

// CommentWriter is the part of a [Tx] that changes comments, on behalf of the operation's actor. None makes a version of the resource.
type CommentWriter interface {
	// ReadComment reads one comment of r; [CodeNotFound] when there is none with that number.
	ReadComment(r Resource, number int64) (Comment, error)
	// AddComment adds a comment of the actor's, in answer to another one unless replyTo is nil. An operation adds one to a resource at most.
	AddComment(r Resource, text string, replyTo *Comment) (Comment, error)
	// EditComment replaces the text of c.
	EditComment(c Comment, text string) (Comment, error)
	// RemoveComment deletes c, and what it alone held in place.
	RemoveComment(c Comment) error
}

// cleanComment gives the one form of a text: line ends are LF, no white space is around it.
func cleanComment(s string) (string, error) {
	s = strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s))
	if s == "" {
		return "", Errorf(CodeInvalid, "the comment is empty")
	}
	if err := checkText("comment", s, MaxCommentLength); err != nil {
		return "", err
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", Errorf(CodeInvalid, "the comment has the control character %U, which is not allowed", r)
		}
	}
	return s, nil
}

// A comment cursor is the key of the last comment of a page.

func makeCommentCursor(c Comment) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.Thread, 10) + "." + strconv.FormatInt(c.Number, 10)))
}

func parseCommentCursor(cursor string) (CommentKey, error) {
	if cursor == "" {
		return CommentKey{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return CommentKey{}, badCursor(cursor)
	}
	thread, number, _ := strings.Cut(string(b), ".")
	t, err := strconv.ParseInt(thread, 10, 64)
	if err != nil {
		return CommentKey{}, badCursor(cursor)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return CommentKey{}, badCursor(cursor)
	}
	return CommentKey{t, n}, nil
}
