package main

import (
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/freeport"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"elb": func() { os.Exit(elbd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			ports, err := freeport.PickN(2)
			if err != nil {
				return err
			}
			env.Setenv("GROUP_PORT", strconv.Itoa(ports[0]))
			env.Setenv("ADMIN_PORT", strconv.Itoa(ports[1]))
			return nil
		},
	})
}
