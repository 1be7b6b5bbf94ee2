package document

import "html/template"

// Schema is what a description says of the shape of a value: a type, or a field, parameter or element that has one.
type Schema struct {
	Name        string
	Type        string // for people: "array of string", "integer (int64)"
	Ref         string // the anchor of the named schema that Type names; "" for none
	Outside     string // a reference to another document, which nobody followed
	Mark        string // what Name is, where that says something: "query", "path", "attribute", "choice"
	Required    bool
	Deprecated  bool
	Description template.HTML
	Facts       []string // limits and examples: "at least 1", "one of a, b"
	Fields      []*Schema
	More        int // fields that are not shown
}

// Prose makes HTML, safe to stand in a page, of a text that people wrote.
type Prose func(text string) template.HTML

// Section is a named part of a description, at its anchor.
type Section struct {
	Anchor string
	Schema *Schema
}
