// Command registry is a node of the governance registry.
package main

import (
	"os"

	"github.com/regent-registry/regent/internal/registryd"
)

func main() {
	os.Exit(registryd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
