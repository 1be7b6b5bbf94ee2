package httpapi

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func loadDocument(t *testing.T) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader() // refuses references to other files
	doc, err := loader.LoadFromData(apiDocument("1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocument_IsValid(t *testing.T) {
	doc := loadDocument(t)
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "1.2.3" {
		t.Errorf("OpenAPI %s, version %s", doc.OpenAPI, doc.Info.Version)
	}
}

// Every route is described, and everything described is a route, down to the query parameters.
func TestDocument_AgreesWithTheRoutes(t *testing.T) {
	described := map[string][]string{}
	for url, item := range loadDocument(t).Paths.Map() {
		for method, op := range item.Operations() {
			query := []string{}
			for _, p := range op.Parameters {
				if p.Value.In == "query" {
					query = append(query, p.Value.Name)
				}
			}
			described[method+" "+url] = query
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) == 0 {
				t.Errorf("%s %s lacks an operationId, summary or tag", method, url)
			}
			if strings.HasSuffix(url, "{path}") && item.Parameters.GetByInAndName("path", "path") == nil {
				t.Errorf("%s lacks the path parameter", url)
			}
		}
	}
	for _, r := range tableOnly().routes {
		name := r.method + " " + r.url
		query, ok := described[name]
		if !ok {
			t.Errorf("%s is a route that openapi.yaml lacks", name)
			continue
		}
		slices.Sort(query)
		want := slices.Sorted(slices.Values(r.query))
		if !slices.Equal(query, want) {
			t.Errorf("%s knows the query parameters %q; openapi.yaml says %q", name, want, query)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s is in openapi.yaml and is no route", name)
	}
}
