package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// cloudView is the tag cloud of the registry.
type cloudView struct {
	Tags []cloudTag
}

// cloudTag is a tag with its size in the cloud, from 1 to 5.
type cloudTag struct {
	registry.CloudTag
	Size int
}

func (c *console) tagCloud(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	tags, err := c.Service.TagCloud(r.Context(), a, registry.MaxCloudTags)
	if err != nil {
		return err
	}
	most := int64(1)
	for _, t := range tags {
		most = max(most, t.Count)
	}
	var v cloudView
	for _, t := range tags {
		v.Tags = append(v.Tags, cloudTag{t, 1 + int(4*(t.Count-1)/max(most-1, 1))})
	}
	return c.showTags(w, r, a, "tags", c.say("Tags"), v)
}

// showTags renders a page that is about tags, not about one resource.
func (c *console) showTags(w http.ResponseWriter, r *http.Request, a registry.Actor, name, title string, view any) error {
	f := c.frame(r, a, title)
	f.Section, f.Page = "tags", view
	return c.render(w, http.StatusOK, name, f)
}

// taggedView is a page of the resources that have a tag.
type taggedView struct {
	Tag     string
	Entries []registry.Place
	Cursor  string // of this page; "" is the first
	Next    string
}

func (c *console) tagged(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	query := r.URL.Query()
	page, err := c.Service.Tagged(r.Context(), a, query.Get("tag"), query.Get("cursor"), 0)
	if err != nil {
		return err
	}
	v := taggedView{Tag: query.Get("tag"), Entries: page.Entries, Cursor: query.Get("cursor"), Next: page.Next}
	return c.showTags(w, r, a, "tagged", c.say("Tagged “%s”", v.Tag), v)
}
