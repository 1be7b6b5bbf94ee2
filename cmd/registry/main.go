// Command registry is a node of the governance registry, and the client with which people and scripts use one.
package main

import (
	"os"

	"github.com/regent-registry/regent/internal/registrycli"
	"github.com/regent-registry/regent/internal/registryd"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the command: a verb of the client, or else what a node does.
func run(args []string) int {
	if len(args) > 1 && args[0] == "help" && registrycli.Has(args[1]) {
		args = []string{args[1], "-h"}
	}
	if len(args) > 0 && registrycli.Has(args[0]) {
		return registrycli.Main(args, os.Environ(), registrycli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	}
	return registryd.Main(args, os.Environ(), os.Stdout, os.Stderr)
}
