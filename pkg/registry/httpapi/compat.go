package httpapi

import (
	"encoding/json"
	"io"
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
	r, _, err := h.service.GetPick(c.Context(), c.actor, p, pick, fresh)
	switch {
	case err != nil:
		return artifactError(p, err)
	case r.Kind == registry.KindCollection && pick.IsCurrent():
		return h.listArtifacts(w, c, p, fresh)
	}
	return artifactError(p, h.serveRaw(w, c, asDownload))
}

// artifactError says "not found" in the words that WSO2's clients know.
func artifactError(p registry.Path, err error) error {
	if registry.CodeOf(err) == registry.CodeNotFound {
		return registry.Errorf(registry.CodeNotFound, "Resource not found : %s", p)
	}
	return err
}

// listArtifacts writes the paths of all children, page by page: there may be more than memory should hold.
func (h *handler) listArtifacts(w http.ResponseWriter, c *call, p registry.Path, fresh registry.Freshness) error {
	separator := "["
	for cursor := ""; ; {
		page, err := h.service.List(c.Context(), c.actor, p, cursor, registry.MaxPageSize, fresh)
		if err != nil {
			return artifactError(p, err)
		}
		if separator == "[" {
			setSeq(w.Header(), page.Parent.Seq)
			w.Header().Set("Content-Type", jsonType)
		}
		for _, r := range page.Entries {
			path, err := json.Marshal(r.Path)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(w, separator+string(path)); err != nil {
				return registry.Errorf(registry.CodeCanceled, "the client went away")
			}
			separator = ","
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	end := "]"
	if separator == "[" {
		end = "[]"
	}
	_, _ = io.WriteString(w, end) // who does not read it has gone
	return nil
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
		return registry.Errorf(registry.CodeConflict, "%s is a collection already", p)
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
	w.WriteHeader(http.StatusCreated)
	return nil
}

// deleteArtifact deletes a resource, or a collection with all below it.
func (h *handler) deleteArtifact(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	return artifactError(p, h.deleteResource(w, c))
}
