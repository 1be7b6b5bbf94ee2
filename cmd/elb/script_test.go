package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regent-registry/regent/internal/elbd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"elb": func() { os.Exit(elbd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata/script"}) }
