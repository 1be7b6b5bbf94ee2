package console

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
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

// kindCount is how many nodes seem to be of a kind.
type kindCount struct {
	N         int
	One, Many string
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
	v.fill()
	if v.Choices, err = v.choices(p); err != nil {
		return err
	}
	if v.Picture, err = drawGraph(v.Graph, v.address); err != nil {
		return err
	}
	title := "Dependencies of "
	if impact {
		title = "Impact of "
	}
	return c.show(w, r, a, http.StatusOK, "graph", title+v.Name(), v.head, v)
}

// fill makes the lists beside the picture.
func (v *graphView) fill() {
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
	kinds := map[string]*kindCount{}
	for i, n := range g.Nodes[1:] {
		row := graphNode{GraphNode: n}
		if t := through[i+1]; t > 0 {
			row.Through = g.Nodes[t].End
		}
		v.Nodes = append(v.Nodes, row)
		if n.Depth == 1 {
			v.Near++
		}
		one, many := kindOf(n.End)
		if kinds[one] == nil {
			kinds[one] = &kindCount{One: one, Many: many}
		}
		kinds[one].N++
	}
	for _, k := range kinds {
		v.Kinds = append(v.Kinds, *k)
	}
	slices.SortFunc(v.Kinds, func(a, b kindCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.One, b.One)) })
}

// kindOf guesses from its path what a node is: by the collection that WSO2's registry keeps things of a kind in, or by the ending of the name.
func kindOf(e registry.End) (one, many string) {
	if e.URI != "" {
		return "outside address", "outside addresses"
	}
	if e.Kind == registry.KindCollection {
		return "collection", "collections"
	}
	for _, name := range e.Path.Parent().Names() {
		switch strings.ToLower(name) {
		case "services":
			return "service", "services"
		case "endpoints":
			return "endpoint", "endpoints"
		case "policies":
			return "policy", "policies"
		}
	}
	name := strings.ToLower(e.Path.Name())
	switch {
	case strings.HasSuffix(name, ".wsdl"):
		return "WSDL", "WSDLs"
	case strings.HasSuffix(name, ".xsd"), strings.HasSuffix(name, ".avsc"), strings.HasSuffix(name, ".proto"), strings.HasSuffix(name, ".schema.json"):
		return "schema", "schemas"
	}
	return "other resource", "other resources"
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

// choices makes the links to other directions, types and depths.
func (v *graphView) choices(p registry.Path) (graphChoices, error) {
	var c graphChoices
	var failed error
	choice := func(label string, impact bool, kind string, depth int) graphChoice {
		href, err := graphAddress(p, impact, kind, depth)
		failed = cmp.Or(failed, err)
		return graphChoice{label, href, impact == v.Impact && kind == v.Type && depth == v.Depth}
	}
	c.Direction = []graphChoice{choice("What it depends on", false, v.Type, v.Depth), choice("What depends on it", true, v.Type, v.Depth)}
	c.Type = []graphChoice{choice("“depends”", v.Impact, registry.DependsType, v.Depth), choice("any type", v.Impact, "*", v.Depth)}
	if v.Type != registry.DependsType && v.Type != "*" {
		c.Type = append(c.Type, choice("“"+v.Type+"”", v.Impact, v.Type, v.Depth))
	}
	for _, depth := range []int{1, 2, 3, 5} {
		c.Depth = append(c.Depth, choice(strconv.Itoa(depth), v.Impact, v.Type, depth))
	}
	c.Depth = append(c.Depth, choice("all", v.Impact, v.Type, 0))
	return c, failed
}
