// Command collect gathers the texts of the console from where they stand in the code, into the catalogue that translations begin with: en.yaml beside
// this folder, by go generate.
package main

import (
	"log"
	"os"
	"strings"
)

const (
	root          = "../.." // pkg/registry, from package texts
	catalogueFile = "en.yaml"
)

func main() {
	text, err := collected(root)
	if err == nil {
		err = os.WriteFile(catalogueFile, text, 0o644) //nolint:gosec // source code
	}
	if err != nil {
		log.Fatal("collect: ", err)
	}
}

// collected is the catalogue of pkg/registry.
func collected(root string) ([]byte, error) {
	var c catalogue
	err := c.files(os.DirFS(root), func(name string) bool {
		return name == "httpapi" || name == "registrytest" || name == "client" || name == "console/editor" || name == "console/texts" || strings.HasSuffix(name, "/testdata") ||
			strings.HasPrefix(name, "console/static/editor")
	})
	return c.yaml(), err
}
