package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// endView is one end of an association: a resource, or a URI outside of the registry.
type endView struct {
	Path registry.Path `json:"path,omitempty"`
	Kind string        `json:"kind,omitempty"`
	ID   string        `json:"id,omitempty"`
	URI  string        `json:"uri,omitempty"`
}

func viewEnd(e registry.End) endView {
	if e.URI != "" {
		return endView{URI: e.URI}
	}
	v := endView{Path: e.Path, Kind: e.Kind.String()}
	if !e.ID.IsZero() {
		v.ID = e.ID.String()
	}
	return v
}

// associationView is an association.
type associationView struct {
	Type      string    `json:"type"`
	Source    endView   `json:"source"`
	Target    endView   `json:"target"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	CreatedBy string    `json:"created_by,omitempty"`
}

func viewAssociation(l registry.Association) associationView {
	return associationView{l.Type, viewEnd(l.Source), viewEnd(l.Target), l.CreatedAt, l.CreatedBy}
}

// associationsView is a page of associations.
type associationsView struct {
	Path         registry.Path     `json:"path"`
	Direction    string            `json:"direction"`
	Associations []associationView `json:"associations"`
	Next         string            `json:"next,omitempty"`
}

// getAssociations gives a page of the associations from a resource, or with direction=in to it.
func (h *handler) getAssociations(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	direction, err := c.choice("direction", "out", "in")
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	query := c.URL.Query()
	page, err := h.service.Associations(c.Context(), c.actor, registry.AssociationsInput{
		Path: p, Incoming: direction == "in", Type: query.Get("type"), Cursor: query.Get("cursor"), Limit: int(limit),
	}, fresh)
	if err != nil {
		return err
	}
	v := associationsView{Path: p, Direction: direction, Associations: make([]associationView, 0, len(page.Associations)), Next: page.Next}
	for _, l := range page.Associations {
		v.Associations = append(v.Associations, viewAssociation(l))
	}
	setSeq(w.Header(), page.Resource.Seq)
	return writeJSON(w, http.StatusOK, v)
}

// postAssociation links a resource to a target: 201, or 200 when the link is there already.
func (h *handler) postAssociation(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in struct {
		Type   string `json:"type"`
		Target string `json:"target"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	l, seq, made, err := h.service.Associate(c.Context(), c.actor, p, in.Type, in.Target)
	if err != nil {
		return err
	}
	setSeq(w.Header(), seq)
	if made {
		return writeJSON(w, http.StatusCreated, viewAssociation(l))
	}
	return writeJSON(w, http.StatusOK, viewAssociation(l))
}

// deleteAssociation removes a link.
func (h *handler) deleteAssociation(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	query := c.URL.Query()
	seq, err := h.service.Dissociate(c.Context(), c.actor, p, query.Get("type"), query.Get("target"))
	return gone(w, seq, err)
}

// graphView is what a resource leads to, or what leads to it.
type graphView struct {
	Path  registry.Path   `json:"path"`
	Nodes []graphNodeView `json:"nodes"`
	Edges []graphEdgeView `json:"edges"`
	Cut   string          `json:"cut,omitempty"`
}

type graphNodeView struct {
	endView
	Depth int `json:"depth"`
}

// graphEdgeView names its ends as the nodes do: by path or URI.
type graphEdgeView struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Type   string `json:"type"`
}

// getDependencies gives what a resource depends on, directly and through others.
func (h *handler) getDependencies(w http.ResponseWriter, c *call) error { return h.graph(w, c, false) }

// getImpact gives what depends on a resource, directly and through others.
func (h *handler) getImpact(w http.ResponseWriter, c *call) error { return h.graph(w, c, true) }

func (h *handler) graph(w http.ResponseWriter, c *call, impact bool) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	depth, err := c.number("depth", registry.MaxGraphDepth)
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxGraphNodes)
	if err != nil {
		return err
	}
	g, err := h.service.Graph(c.Context(), c.actor, registry.GraphInput{
		Path: p, Impact: impact, Type: c.URL.Query().Get("type"), Depth: int(depth), Limit: int(limit),
	}, fresh)
	if err != nil {
		return err
	}
	v := graphView{Path: p, Nodes: make([]graphNodeView, 0, len(g.Nodes)), Edges: make([]graphEdgeView, 0, len(g.Edges)), Cut: g.Cut}
	name := func(i int) string { return string(g.Nodes[i].Path) + g.Nodes[i].URI }
	for _, n := range g.Nodes {
		v.Nodes = append(v.Nodes, graphNodeView{viewEnd(n.End), n.Depth})
	}
	for _, e := range g.Edges {
		v.Edges = append(v.Edges, graphEdgeView{name(e.From), name(e.To), e.Type})
	}
	setSeq(w.Header(), g.Resource.Seq)
	return writeJSON(w, http.StatusOK, v)
}
