package console_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry/console"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// brackets is a language in which everything is said as in English, between ⟦ and ⟧. What stands outside of them on a page came by no catalogue.
func brackets(t *testing.T) *texts.Catalogue {
	t.Helper()
	var file struct {
		Language string                       `yaml:"language"`
		Texts    map[string]string            `yaml:"texts"`
		Counts   map[string]map[string]string `yaml:"counts"`
	}
	must(t, yaml.Unmarshal(texts.English, &file))
	file.Language = "en-x-bracket"
	for key, text := range file.Texts {
		file.Texts[key] = "⟦" + text + "⟧"
	}
	for _, forms := range file.Counts {
		for form, text := range forms {
			forms[form] = "⟦" + text + "⟧"
		}
	}
	data, err := yaml.Marshal(file)
	must(t, err)
	c, err := texts.Load(data)
	must(t, err)
	return c
}

// Everything that pages say is in the catalogue, but for data. testdata/unsaid.txt has what the pages of everyPage show besides: names, paths, contents
// and addresses. A text in it is one that was forgotten.
func TestTexts_AllAreInTheCatalogue(t *testing.T) {
	s := newSite(t, func(c *console.Config) { c.Texts = brackets(t) })
	unsaid := map[string]bool{}
	for _, p := range everyPage(t, s) {
		if p.name == "" {
			continue
		}
		if !strings.Contains(p.reply.body, `<html lang="en-x-bracket"`) {
			t.Errorf("%s does not name its language", p.name)
		}
		for _, text := range outside(p.reply.doc()) {
			for _, v := range volatile {
				text = v.pattern.ReplaceAllString(text, v.with)
			}
			unsaid[text] = true
		}
	}
	var list []string
	for text := range unsaid {
		list = append(list, text)
	}
	slices.Sort(list)
	got := strings.Join(list, "\n") + "\n"
	const file = "testdata/unsaid.txt"
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	known := strings.Split(string(want), "\n")
	english := englishTexts(t)
	for _, text := range list {
		switch _, said := english[text]; {
		case !slices.Contains(known, text):
			t.Errorf("%q is shown, and not in the catalogue", text)
		case said && !slices.Contains(dataThatIsSaid, text):
			t.Errorf("%q is in the catalogue, and shown past it", text)
		}
	}
}

// dataThatIsSaid is what everyPage has as a name, and the console as a text.
var dataThatIsSaid = []string{"/_system/governance", "empty", "first", "shared"}

func englishTexts(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Texts map[string]string `yaml:"texts"`
	}
	must(t, yaml.Unmarshal(texts.English, &file))
	return file.Texts
}

// spoken are the attributes that say something to people.
var spoken = map[string]bool{"title": true, "placeholder": true, "aria-label": true, "alt": true, "data-confirm": true}

// outside lists what a page shows outside of brackets.
func outside(page *html.Node) []string {
	var list []string
	depth := 0
	tell := func(text string, depth int) int {
		var b strings.Builder
		for _, r := range text {
			switch {
			case r == '⟦':
				depth++
			case r == '⟧':
				depth--
			case depth == 0:
				b.WriteRune(r)
			}
		}
		if left := strings.Join(strings.Fields(b.String()), " "); strings.IndexFunc(left, unicode.IsLetter) >= 0 {
			list = append(list, left)
		}
		return depth
	}
	for n := range page.Descendants() {
		switch {
		case n.Type == html.TextNode && n.Parent.Data != "pre" && n.Parent.Data != "textarea" && n.Parent.Data != "code":
			depth = tell(n.Data, depth)
		case n.Type == html.ElementNode:
			for _, a := range n.Attr {
				if spoken[a.Key] {
					tell(a.Val, 0)
				}
			}
		}
	}
	return list
}
