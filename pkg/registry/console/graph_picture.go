package console

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/regent-registry/regent/pkg/registry"
)

// Measures of a picture, in pixels.
const (
	boxWidth, boxHeight   = 200, 44
	columnGap, rowGap     = 52, 14
	pictureMargin         = 12
	boxNameRunes          = 19
	boxPlaceRunes         = 27
	maxDrawnEdges         = 600
	maxLabelledEdges      = 60
	selfWidth, selfHeight = 34, 18 // of a line that leads from a box to itself
	backRoom              = 36     // below the boxes, for lines that lead over columns
)

// graphPicture is a drawing of a graph: boxes in columns by their distance from the start, lines between them.
type graphPicture struct {
	Width, Height int
	Boxes         []drawnBox
	Lines         []arrow
	Left          int // associations that are not drawn
}

// drawnBox is a node, or several that stand together because there are too many.
type drawnBox struct {
	N           int // names it for the lines
	X, Y        int
	Name, Place string // shortened
	Title       string // the whole path
	Icon        string
	Class       string // "start", "near", "far", "more"
	Href        template.URL
	Web         bool // Href leads out of the registry
}

// arrow is one association, or several between the same boxes.
type arrow struct {
	From, To int // boxes, by N
	D        string
	Title    string
	Back     bool   // it leads over columns, and so closes a cycle
	Label    string // beside the line; "" for none
	X, Y     int    // of the label
}

// drawGraph draws a graph. Boxes lead where address says. It is nil when there is only the start.
func (c *console) drawGraph(g registry.Graph, address func(registry.Path) (template.URL, error)) (*graphPicture, error) {
	if len(g.Nodes) < 2 {
		return nil, nil //nolint:nilnil // no picture is no failure: the page says that there is nothing
	}
	depths := make([]int, len(g.Nodes))
	for i, n := range g.Nodes {
		depths[i] = n.Depth
	}
	l := newLayers(depths)
	for _, e := range g.Edges {
		l.connect(e.From, e.To)
	}
	l.arrange()

	p := &graphPicture{}
	x, y := p.placeBoxes(l)
	for slot := range l.slots {
		box := drawnBox{N: slot, X: x[slot], Y: y[slot]}
		if err := c.fillBox(&box, g, l.slots[slot], address); err != nil {
			return nil, err
		}
		p.Boxes = append(p.Boxes, box)
	}
	p.drawLines(g, l, x, y)
	return p, nil
}

// placeBoxes gives every slot its corner, columns centred beside each other, and the picture its size.
func (p *graphPicture) placeBoxes(l *layers) (x, y []int) {
	x, y = make([]int, len(l.slots)), make([]int, len(l.slots))
	rows := 0
	for _, column := range l.columns {
		rows = max(rows, len(column))
	}
	p.Width = len(l.columns)*boxWidth + (len(l.columns)-1)*columnGap + 2*pictureMargin + selfWidth
	p.Height = rows*boxHeight + (rows-1)*rowGap + 2*pictureMargin
	for c, column := range l.columns {
		top := pictureMargin + (rows-len(column))*(boxHeight+rowGap)/2
		for i, slot := range column {
			x[slot], y[slot] = pictureMargin+c*(boxWidth+columnGap), top+i*(boxHeight+rowGap)
		}
	}
	if l.leadsBack() {
		p.Height += backRoom
	}
	return x, y
}

func (c *console) fillBox(b *drawnBox, g registry.Graph, nodes []int, address func(registry.Path) (template.URL, error)) error {
	if len(nodes) > 1 {
		b.Name, b.Place, b.Class, b.Icon, b.Href = c.count(len(nodes), "more", "more"), c.say("in the list below"), "more", "more", "#nodes"
		b.Title = c.say("%s, in the list below", c.count(len(nodes), "more resource", "more resources"))
		return nil
	}
	n := g.Nodes[nodes[0]]
	b.Class = [...]string{"start", "near", "far"}[min(n.Depth, 2)]
	if n.URI != "" {
		b.Title, b.Icon = n.URI, "next"
		b.Name, b.Place = shortenMiddle(n.URI, boxNameRunes), c.say("outside of the registry")
		if isWeb(n.URI) {
			b.Href, b.Web = template.URL(n.URI), true //nolint:gosec // its scheme was checked, the template escapes the rest
		}
		return nil
	}
	b.Title, b.Icon = n.Path.String(), "file"
	if n.Kind == registry.KindCollection {
		b.Icon = "folder"
	}
	b.Name, b.Place = shortenMiddle(c.nameOf(n.Path), boxNameRunes), folder(n.Path.Parent())
	var err error
	if n.Depth == 0 {
		b.Href = template.URL(pageOf(registry.Resource{Path: n.Path, Kind: n.Kind})) //nolint:gosec // of escaped parts
		return nil
	}
	b.Href, err = address(n.Path)
	return err
}

// drawLines draws the associations, those between the same boxes as one.
func (p *graphPicture) drawLines(g registry.Graph, l *layers, x, y []int) {
	type pair struct{ from, to int }
	known := map[pair]int{}
	for _, e := range g.Edges {
		k := pair{l.slotOf[e.From], l.slotOf[e.To]}
		if k.from == k.to && e.From != e.To {
			continue // between two that stand together
		}
		if at, ok := known[k]; ok {
			p.Lines[at].also(e.Type)
			continue
		}
		if len(p.Lines) == maxDrawnEdges {
			p.Left++
			continue
		}
		known[k] = len(p.Lines)
		line := arrow{From: k.from, To: k.to, Title: p.Boxes[k.from].Title + " → " + p.Boxes[k.to].Title + ": " + e.Type}
		line.curve(x[k.from], y[k.from]+boxHeight/2, x[k.to], y[k.to]+boxHeight/2, p.Height)
		if e.Type != registry.DependsType {
			line.Label = shortenMiddle(e.Type, 14)
		}
		p.Lines = append(p.Lines, line)
	}
	if len(p.Lines) > maxLabelledEdges {
		for i := range p.Lines {
			p.Lines[i].Label = ""
		}
	}
}

// also says that the line is an association of one more type.
func (l *arrow) also(kind string) {
	const most = 300 // bytes
	_, types, _ := strings.Cut(l.Title, ": ")
	if !slices.Contains(strings.Split(types, ", "), kind) && len(l.Title)+len(kind) < most {
		l.Title += ", " + kind
	}
}

// curve leads from the middle of one box's side to another's: through the gap between columns, beside boxes of one column, or below all boxes over several.
func (l *arrow) curve(x1, y1, x2, y2, below int) {
	const bend = columnGap / 2
	c1, c2 := bend, -bend // how far the line goes on before it bends
	d1, d2 := y1, y2
	switch {
	case x1 < x2:
		x1 += boxWidth
	case x1 > x2:
		x2 += boxWidth
		c1, c2 = -bend, bend
	case y1 == y2:
		x1, x2, y1, y2 = x1+boxWidth, x2+boxWidth, y1-6, y2+6
		c1, c2, d1, d2 = selfWidth, selfWidth, y1-selfHeight, y2+selfHeight
	default:
		x1, x2, c2 = x1+boxWidth, x2+boxWidth, bend
	}
	l.X, l.Y = (x1+x2)/2, (y1+y2)/2-4
	if l.Back = max(x1-x2, x2-x1) > columnGap; l.Back {
		c1, c2, d1, d2 = 2*c1, 2*c2, below, below
		l.Y = (y1+y2+6*below)/8 - 4
	}
	l.D = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+c1, d1, x2+c2, d2, x2, y2)
}

// folder is the end of a collection's path that a box has room for, in whole names where that is possible.
func folder(p registry.Path) string {
	names := p.Names()
	text := ""
	for i, name := range slices.Backward(names) {
		next := "/" + name + text
		if text != "" && utf8.RuneCountInString(next) >= boxPlaceRunes {
			return shortenStart("…"+text, boxPlaceRunes)
		}
		if text = next; i == 0 {
			return shortenStart(text, boxPlaceRunes)
		}
	}
	return "/"
}

// shortenMiddle keeps the beginning of a text and its end, which says what a file is.
func shortenMiddle(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	r := []rune(s)
	end := most / 3
	return string(r[:most-end-1]) + "…" + string(r[len(r)-end:])
}

// shortenStart keeps the end of a text.
func shortenStart(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	r := []rune(s)
	return "…" + string(r[len(r)-most+1:])
}
