package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// wso2CommentView is a comment as WSO2's registry tells of it.
type wso2CommentView struct {
	AuthorUserName string  `json:"authorUserName"`
	CommentID      int64   `json:"commentID"`
	CommentPath    string  `json:"commentPath"`
	CreatedTime    *string `json:"createdTime"`
	Description    string  `json:"description"`
}

func viewWSO2Comment(p registry.Path, m registry.Comment) wso2CommentView {
	return wso2CommentView{m.Author, m.Number, p.String() + ";comments:" + strconv.FormatInt(m.Number, 10), gmt(m.CreatedAt), m.Text}
}

// wso2Comments gives the comments on a resource, thread by thread. Those that were deleted and only hold a thread together are left out.
func (h *handler) wso2Comments(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	win, err := c.window()
	if err != nil {
		return err
	}
	cursor := ""
	return writeWindow(w, win, func() ([]wso2CommentView, bool, error) {
		page, err := h.service.Comments(c.Context(), c.actor, p, cursor, registry.MaxPageSize, fresh)
		if err != nil {
			return nil, false, h.missing(c, p, err)
		}
		if cursor == "" {
			setSeq(w.Header(), page.Resource.Seq)
		}
		cursor = page.Next
		list := make([]wso2CommentView, 0, len(page.Comments))
		for _, m := range page.Comments {
			if !m.Deleted {
				list = append(list, viewWSO2Comment(p, m))
			}
		}
		return list, cursor != "", nil
	})
}

// wso2Comment gives one comment.
func (h *handler) wso2Comment(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	n, err := c.queryID()
	if err != nil {
		return err
	}
	r, m, err := h.service.Comment(c.Context(), c.actor, p, n, fresh)
	if err == nil && m.Deleted {
		err = registry.Errorf(registry.CodeNotFound, "comment %d was deleted", n)
	}
	if err != nil {
		return h.missing(c, p, err)
	}
	setSeq(w.Header(), r.Seq)
	w.Header().Set("ETag", m.ETag())
	return writeCompact(w, c, viewWSO2Comment(p, m))
}

// wso2PostComment adds a comment, whose text is the body.
func (h *handler) wso2PostComment(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	text, err := c.text()
	if err != nil {
		return err
	}
	r, m, err := h.service.AddComment(c.Context(), c.actor, p, text, 0)
	if err != nil {
		return h.missing(c, p, err)
	}
	query := url.Values{"path": {p.String()}, "id": {strconv.FormatInt(m.Number, 10)}}
	w.Header().Set("Location", compatPrefix+"comment?"+query.Encode())
	return wroteComment(w, r, m)
}

// wroteComment answers a change of a comment, with its entity tag.
func wroteComment(w http.ResponseWriter, r registry.Resource, m registry.Comment) error {
	setSeq(w.Header(), r.Seq)
	w.Header().Set("ETag", m.ETag())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wso2PutComment replaces the text of a comment.
func (h *handler) wso2PutComment(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	n, err := c.queryID()
	if err != nil {
		return err
	}
	text, err := c.text()
	if err != nil {
		return err
	}
	r, m, err := h.service.EditComment(c.Context(), c.actor, p, n, text, condition)
	if err != nil {
		return h.missing(c, p, err)
	}
	return wroteComment(w, r, m)
}

// wso2DeleteComment deletes a comment.
func (h *handler) wso2DeleteComment(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	n, err := c.queryID()
	if err != nil {
		return err
	}
	seq, err := h.service.DeleteComment(c.Context(), c.actor, p, n, condition)
	return gone(w, seq, h.missing(c, p, err))
}

// maxText bounds the body of a comment, in bytes; its limit in characters is the registry's.
const maxText = 64 << 10

// text reads a body of plain text. Whatever its media type says (scripts say anything), it is UTF-8.
func (c *call) text() (string, error) {
	_, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if charset := parameters["charset"]; err == nil && charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", registry.Errorf(registry.CodeMediaType, "the charset is %q; texts are taken in UTF-8 only", charset)
	}
	if err := c.plainBody(maxText); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(newBody(c.Request), maxText+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxText:
		return "", tooLarge(maxText)
	}
	c.actor.Once = c.actor.Once.And(string(b))
	return string(b), nil
}

// wso2TagsView is the tags of a resource, also as a body has them.
type wso2TagsView struct {
	Tags []string `json:"tags"`
}

// wso2CloudView is the tags that most resources have.
type wso2CloudView struct {
	TagCloud []string `json:"tagCloud"`
}

// wso2Tags gives the tags of a resource, or, without a path, those of the tag cloud; by name.
func (h *handler) wso2Tags(w http.ResponseWriter, c *call) error {
	if c.URL.Query().Get("path") == "" {
		cloud, err := h.service.TagCloud(c.Context(), c.actor, registry.MaxCloudTags)
		if err != nil {
			return err
		}
		v := wso2CloudView{make([]string, 0, len(cloud))}
		for _, t := range cloud {
			v.TagCloud = append(v.TagCloud, t.Name)
		}
		return writeCompact(w, c, v)
	}
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	win, err := c.window()
	if err != nil {
		return err
	}
	list, err := h.service.Tags(c.Context(), c.actor, p, fresh)
	if err != nil {
		return h.missing(c, p, err)
	}
	names := make([]string, 0, len(list.Tags))
	for _, t := range list.Tags {
		names = append(names, t.Name)
	}
	if names, err = cut(names, win); err != nil {
		return err
	}
	setSeq(w.Header(), list.Resource.Seq)
	return writeCompact(w, c, wso2TagsView{names})
}

// wso2PostTags adds tags of the user's.
func (h *handler) wso2PostTags(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in wso2TagsView
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	return h.addTags(w, c, p, in.Tags)
}

// addTags adds tags; a comma divides one text into several.
func (h *handler) addTags(w http.ResponseWriter, c *call, p registry.Path, texts []string) error {
	var names []string
	for _, text := range texts {
		names = append(names, registry.SplitTags(text)...)
	}
	list, err := h.service.AddTags(c.Context(), c.actor, p, names)
	return gone(w, list.Resource.Seq, h.missing(c, p, err))
}

// wso2Tagged gives the resources that have a tag.
func (h *handler) wso2Tagged(w http.ResponseWriter, c *call) error {
	name, err := c.must("name")
	if err != nil {
		return err
	}
	win, err := c.window()
	if err != nil {
		return err
	}
	type taggedPath struct {
		ResourcePath registry.Path `json:"resourcePath"`
	}
	cursor := ""
	return writeWindow(w, win, func() ([]taggedPath, bool, error) {
		page, err := h.service.Tagged(c.Context(), c.actor, name, cursor, registry.MaxPageSize)
		if err != nil {
			return nil, false, err
		}
		cursor = page.Next
		list := make([]taggedPath, 0, len(page.Entries))
		for _, e := range page.Entries {
			list = append(list, taggedPath{e.Path})
		}
		return list, cursor != "", nil
	})
}

// wso2PostTag adds one tag of the user's, or several with commas between them.
func (h *handler) wso2PostTag(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	name, err := c.must("name")
	if err != nil {
		return err
	}
	return h.addTags(w, c, p, []string{name})
}

// wso2DeleteTag takes a tag of the user's away, or, where the user has not given it and may moderate, that of everybody.
func (h *handler) wso2DeleteTag(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	name, err := c.must("name")
	if err != nil {
		return err
	}
	seq, err := h.service.RemoveTag(c.Context(), c.actor, p, name, false)
	if registry.CodeOf(err) == registry.CodeNotFound {
		list, look := h.service.Tags(c.Context(), c.actor, p, registry.Freshness{})
		if look == nil && slices.ContainsFunc(list.Tags, func(t registry.Tag) bool { return t.Name == strings.TrimSpace(name) }) {
			seq, err = h.service.RemoveTag(c.Context(), c.actor, p, name, true)
		}
	}
	return gone(w, seq, h.missing(c, p, err))
}

// wso2RatingView is how users rate a resource.
type wso2RatingView struct {
	Average  wso2Float `json:"average"`
	MyRating int       `json:"myRating"`
}

// wso2Float is a number with 32 bits, written as Java writes it: always with a decimal point.
type wso2Float float64

// MarshalJSON implements encoding/json.Marshaler.
func (f wso2Float) MarshalJSON() ([]byte, error) { return []byte(f.String()), nil }

// String writes f with the fewest digits that name it among numbers of 32 bits.
func (f wso2Float) String() string {
	s := strconv.FormatFloat(float64(f), 'f', -1, 32)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// wso2Rating gives the average rating of a resource and the user's own.
func (h *handler) wso2Rating(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	res, err := h.service.Rating(c.Context(), c.actor, p, fresh)
	if err != nil {
		return h.missing(c, p, err)
	}
	setSeq(w.Header(), res.Resource.Seq)
	return writeCompact(w, c, wso2RatingView{wso2Float(res.Rating.Average), res.Rating.Mine})
}

// wso2DeleteRating takes the user's rating away; it is fine when there is none.
func (h *handler) wso2DeleteRating(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	res, err := h.service.Rate(c.Context(), c.actor, p, 0)
	return gone(w, res.Resource.Seq, h.missing(c, p, err))
}

// wso2Rate sets the user's rating, and answers with the new average alone.
func (h *handler) wso2Rate(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	value, err := c.must("value")
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(value)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return registry.Errorf(registry.CodeInvalid, "query parameter value is %q; it must be a number from 1 to %d, or 0 for none", value, registry.MaxRating)
	}
	res, err := h.service.Rate(c.Context(), c.actor, p, score)
	if err != nil {
		return h.missing(c, p, err)
	}
	setSeq(w.Header(), res.Resource.Seq)
	return writeCompact(w, c, wso2Float(res.Rating.Average))
}
