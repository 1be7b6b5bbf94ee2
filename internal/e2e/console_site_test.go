package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/internal/e2e"
)

// A route is an address of the console's URL map: "/console/browse/{path...}".
type route struct{ method, pattern string }

// consoleRoutes reads the console's URL map from its source, so that no page and no action escapes a test that goes through all of them.
func consoleRoutes(t *testing.T) []route {
	t.Helper()
	files, err := filepath.Glob("../../pkg/registry/console/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []route
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\w\("(GET|POST) (/console[^"]*)"`).FindAllStringSubmatch(string(source), -1) {
			if !strings.Contains(m[2], "/static/") { // files, not pages
				routes = append(routes, route{m[1], m[2]})
			}
		}
	}
	if len(routes) < 80 {
		t.Fatalf("found only %d routes of the console", len(routes))
	}
	return routes
}

// prefix is the address without what follows of the resource: "/console/browse".
func (r route) prefix() string {
	before, _, _ := strings.Cut(r.pattern, "/{")
	return before
}

func (r route) takesPath() bool { return strings.HasSuffix(r.pattern, "{path...}") }

// routeOf finds whose an address is; ok is false when it is no page of the console.
func routeOf(routes []route, method, address string) (found route, ok bool) {
	path, _, _ := strings.Cut(address, "?")
	for _, r := range routes {
		fits := path == r.pattern || r.pattern == "/console/{$}" && path == "/console/" || strings.Contains(r.pattern, "{") && r.pattern != "/console/{$}" && strings.HasPrefix(path, r.prefix()+"/")
		if r.method == method && fits && len(r.pattern) > len(found.pattern) {
			found, ok = r, true
		}
	}
	return found, ok
}

// Where the site's data are.
const (
	siteTree = "/_system/governance/apis"
	siteDoc  = siteTree + "/payments/openapi.yaml"
)

// siteFiles are contents of each kind that a page shows in its own way, below siteTree.
var siteFiles = map[string]string{
	"payments/fees.json":     `{"fees": [1, 2.5, true, null], "currency": "EUR"}`,
	"payments/notes.md":      "# Notes\n\nSome *words*, `code` and a [link](https://example.com/).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- two\n\n```json\n{\"a\": 1}\n```\n\n## More\n\n> quoted\n",
	"payments/order.xsd":     `<?xml version="1.0"?>` + "\n" + `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><!-- order --><xs:element name="order" type="xs:string"/></xs:schema>`,
	"payments/service.wsdl":  siteWSDL,
	"payments/logo.svg":      `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="30" fill="teal"/></svg>`,
	"payments/client.jar":    "PK\x03\x04\x00\xff\xfe binary",
	"payments/manual.pdf":    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
	"payments/empty.txt":     "",
	"payments/page.html":     "<!doctype html><title>x</title><h1>A page</h1>",
	"payments/settings.yaml": "a: 1\nb:\n  - c\n  - \"d\"\n# comment\n",
	"payments/run.sh":        "#!/bin/sh\nset -e\nfor x in 1 2; do echo \"$x\"; done # done\n",
	"orders/order.proto":     "syntax = \"proto3\";\nmessage Order { string id = 1; }\n",
	"orders/note.txt":        "of orders\n",
}

const siteOpenAPI = `openapi: 3.1.0
info: {title: Payments, version: 1.0.0, description: "Takes *payments*."}
servers: [{url: "https://pay.example/v1"}]
paths:
  /payments:
    get:
      summary: List payments
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses: {"200": {description: OK, content: {application/json: {schema: {$ref: "#/components/schemas/Payment"}}}}}
    post:
      summary: Pay
      deprecated: true
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Payment"}}}}
      responses: {"201": {description: Created}}
components: {schemas: {Payment: {type: object, required: [id], properties: {id: {type: string}, amount: {type: number}}}}}
`

const siteWSDL = `<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:pay" targetNamespace="urn:pay" name="Pay">
<message name="In"><part name="a" type="t:x"/></message><message name="Out"/>
<portType name="PayPort"><operation name="Pay"><documentation>Pays.</documentation><input message="t:In"/><output message="t:Out"/></operation></portType>
<binding name="PaySoap" type="t:PayPort"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/><operation name="Pay"><soap:operation soapAction="urn:pay"/></operation></binding>
<service name="Pay"><port name="PayPort" binding="t:PaySoap"><soap:address location="https://pay.example/soap"/></port></service>
</definitions>
`

// siteKeys are what the nodes of a site have in their configuration, so that it has all pages.
const siteKeys = "fetch_hosts: [files.localhost]\n"

// fillSite makes a site in which every page has something to show, with the console's own forms, and gives the administrator's visitor.
func fillSite(t *testing.T, c *e2e.Cluster) *e2e.Visitor {
	t.Helper()
	v := c.Visitor(false)
	v.SignIn("admin", e2e.AdminPassword)
	do := func(path string, pairs ...string) {
		t.Helper()
		if p := v.Post(path, pairs...); p.Status != http.StatusSeeOther && p.Status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, p.Status, alertOf(p))
		}
	}
	put(t, c, siteDoc, siteOpenAPI)
	put(t, c, siteDoc, strings.Replace(siteOpenAPI, "1.0.0", "1.1.0", 1))
	for name, content := range siteFiles {
		put(t, c, siteTree+"/"+name, content)
	}
	put(t, c, "/_system/config/gone.txt", "deleted")
	put(t, c, "/_system/config/kept.txt", "kept")
	do("/console/delete/_system/config/gone.txt")
	do("/console/new-collection/_system/config", "name", "empty")
	do("/console/new-link"+siteTree, "name", "pay", "target", siteDoc)
	do("/console/describe"+siteDoc, "description", "Payments API", "media_type", "application/yaml")
	do("/console/property"+siteDoc, "name", "owner", "value", "payments", "value", "team & more")
	do("/console/label"+siteDoc, "label", "prod", "version", "1", "do", "make")
	for _, p := range []string{siteDoc, siteTree, siteTree + "/payments"} {
		do("/console/tag"+p, "tags", "payments, new & shiny")
		do("/console/rate"+p, "rating", "4")
		do("/console/comment"+p, "text", "Is this final?\nReally?")
		do("/console/associate"+p, "type", "depends", "target", siteTree+"/payments/order.xsd")
		do("/console/associate"+p, "type", "docs", "target", "https://example.com/manual")
	}
	do("/console/checkpoint"+siteTree, "checkpoint", "v1", "comment", "as released", "do", "make")
	do("/console/checkpoint"+siteTree+"/payments", "checkpoint", "v1", "comment", "as released", "do", "make")
	do("/console/associate"+siteTree+"/payments/order.xsd", "type", "uses", "target", siteTree+"/payments/fees.json")
	do("/console/retention/_system/governance", "keep_last", "50", "keep_days", "30", "do", "set")
	do("/console/roles", "do", "create", "name", "keepers", "description", "They keep things", "grant", "view_server")
	for _, name := range []string{"ed", "rita"} {
		do("/console/users", "name", name, "password", e2e.AdminPassword, "full_name", strings.ToUpper(name), "email", name+"@example.org", "role", "keepers")
	}
	do("/console/permissions"+siteTree, "read:everyone", "allow", "write:keepers", "allow", "delete:keepers", "deny")
	do("/console/account/token", "name", "ci", "right", "read", "paths", "/_system/governance", "days", "30")
	do("/console/save-search", "q", "payments", "name", "About payments")
	do("/console/webhooks", "name", "to the chat", "url", "https://hooks.localhost/", "path", siteTree)
	return v
}

func put(t *testing.T, c *e2e.Cluster, path, content string) {
	t.Helper()
	a, err := c.ThroughELB().Do(t.Context(), "PUT", "/api/v1/content"+path, []byte(content))
	if err != nil || a.Status != 200 && a.Status != 201 {
		t.Fatalf("put %s: %v, status %d: %s", path, err, a.Status, a.Body)
	}
}

var tags = regexp.MustCompile(`<[^>]*>|\s+`)

// alertOf is what a page says in its main part, shortened.
func alertOf(p e2e.Page) string {
	_, main, _ := strings.Cut(string(p.Body), "<main")
	return fmt.Sprintf("%.500s", strings.Join(strings.Fields(tags.ReplaceAllString(main, " ")), " "))
}

// sitePages finds the pages of a site by themselves: every GET route with every sample path, and what they link to in a shape (route and names
// of parameters) not seen yet. It fails for a route of which it finds no page and which answers with nothing else (a file, a redirect) either.
func sitePages(t *testing.T, v *e2e.Visitor) []string {
	t.Helper()
	routes := consoleRoutes(t)
	var queue []string
	for _, r := range routes {
		switch {
		case r.method != http.MethodGet:
		case r.pattern == "/console/{$}":
			queue = append(queue, "/console/")
		case r.takesPath():
			queue = append(queue, r.prefix()+siteDoc, r.prefix()+siteTree+"/payments")
		case !strings.Contains(r.pattern, "{"):
			queue = append(queue, r.pattern)
		}
	}
	for name := range siteFiles {
		queue = append(queue, "/console/resource"+siteTree+"/"+name)
	}
	slices.Sort(queue) // siteFiles is a map
	for _, p := range []string{"", "_system", "_system/local", "_system/config", "_system/config/empty"} {
		queue = append(queue, "/console/browse/"+p)
	}
	queue = append(
		queue, "/console/permissions/", "/console/trash/_system/config", "/console/search?q=payments", "/console/search?q=nothing", "/console/search?q=tipe%3Awsdl",
		"/console/permissions"+siteDoc+"?user=rita&right=write", "/console/activity/_system/governance?user=admin&only=true&action=update", "/console/versions"+siteTree,
		"/console/browse/no/such", "/console/nonsense", "/console/sign-out", "/console/browse/a/../b", "/console/upload/", "/console/user?name=nobody",
	)
	var pages []string
	asked, shapes, answered := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		if asked[address] {
			continue
		}
		asked[address] = true
		r, known := routeOf(routes, http.MethodGet, address)
		shapes[shapeOf(r, address)] = true
		p := v.Get(address)
		if p.Status < 400 || p.Status == http.StatusBadRequest && strings.Contains(address, "?") {
			answered[r.pattern] = true
		}
		if p.Status >= 500 {
			t.Errorf("%s: status %d: %s", address, p.Status, alertOf(p))
		}
		if !p.IsPage() || p.Status >= 300 && p.Status < 400 || p.Header.Get("Content-Disposition") != "" {
			continue
		}
		if p.Status >= 400 && known { // one error page of each status is enough
			shape := fmt.Sprint("error ", p.Status)
			if shapes[shape] {
				continue
			}
			shapes[shape] = true
		}
		pages = append(pages, address)
		for _, next := range linksOf(t, p) {
			if r, ok := routeOf(routes, http.MethodGet, next); ok && !shapes[shapeOf(r, next)] {
				shapes[shapeOf(r, next)] = true
				queue = append(queue, next)
			}
		}
	}
	for _, r := range routes {
		if r.method == http.MethodGet && !answered[r.pattern] {
			t.Errorf("no page of GET %s was found: link to it from another page, or give it a sample here", r.pattern)
		}
	}
	return pages
}

// shapeOf is an address without what it is about: its route and the names of its parameters.
func shapeOf(r route, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Del("note")
	return r.pattern + "?" + strings.Join(slices.Sorted(func(yield func(string) bool) {
		for name := range q {
			if !yield(name) {
				return
			}
		}
	}), "&")
}

// linksOf are the addresses of the console that a page leads to.
func linksOf(t *testing.T, p e2e.Page) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(string(p.Body)))
	if err != nil {
		t.Fatalf("%s: %v", p.Path, err)
	}
	var links []string
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" && strings.HasPrefix(a.Val, "/console/") && !strings.HasPrefix(a.Val, "/console/static/") {
				address, _, _ := strings.Cut(a.Val, "#")
				links = append(links, address)
			}
		}
	}
	return links
}
