package httpapi

import (
	"net/http"
	"slices"

	"github.com/regent-registry/regent/pkg/registry"
)

// wso2Revisions gives the versions of a resource or collection, newest first, as paths that name them.
func (h *handler) wso2Revisions(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	win, err := c.window()
	if err != nil {
		return err
	}
	before := int64(0)
	return writeWindow(w, win, func() ([]string, bool, error) {
		page, err := h.service.Versions(c.Context(), c.actor, p, before, registry.MaxPageSize, fresh)
		if err != nil {
			return nil, false, h.missing(c, p, err)
		}
		if before == 0 {
			setSeq(w.Header(), page.Resource.Seq)
		}
		before = page.Next
		list := make([]string, 0, len(page.Versions))
		for _, v := range page.Versions {
			list = append(list, versioned(p, v.Number))
		}
		return list, before > 0, nil
	})
}

// wso2Revision gives the content of a version, or the children that a collection had then.
func (h *handler) wso2Revision(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	n, err := c.queryID()
	if err != nil {
		return err
	}
	pick := registry.Pick{Version: n}
	r, v, err := h.service.GetPick(c.Context(), c.actor, p, pick, fresh)
	switch {
	case err != nil:
		return refNotFound(p, pick, err)
	case r.Kind == registry.KindCollection:
		return h.listRevision(w, c, r, v)
	}
	return refNotFound(p, pick, h.serveContent(w, c, p, pick, fresh, asDownload))
}

// listRevision writes what a collection held at one of its versions: at the checkpoint that was made with it, else when the version was made; the
// current one without a checkpoint holds what is there now.
func (h *handler) listRevision(w http.ResponseWriter, c *call, r registry.Resource, v registry.Version) error {
	_, checkpoints, err := h.service.Checkpoints(c.Context(), c.actor, r.Path, registry.Freshness{})
	if err != nil {
		return err
	}
	when := registry.Moment{Time: v.CreatedAt}
	i := slices.IndexFunc(checkpoints, func(k registry.Checkpoint) bool { return k.Name == registry.RevisionName(v.Number) })
	switch {
	case i >= 0:
		when = registry.Moment{Seq: checkpoints[i].Seq.N}
	case v.Number == r.Version:
		when = registry.Moment{Seq: r.Seq.N}
	}
	setVersion(w.Header(), v)
	return h.listPast(w, c, r, when)
}

// listPast writes the children that a collection had, each with the version that it had then.
func (h *handler) listPast(w http.ResponseWriter, c *call, r registry.Resource, when registry.Moment) error {
	cursor := ""
	return writeWindow(w, window{}, func() ([]string, bool, error) {
		page, err := h.service.ListAt(c.Context(), c.actor, r.Path, when, cursor, registry.MaxPageSize)
		if err != nil {
			return nil, false, err
		}
		cursor = page.Next
		list := make([]string, 0, len(page.Entries))
		for _, e := range page.Entries {
			list = append(list, versioned(e.Path, e.Version))
		}
		return list, cursor != "", nil
	})
}

// wso2PostRevision keeps the current state as a version that stays.
func (h *handler) wso2PostRevision(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	res, err := h.service.KeepRevision(c.Context(), c.actor, registry.RevisionInput{Path: p, If: condition})
	if err != nil {
		return h.missing(c, p, err)
	}
	setState(w.Header(), res.Resource)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wso2DeleteRevision removes an older version.
func (h *handler) wso2DeleteRevision(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	n, err := c.queryID()
	if err != nil {
		return err
	}
	seq, err := h.service.RemoveRevision(c.Context(), c.actor, registry.RevisionInput{Path: p, Version: n, If: condition})
	if registry.CodeOf(err) == registry.CodeNotFound {
		if err = h.missing(c, p, err); registry.MessageOf(err) != resourceMissing+p.String() {
			err = resourceNotFound(versioned(p, n))
		}
	}
	return gone(w, seq, err)
}
