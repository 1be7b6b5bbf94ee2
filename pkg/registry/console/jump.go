package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// jump opens what the location box names: a path, a path;version:N, or an address of the registry pasted from elsewhere.
func (c *console) jump(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, n, err := registry.ParseRef(locationOf(r.URL.Query().Get("to")))
	if err != nil {
		return err
	}
	res, err := c.Service.Get(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return err
	}
	address := pageOf(res)
	if n > 0 && res.Kind == registry.KindResource {
		withVersion, err := query(address, "version", n)
		if err != nil {
			return err
		}
		address = string(withVersion)
	}
	redirect(w, address)
	return nil
}

// doorPrefixes are the ways to a resource's path in the addresses that people copy.
var doorPrefixes = []string{
	"/registry/resource/", "/resource/1.0.0/artifact/", "/api/v1/content/", "/api/v1/resource/",
	"/console/browse/", "/console/resource/", "/console/details/", "/console/versions/", "/console/properties/",
}

// locationOf takes the path out of what somebody typed or pasted.
func locationOf(typed string) string {
	typed = strings.TrimSpace(typed)
	u, err := url.Parse(typed)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return strings.TrimLeft(typed, "/") // "/" focuses the box; who types the path's own slash after it may have two
	}
	for _, prefix := range doorPrefixes {
		if rest, ok := strings.CutPrefix(u.Path, prefix); ok {
			return "/" + rest
		}
	}
	return u.Path
}
