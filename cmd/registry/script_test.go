package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regent-registry/regent/internal/registryd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"registry": func() { os.Exit(registryd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata/script"}) }
