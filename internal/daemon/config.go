package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// LoadYAML reads a strict YAML file into cfg, a pointer to a struct that already holds the defaults, then lays the environment over it: the
// variable PREFIX_KEY_SUBKEY sets the key key.subkey (lists: separated by commas, or a YAML list; keys of maps: those that file or
// defaults have). With file "" only defaults and environment count. All faults (unknown key, wrong type, key given twice) come
// together, joined, each as "file:line: key: …". With faults of keys the document is there all the same, so that a caller can check the
// values that could be read and tell everything at once with [Document.Verdict]; without a document nothing could be read.
func LoadYAML(file string, cfg any, prefix string, environ []string) (*Document, error) {
	var data []byte
	if file != "" {
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("%w; name a configuration file with -config", err)
		}
	}
	return ParseYAML(file, data, cfg, prefix, environ)
}

// ParseYAML is [LoadYAML] for a file that was read already.
func ParseYAML(file string, data []byte, cfg any, prefix string, environ []string) (*Document, error) {
	d := NewDocument(file)
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, d.syntax(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("%s:%d: a second document begins here; a configuration is one", file, second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, d.syntax(err)
	}
	if len(root.Content) > 0 { // a file of comments alone has none
		l := &loader{doc: d}
		l.value(root.Content[0], reflect.ValueOf(cfg).Elem(), "")
	}
	d.Overlay(cfg, prefix, environ)
	return d, d.Verdict(nil)
}

func (d *Document) syntax(err error) error {
	if list, ok := errors.AsType[*yaml.LoadErrors](err); ok && len(list.Errors) > 0 {
		err = list.Errors[0]
	}
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		return fmt.Errorf("%s:%d: %s", d.file, e.Mark.Line, e.Message)
	}
	return fmt.Errorf("%s: %w", d.file, err)
}

// loader copies a YAML tree into a Go value, with a fault for everything that does not fit.
type loader struct {
	doc *Document
}

func (l *loader) fault(n *yaml.Node, key, format string, args ...any) {
	if key == "" {
		key = "(top level)"
	}
	l.doc.Refuse(key, n.Line, format, args...)
	l.doc.Doubt(key)
}

func (l *loader) value(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if key != "" {
		l.doc.lines[key] = n.Line
	}
	if n.Tag == "!!null" {
		return // "key:" with nothing after it keeps the default
	}
	switch {
	case isScalar(v.Type()):
		l.scalar(n, v, key)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		l.value(n, v.Elem(), key)
	case v.Kind() == reflect.Struct:
		l.structure(n, v, key)
	case v.Kind() == reflect.Map:
		l.mapping(n, v, key)
	case v.Kind() == reflect.Slice:
		l.list(n, v, key)
	default:
		l.fault(n, key, "cannot be configured (%s)", v.Type())
	}
}

func (l *loader) structure(n *yaml.Node, v reflect.Value, key string) {
	if index, name, ok := wordOf(v.Type()); ok && n.Kind == yaml.ScalarNode {
		l.value(n, v.Field(index), join(key, name))
		return
	}
	if n.Kind != yaml.MappingNode {
		l.fault(n, key, "must be a block of keys, not %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	for name, val := range l.pairs(n, key) {
		index, ok := fields[name.Value]
		if !ok {
			l.doc.RefuseUnknown(key, name.Value, name.Line, slices.Collect(maps.Keys(fields)))
			continue
		}
		l.value(val, v.Field(index), join(key, name.Value))
		l.doc.lines[join(key, name.Value)] = name.Line
	}
}

// pairs gives the keys and values of a block, with a fault for a key that stands there twice.
func (l *loader) pairs(n *yaml.Node, key string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(name, value *yaml.Node) bool) {
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if line, ok := first[name.Value]; ok {
				l.fault(name, join(key, name.Value), "is given twice; first at line %d", line)
				continue
			}
			first[name.Value] = name.Line
			if !yield(name, n.Content[i+1]) {
				return
			}
		}
	}
}

func (l *loader) mapping(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.MappingNode {
		l.fault(n, key, "must be a block of keys, not %s", describe(n))
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for name, val := range l.pairs(n, key) {
		elem := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(reflect.ValueOf(name.Value)); old.IsValid() {
			elem.Set(old)
		}
		l.value(val, elem, join(key, name.Value))
		v.SetMapIndex(reflect.ValueOf(name.Value), elem)
		l.doc.lines[join(key, name.Value)] = name.Line
	}
}

func (l *loader) list(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind == yaml.ScalarNode && isScalar(v.Type().Elem()) {
		n = &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Content: []*yaml.Node{n}} // one entry needs no brackets
	}
	if n.Kind != yaml.SequenceNode {
		l.fault(n, key, "must be a list, not %s", describe(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		l.value(item, list.Index(i), key+"["+strconv.Itoa(i)+"]")
	}
	v.Set(list)
}

func (l *loader) scalar(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind != yaml.ScalarNode {
		l.fault(n, key, "must be %s, not %s", expected(v.Type()), describe(n))
		return
	}
	if err := setScalar(v, n.Value); err != nil {
		l.fault(n, key, "%s", err)
	}
}

func isScalar(t reflect.Type) bool {
	switch t.Kind() { //nolint:exhaustive // the rest is not scalar
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return false
}

func expected(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 500ms or 30s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a text"
}

// setScalar sets v from its text; the error says what was expected.
func setScalar(v reflect.Value, text string) error {
	var err error
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			v.SetInt(int64(d))
		}
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			err = strconv.ErrSyntax
		}
		v.SetBool(text == "true")
	case v.Kind() == reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(f)
		}
	default:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err == nil {
			v.SetInt(n)
		}
	}
	if err == nil {
		return nil
	}
	if v.Type() == reflect.TypeFor[Secret]() {
		return fmt.Errorf("the value is not %s", expected(v.Type()))
	}
	return fmt.Errorf("%q is not %s", text, expected(v.Type()))
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(n.Value)
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// fieldsOf maps the yaml names of a struct to its field numbers.
func fieldsOf(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			fields[name] = i
		}
	}
	return fields
}

// wordOf finds the field of a block that a single word in place of the block sets: its tag says `yaml:"name,word"`.
func wordOf(t reflect.Type) (index int, name string, ok bool) {
	for i := range t.NumField() {
		if name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); option == "word" {
			return i, name, true
		}
	}
	return 0, "", false
}

// Flatten gives the errors that errors.Join put together, one for each line to print.
func Flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	var texts []string
	for _, e := range joined.Unwrap() {
		all = append(all, Flatten(e)...)
		texts = append(texts, e.Error())
	}
	if err.Error() != strings.Join(texts, "\n") {
		return []error{err} // it wraps several errors but says more than they do
	}
	return all
}
