package document_test

import (
	"fmt"
	"html/template"
	"runtime"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/console/document"
)

// plain is a Prose that only marks what went through it.
func plain(text string) template.HTML {
	return template.HTML("<" + strings.TrimSpace(text) + ">")
}

func readAPI(t *testing.T, text []byte) *document.API {
	t.Helper()
	v, err := document.ParseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	if !document.IsAPI(v) {
		t.Fatal("it is no API")
	}
	return document.ReadAPI(v, plain)
}

// row writes a schema and its fields in lines.
func row(s *document.Schema, indent string) string {
	if s == nil {
		return indent + "none\n"
	}
	var line strings.Builder
	line.WriteString(indent + strings.TrimSpace(fmt.Sprintf("%s %s: %s", s.Mark, s.Name, s.Type)))
	for _, part := range []struct {
		on   bool
		text string
	}{
		{s.Ref != "", " #" + s.Ref},
		{s.Outside != "", " outside " + s.Outside},
		{s.Required, " required"},
		{s.Deprecated, " deprecated"},
		{s.Description != "", " " + string(s.Description)},
		{len(s.Facts) > 0, " (" + strings.Join(s.Facts, "; ") + ")"},
		{s.More > 0, fmt.Sprintf(" +%d", s.More)},
	} {
		if part.on {
			line.WriteString(part.text)
		}
	}
	line.WriteString("\n")
	for _, f := range s.Fields {
		line.WriteString(row(f, indent+"  "))
	}
	return line.String()
}

func content(c document.Content, indent string) string {
	var text strings.Builder
	text.WriteString(indent + strings.TrimSpace(c.Status+" "+string(c.Description)) + "\n")
	if c.Outside != "" {
		text.WriteString(indent + "  outside " + c.Outside + "\n")
	}
	for _, h := range c.Headers {
		text.WriteString(indent + "  header" + row(h, " "))
	}
	for _, m := range c.Media {
		text.WriteString(indent + "  " + m.Type + " " + m.Example + "\n" + row(m.Schema, indent+"    "))
	}
	return text.String()
}

func operation(o document.Operation) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s", o.Method, o.Path, o.Summary)
	if o.Deprecated {
		text.WriteString(" deprecated")
	}
	text.WriteString("\n")
	for _, p := range o.Parameters {
		text.WriteString(row(p, "  "))
	}
	if o.Body != nil {
		text.WriteString(content(*o.Body, "  body "))
	}
	for _, r := range o.Responses {
		text.WriteString(content(r, "  "))
	}
	if o.Security != nil {
		text.WriteString("  needs " + strings.Join(o.Security, " or ") + "\n")
	}
	return text.String()
}

func TestReadAPI_OpenAPI31(t *testing.T) {
	api := readAPI(t, load(t, "orders.yaml"))
	if api.Format != "OpenAPI 3.1.0" || api.Title != "Orders" || api.Version != "2.3.0" || api.Description != "<Places **orders**.>" || api.Operations != 4 || api.Left != 0 {
		t.Errorf("%+v", *api)
	}
	if got := fmt.Sprint(api.Facts); got != "[{Contact The shop team https://shop.example.org} {E-mail shop@example.org } {Licence Apache 2.0 }]" {
		t.Error(got)
	}
	if got := fmt.Sprint(api.Servers); got != "[{https://{region}.example.org/v2 <production> [region = eu (eu, us)]}]" {
		t.Error(got)
	}
	if got := fmt.Sprint(api.SecurityNeed, api.Security); got != "[key] [{key apiKey <Ask us> [in: header name: X-Key]} "+
		"{oauth oauth2  [flow: clientCredentials https://id.example.org/token scope write: change orders]}]" {
		t.Error(got)
	}
	var got strings.Builder
	for _, g := range api.Groups {
		fmt.Fprintf(&got, "= %s %s\n", g.Name, g.Description)
		for _, o := range g.Operations {
			got.WriteString(operation(o))
		}
	}
	want := `= orders <What customers *order*>
GET /orders List orders
  header tenant: string required <Whose orders> (at least 2 characters)
  query limit: integer (int32) (default 20; at least 1; at most 100)
  200 <Some orders>
    header X-Next: string <cursor>
    application/json [{"id": 1}]
      : array of Order #schema-1
  default <Something went wrong>
    application/problem+json 
      : Problem #schema-4
        title: string
POST /orders Place an order deprecated
  header tenant: string
  query limit: integer (int32) (default 20; at least 1; at most 100)
  body 
  body   application/json 
  body     : Order #schema-1 <What somebody wants>
  body       id: integer (int64) required (only in answers)
  body       state: string or null (one of open, paid, sent)
  body       parent: Order #schema-1
  body       lines: array of object required (at least 1 items)
  body         each item : object
  body           sku: string (matches ^[A-Z]+$)
  body           amount: number
  body       labels: object
  body         any other name : string
  body       pay: one of
  body         or : Card #schema-2
  body         or : string
  201 <Placed>
  needs nothing or oauth (write, read:all)
= Other operations 
GET /files/{name} 
  200 <From elsewhere>
    application/json 
      : Thing outside other.yaml#/Thing
  404
    outside http://127.0.0.1:1/problem.yaml
= Webhooks 
POST orderPlaced Told of an order
  200 <Heard>
`
	checkText(t, got.String(), want)
	if len(api.Schemas) != 4 || api.Schemas[1].Anchor != "schema-2" {
		t.Fatalf("schemas: %+v", api.Schemas)
	}
	checkText(t, row(api.Schemas[1].Schema, ""), "Card: all of\n  and : Base #schema-3\n  and : object\n    number: string\n")
}

func checkText(t *testing.T, got, want string) {
	t.Helper()
	trim := func(s string) string {
		lines := strings.Split(s, "\n")
		for i, l := range lines {
			lines[i] = strings.TrimRight(l, " ")
		}
		return strings.Join(lines, "\n")
	}
	if trim(got) != trim(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReadAPI_Swagger2(t *testing.T) {
	api := readAPI(t, load(t, "petshop.json"))
	if got := fmt.Sprint(api.Format, api.Servers, api.Facts, api.Security); got != "Swagger 2.0[{https://pets.example.org/v1  []} {http://pets.example.org/v1  []}] "+
		"[{Terms of service https://pets.example.org/terms https://pets.example.org/terms}] [{login oauth2  [flow: implicit authorizationUrl: https://pets.example.org/login scope write: change pets]}]" {
		t.Error(got)
	}
	var got strings.Builder
	for _, o := range api.Groups[0].Operations {
		got.WriteString(operation(o))
	}
	checkText(t, got.String(), `GET /pets
  query status: array of string required
    each item : string (one of sold, here)
  200 <Pets>
    application/json, application/xml
      : array of Pet #schema-1
POST /pets Add a pet
  body <The pet>
  body   application/json
  body     : Pet #schema-1
  body       name: string required
  body       friend: Pet #schema-1
  405 <Wrong>
PUT /pets
  body
  body   multipart/form-data
  body     : object
  body       formData picture: file
  body       formData note: string
  200 <All fine>
`)
}

func TestReadAPI_IsBounded(t *testing.T) {
	var many, wide, shared strings.Builder
	many.WriteString("openapi: 3.0.0\npaths:\n")
	for i := range 10_000 {
		fmt.Fprintf(&many, "  /p%d: {get: {tags: [t%d], responses: {'200': {$ref: '#/components/responses/R'}}}}\n", i, i%7)
	}
	many.WriteString("components:\n  responses:\n    R:\n      description: " + strings.Repeat("long ", 2000) + "\n      headers:\n")
	for i := range 400 {
		fmt.Fprintf(&many, "        H%d: {schema: {type: string}}\n", i)
	}
	wide.WriteString("openapi: 3.0.0\ncomponents:\n  schemas:\n")
	for i := range 3000 {
		fmt.Fprintf(&wide, "    S%d: {properties: {a: {$ref: '#/components/schemas/S%d'}, b: {$ref: '#/components/schemas/S%d'}}}\n", i, (i+1)%3000, (i*7)%3000)
	}
	deep := "openapi: 3.0.0\ncomponents: {schemas: {D: " + strings.Repeat("{properties: {x: ", 45) + "{type: string}" + strings.Repeat("}}", 45) + "}}"
	shared.WriteString("openapi: 3.0.0\nx: &x\n  " + strings.Repeat("k", 2000) + ": {type: string}\ncomponents:\n  schemas:\n")
	for i := range 2000 {
		fmt.Fprintf(&shared, "    S%d: {properties: *x}\n", i)
	}
	circles := `{openapi: 3.0.0, paths: {/a: {get: {parameters: [{$ref: '#/paths/~1a/get/parameters/0'}], requestBody: {$ref: '#/paths/~1a/get/requestBody'}}}},
components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}, C: {allOf: [{$ref: '#/components/schemas/C'}]}, D: &d {items: {$ref: '#'}}}}}`
	for name, text := range map[string]string{"many": many.String(), "wide": wide.String(), "deep": deep, "shared": shared.String(), "circles": circles} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		api := readAPI(t, []byte(text))
		runtime.ReadMemStats(&after)
		shown, rows, size := 0, 0, 0
		var count func(s *document.Schema)
		count = func(s *document.Schema) {
			if s == nil {
				return
			}
			rows++
			size += len(s.Name) + len(s.Type) + len(s.Description)
			for _, f := range s.Fields {
				count(f)
			}
		}
		for _, g := range api.Groups {
			shown += len(g.Operations)
			for _, o := range g.Operations {
				for _, r := range o.Responses {
					size += len(r.Description)
					for _, h := range r.Headers {
						count(h)
					}
				}
			}
		}
		for _, s := range api.Schemas {
			count(s.Schema)
		}
		if shown > document.MaxOperations || shown+api.Left != api.Operations || len(api.Schemas) > document.MaxSchemas || rows > document.MaxRows+document.MaxSchemas || size > 8<<20 {
			t.Errorf("%s: shows %d operations of %d (%d left), %d schemas in %d rows, %d bytes", name, shown, api.Operations, api.Left, len(api.Schemas), rows, size)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20+100*uint64(len(text)) { // work, told without a clock
			t.Errorf("%s: %d bytes of text took %d bytes of memory", name, len(text), took)
		}
		if name == "many" && (api.Operations != 10_000 || api.Left != 9_000) {
			t.Errorf("%d operations, %d left", api.Operations, api.Left)
		}
	}
}

func TestReadAPI_TakesWhatHasAnotherShape(t *testing.T) {
	for _, text := range []string{
		"openapi: 3.0.0", "openapi: 3.0.0\npaths: []\ninfo: x\nservers: {}\ntags: [1]\ncomponents: 7", "swagger: 2.0\npaths: {/a: {get: 5, post: {parameters: [1, []], responses: [x]}}}",
		"openapi: 3.0.0\npaths: {/a: {get: {responses: {200: 1}, requestBody: {content: {x: 1}}}}}", "openapi: 3.0.0\ncomponents: {schemas: {A: true, B: [1], C: {type: {}, items: [1], enum: x}}}",
		"openapi: 3.0.0\npaths: {/a: {$ref: 'file:///etc/passwd'}}", "openapi: 3.0.0\nsecurity: [x, {a: x}]",
	} {
		if api := readAPI(t, []byte(text)); api.Format == "" {
			t.Error(text)
		}
	}
}
