package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	moreContext = 25      // equal lines around a change, for who asks for more
	allContext  = 1 << 20 // for who asks for all: no text that is compared has more lines
	viewInline  = "inline"
)

// The fields that differ, as the registry names them.
var _ = []string{mark("kind"), mark("media_type"), mark("description")}

// diffView shows what differs between two versions, side by side or one below the other.
type diffView struct {
	head
	Diff    registry.Diff
	Hunks   []diffHunk
	Rest    int // equal lines after the last hunk
	Cut     bool
	Inline  bool
	Context int64              // equal lines around changes; 0 for the usual ones
	Choices []registry.Version // that can be compared, newest first
}

// diffHunk is a stretch of rows that differ, with some equal ones around it.
type diffHunk struct {
	Hidden int // equal lines before it that are left out
	Rows   []diffRow
}

// diffRow is one row of the two texts: a line of each, where it has one.
type diffRow struct {
	From, To diffCell
}

type diffCell struct {
	Number int // 0: there is no line on this side
	Parts  []diffPart
	Sign   string // "minus" or "plus" where the line is on one side only
	End    string // how the line ends, where the two sides differ in nothing else
}

// IsChange is for templates.
func (r diffRow) IsChange() bool { return r.From.Sign != "" || r.To.Sign != "" }

// View is the parameter for the other pages of the same comparison.
func (v diffView) View() string {
	if v.Inline {
		return viewInline
	}
	return ""
}

// More is the parameter that shows more equal lines around changes; 0 when all are shown.
func (v diffView) More() int64 {
	switch {
	case v.Context >= allContext:
		return 0
	case v.Context >= moreContext:
		return allContext
	}
	return moreContext
}

// Restorable are those of the two that are not the current one, for templates.
func (v diffView) Restorable() []int64 {
	var numbers []int64
	for _, n := range []int64{v.Diff.From.Version.Number, v.Diff.To.Version.Number} {
		if n != v.Resource.Version && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// All is the parameter that shows every line.
func (v diffView) All() int64 { return allContext }

// Values is what a property has on both sides, row by row, for templates.
func (v diffView) Values(p registry.PropertyChange) []diffRow {
	var rows []diffRow
	for i := range max(len(p.From), len(p.To)) {
		var row diffRow
		if i < len(p.From) {
			row.From = diffCell{Number: 1, Parts: []diffPart{{Text: p.From[i]}}}
		}
		if i < len(p.To) {
			row.To = diffCell{Number: 1, Parts: []diffPart{{Text: p.To[i]}}}
		}
		rows = append(rows, row)
	}
	return rows
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
	v := diffView{Inline: r.URL.Query().Get("view") == viewInline}
	if v.Context, err = numberOf(r.URL.Query().Get("context"), "context"); err != nil {
		return err
	}
	v.Context = min(v.Context, allContext)
	in.Context = int(v.Context)
	if v.Diff, err = c.Service.Diff(r.Context(), a, in, registry.Freshness{}); err != nil {
		return err
	}
	page, err := c.Service.Versions(r.Context(), a, p, 0, versionsPageSize, registry.Freshness{})
	if err != nil {
		return err
	}
	v.head = c.headOf(r, page.Resource, "versions", page.Resource.Version)
	v.Choices = withVersions(page.Versions, v.Diff.From.Version, v.Diff.To.Version)
	v.fill(v.Diff.Content)
	return c.show(w, r, a, http.StatusOK, "diff", c.say("Changes of %s", v.Name()), v.head, v)
}

// withVersions adds versions to the newest ones, where they are older than those.
func withVersions(list []registry.Version, more ...registry.Version) []registry.Version {
	for _, v := range more {
		if !slices.ContainsFunc(list, func(o registry.Version) bool { return o.Number == v.Number }) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b registry.Version) int { return cmp.Compare(b.Number, a.Number) })
	return list
}

// fill lays the lines beside each other, as many as a page takes.
func (v *diffView) fill(content registry.ContentDiff) {
	at, rows, marked := 1, 0, 0
	for _, h := range content.Hunks {
		hunk := diffHunk{Hidden: h.ToLine - at, Rows: besides(h, &marked)}
		at = h.ToLine + h.ToCount
		if rows += len(hunk.Rows); rows > maxShownLines {
			hunk.Rows = hunk.Rows[:len(hunk.Rows)-(rows-maxShownLines)]
			v.Hunks, v.Cut = append(v.Hunks, hunk), true
			return
		}
		v.Hunks = append(v.Hunks, hunk)
	}
	v.Rest = max(content.ToLines-at+1, 0)
}

// besides puts the lines of a hunk beside each other: what was removed beside what came in its place. Words are marked until marked bytes are too many.
func besides(h registry.Hunk, marked *int) []diffRow {
	var rows []diffRow
	from, to := h.FromLine, h.ToLine
	open := 0 // the first row whose right side is free for an added line
	var removed []string
	for _, l := range h.Lines {
		text := strings.TrimRight(l.Text, "\r\n")
		plain := []diffPart{{Text: text}}
		switch l.Op {
		case registry.LineFrom:
			rows = append(rows, diffRow{From: diffCell{Number: from, Parts: plain, Sign: "minus"}})
			removed = append(removed, l.Text)
			from++
		case registry.LineTo:
			cell := diffCell{Number: to, Parts: plain, Sign: "plus"}
			to++
			if open < len(rows) {
				rows[open].To = cell
				rows[open].compare(removed[len(removed)-(len(rows)-open)], l.Text, marked)
			} else {
				rows = append(rows, diffRow{To: cell})
			}
			open++
		case registry.LineBoth:
			rows = append(rows, diffRow{diffCell{Number: from, Parts: plain}, diffCell{Number: to, Parts: plain}})
			from, to, open = from+1, to+1, len(rows)
		}
	}
	return rows
}

// compare marks in the two lines of a row what differs.
func (r *diffRow) compare(from, to string, marked *int) {
	before, after := strings.TrimRight(from, "\r\n"), strings.TrimRight(to, "\r\n")
	if before == after {
		r.From.End, r.To.End = endOf(from), endOf(to)
		return
	}
	if len(before) > maxMarkedLine || len(after) > maxMarkedLine || *marked > maxMarkedPage {
		return
	}
	*marked += len(before) + len(after)
	r.From.Parts, r.To.Parts = markWords(before, after)
}

func endOf(line string) string {
	switch {
	case strings.HasSuffix(line, "\r\n"):
		return "CR LF"
	case strings.HasSuffix(line, "\n"):
		return "LF"
	}
	return mark("no line end")
}
