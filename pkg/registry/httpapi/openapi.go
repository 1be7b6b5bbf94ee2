package httpapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi.yaml
var apiYAML []byte

// apiExamples are bodies by operation and by what they are: "takes", or the status that they came with. The tests hold them against the schemas, and
// take those that are missing from live answers when they run with -update.
//
//go:embed openapi_examples.json
var apiExamples []byte

// apiDocument is the API's description (OpenAPI 3.1) as JSON, for the given version of the program.
func apiDocument(version string) []byte {
	var doc map[string]any
	if err := yaml.Unmarshal(apiYAML, &doc); err != nil {
		panic(fmt.Sprintf("the embedded openapi.yaml is broken: %v", err)) // a test reads it
	}
	if info, ok := doc["info"].(map[string]any); ok && version != "" {
		info["version"] = version
	}
	addExamples(doc)
	b, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("the embedded openapi.yaml is not JSON: %v", err))
	}
	return append(b, '\n')
}

// addExamples puts the examples to the JSON bodies of the description that have none.
func addExamples(doc map[string]any) {
	var examples map[string]map[string]any
	if err := json.Unmarshal(apiExamples, &examples); err != nil {
		panic(fmt.Sprintf("the embedded openapi_examples.json is broken: %v", err))
	}
	for _, item := range object(doc["paths"]) {
		for _, op := range object(item) {
			id, _ := object(op)["operationId"].(string)
			for where, example := range examples[id] {
				if where == "takes" {
					showExample(object(object(op)["requestBody"]), example)
					continue
				}
				responses := object(object(op)["responses"])
				body := object(responses[where])
				if ref, ok := body["$ref"].(string); ok { // an answer that operations share gets a copy for this one
					shared := object(object(object(doc["components"])["responses"])[strings.TrimPrefix(ref, "#/components/responses/")])
					body = maps.Clone(shared)
					content := maps.Clone(object(shared["content"]))
					for kind, media := range content {
						content[kind] = maps.Clone(object(media))
					}
					body["content"] = content
					responses[where] = body
				}
				showExample(body, example)
			}
		}
	}
}

// showExample puts an example to the JSON of a body that has none.
func showExample(body map[string]any, example any) {
	for kind, media := range object(body["content"]) {
		m := object(media)
		if strings.HasSuffix(kind, "json") && m["example"] == nil && m["examples"] == nil {
			m["example"] = example
		}
	}
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// getDocument gives the API's description.
func (h *handler) getDocument(w http.ResponseWriter, _ *call) error {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(h.document) // who does not read it has gone
	return nil
}
