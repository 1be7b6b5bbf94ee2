package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// graphOf makes a graph of nodes at depths, linked by pairs.
func graphOf(depths []int, pairs [][2]int) registry.Graph {
	var g registry.Graph
	for i, d := range depths {
		p := registry.Path(fmt.Sprintf("/_system/governance/trunk/n%d.xsd", i))
		g.Nodes = append(g.Nodes, registry.GraphNode{End: registry.End{Place: registry.Place{Kind: registry.KindResource, Path: p}}, Depth: d})
	}
	for _, p := range pairs {
		g.Edges = append(g.Edges, registry.GraphEdge{From: p[0], To: p[1], Type: "depends"})
	}
	return g
}

func noAddress(p registry.Path) (template.URL, error) {
	return template.URL("/graph" + p), nil
}

func TestDrawGraph_IsBoundedAndKeepsBoxesApart(t *testing.T) {
	var wide, dense registry.Graph
	depths, pairs := []int{0}, [][2]int{}
	for i := 1; i <= 200; i++ {
		depths, pairs = append(depths, 1), append(pairs, [2]int{0, i})
	}
	depths, pairs = append(depths, 2), append(pairs, [2]int{150, 201})
	wide = graphOf(depths, pairs)
	depths, pairs = nil, nil
	for i := range 100 {
		depths = append(depths, (i+9)/10)
		for j := range 100 {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	dense = graphOf(depths, pairs)
	for name, g := range map[string]registry.Graph{
		"two":    graphOf([]int{0, 1}, [][2]int{{0, 1}}),
		"cycle":  graphOf([]int{0, 1, 2, 3}, [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}, {2, 2}, {0, 0}}),
		"column": graphOf([]int{0, 1, 1, 1}, [][2]int{{0, 1}, {0, 2}, {0, 3}, {1, 3}, {3, 1}}),
		"wide":   wide, "dense": dense,
	} {
		p, err := (&console{}).drawGraph(g, noAddress)
		if err != nil || p == nil {
			t.Fatalf("%s: %v", name, err)
		}
		shown := map[int]int{} // boxes of a column
		for i, b := range p.Boxes {
			shown[b.X]++
			if b.X < 0 || b.Y < 0 || b.X+boxWidth > p.Width || b.Y+boxHeight > p.Height {
				t.Errorf("%s: %+v stands outside of the picture of %d × %d", name, b, p.Width, p.Height)
			}
			for _, other := range p.Boxes[:i] {
				if b.X < other.X+boxWidth && other.X < b.X+boxWidth && b.Y < other.Y+boxHeight && other.Y < b.Y+boxHeight {
					t.Errorf("%s: %s and %s lie over each other", name, b.Name, other.Name)
				}
			}
		}
		for x, n := range shown {
			if n > maxColumn {
				t.Errorf("%s: %d boxes in the column at %d", name, n, x)
			}
		}
		if len(p.Lines) > maxDrawnEdges {
			t.Errorf("%s: %d lines", name, len(p.Lines))
		}
		for _, l := range p.Lines {
			if l.From >= len(p.Boxes) || l.To >= len(p.Boxes) || l.D == "" || !strings.Contains(l.Title, " → ") {
				t.Errorf("%s: a line %+v", name, l)
			}
		}
	}
	p, _ := (&console{}).drawGraph(wide, noAddress)
	more := slices.IndexFunc(p.Boxes, func(b drawnBox) bool { return b.Class == "more" })
	if more < 0 || p.Boxes[more].Title != "177 more resources, in the list below" || p.Boxes[more].Href != "#nodes" {
		t.Errorf("the boxes that stand together: %+v", p.Boxes)
	}
	// What something further hangs on has a box of its own.
	if !slices.ContainsFunc(p.Boxes, func(b drawnBox) bool { return b.Name == "n150.xsd" }) {
		t.Error("the node that leads on is not shown by itself")
	}
	if p, _ := (&console{}).drawGraph(dense, noAddress); p.Left == 0 {
		t.Error("no association is left out")
	}
	if p, _ := (&console{}).drawGraph(graphOf([]int{0}, nil), noAddress); p != nil {
		t.Error("a picture of nothing")
	}
}

// The order within the columns keeps lines from crossing where that is possible.
func TestLayers_Uncross(t *testing.T) {
	l := newLayers([]int{0, 1, 1, 1, 2, 2, 2})
	for _, pair := range [][2]int{{0, 1}, {0, 2}, {0, 3}, {1, 6}, {2, 5}, {3, 4}} {
		l.connect(pair[0], pair[1])
	}
	l.arrange()
	var order []string
	for _, c := range l.columns {
		var text strings.Builder
		for _, slot := range c {
			fmt.Fprint(&text, l.slots[slot])
		}
		order = append(order, text.String())
	}
	if got := strings.Join(order, " "); got != "[0] [1][2][3] [6][5][4]" {
		t.Errorf("the columns are %s", got)
	}
}

func TestFolder_FitsIntoABox(t *testing.T) {
	for p, want := range map[registry.Path]string{
		"/": "/", "/_system/governance/trunk": "/_system/governance/trunk", "/_system/governance/trunk/schemas": "…/governance/trunk/schemas",
		registry.Path("/a/" + strings.Repeat("b", 40)): "…" + strings.Repeat("b", 26),
	} {
		if got := folder(p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

func TestDrawGraph_LeadsWhereItMay(t *testing.T) {
	g := graphOf([]int{0, 1, 1, 1}, [][2]int{{0, 1}, {0, 2}, {0, 3}})
	g.Nodes[2].End = registry.End{URI: "https://example.org/" + strings.Repeat("x", 50)}
	g.Nodes[3].End = registry.End{URI: "urn:x:\"><script>"}
	p, err := (&console{}).drawGraph(g, noAddress)
	if err != nil {
		t.Fatal(err)
	}
	byTitle := map[string]drawnBox{}
	for _, b := range p.Boxes {
		byTitle[b.Title] = b
	}
	if b := byTitle["/_system/governance/trunk/n0.xsd"]; b.Href != "/console/resource/_system/governance/trunk/n0.xsd" || b.Class != "start" || b.Place != "/_system/governance/trunk" {
		t.Errorf("start: %+v", b)
	}
	if b := byTitle["/_system/governance/trunk/n1.xsd"]; b.Href != "/graph/_system/governance/trunk/n1.xsd" || b.Class != "near" {
		t.Errorf("near: %+v", b)
	}
	if b := byTitle[g.Nodes[2].URI]; string(b.Href) != g.Nodes[2].URI || !b.Web || b.Name != "https://exam…xxxxxx" {
		t.Errorf("web: %+v", b)
	}
	if b := byTitle[g.Nodes[3].URI]; b.Href != "" {
		t.Errorf("elsewhere: %+v", b)
	}
}
