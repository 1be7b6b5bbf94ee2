package document_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/console/document"
)

func load(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// dump writes a value in one line.
func dump(v *document.Value) string {
	switch v.Kind {
	case document.Null:
		return "null"
	case document.Text:
		return fmt.Sprintf("%q", v.Text)
	case document.Literal:
		return v.Text
	case document.List:
		var parts []string
		for _, item := range v.Values {
			parts = append(parts, dump(item))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case document.Map:
		var parts []string
		for i, item := range v.Values {
			parts = append(parts, v.Keys[i]+":"+dump(item))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "?"
}

func TestParse_ReadsValues(t *testing.T) {
	for _, c := range []struct {
		name  string
		parse func([]byte) (*document.Value, error)
		text  string
		want  string
	}{
		{"json", document.ParseJSON, `{"a": [1, 2.50, true, null, "x\ud83d\ude00"], "b": {}}`, `{a:[1 2.50 true null "x😀"] b:{}}`},
		{"json with a mark at its start", document.ParseJSON, "\uFEFF[1]", `[1]`},
		{"json keeps a key that comes twice", document.ParseJSON, `{"a": 1, "a": 2}`, `{a:1 a:2}`},
		{"yaml", document.ParseYAML, "a: [1, 'x', ~]\nb: {c: yes}\n200: ok\n", `{a:[1 "x" null] b:{c:"yes"} 200:"ok"}`},
		{"yaml of several documents", document.ParseYAML, "a: 1\n---\nb: 2\n", `[{a:1} {b:2}]`},
		{"yaml aliases", document.ParseYAML, "a: &x {y: 1}\nb: *x\n", `{a:{y:1} b:{y:1}}`},
		{"yaml merge, own keys first", document.ParseYAML, "a: &x {y: 1, z: 2}\nb: {<<: *x, y: 3}\n", `{a:{y:1 z:2} b:{y:3 z:2}}`},
		{"nothing", document.ParseYAML, "# only a comment\n", `null`},
	} {
		v, err := c.parse([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := dump(v); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestParse_TellsLinesOfValues(t *testing.T) {
	for name, parse := range map[string]func([]byte) (*document.Value, error){"json": document.ParseJSON, "yaml": document.ParseYAML} {
		v, err := parse([]byte("{\n \"a\": 1,\n \"b\": {\n  \"c\": true\n }\n}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := []int{v.Line, v.Get("a").Line, v.Get("b").Line, v.Get("b").Get("c").Line}; fmt.Sprint(got) != "[1 2 3 4]" {
			t.Errorf("%s: lines %v", name, got)
		}
	}
}

func TestParse_RefusesWithTheLine(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c <= 'i'; c++ {
		fmt.Fprintf(&bomb, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for _, c := range []struct {
		name, format, text string
		line               int
		want               string
	}{
		{"json that ends early", "json", "{\n\"a\": [1,\n", 3, "ends too early"},
		{"no json", "json", "{\n\"a\": nonsense}", 2, "invalid character"},
		{"json and more", "json", "{}\n\nx", 3, "it is no JSON"},
		{"json twice", "json", "{}\n{}", 2, "more after"},
		{"deep json", "json", strings.Repeat("[", 5000), 1, "deeper than 100"},
		{"many parts", "json", "[" + strings.Repeat("1,", document.MaxParts) + "1]", 1, "more than 200000 parts"},
		{"no yaml", "yaml", "a: 1\nb: [\n", 3, "it is no YAML"},
		{"tab", "yaml", "a:\n\t- b\n", 2, "it is no YAML"},
		{"deep yaml", "yaml", strings.Repeat("[", 200) + strings.Repeat("]", 200), 1, "deeper than 100"},
		{"xml of two", "xml", "<a/>\n<b/>", 2, "second element"},
		{"xml not closed", "xml", "<a>\n<b></b>\n", 3, "<a> is not closed"},
		{"xml closed wrong", "xml", "<a>\n</b>", 2, "</b> closes what is not open"},
		{"no xml", "xml", "a: b", 1, "no element"},
		{"xml broken", "xml", "<a>\n<b x=y/></a>", 2, "it is no XML"},
		{"xml deep", "xml", strings.Repeat("<a>", 5000), 1, "deeper than 100"},
		{"an entity of its own", "xml", "<!DOCTYPE a [\n<!ENTITY x \"boom\">\n]>\n<a>&x;</a>", 4, "invalid character entity &x;"},
		{"an entity of a file", "xml", "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<a>&x;</a>", 2, "invalid character entity &x;"},
		{"namespaces", "xml", "<a" + manyNamespaces(1000) + "/>", 1, "too many namespaces"},
	} {
		var err error
		switch c.format {
		case "json":
			_, err = document.ParseJSON([]byte(c.text))
		case "yaml":
			_, err = document.ParseYAML([]byte(c.text))
		case "xml":
			_, err = document.ParseXML([]byte(c.text))
		}
		e, ok := errors.AsType[*document.Error](err)
		if !ok || e.Line != c.line || !strings.Contains(e.Message, c.want) {
			t.Errorf("%s: %v; want line %d with %q", c.name, err, c.line, c.want)
		}
	}
	// Aliases of aliases stay aliases; a tree of them has its bound.
	v, err := document.ParseYAML([]byte(bomb.String()))
	if err != nil {
		t.Logf("the bomb is refused: %v", err)
		return
	}
	if n := branches(document.Tree(v)); n > document.MaxBranches+1 {
		t.Errorf("a tree of %d branches", n)
	}
}

func manyNamespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " xmlns:n%d='u'", i)
	}
	return b.String()
}

func branches(b *document.Branch) int {
	n := 1
	for _, c := range b.Children {
		n += branches(c)
	}
	return n
}

func TestTree_ShowsTheBeginningAndCountsTheRest(t *testing.T) {
	v, err := document.ParseJSON([]byte(`{"a": "` + strings.Repeat("ä", 1000) + `", "b": [` + strings.Repeat("1,", 9999) + `1], "c": null}`))
	if err != nil {
		t.Fatal(err)
	}
	tree := document.Tree(v)
	if tree.Kind != "map" || tree.Count != 3 || tree.Left() != 0 || !tree.Open {
		t.Errorf("top: %+v", *tree)
	}
	if got := tree.Children[0]; got.Name != "a" || got.Value != strings.Repeat("ä", 300)+"…" {
		t.Errorf("a: %+v", *got)
	}
	if got := tree.Children[1]; got.Count != 10000 || len(got.Children) != 500 || got.Left() != 9500 {
		t.Errorf("b shows %d of %d", len(got.Children), got.Count)
	}
	e, err := document.ParseXML([]byte("<?xml version='1.0' encoding='iso-8859-1'?><x:a xmlns:x='u' k='v'>\n some <b>text&amp;</b> more <!-- c --></x:a>"))
	if err != nil {
		t.Fatal(err)
	}
	tree = document.ElementTree(e)
	if tree.Name != "x:a" || len(tree.Children) != 3 || tree.Children[0].Kind != "attribute" || tree.Children[1].Value != "some more" || tree.Children[2].Value != "text&" {
		t.Errorf("xml: %+v", tree)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"orders.yaml", "petshop.json", "shop.wsdl", "shop20.wsdl", "orders.xsd", "policy.xml"} {
		f.Add(load(f, name))
	}
	f.Add([]byte("<a xmlns='u'>x<b/></a>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return
		}
		for _, parse := range []func([]byte) (*document.Value, error){document.ParseJSON, document.ParseYAML} {
			v, err := parse(text)
			if err != nil {
				continue
			}
			if n := branches(document.Tree(v)); n > document.MaxBranches+1 {
				t.Errorf("a tree of %d branches", n)
			}
			document.ReadAPI(v, plain)
		}
		if e, err := document.ParseXML(text); err == nil {
			document.ElementTree(e)
			document.ReadWSDL(e)
			document.ReadXSD(e)
			document.ReadPolicy(e)
		}
	})
}
