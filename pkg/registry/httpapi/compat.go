package httpapi

import (
	"mime"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// collectionType is the media type by which clients of WSO2's registry make a collection.
const collectionType = "application/atomcoll+xml"

// getArtifact gives the content of a resource, or the paths of a collection's children as a JSON array.
func (h *handler) getArtifact(w http.ResponseWriter, c *call) error {
	p, pick, err := c.ref()
	if err != nil {
		return err
	}
	fresh, err := c.freshness()
	if err != nil {
		return err
	}
	r, v, err := h.service.GetPick(c.Context(), c.actor, p, pick, fresh)
	switch {
	case err != nil:
		return refNotFound(p, pick, err)
	case r.Kind == registry.KindCollection && pick.IsCurrent():
		return h.listArtifacts(w, c, p, fresh)
	case r.Kind == registry.KindCollection && !pick.At.IsZero():
		return h.listPast(w, c, r, pick.At)
	case r.Kind == registry.KindCollection:
		return h.listRevision(w, c, r, v)
	}
	return refNotFound(p, pick, h.serveContent(w, c, p, pick, fresh, asDownload))
}

// listArtifacts writes the paths of all children.
func (h *handler) listArtifacts(w http.ResponseWriter, c *call, p registry.Path, fresh registry.Freshness) error {
	cursor := ""
	return writeWindow(w, window{}, func() ([]registry.Path, bool, error) {
		page, err := h.service.List(c.Context(), c.actor, p, cursor, registry.MaxPageSize, fresh)
		if err != nil {
			return nil, false, refNotFound(p, registry.Pick{}, err)
		}
		if cursor == "" {
			setSeq(w.Header(), page.Parent.Seq)
		}
		cursor = page.Next
		list := make([]registry.Path, 0, len(page.Entries))
		for _, r := range page.Entries {
			list = append(list, r.Path)
		}
		return list, cursor != "", nil
	})
}

// putArtifact stores a content, or makes a collection when the media type says so.
func (h *handler) putArtifact(w http.ResponseWriter, c *call) error {
	if t, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err == nil && t == collectionType {
		return h.putArtifactCollection(w, c)
	}
	res, err := h.put(c, true)
	if err != nil {
		return err
	}
	return writeArtifactResult(w, res)
}

func (h *handler) putArtifactCollection(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	res, err := h.service.CreateCollection(c.Context(), c.actor, registry.CollectionInput{Path: p, If: condition})
	switch {
	case err != nil:
		return err
	case !res.Created:
		return registry.Errorf(registry.CodeConflict, "Collection already exist %s", p)
	}
	return writeArtifactResult(w, res)
}

func writeArtifactResult(w http.ResponseWriter, res registry.PutResult) error {
	setState(w.Header(), res.Resource)
	if !res.Created {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Location", location(artifactURL, res.Resource.Path))
	writeText(w, http.StatusCreated, "Created : "+res.Resource.Path.String())
	return nil
}

// deleteArtifact deletes a resource, or a collection with all below it.
func (h *handler) deleteArtifact(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	return refNotFound(p, registry.Pick{}, h.deleteResource(w, c))
}
