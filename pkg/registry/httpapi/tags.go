package httpapi

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// tagsView is the tags of a resource.
type tagsView struct {
	Path registry.Path `json:"path"`
	Tags []tagView     `json:"tags"`
}

type tagView struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Mine  bool   `json:"mine"`
}

func viewTags(p registry.Path, tags []registry.Tag) tagsView {
	v := tagsView{Path: p, Tags: make([]tagView, 0, len(tags))}
	for _, t := range tags {
		v.Tags = append(v.Tags, tagView(t))
	}
	return v
}

// placeView is a resource or collection as lists name it.
type placeView struct {
	Path registry.Path `json:"path"`
	Name string        `json:"name"`
	Kind string        `json:"kind"`
	ID   string        `json:"id"`
}

func viewPlace(p registry.Place) placeView {
	return placeView{p.Path, p.Path.Name(), p.Kind.String(), p.ID.String()}
}

// at reads what every read of one resource's current state has.
func (c *call) at() (registry.Path, registry.Freshness, error) {
	p, err := c.target()
	if err != nil {
		return "", registry.Freshness{}, err
	}
	f, err := c.freshness()
	return p, f, err
}

// getTags gives the tags of a resource.
func (h *handler) getTags(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	list, err := h.service.Tags(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	setSeq(w.Header(), list.Resource.Seq)
	return writeJSON(w, http.StatusOK, viewTags(p, list.Tags))
}

// postTags adds tags of the user's.
func (h *handler) postTags(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in struct {
		Tags []string `json:"tags"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	list, err := h.service.AddTags(c.Context(), c.actor, p, in.Tags)
	if err != nil {
		return err
	}
	setSeq(w.Header(), list.Resource.Seq)
	return writeJSON(w, http.StatusOK, viewTags(p, list.Tags))
}

// deleteTag takes a tag of the user's away, or with all=true that of everybody.
func (h *handler) deleteTag(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	all, err := c.choice("all", "false", "true")
	if err != nil {
		return err
	}
	seq, err := h.service.RemoveTag(c.Context(), c.actor, p, c.URL.Query().Get("tag"), all == "true")
	return gone(w, seq, err)
}

// gone answers a deletion.
func gone(w http.ResponseWriter, seq registry.Seq, err error) error {
	if err != nil {
		return err
	}
	setSeq(w.Header(), seq)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// choice reads a query parameter that has one of some values; the first stands for none.
func (c *call) choice(name string, values ...string) (string, error) {
	query := c.URL.Query()
	if !query.Has(name) {
		return values[0], nil
	}
	for _, v := range values {
		if query.Get(name) == v {
			return v, nil
		}
	}
	return "", registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be one of %q", name, query.Get(name), values)
}

// cloudView is the most used tags of the registry.
type cloudView struct {
	Tags []cloudTagView `json:"tags"`
}

type cloudTagView struct {
	Name      string `json:"name"`
	Resources int64  `json:"resources"`
	About     bool   `json:"about"`
}

// getCloud gives the tag cloud.
func (h *handler) getCloud(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxCloudTags)
	if err != nil {
		return err
	}
	cloud, err := h.service.TagCloud(c.Context(), c.actor, int(limit))
	if err != nil {
		return err
	}
	v := cloudView{make([]cloudTagView, 0, len(cloud))}
	for _, t := range cloud {
		v.Tags = append(v.Tags, cloudTagView{t.Name, t.Count, t.About})
	}
	return writeJSON(w, http.StatusOK, v)
}

// taggedView is a page of resources with a tag.
type taggedView struct {
	Entries []placeView `json:"entries"`
	Next    string      `json:"next,omitempty"`
}

// getTagged gives a page of the resources that have a tag.
func (h *handler) getTagged(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	query := c.URL.Query()
	page, err := h.service.Tagged(c.Context(), c.actor, query.Get("tag"), query.Get("cursor"), int(limit))
	if err != nil {
		return err
	}
	v := taggedView{Entries: make([]placeView, 0, len(page.Entries)), Next: page.Next}
	for _, e := range page.Entries {
		v.Entries = append(v.Entries, viewPlace(e))
	}
	return writeJSON(w, http.StatusOK, v)
}
