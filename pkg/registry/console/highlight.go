package console

import (
	"html/template"
	"mime"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

const (
	maxHighlighted  = 128 << 10 // bytes of a text beyond which it stays plain
	highlightedLine = 10_000    // bytes of a line beyond which it stays plain
)

// What the comforts of a page may cost. Tests that compare whole pages give them more, for slow machines.
var (
	highlightLimit = 150 * time.Millisecond // of the texts; what follows stays plain
	proseLimit     = 250 * time.Millisecond // of the descriptions that are shown as Markdown
	suggestLimit   = time.Second            // of suggestions: later ones help nobody
)

// highlight gives the lines of a text as HTML, its words in elements whose class says what they are. Without a language, or beyond the limits, the lines
// are plain: the elements are a comfort, the text is always whole. The limit of time is until, for a page with several texts has one for all of them.
func highlight(lines []string, name, mediaType string, until time.Time) []template.HTML {
	done := make([]template.HTML, 0, len(lines))
	if sizeOf(lines) <= maxHighlighted && time.Now().Before(until) {
		if lexer := lexerOf(name, mediaType); lexer != nil {
			done = highlightWith(lexer, lines, until, done)
		}
	}
	for _, line := range lines[len(done):] {
		done = append(done, template.HTML(template.HTMLEscapeString(line))) //nolint:gosec // escaped
	}
	return done
}

func sizeOf(lines []string) int {
	size := len(lines)
	for _, line := range lines {
		if len(line) > highlightedLine {
			return maxHighlighted + 1
		}
		size += len(line)
	}
	return size
}

// lexerOf finds what knows a language, by the media type and then by the name; nil without either.
func lexerOf(name, mediaType string) chroma.Lexer {
	base, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		base = ""
	}
	for suffix, language := range map[string]string{"+xml": "xml", "+json": "json", "+yaml": "yaml"} {
		if strings.HasSuffix(base, suffix) {
			return lexers.Get(language)
		}
	}
	switch base {
	case "application/yaml", "text/yaml", "application/x-yaml":
		return lexers.Get("yaml")
	case "text/plain", "":
	default:
		if l := lexers.MatchMimeType(base); l != nil {
			return l
		}
	}
	if name == "" {
		return nil
	}
	return lexers.Match(name)
}

// highlightWith adds lines to done, until the time is up or the lexer fails. A lexer panics where one of its expressions takes too long.
func highlightWith(lexer chroma.Lexer, lines []string, until time.Time, done []template.HTML) (all []template.HTML) {
	var b strings.Builder
	defer func() {
		if recover() != nil {
			all = done
		}
	}()
	tokens, err := chroma.Coalesce(timed{lexer, until}).Tokenise(nil, strings.Join(lines, "\n"))
	if err != nil {
		return done
	}
	plain := 0 // bytes of the line that b has
	end := func() bool {
		if plain != len(lines[len(done)]) { // the lexer has changed the text: what it says of the rest is not to be trusted
			return false
		}
		done = append(done, template.HTML(b.String())) //nolint:gosec // classes of ours around escaped text
		b.Reset()
		plain = 0
		return len(done) < len(lines)
	}
	for t := tokens(); t != chroma.EOF; t = tokens() {
		for i, part := range strings.Split(t.Value, "\n") {
			if i > 0 && !end() {
				return done
			}
			plain += len(part)
			writeWord(&b, classOf(t.Type), part)
		}
	}
	if len(done) < len(lines) {
		end()
	}
	return done
}

// timed is a lexer that finds nothing more when the time is up. It stands below what makes one word of several, which may be many.
type timed struct {
	chroma.Lexer
	until time.Time
}

// Tokenise implements [chroma.Lexer].
func (t timed) Tokenise(options *chroma.TokeniseOptions, text string) (chroma.Iterator, error) {
	tokens, err := t.Lexer.Tokenise(options, text)
	if err != nil {
		return nil, err
	}
	return func() chroma.Token {
		if !time.Now().Before(t.until) {
			return chroma.EOF
		}
		return tokens()
	}, nil
}

func writeWord(b *strings.Builder, class, text string) {
	switch {
	case text == "":
	case class == "":
		template.HTMLEscape(b, []byte(text))
	default:
		b.WriteString(`<span class="` + class + `">`)
		template.HTMLEscape(b, []byte(text))
		b.WriteString("</span>")
	}
}

// classOf sorts the many kinds of words into those that the style sheet draws.
func classOf(t chroma.TokenType) string {
	switch {
	case t.InCategory(chroma.Comment):
		return "hl-comment"
	case t == chroma.KeywordConstant, t.InSubCategory(chroma.LiteralNumber), t == chroma.NameConstant:
		return "hl-number"
	case t.InCategory(chroma.Keyword):
		return "hl-keyword"
	case t.InSubCategory(chroma.LiteralString), t.InCategory(chroma.Literal):
		return "hl-string"
	case t == chroma.NameTag, t == chroma.NameFunction, t == chroma.NameClass, t == chroma.GenericHeading, t == chroma.GenericSubheading:
		return "hl-name"
	case t == chroma.NameAttribute, t == chroma.NameProperty, t.InSubCategory(chroma.NameVariable), t == chroma.NameEntity, t == chroma.NameDecorator:
		return "hl-attribute"
	}
	return ""
}
