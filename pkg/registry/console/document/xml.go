package document

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// Element is an element of XML.
type Element struct {
	Prefix   string // as written
	Space    string // the name's namespace
	Name     string
	Attrs    []Attr // without the declarations of namespaces
	Children []*Element
	Texts    []Piece // between the children
	Line     int     // from 1
	names    *scope
}

// Piece is text in an element, after some of its children.
type Piece struct {
	After int // children before it
	Text  string
}

// Attr is an attribute.
type Attr struct {
	Prefix, Space, Name, Value string
}

// Tag is the name as written.
func (a Attr) Tag() string { return tag(a.Prefix, a.Name) }

// Tag is the name as written.
func (e *Element) Tag() string { return tag(e.Prefix, e.Name) }

func tag(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

// Plain is the text in an element itself, its white space made single.
func (e *Element) Plain() string {
	var b strings.Builder
	for _, t := range e.Texts {
		b.WriteString(t.Text + " ")
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// WriteAll writes the text in an element and all below it, in its order.
func (e *Element) WriteAll(b *strings.Builder) {
	texts := e.Texts
	for i, c := range append(e.Children[:len(e.Children):len(e.Children)], nil) {
		for len(texts) > 0 && texts[0].After <= i {
			b.WriteString(texts[0].Text)
			texts = texts[1:]
		}
		if c != nil {
			c.WriteAll(b)
		}
	}
}

// Attr is the value of an attribute without a namespace; "" without one.
func (e *Element) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name == name && a.Space == "" {
			return a.Value
		}
	}
	return ""
}

// All are the children of a name, in any of some namespaces, or in any when none is given.
func (e *Element) All(name string, spaces ...string) []*Element {
	var all []*Element
	for _, c := range e.Children {
		if c.Name == name && c.in(spaces) {
			all = append(all, c)
		}
	}
	return all
}

// First is the first child of a name; an empty element when there is none.
func (e *Element) First(name string, spaces ...string) *Element {
	for _, c := range e.Children {
		if c.Name == name && c.in(spaces) {
			return c
		}
	}
	return &Element{}
}

func (e *Element) in(spaces []string) bool {
	if slices.Contains(spaces, e.Space) {
		return true
	}
	return len(spaces) == 0
}

// scope is a declaration of a namespace, and those around it.
type scope struct {
	prefix, space string
	outer         *scope
	depth         int // declarations around it
}

// maxScopes is how many declarations of namespaces may stand around an element: each name is looked up in them.
const maxScopes = 200

func (s *scope) declare(prefix, space string) *scope {
	inner := &scope{prefix: prefix, space: space, outer: s}
	if s != nil {
		inner.depth = s.depth + 1
	}
	return inner
}

// Space is the namespace of a prefix where the element stands.
func (e *Element) space(prefix string) string {
	for s := e.names; s != nil; s = s.outer {
		if s.prefix == prefix {
			return s.space
		}
	}
	return ""
}

// qname splits a qualified name in the value of an attribute.
func (e *Element) qname(value string) (space, name string) {
	prefix, name, found := strings.Cut(value, ":")
	if !found {
		prefix, name = "", value
	}
	return e.space(prefix), name
}

// FirstElement reads the first element of an XML text without what is in it; the text may end after it.
func FirstElement(text []byte) (*Element, error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	for {
		token, err := dec.RawToken()
		if err != nil {
			return nil, explainXML(err, 0)
		}
		if start, ok := token.(xml.StartElement); ok {
			return newElement(start, nil), nil
		}
	}
}

// ParseXML reads an XML text that is UTF-8. Entities that it declares are not known: where one is used, that is an error.
func ParseXML(text []byte) (*Element, error) {
	lines := &lineCounter{text: text}
	dec := xml.NewDecoder(bytes.NewReader(text))
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil } // whatever it declares, it is UTF-8
	var b bounds
	var root *Element
	var open []*Element
	for {
		token, err := dec.RawToken()
		line := lines.at(int(dec.InputOffset()))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, explainXML(err, line)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if err := b.take(len(open), line); err != nil {
				return nil, err
			}
			var parent *Element
			if len(open) > 0 {
				parent = open[len(open)-1]
			} else if root != nil {
				return nil, &Error{line, "it is no XML: a second element stands at the top"}
			}
			e := newElement(token, parent)
			e.Line = line
			b.parts += len(e.Attrs)
			if e.names != nil && e.names.depth > maxScopes {
				return nil, &Error{line, "it declares too many namespaces"}
			}
			if parent == nil {
				root = e
			} else {
				parent.Children = append(parent.Children, e)
			}
			open = append(open, e)
		case xml.EndElement:
			if len(open) == 0 || tag(token.Name.Space, token.Name.Local) != open[len(open)-1].Tag() {
				return nil, &Error{line, "it is no XML: </" + Shorten(tag(token.Name.Space, token.Name.Local), 60) + "> closes what is not open"}
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && (len(bytes.TrimSpace(token)) > 0 || len(open[len(open)-1].Texts) > 0) {
				top := open[len(open)-1]
				top.Texts = append(top.Texts, Piece{len(top.Children), string(token)})
			}
		default: // comments, instructions and a DTD say nothing here
		}
	}
	if root == nil {
		return nil, &Error{1, "it is no XML: there is no element"}
	}
	if len(open) > 0 {
		return nil, &Error{lines.at(len(text)), "it is no XML: <" + Shorten(open[len(open)-1].Tag(), 60) + "> is not closed"}
	}
	return root, nil
}

func newElement(start xml.StartElement, parent *Element) *Element {
	e := &Element{Prefix: start.Name.Space, Name: start.Name.Local}
	if parent != nil {
		e.names = parent.names
	}
	for _, a := range start.Attr {
		if e.names != nil && e.names.depth > maxScopes {
			return e // an error of the caller's
		}
		switch {
		case a.Name.Space == "xmlns":
			e.names = e.names.declare(a.Name.Local, a.Value)
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			e.names = e.names.declare("", a.Value)
		}
	}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		attr := Attr{Prefix: a.Name.Space, Name: a.Name.Local, Value: a.Value}
		if attr.Prefix != "" {
			attr.Space = e.space(attr.Prefix)
		}
		e.Attrs = append(e.Attrs, attr)
	}
	e.Space = e.space(e.Prefix)
	return e
}

func explainXML(err error, line int) error {
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return &Error{syntax.Line, "it is no XML: " + syntax.Msg}
	}
	return &Error{line, "it is no XML: " + err.Error()}
}

// lineCounter turns growing offsets into lines.
type lineCounter struct {
	text []byte
	done int
	line int
}

func (l *lineCounter) at(offset int) int {
	offset = min(offset, len(l.text))
	if offset > l.done {
		l.line += bytes.Count(l.text[l.done:offset], []byte("\n"))
		l.done = offset
	}
	return l.line + 1
}
