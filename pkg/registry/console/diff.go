package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// diffView shows what differs between two versions, side by side.
type diffView struct {
	head
	Diff  registry.Diff
	Hunks [][]diffRow
}

// diffRow is one row of the two texts: a line of each, where it has one.
type diffRow struct {
	From, To diffCell
}

type diffCell struct {
	Number int // 0: there is no line on this side
	Text   string
	Sign   string // "minus" or "plus" where the line is on one side only
}

// diff compares a version with an older one, or with the one before.
func (c *console) diff(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, pick, err := refOf(r)
	if err != nil {
		return err
	}
	in := registry.DiffInput{Path: p, To: pick}
	if in.From.Version, err = numberOf(r.URL.Query().Get("from"), "from"); err != nil {
		return err
	}
	d, err := c.Service.Diff(r.Context(), a, in, registry.Freshness{})
	if err != nil {
		return err
	}
	res, err := c.Service.Get(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return err
	}
	v := diffView{head: c.headOf(r, res, "versions", res.Version), Diff: d}
	for _, h := range d.Content.Hunks {
		v.Hunks = append(v.Hunks, besides(h))
	}
	return c.show(w, r, a, http.StatusOK, "diff", "Changes of "+v.Name(), v.head, v)
}

// besides puts the lines of a hunk beside each other: what was removed beside what came in its place.
func besides(h registry.Hunk) []diffRow {
	var rows []diffRow
	from, to := h.FromLine, h.ToLine
	open := 0 // the first row whose right side is free for an added line
	for _, l := range h.Lines {
		text := strings.TrimRight(l.Text, "\r\n")
		switch l.Op {
		case registry.LineFrom:
			rows = append(rows, diffRow{From: diffCell{from, text, "minus"}})
			from++
		case registry.LineTo:
			cell := diffCell{to, text, "plus"}
			to++
			if open < len(rows) {
				rows[open].To = cell
			} else {
				rows = append(rows, diffRow{To: cell})
			}
			open++
		case registry.LineBoth:
			rows = append(rows, diffRow{diffCell{from, text, ""}, diffCell{to, text, ""}})
			from, to, open = from+1, to+1, len(rows)
		}
	}
	return rows
}
