package registry

import "context"

// Limits of a graph.
const (
	MaxGraphDepth     = 100
	DefaultGraphDepth = 10
	MaxGraphNodes     = 2000
	DefaultGraphNodes = 200
	maxGraphEdges     = 10_000
)

// GraphInput asks for what Path leads to over associations, or with Impact for what leads to Path, directly and through others.
type GraphInput struct {
	Path   Path
	Impact bool
	Type   string // [DependsType] for "", "*" for all
	Depth  int    // steps from Path; [DefaultGraphDepth] for 0
	Limit  int    // nodes beside Path; [DefaultGraphNodes] for 0
}

// Graph is a part of the registry's associations. Nodes[0] is where it starts; the others follow by depth, each once, so that a cycle ends where it closes.
type Graph struct {
	Resource Resource
	Nodes    []GraphNode
	Edges    []GraphEdge
	Cut      string // "depth" or "limit" when there is more than was asked for, "" when this is all that the actor may read
}

// GraphNode is a resource or an outside URI at its distance from the start.
type GraphNode struct {
	End
	Depth int
}

// GraphEdge is an association between two nodes, by their places in Graph.Nodes. It leads from From to To whichever way the graph was followed.
type GraphEdge struct {
	From, To int
	Type     string
}

// Graph follows associations from what is at a path, breadth first. What the actor may not read is left out, with all that only it leads to. Each level is
// read by a few queries, as it is then. Needs [RightRead].
func (s *Service) Graph(ctx context.Context, a Actor, in GraphInput, f Freshness) (Graph, error) {
	kind, err := allTypes(in.Type, DependsType)
	if err != nil {
		return Graph{}, err
	}
	depth, err := within("depth", in.Depth, DefaultGraphDepth, MaxGraphDepth)
	if err != nil {
		return Graph{}, err
	}
	limit, err := within("limit", in.Limit, DefaultGraphNodes, MaxGraphNodes)
	if err != nil {
		return Graph{}, err
	}
	r, m, err := s.authorizedGet(ctx, a, in.Path, f)
	if err != nil {
		return Graph{}, err
	}
	start := End{Place: Place{r.ID, r.Kind, in.Path}}
	w := walk{
		service: s, actor: a, store: m.Store, query: AssociationQuery{Incoming: in.Impact, Type: kind}, depth: depth, limit: limit,
		graph: Graph{Resource: r, Nodes: []GraphNode{{End: start}}}, index: map[string]int{start.name(): 0},
	}
	if m.Store == nil {
		return w.graph, nil
	}
	if err := w.run(ctx); err != nil {
		return Graph{}, err
	}
	if err := s.still(ctx, a, r); err != nil {
		return Graph{}, err
	}
	return w.graph, nil
}

// walk is one way through the associations of a store.
type walk struct {
	service *Service
	actor   Actor
	store   Store
	query   AssociationQuery
	depth   int
	limit   int
	graph   Graph
	index   map[string]int // places of the ends in graph.Nodes
}

// name tells ends apart.
func (e End) name() string {
	if e.URI != "" {
		return e.URI
	}
	return string(e.ID[:])
}

// run reads level after level. The last one is read too: its edges may close cycles, and tell whether there is more.
func (w *walk) run(ctx context.Context) error {
	for level, from := 0, 0; level <= w.depth && w.graph.Cut == ""; level++ {
		to := len(w.graph.Nodes)
		var ids []ID
		for _, n := range w.graph.Nodes[from:to] {
			if n.URI == "" {
				ids = append(ids, n.ID)
			}
		}
		if len(ids) == 0 {
			return nil
		}
		if err := w.level(ctx, level, ids); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// level reads the associations of the nodes of one level, and adds those that they lead to.
func (w *walk) level(ctx context.Context, level int, ids []ID) error {
	const atOnce = 500
	for len(ids) > 0 {
		q := w.query
		q.Nodes = ids[:min(atOnce, len(ids))]
		ids = ids[len(q.Nodes):]
		q.Limit = maxGraphEdges - len(w.graph.Edges) + 1
		list, err := w.store.Associations(ctx, q)
		if err != nil {
			return err
		}
		shown, err := w.service.showEnds(ctx, w.actor, w.store, list, q.Incoming)
		if err != nil {
			return err
		}
		for i := range list {
			if len(w.graph.Edges) == maxGraphEdges {
				w.graph.Cut = "limit"
				return nil
			}
			if shown[i] {
				w.add(level, &list[i])
			}
		}
		if len(list) == q.Limit { // what was hidden among them took the place of others, which nobody read
			w.graph.Cut = "limit"
			return nil
		}
	}
	return nil
}

// add puts an association into the graph, and its far end when it is new.
func (w *walk) add(level int, l *Association) {
	far := l.far(w.query.Incoming)
	i, known := w.index[far.name()]
	if !known {
		switch {
		case level == w.depth:
			w.graph.Cut = "depth"
			return
		case len(w.graph.Nodes) > w.limit:
			w.graph.Cut = "limit"
			return
		}
		i = len(w.graph.Nodes)
		w.index[far.name()] = i
		w.graph.Nodes = append(w.graph.Nodes, GraphNode{*far, level + 1})
	}
	e := GraphEdge{From: w.index[l.near(w.query.Incoming).name()], To: i, Type: l.Type}
	if w.query.Incoming {
		e.From, e.To = e.To, e.From
	}
	w.graph.Edges = append(w.graph.Edges, e)
}
