package console

import (
	"net/http"
	"strconv"

	"github.com/regent-registry/regent/pkg/registry"
)

// communityView is what users say about a resource or collection: tags, ratings and a page of comments.
type communityView struct {
	head
	Tags      []registry.Tag
	Rating    registry.Rating
	Scores    []int
	Comments  []remark
	Cursor    string // of this page; "" is the first
	Next      string
	Moderates bool
	Answered  int64 // the comment that the form answers; 0 for none

	// What a form that was refused had, and why.
	NewTags string
	Text    string
	Error   string
}

// remark is a comment with what the one who looks may do.
type remark struct {
	registry.Comment
	Mine   bool // may be edited and deleted
	Answer bool // stands below the beginning of its thread
}

func (c *console) community(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showCommunity(w, r, a, communityView{}, nil)
}

// showCommunity renders the page; v has what a refused form had, and failed why it was refused.
func (c *console) showCommunity(w http.ResponseWriter, r *http.Request, a registry.Actor, v communityView, failed error) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	list, err := c.Service.Tags(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return err
	}
	rating, err := c.Service.Rating(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return err
	}
	query := r.URL.Query()
	page, err := c.Service.Comments(r.Context(), a, p, query.Get("cursor"), 0, registry.Freshness{})
	if err != nil {
		return err
	}
	if v.Moderates, err = c.Service.Moderates(r.Context(), a, p); err != nil {
		return err
	}
	if v.Answered == 0 {
		if v.Answered, err = numberOf(query.Get("answer"), "answer"); err != nil {
			return err
		}
	}
	v.head = c.headOf(r, list.Resource, "community", list.Resource.Version)
	v.Tags, v.Rating, v.Cursor, v.Next = list.Tags, rating.Rating, query.Get("cursor"), page.Next
	for i := range registry.MaxRating {
		v.Scores = append(v.Scores, i+1)
	}
	for _, comment := range page.Comments {
		mine := !comment.Deleted && (v.Moderates || comment.Author == a.User)
		v.Comments = append(v.Comments, remark{comment, mine, comment.Thread != comment.Number})
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "community", c.say("Community of %s", v.Name()), v.head, v)
}

// addTags adds the tags that the form has, with commas between them.
func (c *console) addTags(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	text := r.PostForm.Get("tags")
	tags := registry.SplitTags(text)
	if _, err := c.Service.AddTags(r.Context(), a, p, tags); err != nil {
		return c.refused(w, r, a, communityView{NewTags: text}, err)
	}
	toPage(w, link("community", p), "tagged")
	return nil
}

// formPath reads the form and the path that it is about.
func (c *console) formPath(w http.ResponseWriter, r *http.Request) (registry.Path, error) {
	if err := readForm(w, r, formLimit); err != nil {
		return "", err
	}
	return pathOf(r)
}

// refused shows the page again when the user can mend the form, and an error page otherwise.
func (c *console) refused(w http.ResponseWriter, r *http.Request, a registry.Actor, v communityView, err error) error {
	if registry.CodeOf(err) != registry.CodeInvalid && registry.CodeOf(err) != registry.CodeConflict {
		return err
	}
	return c.showCommunity(w, r, a, v, err)
}

func (c *console) removeTag(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	if _, err := c.Service.RemoveTag(r.Context(), a, p, r.PostForm.Get("tag"), r.PostForm.Get("all") != ""); err != nil {
		return err
	}
	toPage(w, link("community", p), "untagged")
	return nil
}

func (c *console) rate(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(r.PostForm.Get("rating"))
	if err != nil {
		return registry.Errorf(registry.CodeInvalid, "rating is %q; it must be a number from 0 to %d", r.PostForm.Get("rating"), registry.MaxRating)
	}
	if _, err := c.Service.Rate(r.Context(), a, p, score); err != nil {
		return err
	}
	toPage(w, link("community", p), "rated")
	return nil
}

func (c *console) addComment(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	answered, err := numberOf(r.PostForm.Get("answer"), "answer")
	if err != nil {
		return err
	}
	text := r.PostForm.Get("text")
	if _, _, err := c.Service.AddComment(r.Context(), oncePerForm(r, a), p, text, answered); err != nil {
		return c.refused(w, r, a, communityView{Text: text, Answered: answered}, err)
	}
	toPage(w, link("community", p), "commented")
	return nil
}

// editCommentView is the form for the text of a comment.
type editCommentView struct {
	head
	Comment registry.Comment
	ETag    string
	Text    string
	Error   string
}

func (c *console) editCommentForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	id, err := numberOf(r.URL.Query().Get("id"), "id")
	if err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	_, comment, err := c.Service.Comment(r.Context(), a, p, id, registry.Freshness{})
	if err != nil {
		return err
	}
	moderates, err := c.Service.Moderates(r.Context(), a, p)
	switch {
	case err != nil:
		return err
	case comment.Deleted:
		return registry.Errorf(registry.CodeNotFound, "comment %d was deleted", id)
	case comment.Author != a.User && !moderates:
		return registry.Errorf(registry.CodeDenied, "only a moderator may change the comments of others")
	}
	return c.showComment(w, r, a, id, nil)
}

// showComment renders the form: with the comment's text, or after a refusal with what was sent.
func (c *console) showComment(w http.ResponseWriter, r *http.Request, a registry.Actor, id int64, failed error) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	res, comment, err := c.Service.Comment(r.Context(), a, p, id, registry.Freshness{})
	if err != nil {
		return err
	}
	v := editCommentView{head: c.headOf(r, res, "community", res.Version), Comment: comment, ETag: comment.ETag(), Text: comment.Text}
	var status int
	if v.Error, status = c.outcome(r, a, failed); failed != nil {
		v.Text = r.PostForm.Get("text")
	}
	return c.show(w, r, a, status, "edit-comment", c.say("Edit comment on %s", v.Name()), v.head, v)
}

func (c *console) editComment(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	id, err := numberOf(r.PostForm.Get("id"), "id")
	if err != nil {
		return err
	}
	_, _, err = c.Service.EditComment(r.Context(), oncePerForm(r, a), p, id, r.PostForm.Get("text"), ifMatch(r))
	switch registry.CodeOf(err) {
	case "":
		toPage(w, link("community", p), "comment-edited")
		return nil
	case registry.CodeInvalid, registry.CodePrecondition:
		return c.showComment(w, r, a, id, err)
	default:
		return err
	}
}

func (c *console) deleteComment(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := c.formPath(w, r)
	if err != nil {
		return err
	}
	id, err := numberOf(r.PostForm.Get("id"), "id")
	if err != nil {
		return err
	}
	if _, err := c.Service.DeleteComment(r.Context(), a, p, id, ifMatch(r)); err != nil {
		return err
	}
	toPage(w, link("community", p), "comment-deleted")
	return nil
}
