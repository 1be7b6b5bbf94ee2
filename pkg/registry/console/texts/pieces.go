package texts

import (
	"fmt"
	"regexp"
	"strings"
)

// How a template's source is taken into pieces.

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
	speaking  = regexp.MustCompile(`(?s)(\s(?:title|placeholder|aria-label|alt|data-confirm)=")`)
	drawn     = regexp.MustCompile(`^\{\{-?\s*icon\b`)
	counting  = regexp.MustCompile(`\bplurals?\s+(?:\([^)]*\)|\S+)\s+"([^"]*)"\s+"([^"]*)"`)
	saying    = regexp.MustCompile(`\bsay\s+"([^"]*)"`)
	whitening = regexp.MustCompile(`\s+`)
)

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
