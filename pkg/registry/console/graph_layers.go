package console

import (
	"cmp"
	"slices"
)

const (
	maxColumn = 24 // slots of a column; what is beyond them shares one
	sweeps    = 4  // over all columns, to order them
)

// layers arranges a graph in columns by the distance of its nodes from the start, so that few lines cross. Cycles need no care: a node stands where it was
// reached first, whatever leads back to it.
type layers struct {
	slots   [][]int // nodes: one, or all that a column has no place for
	slotOf  []int   // by node
	columns [][]int // slots, from the top
	depths  []int   // by node
	links   [][]int // by node: those that it is linked with, either way
}

func newLayers(depths []int) *layers {
	return &layers{depths: depths, links: make([][]int, len(depths)), slotOf: make([]int, len(depths))}
}

// connect says that two nodes are linked.
func (l *layers) connect(a, b int) {
	if a != b {
		l.links[a], l.links[b] = append(l.links[a], b), append(l.links[b], a)
	}
}

// arrange makes the columns and orders them.
func (l *layers) arrange() {
	var byDepth [][]int
	for n, d := range l.depths {
		for len(byDepth) <= d {
			byDepth = append(byDepth, nil)
		}
		byDepth[d] = append(byDepth[d], n)
	}
	for _, nodes := range byDepth {
		l.columns = append(l.columns, l.column(nodes))
	}
	place := make([]float64, len(l.slots)) // in the column
	for _, column := range l.columns {
		rank(column, place)
	}
	for sweep := range sweeps {
		for i := range l.columns {
			at, beside := i, i-1
			if sweep%2 == 1 { // back from the last column
				at, beside = len(l.columns)-1-i, len(l.columns)-i
			}
			if beside >= 0 && beside < len(l.columns) {
				l.order(l.columns[at], l.depths[l.slots[l.columns[beside][0]][0]], place)
			}
		}
	}
}

// leadsBack tells whether a link leads over a column.
func (l *layers) leadsBack() bool {
	for a, linked := range l.links {
		for _, b := range linked {
			if l.depths[b] > l.depths[a]+1 {
				return true
			}
		}
	}
	return false
}

// column makes slots for the nodes of one distance. Where there are too many, those that nothing further hangs on share the last slot.
func (l *layers) column(nodes []int) []int {
	var rest []int
	if len(nodes) > maxColumn {
		nodes = slices.Clone(nodes)
		slices.SortStableFunc(nodes, func(a, b int) int { return cmp.Compare(l.further(b), l.further(a)) })
		nodes, rest = nodes[:maxColumn-1], nodes[maxColumn-1:]
	}
	var column []int
	add := func(nodes ...int) {
		for _, n := range nodes {
			l.slotOf[n] = len(l.slots)
		}
		column = append(column, len(l.slots))
		l.slots = append(l.slots, nodes)
	}
	for _, n := range nodes {
		add(n)
	}
	if len(rest) > 0 {
		add(rest...)
	}
	return column
}

// further is 1 when a node leads to one of the next column.
func (l *layers) further(n int) int {
	for _, other := range l.links[n] {
		if l.depths[other] > l.depths[n] {
			return 1
		}
	}
	return 0
}

// order sorts a column by the mean place of what its slots are linked with in the column beside; a shared slot stays last.
func (l *layers) order(column []int, beside int, place []float64) {
	mean := map[int]float64{}
	for _, slot := range column {
		sum, n := 0.0, 0
		for _, node := range l.slots[slot] {
			for _, other := range l.links[node] {
				if l.depths[other] == beside {
					sum += place[l.slotOf[other]]
					n++
				}
			}
		}
		mean[slot] = place[slot]
		if n > 0 {
			mean[slot] = sum / float64(n)
		}
	}
	slices.SortStableFunc(column, func(a, b int) int {
		return cmp.Or(cmp.Compare(min(len(l.slots[a]), 2), min(len(l.slots[b]), 2)), cmp.Compare(mean[a], mean[b]))
	})
	rank(column, place)
}

// rank writes down the places of a column, from 0 at its top to 1, so that columns of any length compare.
func rank(column []int, place []float64) {
	for i, slot := range column {
		place[slot] = (float64(i) + 0.5) / float64(len(column))
	}
}
