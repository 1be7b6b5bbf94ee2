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
	Base     string // the entity tag of the version that the text began as, for when somebody else saves first; "" when that is not known
	Text     string
	Newlines newlines // how the lines of the stored text end; a form cannot carry that
	Comment  string
	Dirty    bool // the text is not what is stored
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
		head: c.headOf(r, cur.resource, "content", cur.resource.Version), ETag: cur.resource.ETag(), Base: cur.version.ETag(),
		Text: cur.text, Newlines: newlinesOf(cur.text),
	}
	return c.show(w, r, a, http.StatusOK, "edit", c.say("Edit %s", v.Name()), v.head, v)
}

// currentText is what stands at a path now, for its author to edit or compare with.
type currentText struct {
	resource registry.Resource
	version  registry.Version
	text     string
	isText   bool // of a size that a page takes
}

func (c *console) currentText(r *http.Request, a registry.Actor, p registry.Path) (cur currentText, err error) {
	return c.textAt(r, a, p, 0)
}

// textAt is the text of a version; 0 is the current one.
func (c *console) textAt(r *http.Request, a registry.Actor, p registry.Path, n int64) (cur currentText, err error) {
	res, at, content, err := c.Service.Open(r.Context(), a, p, n, registry.Freshness{})
	if err != nil {
		return currentText{}, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	cur.resource, cur.version = res, at
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
	v := editView{
		ETag: r.PostForm.Get("etag"), Base: r.PostForm.Get("base"), Newlines: newlines(r.PostForm.Get("newlines")),
		Comment: commentOf(r.PostForm.Get("comment")), Dirty: true,
	}
	v.Text = fromTextarea(r.PostForm.Get(textField), v.Newlines)
	if do := r.PostForm.Get("do"); do == doMerge || do == doEditMerged {
		return c.merge(w, r, a, p, v, do)
	}
	return c.save(w, r, a, p, v)
}

// save stores the text of v.
func (c *console) save(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, v editView) error {
	condition := registry.Precondition{Match: []string{v.ETag}}
	if v.ETag == "" { // the conflict page found nothing here any more: save only while that is so
		condition = nothingThere
	}
	put, err := c.Service.Put(r.Context(), oncePerForm(r, a), registry.PutInput{Path: p, Body: strings.NewReader(v.Text), Comment: v.Comment, If: condition})
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
	return c.show(w, r, a, statusOf(err), "edit", c.say("Edit %s", v.Name()), v.head, v)
}
