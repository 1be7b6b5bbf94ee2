package console

import (
	"net/http"
	"strconv"

	"github.com/regent-registry/regent/pkg/registry"
)

// versionsPageSize is how many versions one page lists.
const versionsPageSize = 50

// versionsView is a page of the versions of a resource or collection, newest first.
type versionsView struct {
	head
	Versions []registry.Version
	Labels   []registry.Label
	Before   int64 // this page has the versions below; 0 for the newest
	Next     int64
	Error    string // why a label was not changed
}

// LabelsOf gives the labels that point at a version.
func (v versionsView) LabelsOf(n int64) []string {
	var names []string
	for _, l := range v.Labels {
		if l.Version == n {
			names = append(names, l.Name)
		}
	}
	return names
}

func (c *console) versions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showVersions(w, r, a, nil)
}

// showVersions shows the list, and why a label was not changed.
func (c *console) showVersions(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	p, n, err := registry.ParseRef(r.PathValue("path"))
	if err != nil {
		return err
	}
	before, err := numberOf(r.URL.Query().Get("before"), "before")
	if err != nil {
		return err
	}
	if n > 0 && (before == 0 || before > n) { // from that version on
		before = n + 1
	}
	page, err := c.Service.Versions(r.Context(), a, p, before, versionsPageSize, registry.Freshness{})
	if err != nil {
		return err
	}
	v := versionsView{
		head: c.headOf(r, page.Resource, "versions", page.Resource.Version), Versions: page.Versions, Labels: page.Labels,
		Before: before, Next: page.Next,
	}
	status := http.StatusOK
	if failed != nil {
		v.Error, status = c.labelError(r, a, failed), statusOf(failed)
	}
	return c.show(w, r, a, status, "versions", c.say("Versions of %s", v.Name()), v.head, v)
}

// restoreView asks whether an older version is to become the newest.
type restoreView struct {
	head
	ETag    string
	At      registry.Version
	Comment string
	Error   string
}

func (c *console) restoreForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.askRestore(w, r, a, nil)
}

func (c *console) askRestore(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	h, at, err := c.atVersion(r, a, "versions")
	if err != nil {
		return err
	}
	if h.Version == 0 {
		return registry.Errorf(registry.CodeInvalid, "version %d of %s is the current one; there is nothing to restore", at.Number, h.Resource.Path)
	}
	v := restoreView{head: h, ETag: h.Resource.ETag(), At: at, Comment: commentOf(r.PostForm.Get("comment"))}
	if !r.PostForm.Has("comment") {
		v.Comment = "As in version " + strconv.FormatInt(at.Number, 10)
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "restore", c.say("Restore %s", v.Name()), v.head, v)
}

// restore makes a new version of what an older one held.
func (c *console) restore(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, pick, err := refOf(r)
	if err != nil {
		return err
	}
	put, err := c.Service.RestoreVersion(r.Context(), oncePerForm(r, a), registry.RestoreInput{
		Path: p, Version: pick.Version, Label: pick.Label, Comment: commentOf(r.PostForm.Get("comment")), If: ifMatch(r),
	})
	switch {
	case registry.CodeOf(err) == registry.CodePrecondition:
		return c.askRestore(w, r, a, err)
	case err != nil:
		return err
	}
	toPage(w, link("versions", p), noteFor(put, "restored"))
	return nil
}
