package console_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

const viewsIn = registry.Path("/_system/governance/views")

// putFile stores a document of the tests below viewsIn.
func (s *site) putFile(name, mediaType string) {
	s.t.Helper()
	text, err := os.ReadFile("document/testdata/" + name)
	must(s.t, err)
	s.put(viewsIn+registry.Path("/"+name), mediaType, string(text))
}

// Every form in which a content is shown is a page like the others.
func TestViews(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, name := range []string{"orders.yaml", "petshop.json", "shop.wsdl", "shop20.wsdl", "orders.xsd", "policy.xml"} {
		s.putFile(name, "")
	}
	s.put(viewsIn+"/broken.yaml", "", "openapi: 3.1.0\ninfo:\n  title: [\n")
	s.put(viewsIn+"/plain.json", "", `{"a": [1, {"b": "<b>x</b>"}, null, []], "c": {"d": true}}`)
	const at = "/console/resource" + string(viewsIn)
	checker := &linkChecker{site: s, as: b, seen: map[string]bool{}}
	for _, elsewhere := range []string{"https://shop.example.org", "https://pets.example.org/terms"} {
		checker.seen["href"+elsewhere] = true
	}
	for _, p := range []page{
		{"view-openapi", 200, b.get(at + "/orders.yaml")},
		{"view-openapi-tree", 200, b.get(at + "/orders.yaml?as=tree")},
		{"view-openapi-text", 200, b.get(at + "/orders.yaml?as=text")},
		{"view-openapi-broken", 200, b.get(at + "/broken.yaml")},
		{"view-swagger", 200, b.get(at + "/petshop.json")},
		{"view-wsdl", 200, b.get(at + "/shop.wsdl")},
		{"view-wsdl-tree", 200, b.get(at + "/shop.wsdl?as=tree")},
		{"view-wsdl20", 200, b.get(at + "/shop20.wsdl")},
		{"view-xsd", 200, b.get(at + "/orders.xsd")},
		{"view-policy", 200, b.get(at + "/policy.xml")},
		{"view-json", 200, b.get(at + "/plain.json")},
		{"view-json-tree", 200, b.get(at + "/plain.json?as=tree")},
	} {
		t.Run(p.name, func(t *testing.T) {
			p.reply.t = t
			p.reply.wantStatus(p.status)
			checkHeaders(t, p.reply)
			checkWellFormed(t, p.reply.body)
			checkNothingInline(t, p.reply.doc())
			checkAccess(t, p.reply.doc())
			checkHeadings(t, p.reply.doc())
			checker.check(t, p.reply)
			checkGolden(t, p.name+".html", golden(p.name, p.reply.body))
		})
	}
}

// checkHeadings checks that no level of headings is left out on the way down.
func checkHeadings(t *testing.T, doc *html.Node) {
	t.Helper()
	last := byte('1')
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || len(n.Data) != 2 || n.Data[0] != 'h' || n.Data[1] < '1' || n.Data[1] > '6' {
			continue
		}
		if n.Data[1] > last+1 {
			t.Errorf("<%s> %q stands below <h%c>", n.Data, textOf(n), last)
		}
		if last = n.Data[1]; n.Data == "h2" && last == '1' {
			last = '2'
		}
	}
}

func TestViews_FallBackToText(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for name, c := range map[string]struct{ text, query, want string }{
		"broken.yaml":  {"openapi: 3.0.0\npaths:\n  /a: [\n", "", "This is shown as text, because line 4: it is no YAML"},
		"broken.json":  {"{\"openapi\": \"3.0.0\",\n\"paths\": }", "", "This is shown as text, because line 2: it is no JSON"},
		"broken2.json": {"{\"a\": \n1,}", "?as=tree", "This is shown as text, because line 2: it is no JSON"},
		"old.json":     {`{"swagger": "1.1"}`, "", "its version of OpenAPI is none that this page knows"},
		"deep.json":    {strings.Repeat("[", 1000), "?as=tree", "because line 1: it is nested deeper than 100 levels"},
		"large.json":   {`{"openapi": "3.0.0", "x": "` + strings.Repeat("x", 3<<20) + `"}`, "", ""},
		"broken.wsdl":  {"<definitions>\n<types>\n</definitions>", "", "This is shown as text, because line 3: it is no XML: </definitions> closes what is not open"},
		"entity.xsd":   {"<!DOCTYPE schema [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<schema>&x;</schema>", "", "because line 2: it is no XML: invalid character entity &x;"},
		"other.xml":    {"<definitions xmlns=\"urn:else\"/>", "", ""},
		"large.yaml":   {"openapi: 3.0.0\nx: " + strings.Repeat("x", 2<<20), "", "because it is larger than 2 MiB"},
		"inside.json":  {`{"x": {"openapi": "3.0.0"}}`, "", ""},
	} {
		p := viewsIn + registry.Path("/"+name)
		s.put(p, "", c.text)
		page := b.get("/console/resource" + string(p) + c.query).wantStatus(http.StatusOK).wantText(c.want)
		if name != "large.json" && !strings.Contains(page.body, `id="L1"`) {
			t.Errorf("%s is not shown as text", name)
		}
		if c.want == "" {
			page.wantNoText("This is shown as text")
		}
	}
}

// A description of many operations is shown in part, and says so.
func TestViews_ManyOperations(t *testing.T) {
	s := newSite(t)
	var text strings.Builder
	text.WriteString(`{"openapi": "3.0.0", "info": {"title": "Many"}, "paths": {"/x": {}`)
	for i := range 10_000 {
		text.WriteString(`, "/p` + strings.Repeat("x", i%5) + string(rune('a'+i%26)) + `": {"get": {"summary": "one <i>"}}`)
	}
	text.WriteString("}}")
	s.put(viewsIn+"/many.json", "", text.String())
	page := s.signedIn().get("/console/resource"+string(viewsIn)+"/many.json").wantStatus(http.StatusOK).
		wantText("10,000 operations", "9,000 more operations are not shown here", "one <i>")
	if n := strings.Count(page.body, `<details class="op"`); n != 1_000 {
		t.Errorf("%d operations are shown", n)
	}
	if len(page.body) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page.body))
	}
}
