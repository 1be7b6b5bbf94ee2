package registry

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a query.
const (
	MaxQueryLength = 1000 // characters
	maxQueryParts  = 32   // words, phrases and conditions
	maxQueryDepth  = 16   // parentheses and negations in one another
	maxPhrase      = 32   // words of a phrase
)

// SearchQuery is a query of the search, understood. Make one with [ParseSearch]; it is immutable.
type SearchQuery struct {
	text    string
	root    expr
	lookups []Lookup
	parts   []phrase // the phrases in the query that no "-" stands before, for ranking and highlights
	all     int      // the lookup of all documents, -1 when the words find them
}

// Lookup is a term whose documents a query needs; with Prefix all terms that begin so.
type Lookup struct {
	Term   string
	Prefix bool
	at     int // where in the query, in characters from 1
	word   string
}

// String gives the query as it was written.
func (q *SearchQuery) String() string { return q.text }

// Lookups are the terms whose documents the query needs; hits of a [Candidate] are in their order.
func (q *SearchQuery) Lookups() []Lookup { return q.lookups }

// Ranked tells whether hits differ in how good they are: a query of conditions alone has them in the order of their last change.
func (q *SearchQuery) Ranked() bool { return len(q.parts) > 0 }

// Required are lookups that every hit has.
func (q *SearchQuery) Required() []int {
	var list []int
	for _, e := range q.top() {
		switch e := e.(type) {
		case has:
			list = append(list, e.lookup)
		case phrase:
			list = append(list, e.words...)
		case interval:
			if e.field == "prop" {
				list = append(list, e.lookup)
			}
		}
	}
	return list
}

// top gives what must all be so.
func (q *SearchQuery) top() []expr {
	if list, ok := q.root.(allOf); ok {
		return list
	}
	return []expr{q.root}
}

// within gives a path that all hits are at or below.
func (q *SearchQuery) within() Path {
	for _, e := range q.top() {
		if u, ok := e.(under); ok {
			return u.path
		}
	}
	return Root
}

// ParseSearch understands a query: words, "exact words", beginnings*, field:value, ranges like updated:>2026-01-01 and size:1k..2k, - for what must not
// be, OR and parentheses. Its error is [CodeInvalid] and names the place.
func ParseSearch(text string) (*SearchQuery, error) {
	if !utf8.ValidString(text) {
		return nil, Errorf(CodeInvalid, "the query is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(text); n > MaxQueryLength {
		return nil, Errorf(CodeInvalid, "query has %d characters; the limit is %d", n, MaxQueryLength)
	}
	p := &queryParser{in: []rune(text), query: &SearchQuery{text: text, all: -1}, known: map[Lookup]int{}}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.in) {
		return nil, p.fail(p.pos, "there is a ) without its (")
	}
	p.query.root = root
	if p.possible(root) {
		p.query.all = p.lookup(Lookup{Term: termAll})
	}
	return p.query, nil
}

// possible tells whether a document without any of the terms may be a hit, so that all have to be looked at.
func (p *queryParser) possible(root expr) bool {
	none := &Candidate{Hits: make([][]uint32, len(p.query.lookups))}
	return root.eval(none) != no
}

// queryParser reads a query. pos is the next character.
type queryParser struct {
	in     []rune
	pos    int
	query  *SearchQuery
	known  map[Lookup]int
	parts  int
	negate bool
}

func (p *queryParser) fail(at int, format string, args ...any) error {
	return Errorf(CodeInvalid, "query, character %d: %s", at+1, fmt.Sprintf(format, args...))
}

func (p *queryParser) space() {
	for p.pos < len(p.in) && unicode.IsSpace(p.in[p.pos]) {
		p.pos++
	}
}

// at tells whether the next character is r.
func (p *queryParser) at(r rune) bool { return p.pos < len(p.in) && p.in[p.pos] == r }

// keyword takes OR, AND or NOT where it stands as a word.
func (p *queryParser) keyword(word string) bool {
	end := p.pos + len(word)
	if end > len(p.in) || string(p.in[p.pos:end]) != word || end < len(p.in) && !unicode.IsSpace(p.in[end]) && p.in[end] != '(' {
		return false
	}
	p.pos = end
	return true
}

func (p *queryParser) or(depth int) (expr, error) {
	var list anyOf
	for {
		e, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if p.space(); !p.keyword("OR") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *queryParser) and(depth int) (expr, error) {
	var list allOf
	for {
		p.space()
		if p.pos == len(p.in) || p.at(')') {
			break
		}
		start := p.pos
		if p.keyword("OR") {
			p.pos = start
			break
		}
		if len(list) > 0 && p.keyword("AND") {
			p.space()
		}
		e, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	switch len(list) {
	case 0:
		return nil, p.fail(p.pos, "a word or a condition is missing here")
	case 1:
		return list[0], nil
	}
	return list, nil
}

func (p *queryParser) unary(depth int) (expr, error) {
	if depth > maxQueryDepth {
		return nil, p.fail(p.pos, "more than %d parentheses or negations in one another", maxQueryDepth)
	}
	switch {
	case p.at('-'), p.at('!'):
		p.pos++
		return p.not(depth)
	case p.keyword("NOT"):
		p.space()
		return p.not(depth)
	case p.at('('):
		open := p.pos
		p.pos++
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.space(); !p.at(')') {
			return nil, p.fail(open, "the ( has no )")
		}
		p.pos++
		return e, nil
	}
	return p.part()
}

func (p *queryParser) not(depth int) (expr, error) {
	if p.pos == len(p.in) || unicode.IsSpace(p.in[p.pos]) || p.at(')') {
		return nil, p.fail(p.pos, "what must not be there is missing; write it right after the -")
	}
	p.negate = !p.negate
	e, err := p.unary(depth + 1)
	p.negate = !p.negate
	return noneOf{e}, err
}

// part reads a word, a phrase or a condition.
func (p *queryParser) part() (expr, error) {
	start := p.pos
	if p.parts++; p.parts > maxQueryParts {
		return nil, p.fail(start, "the query has more than %d words and conditions", maxQueryParts)
	}
	name, key, err := p.fieldName()
	if err != nil {
		return nil, err
	}
	if name == "" {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		return p.phrase(v, everywhere)
	}
	return p.condition(start, name, key)
}

// fieldName takes "name:" or "prop.KEY:" when that is next.
func (p *queryParser) fieldName() (name, key string, err error) {
	start := p.pos
	end := start
	for end < len(p.in) && (p.in[end] >= 'a' && p.in[end] <= 'z' || p.in[end] >= 'A' && p.in[end] <= 'Z') {
		end++
	}
	name = strings.ToLower(string(p.in[start:end]))
	switch {
	case end == len(p.in) || end == start:
		return "", "", nil
	case p.in[end] == ':':
		p.pos = end + 1
		return name, "", nil
	case p.in[end] != '.' || name != "prop":
		return "", "", nil
	}
	p.pos = end + 1
	if p.at('"') {
		v, err := p.value()
		if err != nil {
			return "", "", err
		}
		key = v.text
	} else {
		end = p.pos
		for end < len(p.in) && p.in[end] != ':' && !unicode.IsSpace(p.in[end]) {
			end++
		}
		key = string(p.in[p.pos:end])
		p.pos = end
	}
	if key == "" || !p.at(':') {
		return "", "", p.fail(start, "a condition on a property is written prop.NAME:value")
	}
	p.pos++
	return name, key, nil
}

// value is what stands after a colon, or by itself.
type value struct {
	at     int
	text   string
	quoted bool
	prefix bool // a * follows
}

// endsValue tells whether a value without quotes ends before r.
func endsValue(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`()"*`, r) }

// value reads a word up to white space or ")", or a text in quotes.
func (p *queryParser) value() (value, error) {
	v := value{at: p.pos}
	if p.at('"') {
		v.quoted = true
		var b strings.Builder
		p.pos++
		for ; p.pos < len(p.in) && p.in[p.pos] != '"'; p.pos++ {
			if p.at('\\') && p.pos+1 < len(p.in) && (p.in[p.pos+1] == '"' || p.in[p.pos+1] == '\\') {
				p.pos++
			}
			b.WriteRune(p.in[p.pos])
		}
		if p.pos == len(p.in) {
			return v, p.fail(v.at, "the text in quotes has no end")
		}
		p.pos++
		v.text = b.String()
	} else {
		for p.pos < len(p.in) && !endsValue(p.in[p.pos]) {
			p.pos++
		}
		v.text = string(p.in[v.at:p.pos])
	}
	if p.at('*') {
		v.prefix = true
		p.pos++
	}
	if p.pos < len(p.in) && !unicode.IsSpace(p.in[p.pos]) && p.in[p.pos] != ')' {
		return v, p.fail(p.pos, "%q cannot stand here; put a space before it, or the whole into quotes", p.in[p.pos])
	}
	if v.text == "" && !v.prefix {
		return v, p.fail(v.at, "a word or a value is missing here")
	}
	return v, nil
}
