package document

import "html/template"

// Limits of what is shown of an API.
const (
	MaxOperations = 1_000
	MaxSchemas    = 2_000 // named ones
	MaxRows       = 15_000
	maxProse      = 512 << 10 // bytes of all descriptions together
	maxList       = 500       // items of one list in an operation
	maxTexts      = 50        // of one list in one line
)

// API is what a page shows of an OpenAPI or Swagger document.
type API struct {
	Format       string // "OpenAPI 3.1.0"
	Title        string
	Version      string
	Summary      string
	Description  template.HTML
	Facts        []Fact // contact, licence, terms
	Servers      []Server
	Groups       []*Group
	Operations   int // that the document has
	Left         int // of them, not shown
	Schemas      []Section
	SchemasLeft  int
	Security     []Scheme
	SecurityNeed []string // what every operation needs that says nothing else
}

// Fact is a line about a document. Link is "" or an address in the web, which the page must check.
type Fact struct{ Name, Text, Link string }

// Server is where an API is served.
type Server struct {
	URL         string
	Description template.HTML
	Facts       []string // its variables
}

// Group is the operations of one tag.
type Group struct {
	Name        string
	Description template.HTML
	Operations  []Operation
}

// Operation is a method of a path.
type Operation struct {
	Anchor      string
	Method      string // upper case
	Path        string
	Summary     string
	ID          string
	Deprecated  bool
	Description template.HTML
	Parameters  []*Schema
	Body        *Content
	Responses   []Content
	Security    []string
	Line        int
}

// Content is a body that is sent or answered.
type Content struct {
	Status      string // of an answer
	Description template.HTML
	Required    bool
	Outside     string // a reference to another document
	Headers     []*Schema
	Media       []Media
}

// Media is one form of a body.
type Media struct {
	Type    string
	Schema  *Schema
	Example string
}

// Scheme is a way to prove who one is.
type Scheme struct {
	Name, Type  string
	Description template.HTML
	Facts       []string
}
