package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// createView is the form for something new in the collection of its head: a collection, a text or a file.
type createView struct {
	head
	NewName     string
	MediaType   string
	Description string
	Text        string
	Error       string

	// Only for a file.
	ETag    string // of the resource that gets a new version; "" when the head is a collection
	Limit   int64
	Exists  string // what happens to a file whose name is taken: existsTell, existsReplace or existsSkip
	Comment string // of the version
}

// collection reads the collection that the address names, for a form that puts something into it.
func (c *console) collection(r *http.Request, a registry.Actor) (createView, error) {
	res, err := c.find(r, a)
	if err != nil {
		return createView{}, err
	}
	if res.Kind != registry.KindCollection {
		return createView{}, registry.Errorf(registry.CodeConflict, "%s is a resource; only a collection takes new entries", res.Path)
	}
	if err := c.mounted(res.Path); err != nil {
		return createView{}, err
	}
	return createView{head: c.headOf(r, res, "entries", res.Version), Limit: c.Service.ContentLimit()}, nil
}

// child is the path of the new thing; its name may hold slashes, for collections in between.
func (v createView) child() (registry.Path, error) {
	if v.NewName == "" {
		return "", registry.Errorf(registry.CodeInvalid, "it needs a name")
	}
	return v.Resource.Path.Join(strings.Trim(v.NewName, "/"))
}

// fill takes the fields of a plain form.
func (v *createView) fill(r *http.Request) {
	v.NewName = strings.TrimSpace(r.PostForm.Get("name"))
	v.MediaType = strings.TrimSpace(r.PostForm.Get("media_type"))
	v.Description = fromTextarea(r.PostForm.Get("description"), newlinesLF)
	v.Text = fromTextarea(r.PostForm.Get(textField), newlinesLF)
}

func (c *console) newCollectionForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.collection(r, a)
	if err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "new-collection", c.say("New collection"), v.head, v)
}

func (c *console) newCollection(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	v, err := c.collection(r, a)
	if err != nil {
		return err
	}
	v.fill(r)
	p, err := v.child()
	if err == nil {
		// What is there already, of either kind, is told rather than opened as if it were new.
		_, err = c.Service.CreateCollection(r.Context(), oncePerForm(r, a), registry.CollectionInput{Path: p, Description: v.Description, If: nothingThere})
	}
	if err == nil {
		toPage(w, link("browse", p), "created")
		return nil
	}
	v.Error = c.createError(r, a, p, err)
	return c.show(w, r, a, statusOf(err), "new-collection", c.say("New collection"), v.head, v)
}

// nothingThere holds only for a path that is free.
var nothingThere = registry.Precondition{NoneMatch: []string{"*"}}

// createError is the text for a form that makes something new.
func (c *console) createError(r *http.Request, a registry.Actor, p registry.Path, err error) string {
	if registry.CodeOf(err) == registry.CodePrecondition {
		return c.say("%s exists already. Choose another name.", p)
	}
	return c.formError(r, a, err)
}

func (c *console) newTextForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.collection(r, a)
	if err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "new-text", c.say("New text"), v.head, v)
}

func (c *console) newText(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	v, err := c.collection(r, a)
	if err != nil {
		return err
	}
	v.fill(r)
	p, err := v.child()
	if err == nil {
		_, err = c.Service.Put(r.Context(), oncePerForm(r, a), registry.PutInput{
			Path: p, Body: strings.NewReader(v.Text), MediaType: v.typeFor(p), Description: &v.Description, If: nothingThere,
		})
	}
	if err == nil {
		toPage(w, link("resource", p), "created")
		return nil
	}
	v.Error = c.createError(r, a, p, err)
	return c.show(w, r, a, statusOf(err), "new-text", c.say("New text"), v.head, v)
}

// typeFor is the media type of a new text: what was typed, what the name tells, or else plain text.
func (v createView) typeFor(p registry.Path) string {
	if v.MediaType != "" {
		return v.MediaType
	}
	if t := registry.MediaTypeByName(p.Name()); t != registry.DefaultMediaType {
		return t
	}
	return "text/plain"
}
