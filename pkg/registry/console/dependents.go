package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// goingView is what a deletion takes along and leaves pointing nowhere, for the page that asks whether it is meant.
type goingView struct {
	registry.Dependents

	Tops   int        // the entries that were named
	Kinds  string     // counts what goes, the named entries with it
	Impact *graphView // what depends on the only one that goes, through others too; nil for collections and for several
}

// shownImpact is how many of what breaks the page names; the picture has all.
const shownImpact = 20

// Broken are those that depend on what goes, the nearest first, as many as the page names.
func (g goingView) Broken() []graphNode {
	return g.Impact.Nodes[:min(len(g.Impact.Nodes), shownImpact)]
}

// Unnamed is how many more there are.
func (g goingView) Unnamed() int { return max(len(g.Impact.Nodes)-shownImpact, 0) }

// Leading are the associations that lead to what goes, without those that Impact tells of.
func (g goingView) Leading() []registry.Association {
	if g.Impact == nil {
		return g.Incoming
	}
	return slices.DeleteFunc(slices.Clone(g.Incoming), func(a registry.Association) bool { return a.Type == registry.DependsType })
}

// Below is how many nodes go beside those that were named.
func (g goingView) Below() int { return max(g.Count()-g.Tops, 0) }

// kindsOf counts what goes, the named entries with it.
func (c *console) kindsOf(d registry.Dependents) string {
	var parts []string
	for _, k := range []struct {
		n    int
		what texts.Counted
	}{{d.Collections, counted("collection", "collections")}, {d.Resources, counted("resource", "resources")}, {d.Links, counted("link", "links")}} {
		if k.n > 0 {
			parts = append(parts, c.countOf(int64(k.n), k.what))
		}
	}
	switch len(parts) {
	case 2:
		return c.say("%s and %s", parts[0], parts[1])
	case 3:
		return c.say("%s, %s and %s", parts[0], parts[1], parts[2])
	}
	return strings.Join(parts, "")
}

// going looks at what a deletion of some paths takes along.
func (c *console) going(r *http.Request, a registry.Actor, paths ...registry.Path) (goingView, error) {
	found, err := c.Service.Dependents(r.Context(), a, paths, registry.Freshness{})
	return goingView{Dependents: found, Tops: len(paths), Kinds: c.kindsOf(found)}, err
}

// breaking looks at what depends on a resource, directly and through others.
func (c *console) breaking(r *http.Request, a registry.Actor, p registry.Path) (*graphView, error) {
	v := graphView{Impact: true, Type: registry.DependsType}
	var err error
	if v.Graph, err = c.Service.Graph(r.Context(), a, registry.GraphInput{Path: p, Impact: true}, registry.Freshness{}); err != nil {
		return nil, err
	}
	c.fillGraph(&v)
	if len(v.Nodes) == 0 {
		return nil, nil
	}
	return &v, nil
}
