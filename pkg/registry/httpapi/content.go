package httpapi

import (
	"mime"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// formType is what curl says of any --data; nobody stores forms, so it counts as nothing said.
const formType = "application/x-www-form-urlencoded"

// getContent gives the bytes of a resource, or of one of its versions.
func (h *handler) getContent(w http.ResponseWriter, c *call) error {
	return h.serveRaw(w, c, asItIs)
}

// putContent stores a content: a new resource or a new version.
func (h *handler) putContent(w http.ResponseWriter, c *call) error {
	res, err := h.put(c, false)
	if err != nil {
		return err
	}
	return writeResult(w, res, contentURL)
}

// put stores the body of a call at its path. keepMediaType refuses a media type other than the stored one.
func (h *handler) put(c *call, keepMediaType bool) (registry.PutResult, error) {
	p, condition, err := c.change()
	if err != nil {
		return registry.PutResult{}, err
	}
	if err := c.plainBody(h.service.ContentLimit()); err != nil {
		return registry.PutResult{}, err
	}
	return h.service.Put(c.Context(), c.actor, registry.PutInput{
		Path: p, Body: newBody(c.Request), MediaType: c.mediaType(), KeepMediaType: keepMediaType,
		Comment: c.Header.Get("Version-Comment"), If: condition,
	})
}

// mediaType is the type that the client says its body has, "" when it says none.
func (c *call) mediaType() string {
	s := c.Header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(s); err == nil && t == formType {
		return ""
	}
	return s
}

// deleteContent deletes a resource. A collection has no content and is left alone.
func (h *handler) deleteContent(w http.ResponseWriter, c *call) error {
	return h.remove(w, c, h.service.DeleteContent)
}

// writeResult answers a change with the state that it made.
func writeResult(w http.ResponseWriter, res registry.PutResult, operation string) error {
	setState(w.Header(), res.Resource)
	if !res.Created {
		return writeJSON(w, http.StatusOK, viewResource(res.Resource))
	}
	w.Header().Set("Location", location(operation, res.Resource.Path))
	return writeJSON(w, http.StatusCreated, viewResource(res.Resource))
}
