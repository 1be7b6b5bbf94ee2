package document

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Limits of one schema.
const (
	maxSchemaDepth = 12 // of fields in fields
	maxFields      = 500
	maxRefs        = 20 // that lead to each other
	maxFact        = 200
)

// follow gives what a value stands for: itself, or what its reference within the document leads to. A reference to another document, or to nothing, is
// given as outside.
func (r *apiReader) follow(v *Value) (to *Value, outside string) {
	for range maxRefs {
		ref := v.Str("$ref")
		if ref == "" {
			return v, ""
		}
		next := r.lookup(ref)
		if next == nil {
			return &Value{}, Shorten(ref, maxLabel)
		}
		v = next
	}
	return &Value{}, v.Label("$ref")
}

// lookup finds what a reference within the document points at (RFC 6901); nil when it points elsewhere.
func (r *apiReader) lookup(ref string) *Value {
	if found, ok := r.known[ref]; ok {
		return found
	}
	var at *Value
	if pointer, ok := strings.CutPrefix(ref, "#/"); ok {
		at = r.root
		if plain, err := url.PathUnescape(pointer); err == nil {
			pointer = plain
		}
		for name := range strings.SplitSeq(pointer, "/") {
			name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
			if i, err := strconv.Atoi(name); err == nil && at != nil && at.Kind == List && i >= 0 && i < len(at.Values) {
				at = at.Values[i]
				continue
			}
			at = at.Get(name)
		}
	}
	r.known[ref] = at
	return at
}

func (r *apiReader) namedSchemas() (*Value, string) {
	if r.two {
		return r.root.Get("definitions"), "#/definitions/"
	}
	return r.root.Get("components").Get("schemas"), "#/components/schemas/"
}

// nameSchemas gives every named schema its anchor.
func (r *apiReader) nameSchemas() {
	r.anchors = map[string]string{}
	all, prefix := r.namedSchemas()
	n := 0
	all.Pairs(func(name string, v *Value) {
		ref := prefix + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
		if n++; n <= MaxSchemas {
			r.anchors[ref] = fmt.Sprintf("schema-%d", n)
		}
		r.known[ref] = v
	})
}

func (r *apiReader) schemas(api *API) {
	all, _ := r.namedSchemas()
	n := 0
	all.Pairs(func(name string, v *Value) {
		if n++; n > MaxSchemas {
			api.SchemasLeft++
			return
		}
		api.Schemas = append(api.Schemas, Section{fmt.Sprintf("schema-%d", n), r.schema(name, v, 0)})
	})
}

// schema makes the row of a shape; at depth 0 a reference to a named schema shows its fields, deeper it is a link.
func (r *apiReader) schema(name string, v *Value, depth int) *Schema {
	r.rows--
	s := &Schema{Name: Shorten(name, maxLabel)}
	if v == nil {
		s.Type = "anything"
		return s
	}
	if ref := v.Str("$ref"); ref != "" {
		s.Type, s.Ref = refName(ref), r.anchors[ref]
		s.Description = r.said(v)
		to, outside := r.follow(v)
		if outside != "" {
			s.Outside = outside
			return s
		}
		if s.Ref != "" && depth > 0 || depth >= maxSchemaDepth {
			return s
		}
		inner := r.schema("", to, depth+1)
		if s.Ref == "" {
			s.Type = inner.Type
		}
		if s.Description == "" {
			s.Description = inner.Description
		}
		s.Facts, s.Fields, s.More, s.Deprecated = inner.Facts, inner.Fields, inner.More, inner.Deprecated
		return s
	}
	s.Type, s.Ref, s.Outside = r.typeOf(v, 0)
	s.Deprecated = v.Is("deprecated")
	s.Description, s.Facts = r.said(v), factsOf(v)
	if depth < maxSchemaDepth && r.rows > 0 {
		r.fields(s, v, depth)
	}
	return s
}

// typeOf writes the type of a shape in words.
func (r *apiReader) typeOf(v *Value, depth int) (words, anchor, outside string) {
	if ref := v.Str("$ref"); ref != "" {
		if r.lookup(ref) == nil {
			outside = Shorten(ref, maxLabel)
		}
		return refName(ref), r.anchors[ref], outside
	}
	list := texts(v.Get("type"))
	if t := v.Str("type"); t != "" {
		list = []string{Shorten(t, maxLabel)}
	}
	if v.Is("nullable") {
		list = append(list, "null")
	}
	words = strings.Join(list, " or ")
	if items := v.Get("items"); items != nil && depth < maxRefs {
		if words == "" {
			words = "array"
		}
		inner, a, o := r.typeOf(items, depth+1)
		return strings.Replace(words, "array", "array of "+inner, 1), a, o
	}
	switch {
	case words != "":
	case v.Get("properties") != nil, v.Get("additionalProperties") != nil:
		words = "object"
	case v.Get("allOf") != nil:
		words = "all of"
	case v.Get("oneOf") != nil:
		words = "one of"
	case v.Get("anyOf") != nil:
		words = "any of"
	case v.Get("enum") != nil, v.Get("const") != nil:
		words = "a value"
	default:
		words = "anything"
	}
	if format := v.Label("format"); format != "" {
		words += " (" + format + ")"
	}
	return words, "", ""
}

func refName(ref string) string {
	name := Shorten(ref[strings.LastIndexByte(ref, '/')+1:], maxLabel)
	name = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// fields adds what a shape is made of: properties, choices, items that have fields themselves.
func (r *apiReader) fields(s *Schema, v *Value, depth int) {
	required := map[string]bool{}
	for i, name := range v.Get("required").Items() {
		if i == 2*maxFields {
			break
		}
		required[name.String()] = true
	}
	add := func(name, mark string, shape *Value) *Schema {
		if r.rows <= 0 || len(s.Fields) >= maxFields {
			s.More++
			return &Schema{}
		}
		f := r.schema(name, shape, depth+1)
		f.Mark = mark
		s.Fields = append(s.Fields, f)
		return f
	}
	r.named(s, v.Get("properties"), func(name string, p *Value) {
		f := add(name, "", p)
		f.Required = required[name]
		if p.Is("readOnly") {
			f.Facts = append(f.Facts, "only in answers")
		}
		if p.Is("writeOnly") {
			f.Facts = append(f.Facts, "only in requests")
		}
	})
	r.named(s, v.Get("patternProperties"), func(name string, p *Value) { add(name, "names that match", p) })
	if more := v.Get("additionalProperties"); more != nil && more.Kind == Map && len(more.Keys) > 0 {
		add("", "any other name", more)
	}
	for _, choice := range [][2]string{{"allOf", "and"}, {"oneOf", "or"}, {"anyOf", "and/or"}} {
		choices := v.Get(choice[0]).Items()
		s.More += max(len(choices)-maxFields, 0)
		for _, p := range choices[:min(len(choices), maxFields)] {
			add("", choice[1], p)
		}
	}
	if items := v.Get("items"); items != nil && items.Kind == Map && items.Str("$ref") == "" && hasFields(items) {
		add("", "each item", items)
	}
}

// named calls f with the first pairs of a map, and counts the others as left out.
func (r *apiReader) named(s *Schema, v *Value, f func(name string, p *Value)) {
	if v == nil || v.Kind != Map {
		return
	}
	n := max(min(len(v.Keys), maxFields, r.rows), 0)
	s.More += len(v.Keys) - n
	for i := range n {
		f(v.Keys[i], v.Values[i])
	}
}

func hasFields(v *Value) bool {
	for _, key := range []string{"properties", "allOf", "oneOf", "anyOf", "items", "additionalProperties", "description", "enum"} {
		if v.Get(key) != nil {
			return true
		}
	}
	return false
}

// factsOf are the limits, default and examples of a shape.
func factsOf(v *Value) []string {
	var facts []string
	if values := v.Get("enum"); values != nil {
		facts = append(facts, "one of "+list(values.Items()))
	}
	for _, known := range [][2]string{
		{"const", "always %s"},
		{"default", "default %s"},
		{"minimum", "at least %s"},
		{"exclusiveMinimum", "more than %s"},
		{"maximum", "at most %s"},
		{"exclusiveMaximum", "less than %s"},
		{"multipleOf", "a multiple of %s"},
		{"minLength", "at least %s characters"},
		{"maxLength", "at most %s characters"},
		{"pattern", "matches %s"},
		{"minItems", "at least %s items"},
		{"maxItems", "at most %s items"},
		{"minProperties", "at least %s names"},
		{"maxProperties", "at most %s names"},
		{"contentMediaType", "holds %s"},
		{"example", "such as %s"},
	} {
		if x := v.Get(known[0]); x != nil {
			if text := inline(x); text != "" {
				facts = append(facts, strings.Replace(known[1], "%s", Shorten(text, maxFact), 1))
			}
		}
	}
	if v.Is("uniqueItems") {
		facts = append(facts, "no item twice")
	}
	if examples := v.Get("examples"); examples != nil && examples.Kind == List {
		facts = append(facts, "such as "+list(examples.Values))
	}
	if by := v.Get("discriminator").Label("propertyName"); by != "" {
		facts = append(facts, "told apart by "+by)
	}
	return facts
}

func list(values []*Value) string {
	const most = 30
	var parts []string
	for i, v := range values {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(values)-most))
			break
		}
		parts = append(parts, Shorten(inline(v), maxFact))
	}
	return strings.Join(parts, ", ")
}

// inline writes a value in one line, like JSON; it ends early when it gets long.
func inline(v *Value) string {
	var b strings.Builder
	writeInline(&b, v, 0)
	return Shorten(b.String(), maxInline)
}

const maxInline = 1_000

func writeInline(b *strings.Builder, v *Value, depth int) {
	if v == nil || b.Len() > maxInline*4 {
		return
	}
	switch v.Kind {
	case Null:
		b.WriteString("null")
	case Text:
		if depth == 0 {
			b.WriteString(v.Text)
			return
		}
		b.WriteString(strconv.Quote(v.Text))
	case Literal:
		b.WriteString(v.Text)
	case List, Map:
		open, end := "[", "]"
		if v.Kind == Map {
			open, end = "{", "}"
		}
		b.WriteString(open)
		for i, child := range v.Values {
			if b.Len() > maxInline*4 {
				break
			}
			if i > 0 {
				b.WriteString(", ")
			}
			if v.Kind == Map {
				b.WriteString(strconv.Quote(v.Keys[i]) + ": ")
			}
			writeInline(b, child, depth+1)
		}
		b.WriteString(end)
	}
}
