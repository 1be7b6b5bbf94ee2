package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// editView is the form for the text of a resource.
type editView struct {
	head
	ETag     string
	Text     string
	Newlines newlines // how the lines of the stored text end; a form cannot carry that
	Comment  string
	Error    string
}

func (c *console) editForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	cur, err := c.currentText(r, a, p)
	if err != nil {
		return err
	}
	if !cur.isText {
		return registry.Errorf(registry.CodeMediaType,
			"%s cannot be edited here: it is not a text, or has more than %s; download it, change it and upload it again", p, formatSize(maxEditable))
	}
	v := editView{
		head: c.headOf(r, cur.resource, "content", cur.resource.Version), ETag: cur.resource.ETag(), Text: cur.text, Newlines: newlinesOf(cur.text),
	}
	return c.show(w, r, a, http.StatusOK, "edit", "Edit "+v.Name(), v.head, v)
}

// currentText is what stands at a path now, for its author to edit or compare with.
type currentText struct {
	resource registry.Resource
	text     string
	isText   bool // of a size that a page takes
}

func (c *console) currentText(r *http.Request, a registry.Actor, p registry.Path) (cur currentText, err error) {
	res, at, content, err := c.Service.Open(r.Context(), a, p, 0, registry.Freshness{})
	if err != nil {
		return currentText{}, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	cur.resource = res
	cur.text, cur.isText, err = readText(content, at.Size)
	return cur, err
}

// edit stores the text of the form, if nobody else changed it since; the text never gets lost.
func (c *console) edit(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	v := editView{ETag: r.PostForm.Get("etag"), Newlines: newlines(r.PostForm.Get("newlines")), Comment: commentOf(r.PostForm.Get("comment"))}
	v.Text = fromTextarea(r.PostForm.Get(textField), v.Newlines)
	condition := ifMatch(r)
	if v.ETag == "" { // the conflict page found nothing here any more: save only while that is so
		condition = registry.Precondition{NoneMatch: []string{"*"}}
	}
	put, err := c.Service.Put(r.Context(), a, registry.PutInput{Path: p, Body: strings.NewReader(v.Text), Comment: v.Comment, If: condition})
	if err == nil {
		toPage(w, link("resource", p), noteFor(put, "saved"))
		return nil
	}
	if registry.CodeOf(err) == registry.CodePrecondition {
		return c.conflict(w, r, a, p, v)
	}
	v.Error = c.formError(r, a, err)
	res, found := c.Service.Get(r.Context(), a, p, registry.Freshness{})
	if found != nil { // the text comes back even when the store is away
		res = registry.Resource{Path: p, Kind: registry.KindResource}
	}
	v.head = c.headOf(r, res, "content", res.Version)
	return c.show(w, r, a, statusOf(err), "edit", "Edit "+v.Name(), v.head, v)
}

// conflictView shows what somebody else saved beside what the user wants to save.
type conflictView struct {
	head
	ETag     string // of what is there now; "" when it was deleted
	Deleted  bool
	Theirs   preview
	Text     string // the user's draft
	Newlines newlines
	Comment  string
}

// conflict keeps both texts. The form on the page carries the entity tag of the newer state: saving it again overwrites that, and no other.
func (c *console) conflict(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, draft editView) (err error) {
	v := conflictView{Text: draft.Text, Newlines: draft.Newlines, Comment: draft.Comment}
	res, at, content, err := c.Service.Open(r.Context(), a, p, 0, registry.Freshness{})
	switch registry.CodeOf(err) {
	case "":
		defer func() { err = errors.Join(err, content.Close()) }()
		v.head, v.ETag = c.headOf(r, res, "content", res.Version), res.ETag()
		if v.Theirs, err = readPreview(content, at.Size); err != nil {
			return err
		}
	case registry.CodeNotFound:
		v.Deleted = true
		v.head = c.headOf(r, registry.Resource{Path: p, Kind: registry.KindResource}, "content", 0)
		v.Crumbs = crumbsOf(p.Parent())
	default:
		return err
	}
	return c.show(w, r, a, http.StatusPreconditionFailed, "conflict", "Somebody was faster", v.head, v)
}
