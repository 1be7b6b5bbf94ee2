package registry

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	udiff "github.com/aymanbagabas/go-udiff"
)

// Diff tells what differs between two states.
type Diff struct {
	From, To   DiffSide
	Fields     []FieldChange    // of the metadata but the properties, in a fixed order
	Properties []PropertyChange // by name
	Content    ContentDiff
}

// DiffSide is one of the two states.
type DiffSide struct {
	Path    Path
	Kind    Kind
	Version Version
}

// Ref names the side as "path;version:N".
func (s DiffSide) Ref() string { return fmt.Sprintf("%s;version:%d", s.Path, s.Version.Number) }

// FieldChange is a field of the metadata that has another value on each side; "" where there is none.
type FieldChange struct {
	Field    string // "kind", "media_type" or "description"
	From, To string
}

// PropertyChange is a property that has other values on each side; none where it is not there.
type PropertyChange struct {
	Name     string
	From, To []string
}

// ContentState says how the contents of two states were compared.
type ContentState string

// The outcomes of a comparison.
const (
	ContentNone     ContentState = "none"      // a side is a collection
	ContentSame     ContentState = "same"      // bit by bit
	ContentText     ContentState = "text"      // compared line by line
	ContentBinary   ContentState = "binary"    // they differ, and a side is no text (UTF-8 without NUL)
	ContentTooLarge ContentState = "too_large" // they differ, and a side has more than MaxDiffSize bytes
)

// ContentDiff tells how the contents differ. Hunks and ToLines are set for ContentText alone.
type ContentDiff struct {
	State   ContentState
	Hunks   []Hunk
	ToLines int // lines that the newer text has
}

// Hunk is a stretch of lines that differ, with some equal ones around it. Lines count from 1.
type Hunk struct {
	FromLine, FromCount int
	ToLine, ToCount     int
	Lines               []DiffLine
}

// DiffLine is one line of a hunk. Text has its line end, which the last line of a content may lack.
type DiffLine struct {
	Op   LineOp
	Text string
}

// LineOp tells on which side a line is, as unified diffs write it.
type LineOp byte

// The places of a line.
const (
	LineBoth LineOp = ' '
	LineFrom LineOp = '-'
	LineTo   LineOp = '+'
)

// compareMeta fills in what differs beside the contents.
func (d *Diff) compareMeta() {
	from, to := d.From.Version.Meta, d.To.Version.Meta
	for _, f := range []FieldChange{
		{"kind", d.From.Kind.String(), d.To.Kind.String()},
		{"media_type", from.MediaType, to.MediaType},
		{"description", from.Description, to.Description},
	} {
		if f.From != f.To {
			d.Fields = append(d.Fields, f)
		}
	}
	names := map[string]bool{}
	for name := range from.Properties {
		names[name] = true
	}
	for name := range to.Properties {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Equal(from.Properties[name], to.Properties[name]) {
			d.Properties = append(d.Properties, PropertyChange{name, from.Properties[name], to.Properties[name]})
		}
	}
}

// compareContents compares two contents that differ, line by line where both are texts. The comparison takes bounded time: beyond a hundred
// scattered differences it says less finely where they are.
func compareContents(from, to []byte, context int) (ContentDiff, error) {
	if !isText(from) || !isText(to) {
		return ContentDiff{State: ContentBinary}, nil
	}
	before, after := string(from), string(to)
	u, err := udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), context)
	if err != nil {
		return ContentDiff{}, fmt.Errorf("compare texts: %w", err)
	}
	d := ContentDiff{State: ContentText, ToLines: len(linesOf(after))}
	shift := 0 // lines that To has more than From, up to here; udiff's own ToLine is wrong after the first hunk
	for _, h := range u.Hunks {
		hunk := Hunk{FromLine: h.FromLine, ToLine: h.FromLine + shift}
		for _, l := range h.Lines {
			line := DiffLine{LineBoth, l.Content}
			switch l.Kind {
			case udiff.Delete:
				line.Op = LineFrom
			case udiff.Insert:
				line.Op = LineTo
			case udiff.Equal:
			}
			hunk.count(line)
		}
		shift += hunk.ToCount - hunk.FromCount
		d.Hunks = append(d.Hunks, hunk)
	}
	return d, nil
}

func (h *Hunk) count(l DiffLine) {
	if l.Op != LineTo {
		h.FromCount++
	}
	if l.Op != LineFrom {
		h.ToCount++
	}
	h.Lines = append(h.Lines, l)
}

// isText tells a text from other bytes: valid UTF-8 without NUL.
func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// Unified writes the difference as a unified diff. Lines before the first file name, which programs that apply diffs skip, tell what differs in
// the metadata, or why the contents are not compared.
func (d Diff) Unified() string {
	var b strings.Builder
	for _, f := range d.Fields {
		fmt.Fprintf(&b, "%s: %q -> %q\n", f.Field, f.From, f.To)
	}
	for _, p := range d.Properties {
		fmt.Fprintf(&b, "property %q: %q -> %q\n", p.Name, p.From, p.To)
	}
	switch d.Content.State {
	case ContentBinary, ContentTooLarge:
		fmt.Fprintf(&b, "contents differ (%s): %s and %s\n", d.Content.State, d.From.Ref(), d.To.Ref())
	case ContentText:
		fmt.Fprintf(&b, "--- %s\n+++ %s\n", d.From.Ref(), d.To.Ref())
		for _, h := range d.Content.Hunks {
			h.write(&b)
		}
	case ContentNone, ContentSame:
	}
	return b.String()
}

func (h Hunk) write(b *strings.Builder) {
	fmt.Fprintf(b, "@@ -%s +%s @@\n", lineRange(h.FromLine, h.FromCount), lineRange(h.ToLine, h.ToCount))
	for _, l := range h.Lines {
		b.WriteByte(byte(l.Op))
		b.WriteString(l.Text)
		if !strings.HasSuffix(l.Text, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// lineRange writes where a hunk lies in one file: an empty range begins after the line before it.
func lineRange(line, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", max(line-1, 0))
	case 1:
		return strconv.Itoa(line)
	}
	return fmt.Sprintf("%d,%d", line, count)
}
