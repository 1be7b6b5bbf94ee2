package wso2conf

import (
	"fmt"
	"strings"
	"unicode"
)

// Block is the content of a pair of braces, or of the whole file.
type Block struct {
	Name       string
	Line       int // of its name
	Properties []Property
	Blocks     []*Block
}

// Property is "key value;". Each key occurs once in its block.
type Property struct {
	Key   string
	Value string // trimmed; "" when there is none
	Line  int
}

// Problem is something wrong at a line of the file.
type Problem struct {
	Line    int    // from 1
	Key     string // the path of names that leads to it, with dots between; "" at the top
	Text    string
	Warning bool // it was forgiven; otherwise it is a fault
}

// Property gives the property of that key, if there is one.
func (b *Block) Property(key string) (Property, bool) {
	for _, p := range b.Properties {
		if p.Key == key {
			return p, true
		}
	}
	return Property{}, false
}

const (
	maxDepth    = 16  // five are used
	maxProblems = 100 // of a file that is something else altogether
)

// Parse reads a loadbalancer.conf. The block is never nil: with problems it holds what could be read.
func Parse(text string) (*Block, []Problem) {
	root := &Block{}
	p := &parser{src: strings.TrimPrefix(text, "\ufeff"), line: 1}
	p.open = []frame{{root, map[string]int{}}}
	p.run()
	if p.full {
		p.problems = append(p.problems, Problem{Line: p.line, Text: "there are too many faults; the rest of the file was not read"})
	}
	return root, p.problems
}

// parser walks over the text once.
type parser struct {
	src      string
	pos      int
	line     int
	open     []frame // blocks that are not closed yet, outermost first
	problems []Problem
	full     bool // more problems than are told

	start    int    // where the statement being read begins
	variable bool   // it holds "${"
	after    bool   // a ";" stands before it on the line
	name     string // of a block whose "{" comes on a later line; "" for none
	nameLine int
}

// frame is a block that is not closed yet.
type frame struct {
	block *Block
	keys  map[string]int // key -> index of its property
}

func (p *parser) run() {
	for p.pos < len(p.src) && !p.full {
		switch p.src[p.pos] {
		case '#':
			p.endOfLine()
			p.skipComment()
			continue
		case '\n':
			p.endOfLine()
			p.line++
			p.after = false
		case '$':
			p.skipVariable()
			continue
		case '{':
			p.openBlock()
		case '}':
			p.closeBlock()
		case ';':
			p.property(p.statement())
			p.after = true
		default:
			p.pos++
			continue
		}
		p.pos++
		p.begin()
	}
	p.endOfLine()
	p.missingBraces()
}

// begin starts a new statement at the current place.
func (p *parser) begin() { p.start, p.variable = p.pos, false }

// statement is the text of the statement that ends here.
func (p *parser) statement() string {
	text := strings.TrimSpace(p.src[p.start:p.pos])
	shown := printable(text)
	if shown != text {
		p.fault(p.path(firstWord(shown)), "%q holds a character that cannot be printed", text)
	}
	return shown
}

// printable is text with a question mark for everything that is no printable character.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != '\t' && r != '\u00a0' }

func firstWord(text string) string {
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		return text[:i]
	}
	return text
}

// skipComment goes to the end of the line. What follows a comment is a new statement.
func (p *parser) skipComment() {
	if end := strings.IndexByte(p.src[p.pos:], '\n'); end >= 0 {
		p.pos += end
	} else {
		p.pos = len(p.src)
	}
	p.start = p.pos
}

// skipVariable goes past "${X}", so that its braces are no block's; past "$" alone where it is no variable.
func (p *parser) skipVariable() {
	rest := p.src[p.pos:]
	if !strings.HasPrefix(rest, "${") {
		p.pos++
		return
	}
	p.variable = true
	if end := strings.IndexAny(rest, "}\n;#"); end >= 0 && rest[end] == '}' {
		p.pos += end + 1
		return
	}
	p.warn(p.path(firstWord(printable(strings.TrimSpace(p.src[p.start:p.pos])))), "${ has no } on its line, and is taken as it stands")
	p.pos += len("${")
}

// endOfLine ends a statement that has no ";". The name of a block may have its brace on one of the next lines.
func (p *parser) endOfLine() {
	text := p.statement()
	p.begin()
	switch {
	case text == "":
	case p.name == "" && !p.variable && p.braceFollows():
		p.name, p.nameLine = text, p.line
	case p.after:
		p.warn(p.path(firstWord(text)), "%q stands after the ; of the line and is ignored", text)
	default:
		p.fault(p.path(firstWord(text)), "has no ; at its end")
		p.property(text)
	}
}

// braceFollows tells whether the next thing after this line, blank lines and comments apart, is "{".
func (p *parser) braceFollows() bool {
	rest := p.src[p.pos:]
	for rest != "" {
		if rest[0] == '#' {
			_, rest, _ = strings.Cut(rest, "\n")
		}
		trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if !strings.HasPrefix(trimmed, "#") {
			return strings.HasPrefix(trimmed, "{")
		}
		rest = trimmed
	}
	return false
}

func (p *parser) property(text string) {
	if text == "" {
		return
	}
	key := firstWord(text)
	prop := Property{Key: key, Value: strings.TrimSpace(text[len(key):]), Line: p.line}
	f := p.open[len(p.open)-1]
	if i, twice := f.keys[key]; twice {
		p.warn(p.path(key), "is given twice; this one counts, and that of line %d is ignored", f.block.Properties[i].Line)
		f.block.Properties[i] = prop
		return
	}
	f.keys[key] = len(f.block.Properties)
	f.block.Properties = append(f.block.Properties, prop)
}

func (p *parser) openBlock() {
	name, line := p.statement(), p.line
	if name == "" && p.name != "" {
		name, line = p.name, p.nameLine
	}
	p.name = ""
	block := &Block{Name: name, Line: line}
	parent := p.open[len(p.open)-1].block
	switch {
	case name == "":
		p.fault(p.path(""), "a block begins without a name")
	case p.variable:
		p.fault(p.path(name), "a line with ${ does not open a block")
	case len(p.open) > maxDepth:
		p.fault(p.path(name), "blocks lie more than %d deep in each other", maxDepth)
	default:
		parent.Blocks = append(parent.Blocks, block)
	}
	// One that was refused is read all the same, but belongs to nobody.
	p.open = append(p.open, frame{block, map[string]int{}})
}

func (p *parser) closeBlock() {
	if text := p.statement(); text != "" {
		p.fault(p.path(firstWord(text)), "has no ; before the }")
		p.property(text)
	}
	if len(p.open) == 1 {
		p.warn("", "} closes nothing and is ignored")
		return
	}
	p.open = p.open[:len(p.open)-1]
}

func (p *parser) missingBraces() {
	missing := p.open[1:]
	if len(missing) == 0 {
		return
	}
	var names []string
	for i := len(missing) - 1; i >= 0; i-- {
		names = append(names, fmt.Sprintf("%s (line %d)", missing[i].block.Name, missing[i].block.Line))
		if len(names) == maxDepth {
			break
		}
	}
	if strings.HasSuffix(p.src, "\n") {
		p.line-- // the last one that holds something
	}
	p.warn(p.path(""), "the file ends without the } of %s", strings.Join(names, ", "))
}

// path is the names that lead to name, with dots between.
func (p *parser) path(name string) string {
	var names []string
	for _, f := range p.open[1:min(len(p.open), maxDepth)] {
		names = append(names, f.block.Name)
	}
	if name != "" {
		names = append(names, name)
	}
	return strings.Join(names, ".")
}

func (p *parser) fault(key, format string, args ...any) {
	p.note(Problem{Line: p.line, Key: key, Text: fmt.Sprintf(format, args...)})
}

func (p *parser) warn(key, format string, args ...any) {
	p.note(Problem{Line: p.line, Key: key, Text: fmt.Sprintf(format, args...), Warning: true})
}

func (p *parser) note(problem Problem) {
	if p.full = len(p.problems) == maxProblems; !p.full {
		p.problems = append(p.problems, problem)
	}
}
