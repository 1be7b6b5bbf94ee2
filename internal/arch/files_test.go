package arch_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxCodeLines = 400
	maxTestLines = 700
)

func TestPackages_SayWhatTheyAre(t *testing.T) {
	for _, p := range load(t).ours {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment: say what it is for, its invariants and how it fails", p.name)
		}
	}
}

func TestMigrations_ArePaired(t *testing.T) {
	root := load(t).root
	if mysql, sqlite := names(t, root, "mysql"), names(t, root, "sqlite"); !slices.Equal(mysql, sqlite) {
		t.Errorf("migrations/mysql has %v\nmigrations/sqlite has %v\nboth dialects must have the same steps, or a store cannot move", mysql, sqlite)
	}
}

func names(t *testing.T, root, dialect string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "migrations", dialect, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("migrations/%s has no step", dialect)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	return files
}

func TestFiles_AreShortEnoughToRead(t *testing.T) {
	eachFile(t, []string{".go"}, func(file string, text []byte) {
		limit := maxCodeLines
		if strings.HasSuffix(file, "_test.go") {
			limit = maxTestLines
		}
		if n := bytes.Count(text, []byte("\n")); n > limit {
			t.Errorf("%s has %d lines; %d is the limit: give a part of it a file and a name", file, n, limit)
		}
	})
}

// TestFiles_PromiseNothing finds marks of unfinished work and paths that only one machine has.
func TestFiles_PromiseNothing(t *testing.T) {
	forbidden := map[string]string{ // written in halves, so that this file is clean
		"TO" + "DO":            "unfinished work belongs into an issue",
		"FIX" + "ME":           "unfinished work belongs into an issue",
		"/ho" + "me/":          "a path of one machine",
		"/ro" + "ot/":          "a path of one machine",
		"not " + "implemented": "what exists, works; what does not, is not there",
	}
	eachFile(t, []string{".go", ".sql", ".yaml", ".html", ".sh", ".md", "Makefile", "run", "deps"}, func(file string, text []byte) {
		for mark, why := range forbidden {
			if before, _, ok := bytes.Cut(text, []byte(mark)); ok {
				t.Errorf("%s:%d: %q: %s", file, 1+bytes.Count(before, []byte("\n")), mark, why)
			}
		}
	})
}

// TestTests_SleepOnlyInABubble: a sleep in real time is a test that is slow, or fails on a busy machine, or both.
func TestTests_SleepOnlyInABubble(t *testing.T) {
	sleep := []byte("time." + "Sleep(")
	eachFile(t, []string{"_test.go"}, func(file string, text []byte) {
		if bytes.Contains(text, sleep) && !bytes.Contains(text, []byte(`"testing/synctest"`)) {
			t.Errorf("%s sleeps outside of testing/synctest: wait for an event, with a limit", file)
		}
	})
}

// TestTests_SkipOnlyWithAReasonThatCICanForbid: a test that skips because something is missing would pass for ever on a machine that lost it.
func TestTests_SkipOnlyWithAReasonThatCICanForbid(t *testing.T) {
	eachFile(t, []string{".go"}, func(file string, text []byte) {
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			for _, skip := range silentSkips(f, text, set) {
				t.Errorf("%s:%d: %s skips, and neither testing.Short() nor REGISTRY_TEST_REQUIRE decides on that in this function", file, skip, f.Name.Name)
			}
		}
	})
}

// silentSkips gives the lines of calls of Skip, Skipf and SkipNow in f when f looks neither at testing.Short nor at REGISTRY_TEST_REQUIRE.
func silentSkips(f *ast.FuncDecl, text []byte, set *token.FileSet) []int {
	var lines []int
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
			lines = append(lines, set.Position(call.Pos()).Line)
		}
		return true
	})
	body := text[set.Position(f.Body.Pos()).Offset:set.Position(f.Body.End()).Offset]
	decisions := []string{
		"testing.Short()",
		"REGISTRY_TEST_REQUIRE",
		"Private == nil",   // somebody named a server of their own, which a test must not stop
		"only a child of ", // the body of a process that another test starts
	}
	for _, d := range decisions {
		if bytes.Contains(body, []byte(d)) {
			return nil
		}
	}
	return lines
}

func TestSilentSkips_AreSeen(t *testing.T) {
	cases := map[string]int{
		`func a(t *testing.T) { t.Skip("no server") }`:                                      1,
		`func a(t *testing.T) { if x { t.SkipNow() }; t.Skipf("%d", 1) }`:                   2,
		`func a(t *testing.T) { if testing.Short() { t.Skip("slow") } }`:                    0,
		`func a(t *testing.T) { if os.Getenv("REGISTRY_TEST_REQUIRE") == "" { t.Skip() } }`: 0,
		`func a(t *testing.T) { t.Log("Skip") }`:                                            0,
	}
	for code, want := range cases {
		text := "package p\n" + code
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, "x.go", text, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := silentSkips(tree.Decls[0].(*ast.FuncDecl), []byte(text), set); len(got) != want {
			t.Errorf("%s: %d found, want %d", code, len(got), want)
		}
	}
}

// eachFile calls do for every file of the source tree whose name ends in one of the endings. Names are relative to the root.
func eachFile(t *testing.T, endings []string, do func(file string, text []byte)) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "run", "bin", "artifacts", "node_modules"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) }) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		do(name, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no file was looked at")
	}
}
