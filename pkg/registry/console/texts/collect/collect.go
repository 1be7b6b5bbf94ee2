package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// catalogue is a catalogue that is being collected. Each text stands where it came first.
type catalogue struct {
	texts  []entry
	counts []entry
	known  map[string]bool
}

type entry struct{ from, key, one, many string }

func (c *catalogue) add(from, text string) {
	if c.known == nil {
		c.known = map[string]bool{}
	}
	if text != "" && !c.known[text] {
		c.known[text] = true
		c.texts = append(c.texts, entry{from: from, key: text})
	}
}

func (c *catalogue) addCount(from, one, many string) {
	key := texts.CountKey(one, many)
	if !slices.ContainsFunc(c.counts, func(e entry) bool { return e.key == key }) {
		c.counts = append(c.counts, entry{from, key, one, many})
	}
}

// files collects from all files of a folder and below: Go without tests, templates (.html) and scripts (.js).
func (c *catalogue) files(files fs.FS, skip func(name string) bool) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skip != nil && skip(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		switch path.Ext(name) {
		case ".go":
			err = c.fromGo(name, source)
		case ".html":
			err = c.fromTemplate(name, string(source))
		case ".js":
			err = c.fromScript(name, source)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func (c *catalogue) fromTemplate(name, source string) error {
	list, counted, err := texts.OfTemplate(source)
	for _, text := range list {
		c.add(name, text)
	}
	for _, one := range counted {
		c.addCount(name, one.One, one.Many)
	}
	return err
}

func (c *catalogue) fromScript(name string, source []byte) error {
	list, err := texts.OfScript(source)
	for _, text := range list {
		c.add(name, text)
	}
	return err
}

// formats says which argument of a function is a text, by the function's name.
var formats = map[string]int{"Say": 0, "say": 0, "mark": 0, "because": 0, "Errorf": 1}

func (c *catalogue) fromGo(name string, source []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			c.fromCall(name, n)
		case *ast.CompositeLit:
			c.fromError(name, n)
		}
		return true
	})
	return nil
}

func (c *catalogue) fromCall(name string, call *ast.CallExpr) {
	called := calledName(call.Fun)
	if called == "Count" || called == "count" || called == "counted" {
		at := len(call.Args) - 2
		if at < 0 {
			return
		}
		one, ok1 := literal(call.Args[at])
		many, ok2 := literal(call.Args[at+1])
		if ok1 && ok2 {
			c.addCount(name, one, many)
		}
		return
	}
	at, ok := formats[called]
	if !ok || len(call.Args) <= at || called == "Errorf" && strings.HasPrefix(exprName(call.Fun), "fmt.") {
		return
	}
	if text, ok := literal(call.Args[at]); ok {
		c.add(name, text)
	}
}

// fromError takes the message of an Error that is written as a literal.
func (c *catalogue) fromError(name string, lit *ast.CompositeLit) {
	if called := exprName(lit.Type); called != "Error" && called != "registry.Error" {
		return
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Message" {
			if text, ok := literal(kv.Value); ok {
				c.add(name, text)
			}
		}
	}
}

// literal is the value of a string that is written out, also in several parts.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok1 := literal(e.X)
		right, ok2 := literal(e.Y)
		return left + right, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

func calledName(e ast.Expr) string {
	_, last, found := strings.Cut(exprName(e), ".")
	if !found {
		return exprName(e)
	}
	return last[strings.LastIndex(last, ".")+1:]
}

func exprName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprName(e.X) + "." + e.Sel.Name
	}
	return ""
}

// yaml writes the catalogue.
func (c *catalogue) yaml() []byte {
	var b strings.Builder
	b.WriteString("# The texts of Regent's console. A translation is a copy of this file with another language tag and other words behind the same keys;\n" +
		"# what it leaves out stays English. Collected from the code by `go generate ./pkg/registry/console/texts`: do not edit.\n" +
		"language: en\ntexts:\n")
	write := func(entries []entry, one func(e entry)) {
		from := ""
		for _, e := range entries {
			if e.from != from {
				from = e.from
				b.WriteString("  # " + from + "\n")
			}
			one(e)
		}
	}
	write(c.texts, func(e entry) { fmt.Fprintf(&b, "  %s: %s\n", quote(e.key), quote(e.key)) })
	b.WriteString("counts:\n")
	write(c.counts, func(e entry) {
		fmt.Fprintf(&b, "  %s: {one: %s, other: %s}\n", quote(e.key), quote("{n} "+e.one), quote("{n} "+e.many))
	})
	return []byte(b.String())
}

// quote writes a string as YAML has it in double quotes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "\u00a0", `\_`).Replace(s) + `"`
}
