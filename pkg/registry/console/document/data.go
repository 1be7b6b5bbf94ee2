package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Limits of a document: beyond them it is an error.
const (
	MaxParts = 200_000 // values, keys not counted; elements
	MaxDepth = 100
)

// Error tells why something is no document, and where.
type Error struct {
	Line    int // from 1; 0 when no line can be told
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Kind says what a [Value] is.
type Kind int

// The kinds of values.
const (
	Null Kind = iota
	Text
	Literal // a number, true, false, a date
	List
	Map
)

// Value is a value of JSON or YAML. The same value may stand at several places, where YAML has an alias; none contains itself.
type Value struct {
	Kind   Kind
	Text   string   // of Text and Literal
	Keys   []string // of Map, beside Values
	Values []*Value // of List and Map
	Line   int      // from 1

	index map[string]*Value // of a large map, made when it is first asked
}

// Get is the value of a key of a map; nil without one, and for a nil value. Not safe for concurrent use.
func (v *Value) Get(key string) *Value {
	const small = 16
	switch {
	case v == nil || v.Kind != Map:
		return nil
	case len(v.Keys) <= small:
		for i, k := range v.Keys {
			if k == key {
				return v.Values[i]
			}
		}
		return nil
	case v.index == nil:
		v.index = make(map[string]*Value, len(v.Keys))
		for i := len(v.Keys) - 1; i >= 0; i-- {
			v.index[v.Keys[i]] = v.Values[i]
		}
	}
	return v.index[key]
}

// String is the text or literal of a value, "" for others.
func (v *Value) String() string {
	if v == nil || v.Kind != Text && v.Kind != Literal {
		return ""
	}
	return v.Text
}

// Str is the text of the value of a key.
func (v *Value) Str(key string) string { return v.Get(key).String() }

// maxLabel is how many characters a page shows of a name or another short text.
const maxLabel = 300

// Label is Str, cut when it is longer than a page shows it: what is referred to from many places would else make a page of any size.
func (v *Value) Label(key string) string { return Shorten(v.Str(key), maxLabel) }

// Is tells of a key whose value is true.
func (v *Value) Is(key string) bool { return v.Str(key) == "true" }

// Items are the values of a list; none of anything else.
func (v *Value) Items() []*Value {
	if v == nil || v.Kind != List {
		return nil
	}
	return v.Values
}

// Pairs calls f with every key and value of a map, in their order.
func (v *Value) Pairs(f func(key string, value *Value)) {
	if v == nil || v.Kind != Map {
		return
	}
	for i, k := range v.Keys {
		f(k, v.Values[i])
	}
}

// bounds counts what a document has.
type bounds struct{ parts int }

func (b *bounds) take(depth, line int) error {
	b.parts++
	if b.parts > MaxParts {
		return &Error{line, fmt.Sprintf("it has more than %d parts", MaxParts)}
	}
	if depth > MaxDepth {
		return &Error{line, fmt.Sprintf("it is nested deeper than %d levels", MaxDepth)}
	}
	return nil
}

// ParseJSON reads a JSON text (RFC 8259).
func ParseJSON(text []byte) (*Value, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	p := jsonParser{dec: json.NewDecoder(bytes.NewReader(text)), lines: &lineCounter{text: text}}
	p.dec.UseNumber()
	v, err := p.value(0)
	if err == nil {
		if _, err = p.dec.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		if err == nil {
			err = &Error{p.here(), "there is more after the end of the JSON text"}
		}
	}
	return nil, p.explain(err)
}

type jsonParser struct {
	bounds
	dec   *json.Decoder
	lines *lineCounter
}

// here is the line where the decoder stands.
func (p *jsonParser) here() int { return p.lines.at(int(p.dec.InputOffset())) }

func (p *jsonParser) explain(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{p.lines.at(len(p.lines.text)), "the JSON text ends too early"}
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		next := int(p.dec.InputOffset()) // the decoder counts some errors from elsewhere, but none stands before what it reads next
		next += len(p.lines.text[next:]) - len(bytes.TrimLeft(p.lines.text[next:], " \t\r\n"))
		return &Error{p.lines.at(max(int(syntax.Offset), next)), "it is no JSON: " + syntax.Error()}
	}
	return &Error{p.here(), "it is no JSON: " + err.Error()}
}

func (p *jsonParser) value(depth int) (*Value, error) {
	token, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	v := &Value{Line: p.here()}
	if err := p.take(depth, v.Line); err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case string:
		v.Kind, v.Text = Text, token
	case json.Number:
		v.Kind, v.Text = Literal, token.String()
	case bool:
		v.Kind, v.Text = Literal, strconv.FormatBool(token)
	case json.Delim:
		v.Kind = List
		if token == '{' {
			v.Kind = Map
		}
		for p.dec.More() {
			if v.Kind == Map {
				key, err := p.dec.Token()
				if err != nil {
					return nil, err
				}
				name, _ := key.(string) // the decoder takes nothing else as a key
				v.Keys = append(v.Keys, name)
			}
			child, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			v.Values = append(v.Values, child)
		}
		if _, err := p.dec.Token(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// ParseYAML reads a YAML text; several documents in one become a list.
func ParseYAML(text []byte) (*Value, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, explainYAML(err)
	}
	p := yamlParser{done: map[*yaml.Node]*Value{}}
	all := &Value{Kind: List, Line: 1}
	for {
		var node yaml.Node
		err := loader.Load(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, explainYAML(err)
		}
		v, err := p.value(&node, 0)
		if err != nil {
			return nil, err
		}
		all.Values = append(all.Values, v)
	}
	switch len(all.Values) {
	case 0:
		return &Value{Line: 1}, nil
	case 1:
		return all.Values[0], nil
	}
	return all, nil
}

func explainYAML(err error) error {
	e := &Error{0, "it is no YAML: " + err.Error()}
	if many, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(many.Errors) > 0 {
		err = many.Errors[0]
	}
	if one, ok := errors.AsType[*yaml.LoadError](err); ok {
		e.Line, e.Message = one.Mark.Line, "it is no YAML: "+one.Message
	}
	return e
}

type yamlParser struct {
	bounds
	done map[*yaml.Node]*Value // what has an anchor; nil while it is being read
}

func (p *yamlParser) value(n *yaml.Node, depth int) (*Value, error) {
	for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	if err := p.take(depth, n.Line); err != nil {
		return nil, err
	}
	if n.Kind == yaml.AliasNode {
		if known := p.done[n.Alias]; known != nil {
			return known, nil
		}
		return &Value{Kind: Literal, Text: "*" + n.Value, Line: n.Line}, nil // it would contain itself
	}
	v := &Value{Text: n.Value, Line: n.Line}
	switch n.Kind {
	case yaml.ScalarNode:
		v.Kind = scalarKind(n)
	case yaml.SequenceNode, yaml.MappingNode:
		v.Text = ""
		if err := p.children(v, n, depth); err != nil {
			return nil, err
		}
	default:
	}
	if n.Anchor != "" {
		p.done[n] = v
	}
	return v, nil
}

func scalarKind(n *yaml.Node) Kind {
	switch n.ShortTag() {
	case "!!str", "!!binary":
		return Text
	case "!!null":
		return Null
	}
	return Literal
}

func (p *yamlParser) children(v *Value, n *yaml.Node, depth int) error {
	v.Kind = List
	var merged []*Value
	step := 1
	if n.Kind == yaml.MappingNode {
		v.Kind, step = Map, 2
	}
	for i := step - 1; i < len(n.Content); i += step {
		child, err := p.value(n.Content[i], depth+1)
		if err != nil {
			return err
		}
		if v.Kind == List {
			v.Values = append(v.Values, child)
			continue
		}
		key := n.Content[i-1]
		if key.ShortTag() == "!!merge" && child.Kind == Map {
			merged = append(merged, child)
			continue
		}
		v.Keys, v.Values = append(v.Keys, keyName(key)), append(v.Values, child)
	}
	return p.merge(v, merged)
}

// merge adds what merge keys ("<<") bring, and the map does not say itself.
func (p *yamlParser) merge(v *Value, merged []*Value) error {
	if len(merged) == 0 {
		return nil
	}
	own := make(map[string]bool, len(v.Keys))
	for _, key := range v.Keys {
		own[key] = true
	}
	for _, from := range merged {
		for i, key := range from.Keys {
			if own[key] {
				continue
			}
			if err := p.take(0, from.Line); err != nil {
				return err
			}
			own[key] = true
			v.Keys, v.Values = append(v.Keys, key), append(v.Values, from.Values[i])
		}
	}
	return nil
}

func keyName(key *yaml.Node) string {
	if key.Kind == yaml.ScalarNode {
		return key.Value
	}
	return fmt.Sprintf("(a key of line %d)", key.Line)
}
