package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/regent-registry/regent"

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath  string
	Dir         string
	Doc         string
	Standard    bool
	GoFiles     []string
	Imports     []string
	Deps        []string
	TestGoFiles []string
	name        string // ImportPath without the module's path
}

// world is all packages of the module and all they reach.
type world struct {
	root     string
	packages map[string]*pkg
	ours     []*pkg
}

// load asks the go command; tests of this package share nothing, since it answers in half a second.
func load(t *testing.T) *world {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// Without -pgo=off, what a program with a profile links has names of its own, which no rule knows.
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-pgo=off", "-json=ImportPath,Dir,Doc,Standard,GoFiles,Imports,Deps,TestGoFiles", "./...")
	cmd.Dir = root
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("go list: %v\n%s", err, &complaint)
	}
	w := &world{root: root, packages: map[string]*pkg{}}
	for dec := json.NewDecoder(&out); ; {
		p := &pkg{}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.name = strings.TrimPrefix(p.ImportPath, module+"/")
		w.packages[p.ImportPath] = p
		if p.name != p.ImportPath {
			w.ours = append(w.ours, p)
		}
	}
	if len(w.ours) == 0 {
		t.Fatal("go list found no package of the module")
	}
	return w
}
