package registry

import "context"

// Comments reads a page of the comments on what is at p. cursor is "" or the Next of the page before; a limit of 0 is [DefaultPageSize].
// Needs [RightRead].
func (s *Service) Comments(ctx context.Context, a Actor, p Path, cursor string, limit int, f Freshness) (CommentPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return CommentPage{}, err
	}
	after, err := parseCommentCursor(cursor)
	if err != nil {
		return CommentPage{}, err
	}
	r, m, err := s.authorizedGet(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return CommentPage{Resource: r}, err
	}
	page := CommentPage{Resource: r}
	if page.Comments, err = m.Store.Comments(ctx, r.ID, after, limit+1); err != nil {
		return CommentPage{}, err
	}
	if err := s.still(ctx, a, r); err != nil {
		return CommentPage{}, err
	}
	if len(page.Comments) > limit {
		page.Comments = page.Comments[:limit]
		page.Next = makeCommentCursor(page.Comments[limit-1])
	}
	return page, nil
}

// Comment reads one comment on what is at p, [CodeNotFound] when there is none with that number. Needs [RightRead].
func (s *Service) Comment(ctx context.Context, a Actor, p Path, number int64, f Freshness) (Resource, Comment, error) {
	r, m, err := s.authorizedGet(ctx, a, p, f)
	if err != nil {
		return Resource{}, Comment{}, err
	}
	if m.Store == nil {
		return Resource{}, Comment{}, Errorf(CodeNotFound, "%s has no comment %d", p, number)
	}
	c, err := m.Store.Comment(ctx, r.ID, number)
	if err == nil {
		err = s.still(ctx, a, r)
	}
	if err != nil {
		return Resource{}, Comment{}, err
	}
	return r, c, nil
}

// AddComment adds a comment of the actor's on what is at p, in answer to another one there unless replyTo is 0; one that was deleted cannot be
// answered ([CodeConflict]). Needs [RightRead].
func (s *Service) AddComment(ctx context.Context, a Actor, p Path, text string, replyTo int64) (Resource, Comment, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return Resource{}, Comment{}, err
	}
	if text, err = cleanComment(text); err != nil {
		return Resource{}, Comment{}, err
	}
	return annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (Comment, error) {
		var answered *Comment
		if replyTo != 0 {
			c, err := tx.ReadComment(r, replyTo)
			if err != nil {
				return Comment{}, err
			}
			if c.Deleted {
				return Comment{}, Errorf(CodeConflict, "comment %d was deleted; it cannot be answered", replyTo)
			}
			answered = &c
		}
		return tx.AddComment(r, text, answered)
	})
}

// EditComment replaces the text of a comment on what is at p. Only its author and moderators may; needs [RightRead], too. The condition is on the
// comment's entity tag.
func (s *Service) EditComment(ctx context.Context, a Actor, p Path, number int64, text string, c Precondition) (Resource, Comment, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return Resource{}, Comment{}, err
	}
	if text, err = cleanComment(text); err != nil {
		return Resource{}, Comment{}, err
	}
	return s.changeComment(ctx, a, m, sp, p, number, c, func(tx Tx, old Comment) (Comment, error) {
		if old.Text == text {
			return old, nil
		}
		return tx.EditComment(old, text)
	})
}

// DeleteComment deletes a comment on what is at p. Only its author and moderators may; needs [RightRead], too. The condition is on the comment's entity
// tag. The answers to it stay.
func (s *Service) DeleteComment(ctx context.Context, a Actor, p Path, number int64, c Precondition) (Seq, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return Seq{}, err
	}
	r, _, err := s.changeComment(ctx, a, m, sp, p, number, c, func(tx Tx, old Comment) (Comment, error) { return old, tx.RemoveComment(old) })
	return r.Seq, err
}

// changeComment runs a change of one comment, for who may change it.
func (s *Service) changeComment(
	ctx context.Context, a Actor, m Mount, sp, p Path, number int64, c Precondition, change func(Tx, Comment) (Comment, error),
) (Resource, Comment, error) {
	// Asked before the transaction, which must not wait for anything else.
	foreign := s.mustModerate(ctx, a, p, "change the comments of others")
	if code := CodeOf(foreign); code != "" && code != CodeDenied {
		return Resource{}, Comment{}, foreign
	}
	return annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (Comment, error) {
		old, err := tx.ReadComment(r, number)
		switch {
		case err != nil:
			return Comment{}, err
		case old.Deleted:
			return Comment{}, Errorf(CodeNotFound, "comment %d was deleted", number)
		case old.Author != a.User && foreign != nil:
			return Comment{}, foreign
		}
		if err := c.CheckTag("the comment", old.ETag()); err != nil {
			return Comment{}, err
		}
		return change(tx, old)
	})
}
