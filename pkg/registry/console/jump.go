package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// jump opens what the box in the header names: a path, a path;version:N, or an address of the registry pasted from elsewhere. What is none of these is
// searched for.
func (c *console) jump(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	typed := r.URL.Query().Get("to")
	p, n, err := registry.ParseRef(locationOf(typed))
	var res registry.Resource
	if err == nil {
		res, err = c.Service.Get(r.Context(), a, p, registry.Freshness{})
	}
	if code := registry.CodeOf(err); isSearch(typed) && (code == registry.CodeInvalid || code == registry.CodeNotFound) {
		address, err := searchFor(typed)
		if err != nil {
			return err
		}
		redirect(w, address)
		return nil
	}
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

// isSearch tells of texts that are not meant as a path for certain.
func isSearch(typed string) bool {
	typed = strings.TrimSpace(typed)
	switch {
	case typed == "" || strings.HasPrefix(typed, "/") || strings.Contains(typed, "://"):
		return false
	case strings.ContainsAny(typed, ` :"`):
		return true
	}
	return !strings.Contains(typed, "/")
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
