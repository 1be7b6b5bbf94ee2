package document

import (
	"fmt"
	"html/template"
	"strings"
)

// Namespaces of descriptions in XML.
const (
	nsXSD    = "http://www.w3.org/2001/XMLSchema"
	nsWSDL   = "http://schemas.xmlsoap.org/wsdl/"
	nsWSDL20 = "http://www.w3.org/ns/wsdl"
)

// XSD is what a page shows of an XML Schema.
type XSD struct {
	Namespace   string
	Facts       []string
	Description template.HTML
	Imports     []Import
	Elements    []Section
	Types       []Section
	Groups      []Section // of elements and of attributes
	Left        int       // declarations that are not shown
}

// Import is a document that another one builds on; nobody followed it.
type Import struct{ What, Namespace, Location string }

// ReadXSD reads an XML Schema; false when top is none.
func ReadXSD(top *Element) (*XSD, bool) {
	if top.Space != nsXSD || top.Name != "schema" {
		return nil, false
	}
	r := newXSDReader(top)
	return r.schema(top), true
}

type qname struct{ space, name string }

// xsdReader reads the schemas of one document.
type xsdReader struct {
	rows    int // that may still be made
	words   int // bytes of documentation so far
	anchors map[string]map[qname]string
	order   map[*Element]string // the anchors of top-level declarations
}

// kinds are the sorts of top-level declarations; names are told apart within each.
var kinds = map[string]string{
	"element": "element", "complexType": "type", "simpleType": "type", "group": "group", "attributeGroup": "attributes", "attribute": "attribute",
}

func newXSDReader(schemas ...*Element) *xsdReader {
	r := &xsdReader{rows: MaxRows, anchors: map[string]map[qname]string{}, order: map[*Element]string{}}
	for _, kind := range kinds {
		r.anchors[kind] = map[qname]string{}
	}
	for _, s := range schemas {
		for _, c := range s.Children {
			kind := kinds[c.Name]
			if kind == "" || c.Space != nsXSD || len(r.order) == MaxSchemas {
				continue
			}
			anchor := fmt.Sprintf("schema-%d", len(r.order)+1)
			r.order[c] = anchor
			r.anchors[kind][qname{s.Attr("targetNamespace"), c.Attr("name")}] = anchor
		}
	}
	return r
}

func (r *xsdReader) schema(top *Element) *XSD {
	x := &XSD{Namespace: label(top, "targetNamespace"), Description: r.said(top)}
	for _, name := range []string{"elementFormDefault", "attributeFormDefault", "version"} {
		if v := label(top, name); v != "" {
			x.Facts = append(x.Facts, name+": "+v)
		}
	}
	for _, c := range top.Children {
		if c.Space != nsXSD {
			continue
		}
		anchor, known := r.order[c]
		switch c.Name {
		case "import", "include", "redefine", "override":
			if len(x.Imports) < maxList {
				x.Imports = append(x.Imports, Import{c.Name, label(c, "namespace"), label(c, "schemaLocation")})
			}
			continue
		case "element", "attribute", "complexType", "simpleType", "group", "attributeGroup":
		default:
			continue
		}
		if !known {
			x.Left++
			continue
		}
		section := Section{anchor, r.declaration(c)}
		switch c.Name {
		case "element":
			x.Elements = append(x.Elements, section)
		case "complexType", "simpleType":
			x.Types = append(x.Types, section)
		default:
			x.Groups = append(x.Groups, section)
		}
	}
	return x
}

// declaration makes the row of what stands at the top of a schema.
func (r *xsdReader) declaration(e *Element) *Schema {
	switch e.Name {
	case "element":
		return r.element(e, 0)
	case "attribute":
		return r.attribute(e)
	case "complexType", "simpleType":
		s := &Schema{Name: label(e, "name")}
		r.rows--
		r.define(s, e, 0)
		return s
	}
	s := &Schema{Name: label(e, "name"), Type: map[string]string{"group": "group of elements", "attributeGroup": "group of attributes"}[e.Name], Description: r.said(e)}
	r.rows--
	r.content(s, e, 0)
	return s
}

func (r *xsdReader) element(e *Element, depth int) *Schema {
	r.rows--
	s := &Schema{Name: label(e, "name"), Description: r.said(e)}
	if ref := e.Attr("ref"); ref != "" {
		s.Name = Shorten(ref, maxLabel)
		r.refer(s, e, "element", ref)
		s.Type = "element " + s.Type
	}
	s.Facts = append(s.Facts, occurs(e)...)
	if e.Attr("nillable") == "true" {
		s.Facts = append(s.Facts, "may be nil")
	}
	s.Facts = append(s.Facts, defaults(e)...)
	if t := e.Attr("type"); t != "" {
		r.refer(s, e, "type", t)
		return s
	}
	for _, c := range e.Children {
		if c.Space == nsXSD && (c.Name == "complexType" || c.Name == "simpleType") {
			r.define(s, c, depth)
		}
	}
	if s.Type == "" {
		s.Type = "anything"
	}
	return s
}

func (r *xsdReader) attribute(e *Element) *Schema {
	r.rows--
	s := &Schema{Name: label(e, "name"), Mark: "attribute", Required: e.Attr("use") == "required", Description: r.said(e), Facts: defaults(e)}
	if ref := e.Attr("ref"); ref != "" {
		s.Name = Shorten(ref, maxLabel)
		r.refer(s, e, "attribute", ref)
		return s
	}
	s.Type = "anySimpleType"
	if t := e.Attr("type"); t != "" {
		r.refer(s, e, "type", t)
	} else if simple := e.First("simpleType", nsXSD); simple.Name != "" {
		r.define(s, simple, 0)
	}
	return s
}

// refer says what a qualified name means: a type of XML Schema itself, a declaration of this document, or one of another.
func (r *xsdReader) refer(s *Schema, e *Element, kind, value string) {
	space, name := e.qname(value)
	s.Type = Shorten(name, maxLabel)
	if space == nsXSD {
		return
	}
	if s.Ref = r.anchors[kind][qname{space, name}]; s.Ref == "" {
		if s.Outside = Shorten(space, maxLabel); s.Outside == "" {
			s.Outside = "another document"
		}
	}
}

// define says what a type is: its base and its content, or its limits.
func (r *xsdReader) define(s *Schema, e *Element, depth int) {
	if s.Description == "" {
		s.Description = r.said(e)
	}
	if e.Name == "simpleType" {
		r.simple(s, e)
		return
	}
	s.Type = "complex type"
	if e.Attr("abstract") == "true" {
		s.Facts = append(s.Facts, "abstract")
	}
	if e.Attr("mixed") == "true" {
		s.Facts = append(s.Facts, "text between the elements")
	}
	if depth >= maxSchemaDepth {
		return
	}
	r.content(s, e, depth)
}

// simple reads a simple type.
func (r *xsdReader) simple(s *Schema, e *Element) {
	for _, c := range e.Children {
		if c.Space != nsXSD {
			continue
		}
		switch c.Name {
		case "restriction":
			if base := c.Attr("base"); base != "" {
				r.refer(s, c, "type", base)
			}
			s.Facts = append(s.Facts, facets(c)...)
		case "list":
			r.refer(s, c, "type", c.Attr("itemType"))
			s.Type = "list of " + s.Type
		case "union":
			var names []string
			for i, member := range strings.Fields(c.Attr("memberTypes")) {
				if i == maxTexts {
					break
				}
				_, name := c.qname(member)
				names = append(names, Shorten(name, maxLabel))
			}
			s.Type = "union of " + strings.Join(names, ", ")
		}
	}
	if s.Type == "" {
		s.Type = "simple type"
	}
}

// content adds the parts of a type, of a model or of a group.
func (r *xsdReader) content(s *Schema, e *Element, depth int) {
	for _, c := range e.Children {
		if c.Space != nsXSD {
			continue
		}
		if r.rows <= 0 || len(s.Fields) >= maxFields {
			s.More++
			continue
		}
		switch c.Name {
		case "sequence", "all":
			if plainModel(c) {
				r.content(s, c, depth)
				continue
			}
			r.model(s, c, depth)
		case "choice":
			r.model(s, c, depth)
		case "element":
			s.Fields = append(s.Fields, r.element(c, depth+1))
		case "attribute":
			s.Fields = append(s.Fields, r.attribute(c))
		case "group", "attributeGroup":
			r.rows--
			part := &Schema{Name: Shorten(c.Attr("ref"), maxLabel), Mark: "group", Facts: occurs(c)}
			r.refer(part, c, kinds[c.Name], c.Attr("ref"))
			s.Fields = append(s.Fields, part)
		case "any", "anyAttribute":
			r.rows--
			s.Fields = append(s.Fields, &Schema{Type: map[string]string{"any": "any element", "anyAttribute": "any attribute"}[c.Name], Facts: occurs(c)})
		case "complexContent", "simpleContent":
			r.content(s, c, depth)
		case "extension", "restriction":
			r.refer(s, c, "type", c.Attr("base"))
			s.Type = map[string]string{"extension": "extends ", "restriction": "restricts "}[c.Name] + s.Type
			s.Facts = append(s.Facts, facets(c)...)
			r.content(s, c, depth)
		}
	}
}

// plainModel tells of a sequence that occurs once: its parts stand for themselves.
func plainModel(e *Element) bool { return len(occurs(e)) == 0 }

func (r *xsdReader) model(s *Schema, e *Element, depth int) {
	r.rows--
	part := &Schema{Mark: e.Name, Type: map[string]string{"choice": "one of", "sequence": "in this order", "all": "in any order"}[e.Name], Facts: occurs(e)}
	if depth < maxSchemaDepth {
		r.content(part, e, depth+1)
	}
	s.Fields = append(s.Fields, part)
}

// occurs says how often something may stand where it does, unless it is once.
func occurs(e *Element) []string {
	least, most := e.Attr("minOccurs"), e.Attr("maxOccurs")
	if least == "" {
		least = "1"
	}
	if most == "" {
		most = "1"
	}
	switch least, most = Shorten(least, 20), Shorten(most, 20); {
	case least == "1" && most == "1":
		return nil
	case least == "0" && most == "1":
		return []string{"optional"}
	case least == "0" && most == "unbounded":
		return []string{"any number"}
	case most == "unbounded":
		return []string{least + " or more"}
	case least == most:
		return []string{"exactly " + least}
	}
	return []string{least + " to " + most}
}

func defaults(e *Element) []string {
	var facts []string
	for _, name := range []string{"default", "fixed"} {
		if v := label(e, name); v != "" {
			facts = append(facts, name+" "+v)
		}
	}
	return facts
}

// facets are the limits of a simple type.
func facets(e *Element) []string {
	var facts, values []string
	for _, c := range e.Children {
		value := label(c, "value")
		switch {
		case c.Space != nsXSD || value == "" || len(facts) == maxTexts:
		case c.Name == "enumeration":
			if len(values) < maxTexts {
				values = append(values, value)
			}
		default:
			facts = append(facts, c.Name+" "+value)
		}
	}
	if len(values) > 0 {
		facts = append(facts, "one of "+strings.Join(values, ", "))
	}
	return facts
}

// said is the documentation of a declaration.
func (r *xsdReader) said(e *Element) template.HTML {
	var b strings.Builder
	for _, a := range append(e.All("annotation", nsXSD), e) {
		for _, d := range a.All("documentation", nsXSD, nsWSDL, nsWSDL20) {
			d.WriteAll(&b)
			b.WriteByte(' ')
		}
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if r.words += len(text); text == "" || r.words > maxProse {
		return ""
	}
	return template.HTML(`<p class="prose">` + template.HTMLEscapeString(text) + "</p>") //nolint:gosec // escaped
}

// label is an attribute, cut when it is longer than a page shows it.
func label(e *Element, name string) string { return Shorten(e.Attr(name), maxLabel) }
