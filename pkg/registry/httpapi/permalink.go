package httpapi

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// getPermalink gives the bytes of a resource at the address that people pass on; ";version:N" names a version. A collection has none.
func (h *handler) getPermalink(w http.ResponseWriter, c *call) error {
	err := h.serveRaw(w, c, asItIs)
	if registry.CodeOf(err) == registry.CodeConflict {
		return registry.Errorf(registry.CodeNotFound, "%s; its children are at %s", registry.MessageOf(err), apiPrefix+"children/")
	}
	return err
}
