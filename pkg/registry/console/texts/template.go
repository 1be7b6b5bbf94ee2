package texts

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A template is taken apart into texts without being understood: pieces between walls, which are the tags that end a sentence and the actions that
// choose what is there. What remains between two walls is a text, with values and small elements in it.

type pieceKind int

const (
	words  pieceKind = iota // text, as HTML has it
	value                   // an action that writes a value
	opened                  // a tag that opens an element within a sentence
	closed                  // and one that closes it
	wall
)

type piece struct {
	kind pieceKind
	raw  string
	name string // of the element
	hole int    // by which number a text refers to it; 0 = not yet
}

// within are the elements that a sentence may have in it.
var within = map[string]bool{
	"a": true, "abbr": true, "b": true, "cite": true, "code": true, "em": true, "i": true, "kbd": true, "mark": true, "q": true, "small": true, "span": true,
	"strong": true, "var": true,
}

var (
	// steering are the words by which actions begin that write nothing themselves.
	steering  = regexp.MustCompile(`^\{\{-?\s*(?:if|else|end|range|with|define|template|block|break|continue|/\*|\$\w+\s*:?=)`)
	tagName   = regexp.MustCompile(`^</?([a-zA-Z][a-zA-Z0-9-]*)`)
	speaking  = regexp.MustCompile(`(?s)(\s(?:title|placeholder|aria-label|alt|data-confirm|data-say-[a-z-]+)=")`)
	drawn     = regexp.MustCompile(`^\{\{-?\s*icon\b`)
	counting  = regexp.MustCompile(`\bplurals?\s+(?:\([^)]*\)|\S+)\s+"([^"]*)"\s+"([^"]*)"`)
	saying    = regexp.MustCompile(`\bsay\s+"([^"]*)"`)
	whitening = regexp.MustCompile(`\s+`)
)

// Counted is a text that is counted, as English has it.
type Counted struct{ One, Many string }

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

// split takes a source apart. Texts in attributes are translated on the way.
func split(source string, say func(string) string) ([]piece, error) {
	var pieces []piece
	for at := 0; at < len(source); {
		rest := source[at:]
		p := piece{kind: words}
		switch {
		case strings.HasPrefix(rest, "{{"):
			n := actionLen(rest)
			if n < 0 {
				return nil, fmt.Errorf("an action is not closed: %.40q", rest)
			}
			p.raw, p.kind = rest[:n], value
			if steering.MatchString(p.raw) {
				p.kind = wall
			}
		case strings.HasPrefix(rest, "<!"):
			n := strings.IndexByte(rest, '>')
			if n < 0 {
				return nil, fmt.Errorf("a comment is not closed: %.40q", rest)
			}
			p.raw, p.kind = rest[:n+1], wall
		case tagName.MatchString(rest):
			n := tagLen(rest)
			if n < 0 {
				return nil, fmt.Errorf("a tag is not closed: %.40q", rest)
			}
			p.raw, p.name, p.kind = rest[:n], strings.ToLower(tagName.FindStringSubmatch(rest)[1]), wall
			if within[p.name] {
				p.kind = opened
				if rest[1] == '/' {
					p.kind = closed
				}
			}
		default:
			n := strings.IndexAny(rest[1:], "<{") + 1
			for n > 0 && rest[n] == '{' && !strings.HasPrefix(rest[n:], "{{") {
				more := strings.IndexAny(rest[n+1:], "<{") + 1
				if n += more; more == 0 {
					n = 0
				}
			}
			if n == 0 {
				n = len(rest)
			}
			p.raw = rest[:n]
		}
		at += len(p.raw)
		if p.name != "" {
			var err error
			if p.raw, err = attributes(p.raw, say); err != nil {
				return nil, err
			}
		}
		pieces = append(pieces, p)
	}
	return pieces, nil
}

// actionLen is the length of the action at the beginning of s; -1 when it has no end.
func actionLen(s string) int {
	if strings.HasPrefix(strings.TrimLeft(s[2:], "- "), "/*") {
		if n := strings.Index(s, "*/"); n >= 0 {
			return n + strings.Index(s[n:], "}}") + 2
		}
		return -1
	}
	var quote byte
	for i := 2; i < len(s); i++ {
		switch {
		case quote == 0 && strings.HasPrefix(s[i:], "}}"):
			return i + 2
		case quote == 0 && (s[i] == '"' || s[i] == '`' || s[i] == '\''):
			quote = s[i]
		case quote == '"' && s[i] == '\\':
			i++
		case s[i] == quote:
			quote = 0
		}
	}
	return -1
}

// tagLen is the length of the tag at the beginning of s; -1 when it has no end.
func tagLen(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"):
			n := actionLen(s[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i + 1
		}
	}
	return -1
}

// attributes translates what attributes of a tag say to people.
func attributes(tag string, say func(string) string) (string, error) {
	var b strings.Builder
	for {
		m := speaking.FindStringIndex(tag)
		if m == nil {
			b.WriteString(tag)
			return b.String(), nil
		}
		b.WriteString(tag[:m[1]])
		tag = tag[m[1]:]
		n := 0
		for n < len(tag) && tag[n] != '"' {
			if strings.HasPrefix(tag[n:], "{{") {
				action := actionLen(tag[n:])
				if action < 0 {
					return "", fmt.Errorf("an action is not closed: %.40q", tag[n:])
				}
				n += action
			} else {
				n++
			}
		}
		text, err := translate(tag[:n], say)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		tag = tag[n:]
	}
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

// wallOff makes walls of tags that open or close an element which goes on beyond a wall.
func wallOff(pieces []piece) {
	var open []int
	for i := range pieces {
		switch pieces[i].kind {
		case opened:
			open = append(open, i)
		case closed:
			if last := len(open) - 1; last >= 0 && pieces[open[last]].name == pieces[i].name {
				open = open[:last]
			} else {
				pieces[i].kind = wall
			}
		case wall:
			for _, at := range open {
				pieces[at].kind = wall
			}
			open = nil
		case words, value:
		}
	}
	for _, at := range open {
		pieces[at].kind = wall
	}
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
		b.WriteString(html.EscapeString(text[at:m[0]]))
		at = m[1]
		if raw, ok := find(pieces, text[m[0]:m[1]]); ok {
			b.WriteString(raw)
		}
	}
	b.WriteString(html.EscapeString(text[at:]))
	b.WriteString(trail)
}

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
