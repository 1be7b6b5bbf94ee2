package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// trashView is a page of what was deleted from a collection or below it.
type trashView struct {
	head
	Entries []registry.Deleted
	Cursor  string // of this page; "" is the first
	Next    string
	Error   string
}

func (c *console) trash(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showTrash(w, r, a, nil)
}

func (c *console) showTrash(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	page, err := c.Service.Trash(r.Context(), a, res.Path, cursor, 0)
	if err != nil {
		return err
	}
	v := trashView{head: c.headOf(r, res, "", res.Version), Entries: page.Entries, Cursor: cursor, Next: page.Next}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "trash", c.say("Trash of %s", v.Name()), v.head, v)
}

// undelete puts an entry of the trash where the form says.
func (c *console) undelete(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	id, err := entryOf(w, r)
	if err != nil {
		return err
	}
	to, err := registry.ParsePath(strings.TrimSpace(r.PostForm.Get("new_path")))
	if err != nil {
		return c.showTrash(w, r, a, err)
	}
	res, err := c.Service.Undelete(r.Context(), a, id, to)
	if err != nil {
		return c.showTrash(w, r, a, err)
	}
	toPage(w, pageOf(res.Resource), "undeleted")
	return nil
}

// purge removes an entry of the trash for good.
func (c *console) purge(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	id, err := entryOf(w, r)
	if err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	if _, err := c.Service.Purge(r.Context(), a, p, id); err != nil {
		return c.showTrash(w, r, a, err)
	}
	toPage(w, link("trash", p), "purged")
	return nil
}

// entryOf reads which entry of the trash a form is about.
func entryOf(w http.ResponseWriter, r *http.Request) (registry.ID, error) {
	if err := readForm(w, r, formLimit); err != nil {
		return registry.ID{}, err
	}
	return registry.ParseID(`field "id"`, r.PostForm.Get("id"))
}
