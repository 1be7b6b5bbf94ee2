package console

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// graphView is what a resource depends on, or what depends on it, directly and through others.
type graphView struct {
	head
	Impact  bool
	Type    string // "*" for all
	Depth   int    // the most steps that were asked for; 0 for the standard
	Graph   registry.Graph
	Nodes   []graphNode // all but the start
	Edges   []graphEdge
	Near    int // nodes at one step
	Kinds   []kindCount
	Picture *graphPicture // nil when there is nothing to draw
	Choices graphChoices
}

// graphNode is a node with the one that it was reached by.
type graphNode struct {
	registry.GraphNode
	Through registry.End
}

// graphEdge is an association with its ends.
type graphEdge struct {
	From, To registry.End
	Type     string
}

// kindCount is how many nodes seem to be of a kind; Text says so.
type kindCount struct {
	kind texts.Counted
	n    int64
	Text string
}

// graphChoices are the links that choose what a graph shows.
type graphChoices struct {
	Direction, Type, Depth []graphChoice
}

// graphChoice is one of them; Current is what the page shows.
type graphChoice struct {
	Label   string
	Href    template.URL
	Current bool
}

func (c *console) dependencies(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.graph(w, r, a, false)
}

func (c *console) impact(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.graph(w, r, a, true)
}

func (c *console) graph(w http.ResponseWriter, r *http.Request, a registry.Actor, impact bool) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	v := graphView{Impact: impact, Type: r.URL.Query().Get("type")}
	if text := r.URL.Query().Get("depth"); text != "" {
		if v.Depth, err = strconv.Atoi(text); err != nil || v.Depth < 1 {
			return registry.Errorf(registry.CodeInvalid, "depth is %q; it must be a number from 1 to %d", text, registry.MaxGraphDepth)
		}
	}
	v.Graph, err = c.Service.Graph(r.Context(), a, registry.GraphInput{Path: p, Impact: impact, Type: v.Type, Depth: v.Depth}, registry.Freshness{})
	if err != nil {
		return err
	}
	v.Type = cmp.Or(v.Type, registry.DependsType)
	v.head = c.headOf(r, v.Graph.Resource, "associations", v.Graph.Resource.Version)
	c.fillGraph(&v)
	if v.Choices, err = c.graphChoices(&v, p); err != nil {
		return err
	}
	if v.Picture, err = c.drawGraph(v.Graph, v.address); err != nil {
		return err
	}
	title := c.say("Dependencies of %s", v.Name())
	if impact {
		title = c.say("Impact of %s", v.Name())
	}
	return c.show(w, r, a, http.StatusOK, "graph", title, v.head, v)
}

// fillGraph makes the lists beside the picture.
func (c *console) fillGraph(v *graphView) {
	g := &v.Graph
	through := make([]int, len(g.Nodes))
	for i := range through {
		through[i] = -1
	}
	for _, e := range g.Edges {
		v.Edges = append(v.Edges, graphEdge{g.Nodes[e.From].End, g.Nodes[e.To].End, e.Type})
		near, far := e.From, e.To
		if v.Impact {
			near, far = far, near
		}
		if through[far] < 0 && g.Nodes[near].Depth == g.Nodes[far].Depth-1 {
			through[far] = near
		}
	}
	kinds := map[texts.Counted]int64{}
	for i, n := range g.Nodes[1:] {
		row := graphNode{GraphNode: n}
		if t := through[i+1]; t > 0 {
			row.Through = g.Nodes[t].End
		}
		v.Nodes = append(v.Nodes, row)
		if n.Depth == 1 {
			v.Near++
		}
		kinds[kindOf(n.End)]++
	}
	for kind, n := range kinds {
		v.Kinds = append(v.Kinds, kindCount{kind, n, c.countOf(n, kind)})
	}
	slices.SortFunc(v.Kinds, func(a, b kindCount) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.kind.One, b.kind.One)) })
}

// kindOf guesses from its path what a node is: by the collection that WSO2's registry keeps things of a kind in, or by the ending of the name.
func kindOf(e registry.End) texts.Counted {
	if e.URI != "" {
		return counted("outside address", "outside addresses")
	}
	if e.Kind == registry.KindCollection {
		return counted("collection", "collections")
	}
	for _, name := range e.Path.Parent().Names() {
		switch strings.ToLower(name) {
		case "services":
			return counted("service", "services")
		case "endpoints":
			return counted("endpoint", "endpoints")
		case "policies":
			return counted("policy", "policies")
		}
	}
	name := strings.ToLower(e.Path.Name())
	switch {
	case strings.HasSuffix(name, ".wsdl"):
		return counted("WSDL", "WSDLs")
	case strings.HasSuffix(name, ".xsd"), strings.HasSuffix(name, ".avsc"), strings.HasSuffix(name, ".proto"), strings.HasSuffix(name, ".schema.json"):
		return counted("schema", "schemas")
	}
	return counted("other resource", "other resources")
}

// address is that of a graph of p that is chosen like this one.
func (v *graphView) address(p registry.Path) (template.URL, error) {
	return graphAddress(p, v.Impact, v.Type, v.Depth)
}

func graphAddress(p registry.Path, impact bool, kind string, depth int) (template.URL, error) {
	operation := "dependencies"
	if impact {
		operation = "impact"
	}
	if kind == registry.DependsType {
		kind = ""
	}
	return query(link(operation, p), "type", kind, "depth", int64(depth))
}

// graphChoices makes the links to other directions, types and depths.
func (c *console) graphChoices(v *graphView, p registry.Path) (graphChoices, error) {
	var all graphChoices
	var failed error
	choice := func(label string, impact bool, kind string, depth int) graphChoice {
		href, err := graphAddress(p, impact, kind, depth)
		failed = cmp.Or(failed, err)
		return graphChoice{label, href, impact == v.Impact && kind == v.Type && depth == v.Depth}
	}
	all.Direction = []graphChoice{
		choice(c.say("What it depends on"), false, v.Type, v.Depth), choice(c.say("What depends on it"), true, v.Type, v.Depth),
	}
	all.Type = []graphChoice{choice(c.say("“%s”", registry.DependsType), v.Impact, registry.DependsType, v.Depth), choice(c.say("any type"), v.Impact, "*", v.Depth)}
	if v.Type != registry.DependsType && v.Type != "*" {
		all.Type = append(all.Type, choice(c.say("“%s”", v.Type), v.Impact, v.Type, v.Depth))
	}
	for _, depth := range []int{1, 2, 3, 5} {
		all.Depth = append(all.Depth, choice(strconv.Itoa(depth), v.Impact, v.Type, depth))
	}
	all.Depth = append(all.Depth, choice(c.say("all"), v.Impact, v.Type, 0))
	return all, failed
}
