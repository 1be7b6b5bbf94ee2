package httpapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v4"
)

//go:embed openapi.yaml
var apiYAML []byte

// apiDocument is the API's description (OpenAPI 3.1) as JSON, for the given version of the program.
func apiDocument(version string) []byte {
	var doc map[string]any
	if err := yaml.Unmarshal(apiYAML, &doc); err != nil {
		panic(fmt.Sprintf("the embedded openapi.yaml is broken: %v", err)) // a test reads it
	}
	if info, ok := doc["info"].(map[string]any); ok && version != "" {
		info["version"] = version
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(fmt.Sprintf("the embedded openapi.yaml is not JSON: %v", err))
	}
	return append(b, '\n')
}

// getDocument gives the API's description.
func (h *handler) getDocument(w http.ResponseWriter, _ *call) error {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(h.document) // who does not read it has gone
	return nil
}
