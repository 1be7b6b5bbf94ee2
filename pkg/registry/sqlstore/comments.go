package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	commentColumns = "c.node, c.thread, c.n, c.reply_to, c.rev, c.deleted, c.author, c.created_us, c.edited_by, c.edited_us, c.body"
	// oneComment is by the unique key on (node, n).
	oneComment = "SELECT " + commentColumns + " FROM comment c WHERE c.node = ? AND c.n = ?"
)

// commentRow receives commentColumns.
type commentRow struct {
	node, author, editedBy, text                          []byte
	thread, n, replyTo, rev, deleted, createdUS, editedUS int64
}

func (r *commentRow) dest() []any {
	return []any{&r.node, &r.thread, &r.n, &r.replyTo, &r.rev, &r.deleted, &r.author, &r.createdUS, &r.editedBy, &r.editedUS, &r.text}
}

func (r *commentRow) comment() registry.Comment {
	c := registry.Comment{
		Resource: toID(r.node), Number: r.n, Thread: r.thread, ReplyTo: r.replyTo, Rev: r.rev, Deleted: r.deleted != 0, Author: string(r.author),
		Text: string(r.text), CreatedAt: toTime(r.createdUS), EditedBy: string(r.editedBy),
	}
	if r.editedUS != 0 {
		c.EditedAt = toTime(r.editedUS)
	}
	return c
}

// Comments implements [registry.CommentReader]. The rest of the thread that the key is in, and the threads after it, are a range of the primary key each;
// one condition for both would make the server walk over what comes before.
func (s *Store) Comments(ctx context.Context, id registry.ID, after registry.CommentKey, limit int) ([]registry.Comment, error) {
	var list []registry.Comment
	scan := func(rows *sqlx.Rows) error {
		var row commentRow
		err := rows.Scan(row.dest()...)
		list = append(list, row.comment())
		return err
	}
	from := "SELECT " + commentColumns + " FROM comment c" + s.backend.dialect.index("") + " WHERE c.node = ? AND c.thread "
	err := s.retryRead(ctx, func() error {
		list = nil
		if after.Thread > 0 {
			args := []any{id[:], after.Thread, after.Number, limit}
			if err := s.read.each(ctx, "comments", from+"= ? AND c.n > ? ORDER BY c.n LIMIT ?", args, scan); err != nil || len(list) == limit {
				return err
			}
		}
		return s.read.each(ctx, "comments", from+"> ? ORDER BY c.thread, c.n LIMIT ?", []any{id[:], after.Thread, limit - len(list)}, scan)
	})
	return list, s.fail("read comments", err)
}

// Comment implements [registry.CommentReader].
func (s *Store) Comment(ctx context.Context, id registry.ID, number int64) (c registry.Comment, err error) {
	err = s.retryRead(ctx, func() error {
		c, err = readComment(ctx, s.read.statements, id, number)
		return err
	})
	return c, s.fail("read a comment", err)
}

func readComment(ctx context.Context, q statements, id registry.ID, number int64) (registry.Comment, error) {
	var row commentRow
	err := q.one(ctx, "comment", oneComment, []any{id[:], number}, row.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Comment{}, registry.Errorf(registry.CodeNotFound, "there is no comment %d here", number)
	}
	return row.comment(), err
}

// ReadComment implements [registry.CommentWriter].
func (o *operation) ReadComment(r registry.Resource, number int64) (registry.Comment, error) {
	c, err := readComment(o.ctx, o.tx.statements, r.ID, number)
	if err != nil && registry.CodeOf(err) != registry.CodeNotFound {
		return c, o.broken(err)
	}
	return c, err
}

// AddComment implements [registry.CommentWriter].
func (o *operation) AddComment(r registry.Resource, text string, replyTo *registry.Comment) (registry.Comment, error) {
	if slices.ContainsFunc(o.items, func(i item) bool { return i.act == actComment && i.node == r.ID }) {
		return registry.Comment{}, registry.Errorf(registry.CodeInternal, "one operation changes the comments of a resource twice")
	}
	number, err := o.nextComment(r.ID)
	if err != nil {
		return registry.Comment{}, err
	}
	c := registry.Comment{
		Resource: r.ID, Number: number, Thread: number, Rev: 1, Author: o.op.Actor.User, Text: text, CreatedAt: o.at(),
	}
	if replyTo != nil {
		c.Thread, c.ReplyTo = replyTo.Thread, replyTo.Number
	}
	o.touch(item{act: actComment, node: r.ID, n: number, name: "add"})
	return c, o.send("write_comment",
		"INSERT INTO comment (node, thread, n, reply_to, rev, deleted, author, created_us, edited_by, edited_us, body) VALUES (?, ?, ?, ?, 1, 0, ?, ?, ?, 0, ?)",
		c.Resource[:], c.Thread, c.Number, c.ReplyTo, []byte(c.Author), toMicros(c.CreatedAt), []byte{}, []byte(c.Text))
}

// nextComment gives the number of a new comment: where the operation will be in the change log, or more where comments came with the resource from another store,
// whose log is longer. It looks at the end of one range of the unique key on (node, n).
func (o *operation) nextComment(id registry.ID) (int64, error) {
	var last int64
	if err := o.tx.one(o.ctx, "comment", "SELECT COALESCE(MAX(n), 0) FROM comment WHERE node = ?", []any{id[:]}, &last); err != nil {
		return 0, o.broken(err)
	}
	return max(o.seq(), last) + 1, nil
}

// EditComment implements [registry.CommentWriter].
func (o *operation) EditComment(c registry.Comment, text string) (registry.Comment, error) {
	c.Text, c.Rev, c.EditedAt, c.EditedBy = text, c.Rev+1, o.at(), o.op.Actor.User
	o.touch(item{act: actComment, node: c.Resource, n: c.Number, name: "edit"})
	return c, o.send("write_comment", "UPDATE comment SET body = ?, rev = ?, edited_us = ?, edited_by = ? WHERE node = ? AND n = ?",
		[]byte(c.Text), c.Rev, toMicros(c.EditedAt), []byte(c.EditedBy), c.Resource[:], c.Number)
}

// RemoveComment implements [registry.CommentWriter]. What began a thread stays as an empty row while the thread has others, and goes with the last of them.
func (o *operation) RemoveComment(c registry.Comment) error {
	o.touch(item{act: actComment, node: c.Resource, n: c.Number, name: "remove"})
	const remove = "DELETE FROM comment WHERE node = ? AND n = ?"
	if c.Number != c.Thread {
		if err := o.send("write_comment", remove, c.Resource[:], c.Number); err != nil {
			return err
		}
	}
	others, held := false, false // is there an answer, is the beginning deleted
	err := o.tx.each(o.ctx, "comments", "SELECT n, deleted FROM comment WHERE node = ? AND thread = ? ORDER BY n LIMIT 2", []any{c.Resource[:], c.Thread},
		func(rows *sqlx.Rows) error {
			var n, deleted int64
			err := rows.Scan(&n, &deleted)
			others, held = others || n != c.Thread, held || n == c.Thread && deleted != 0
			return err
		})
	switch {
	case err != nil:
		return o.broken(err)
	case c.Number == c.Thread && others:
		return o.send("write_comment", "UPDATE comment SET deleted = 1, body = ?, author = ?, edited_by = ?, edited_us = ?, rev = rev + 1 WHERE node = ? AND n = ?",
			[]byte{}, []byte{}, []byte{}, toMicros(o.at()), c.Resource[:], c.Number)
	case c.Number == c.Thread, held && !others:
		return o.send("write_comment", remove, c.Resource[:], c.Thread)
	}
	return nil
}
