package httpapi

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// childrenView is a page of children. Next is the cursor of the next page; there is none at the end.
type childrenView struct {
	Path    registry.Path  `json:"path"`
	Entries []resourceView `json:"entries"`
	Next    string         `json:"next,omitempty"`
	Total   *int64         `json:"total,omitempty"` // when it was asked for
}

// getChildren gives a page of a collection's children, by name or in another order.
func (h *handler) getChildren(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	fresh, err := c.freshness()
	if err != nil {
		return err
	}
	pick, err := c.pick("")
	if err != nil {
		return err
	}
	query := c.URL.Query()
	in := registry.ListInput{
		Path: p, Cursor: query.Get("cursor"), Limit: int(limit), Sort: registry.Sort(query.Get("sort")), Total: query.Get("total") == "true", Fresh: fresh,
	}
	var page registry.Page
	switch {
	case query.Has("total") && !in.Total && query.Get("total") != "false":
		return registry.Errorf(registry.CodeInvalid, "query parameter total is %.40q; it must be true or false", query.Get("total"))
	case pick.At.IsZero():
		page, err = h.service.ListSorted(c.Context(), c.actor, in)
	case in.Sort != "" || in.Total:
		return registry.Errorf(registry.CodeInvalid, "sort and total cannot be asked for together with at")
	default:
		page, err = h.service.ListAt(c.Context(), c.actor, p, pick.At, in.Cursor, in.Limit)
	}
	if err != nil {
		return err
	}
	v := childrenView{Path: p, Entries: make([]resourceView, 0, len(page.Entries)), Next: page.Next}
	for _, r := range page.Entries {
		entry := viewResource(r)
		if r.IsPast() {
			entry = viewResourceAt(r, r.CurrentVersion())
		}
		v.Entries = append(v.Entries, entry)
	}
	if in.Total {
		v.Total = &page.Total
	}
	// No entity tag: the children's own states change without the collection's.
	setSeq(w.Header(), page.Parent.Seq)
	return writeJSON(w, http.StatusOK, v)
}

// versionsView is a page of versions. Next is what to pass as before for the next page; there is none at the end.
type versionsView struct {
	Path     registry.Path `json:"path"`
	Versions []versionView `json:"versions"`
	Next     int64         `json:"next,omitempty"`
}

// getVersions gives a page of versions, newest first.
func (h *handler) getVersions(w http.ResponseWriter, c *call) error {
	p, n, err := c.pathRef()
	if err != nil {
		return err
	}
	before, err := c.number("before", unlimited)
	if err != nil {
		return err
	}
	if n > 0 && (before == 0 || before > n) { // from that version on
		before = n + 1
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	fresh, err := c.freshness()
	if err != nil {
		return err
	}
	page, err := h.service.Versions(c.Context(), c.actor, p, before, int(limit), fresh)
	if err != nil {
		return err
	}
	v := versionsView{Path: p, Versions: make([]versionView, 0, len(page.Versions)), Next: page.Next}
	for _, version := range page.Versions {
		view := viewVersion(version)
		for _, l := range page.Labels {
			if l.Version == version.Number {
				view.Labels = append(view.Labels, l.Name)
			}
		}
		v.Versions = append(v.Versions, view)
	}
	setState(w.Header(), page.Resource)
	if err := setListTag(w.Header(), v); err != nil {
		return err
	}
	return writeUnlessKnown(w, c, v)
}

// mountView is one row of the table of mounts.
type mountView struct {
	Path       registry.Path `json:"path"`
	Store      string        `json:"store"`
	TargetPath registry.Path `json:"target_path"`
	ReadOnly   bool          `json:"read_only"`
}

// getMounts gives the table of mounts of this node.
func (h *handler) getMounts(w http.ResponseWriter, c *call) error {
	server, err := h.service.ServerView(c.actor)
	if err != nil {
		return err
	}
	views := []mountView{}
	for _, m := range server.Mounts {
		views = append(views, mountView{Path: m.Path, Store: m.Store.Name(), TargetPath: m.Target, ReadOnly: m.ReadOnly})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"mounts": views})
}

// whoami tells as whom the request was made.
func (h *handler) whoami(w http.ResponseWriter, c *call) error {
	return writeJSON(w, http.StatusOK, map[string]any{"user": c.actor.User, "id": c.actor.UserID.String()})
}
