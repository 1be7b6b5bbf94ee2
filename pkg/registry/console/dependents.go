package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// goingView is what a deletion takes along and leaves pointing nowhere, for the page that asks whether it is meant.
type goingView struct {
	registry.Dependents

	Tops int // the entries that were named
}

// Below is how many nodes go beside those that were named.
func (g goingView) Below() int { return max(g.Count()-g.Tops, 0) }

// Kinds counts what goes, the named entries with it.
func (g goingView) Kinds() string {
	var parts []string
	for _, k := range []struct {
		n         int
		one, many string
	}{{g.Collections, "collection", "collections"}, {g.Resources, "resource", "resources"}, {g.Links, "link", "links"}} {
		if k.n > 0 {
			parts = append(parts, plural(k.n, k.one, k.many))
		}
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// going looks at what a deletion of some paths takes along.
func (c *console) going(r *http.Request, a registry.Actor, paths ...registry.Path) (goingView, error) {
	found, err := c.Service.Dependents(r.Context(), a, paths, registry.Freshness{})
	return goingView{found, len(paths)}, err
}
