package texts

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A template is taken apart into texts without being understood: pieces between walls, which are the tags that end a sentence and the actions that
// choose what is there. What remains between two walls is a text, with values and small elements in it.

// OfTemplate lists the texts of a template, in their order.
func OfTemplate(source string) (texts []string, counted []Counted, err error) {
	_, err = translate(source, func(english string) string {
		texts = append(texts, english)
		return english
	})
	for _, m := range saying.FindAllStringSubmatch(source, -1) {
		texts = append(texts, m[1])
	}
	for _, m := range counting.FindAllStringSubmatch(source, -1) {
		counted = append(counted, Counted{m[1], m[2]})
	}
	return texts, counted, err
}

// Template puts the language's texts into the source of a template.
func (c *Catalogue) Template(source string) (string, error) {
	if c == nil {
		return source, nil
	}
	return translate(source, c.Text)
}

// translate puts other texts into a source; one that stays the same leaves it as it is.
func translate(source string, say func(english string) string) (string, error) {
	pieces, err := split(source, say)
	if err != nil {
		return "", err
	}
	wallOff(pieces)
	var b strings.Builder
	for len(pieces) > 0 {
		end := slices.IndexFunc(pieces, func(p piece) bool { return p.kind == wall })
		switch end {
		case 0:
			b.WriteString(pieces[0].raw)
			pieces = pieces[1:]
			continue
		case -1:
			end = len(pieces)
		}
		writeSentence(&b, pieces[:end], say)
		pieces = pieces[end:]
	}
	return b.String(), nil
}

// writeSentence writes what is between two walls: one text, or several where elements stand side by side with nothing said between them.
func writeSentence(b *strings.Builder, pieces []piece, say func(string) string) {
	before, core, after := trim(pieces)
	writeRaw(b, before)
	if parts := apart(core); parts != nil {
		for _, part := range parts {
			writeSentence(b, part, say)
		}
	} else {
		writeText(b, core, say)
	}
	writeRaw(b, after)
}

func writeRaw(b *strings.Builder, pieces []piece) {
	for _, p := range pieces {
		b.WriteString(p.raw)
	}
}

// trim takes away at both ends what is not part of the text: white space, pictures, and the element around all of it.
func trim(pieces []piece) (before, core, after []piece) {
	from, to := 0, len(pieces)
	for changed := true; changed && from < to; {
		changed = false
		first, last := pieces[from], pieces[to-1]
		switch {
		case blank(first) || drawn.MatchString(first.raw):
			from, changed = from+1, true
		case blank(last) || drawn.MatchString(last.raw):
			to, changed = to-1, true
		case first.kind == opened && closes(pieces[from:to]) == to-from-1:
			from, to, changed = from+1, to-1, true
		}
	}
	return pieces[:from], pieces[from:to], pieces[to:]
}

func blank(p piece) bool { return p.kind == words && strings.TrimSpace(p.raw) == "" }

// closes is where the element that the first piece opens is closed.
func closes(pieces []piece) int {
	depth := 0
	for i, p := range pieces {
		switch p.kind {
		case opened:
			depth++
		case closed:
			if depth--; depth == 0 {
				return i
			}
		case words, value, wall:
		}
	}
	return -1
}

// apart divides pieces that say nothing outside of their elements into these; nil when they are one text.
func apart(pieces []piece) [][]piece {
	if len(pieces) == 0 {
		return nil
	}
	var parts [][]piece
	for i := 0; i < len(pieces); i++ {
		p := pieces[i]
		switch {
		case p.kind == words && strings.IndexFunc(p.raw, unicode.IsLetter) >= 0, p.kind == closed:
			return nil
		case p.kind == opened:
			end := closes(pieces[i:])
			parts = append(parts, pieces[i:i+end+1])
			i += end
		default:
			parts = append(parts, pieces[i:i+1])
		}
	}
	if len(parts) == 1 {
		return nil
	}
	return parts
}

// writeText writes one text, in the language.
func writeText(b *strings.Builder, pieces []piece, say func(string) string) {
	english, lead, trail := message(pieces)
	speaks := slices.ContainsFunc(pieces, func(p piece) bool {
		return p.kind == words && strings.IndexFunc(html.UnescapeString(p.raw), unicode.IsLetter) >= 0
	})
	if !speaks {
		writeRaw(b, pieces)
		return
	}
	text := say(english)
	if text == english {
		writeRaw(b, pieces)
		return
	}
	b.WriteString(lead)
	at := 0
	for _, m := range holes.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(escape(text[at:m[0]]))
		at = m[1]
		if raw, ok := find(pieces, text[m[0]:m[1]]); ok {
			b.WriteString(raw)
		}
	}
	b.WriteString(escape(text[at:]))
	b.WriteString(trail)
}

// escape writes words so that nothing in them is markup, or an action of the template.
func escape(text string) string { return strings.ReplaceAll(html.EscapeString(text), "{", "&#123;") }

// message is the text of pieces, which it numbers, without the white space around it.
func message(pieces []piece) (text, lead, trail string) {
	var b strings.Builder
	holes := 0
	var open []int
	for i := range pieces {
		p := &pieces[i]
		switch p.kind {
		case words:
			b.WriteString(whitening.ReplaceAllString(html.UnescapeString(p.raw), " "))
		case value:
			holes++
			p.hole = holes
			b.WriteString("{" + strconv.Itoa(holes) + "}")
		case opened:
			holes++
			p.hole = holes
			open = append(open, holes)
			b.WriteString("<" + strconv.Itoa(holes) + ">")
		case closed:
			if last := len(open) - 1; last >= 0 {
				p.hole = open[last]
				open = open[:last]
			}
			b.WriteString("</" + strconv.Itoa(p.hole) + ">")
		case wall:
		}
	}
	text = b.String()
	core := strings.TrimSpace(text)
	lead, trail, _ = strings.Cut(text, core)
	return core, lead, trail
}

// find gives the piece that a text names by its number.
func find(pieces []piece, hole string) (string, bool) {
	kind := value
	switch {
	case strings.HasPrefix(hole, "</"):
		kind = closed
	case hole[0] == '<':
		kind = opened
	}
	number := strings.Trim(hole, "{}</>")
	for _, p := range pieces {
		if p.kind == kind && strconv.Itoa(p.hole) == number {
			return p.raw, true
		}
	}
	return "", false
}
