package main

import (
	"slices"
	"strings"
)

// Environments are lists of NAME=VALUE, as os.Environ gives them; of two entries of one name the last one counts.

// lookup reads a variable of an environment, "" when it is not set.
func lookup(environ []string, name string) (value string) {
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// with gives a new environment with more entries.
func with(environ []string, entries ...string) []string { return slices.Concat(environ, entries) }

// without gives a new environment that lacks a variable.
func without(environ []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, name+"=") })
}
