package elbd

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIsEvent_KnowsMessagesThatAreLogged: events are chosen by what the records of other packages say, so that one that is worded anew would silently be
// none any more.
func TestIsEvent_KnowsMessagesThatAreLogged(t *testing.T) {
	t.Parallel()
	const chooser = "events.go"
	file, err := parser.ParseFile(token.NewFileSet(), chooser, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	unsaid := map[string]bool{} // literals as they stand in the source
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "isEvent" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				unsaid[l.Value] = true
			}
			return true
		})
	}
	if len(unsaid) == 0 {
		t.Fatal("isEvent chooses nothing")
	}
	for _, dir := range []string{"..", filepath.Join("..", "..", "pkg")} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Base(path) == chooser {
				return err
			}
			text, err := os.ReadFile(path)
			for message := range unsaid {
				if bytes.Contains(text, []byte(message)) {
					delete(unsaid, message)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for message := range unsaid {
		t.Errorf("nobody logs %s", message)
	}
}
