package texts_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

func TestOfTemplate(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]string{
		`<h1>Delete {{.Name}}?</h1>`:                        {"Delete {1}?"},
		`<button>{{icon "trash"}}Delete {{.Kind}}</button>`: {"Delete {1}"},
		`<p>  A
			long   one &amp; more </p>`: {"A long one & more"},
		`<p>It goes to <code class="x">{{.Path}}</code>, and stays.</p>`:               {"It goes to <1>{2}</1>, and stays."},
		`<a href="{{if .A}}x{{end}}" title="Go to {{.P}}">Open</a>`:                    {"Go to {1}", "Open"},
		`<p><a href="/a">One</a> <a href="/b">Two</a></p>`:                             {"One", "Two"},
		`<p>{{if .A}}Yes{{else}}No{{end}}, it is</p>`:                                  {"Yes", "No", ", it is"},
		`<p>Before <b>bold {{if .A}}x{{end}} end</b> after</p>`:                        {"Before", "bold", "x", "end", "after"},
		`{{/* no text */}}<!-- neither --><td>{{.A}} · {{.B}}</td><td>12 &gt;</td>`:    nil,
		`<input placeholder="Name &quot;it&quot;" value="kept" aria-label="The name">`: {`Name "it"`, "The name"},
		`<button data-confirm="Remove “{{.Name}}”?">{{say "Now"}}</button>`:            {"Remove “{1}”?", "Now"},
		`{{define "a"}}<p>{{"}}"}} in a string</p>{{end}}`:                             {"{1} in a string"},
		`<p>a { b</p>`: {"a { b"},
	} {
		got, _, err := texts.OfTemplate(source)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", source, err, diff)
		}
	}
	_, counted, err := texts.OfTemplate(`<p>{{plural .N "role" "roles"}} of {{plurals (len .All) "one" "many"}}</p>`)
	if diff := cmp.Diff([]texts.Counted{{One: "role", Many: "roles"}, {One: "one", Many: "many"}}, counted); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, broken := range []string{`<p>{{.A</p>`, `<a href="x`, `<p>{{/* never`} {
		if _, _, err := texts.OfTemplate(broken); err == nil {
			t.Errorf("%s: no error", broken)
		}
	}
}

// german says some of the console's texts, found where they are in the catalogue.
const german = `
language: de
texts:
  "Delete {1}?": "{1} löschen?"
  "It goes to the trash of <1>{2}</1>, and can be put back from there.": "Sie kommt <b> in den Papierkorb von <1>{2}</1> & kann zurück."
  "Sign in": "Anmelden"
  "Cancel": ""
  "of another version": "x"
counts:
  "role | roles": {one: "{n} Rolle", other: "{n} Rollen"}
`

func load(t *testing.T, text string) *texts.Catalogue {
	t.Helper()
	c, err := texts.Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCatalogue_Template(t *testing.T) {
	t.Parallel()
	c := load(t, german)
	source := `<h1>{{icon "x"}} Delete {{.Name}}? </h1><p title="Sign in">It goes to the trash of <code class="break">{{.P}}</code>, and
can be put back from there.</p><p>Cancel</p>`
	want := `<h1>{{icon "x"}} {{.Name}} löschen? </h1><p title="Anmelden">Sie kommt &lt;b&gt; in den Papierkorb von <code class="break">{{.P}}</code> &amp; kann zurück.</p><p>Cancel</p>`
	got, err := c.Template(source)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	var english *texts.Catalogue
	if got, err := english.Template(source); got != source || err != nil {
		t.Errorf("English is not as it is written: %s, %v", got, err)
	}
	if c.Language() != "de" || english.Language() != "en" || len(c.Unknown()) != 1 || len(c.Missing()) < 1000 || english.Missing() != nil {
		t.Errorf("%s: %d missing, unknown: %q", c.Language(), len(c.Missing()), c.Unknown())
	}
}

func TestCatalogue_Count(t *testing.T) {
	t.Parallel()
	polish := load(t, `{language: pl, counts: {"role | roles": {one: "{n} rola", few: "{n} role", many: "{n} ról", other: "{n} roli"}}}`)
	var english *texts.Catalogue
	for n, want := range map[int64][2]string{0: {"0 roles", "0 ról"}, 1: {"1 role", "1 rola"}, 3: {"3 roles", "3 role"}, 5: {"5 roles", "5 ról"}, 1022: {"1,022 roles", "1,022 role"}} {
		if got := [2]string{english.Count(n, "role", "roles"), polish.Count(n, "role", "roles")}; got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{-1: "-1 rola", 1_000_000_001: "1,000,000,001 ról", 1_000_000_003: "1,000,000,003 role"} {
		if got := polish.Count(n, "role", "roles"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := polish.Count(2, "user", "users"); got != "2 users" {
		t.Errorf("untranslated: %q", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := texts.Number(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestCatalogue_Script(t *testing.T) {
	t.Parallel()
	c := load(t, `{language: de, texts: {"Sign in": "An</script>melden"}}`)
	got := string(c.Script([]byte(`x(say("Sign in"), say("other", 1), essay("Sign in"))`)))
	if want := `x(say("An\u003c/script\u003emelden"), say("other", 1), essay("Sign in"))`; got != want {
		t.Errorf("got %s", got)
	}
}

// A translation that would break a page is refused, by the key and what is wrong with it.
func TestLoad_Refuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{language: "", texts: {}}`:    "language",
		`{language: de, words: {}}`:    "words",
		`{language: "not a language"}`: "language tag",
		`[]`:                           "no catalogue",
		`{language: de, texts: {"Delete {1}?": "löschen?"}}`:                           `"Delete {1}?": it has {1} 0 times`,
		`{language: de, texts: {"Delete {1}?": "{1} löschen {2}?"}}`:                   "it has {2}, which the English text has not",
		`{language: de, texts: {"you may not %s %s": "Zu 100 % %s %s"}}`:               "percent sign",
		`{language: pl, counts: {"role | roles": {one: "{n} rola", few: "{n} role"}}}`: "there is no text for other",
		`{language: de, counts: {"role | roles": {other: "Rollen"}}}`:                  "other has no {n}",
		`{language: de, texts: {"you may not %s %s": "%d %s"}}`:                        "%[1]s 0 times",
		`{language: de, texts: {"you may not %s %s": "nur %s"}}`:                       "%[2]s 0 times",
		`{language: de, texts: {"by <1>{2}</1>": "</1>von {2}<1>"}}`:                   "closes what is not open",
		`{language: de, texts: {"by <1>{2}</1>": "<1>von {2}"}}`:                       "is not closed",
		`{language: de, counts: {"role | roles": {some: "x", other: y}}}`:              `no plural category "some"`,
		`{language: de, counts: {"role | roles": {other: "{n} {n}"}}}`:                 "more than once",
	} {
		if _, err := texts.Load([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	c := load(t, `{language: de, texts: {"you may not %s %s": "%[2]s: %[1]s 100 %% nicht erlaubt", "Sign in": "100 % anmelden"}}`)
	if got := c.Say("you may not %s %s", "read", "/a"); got != "/a: read 100 % nicht erlaubt" {
		t.Errorf("got %q", got)
	}
	if got := c.Say("Sign in"); got != "100 % anmelden" {
		t.Errorf("got %q", got)
	}
}

// FuzzCatalogue_Template: whatever a source is, no panic; and what a catalogue says the same in is not touched.
func FuzzCatalogue_Template(f *testing.F) {
	for _, s := range []string{`<p>a {{.B}} <b>c</b></p>`, `{{if .A}}<a title="x{{.Y}}">z</a>{{end}}`, `<<b>>{{`, `</b></p>{x`} {
		f.Add(s)
	}
	c, err := texts.Load([]byte(`{language: de, texts: {"Cancel": "Nicht"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := c.Template(source)
		if err == nil && !strings.Contains(source, "Cancel") && got != source {
			t.Errorf("%q became %q", source, got)
		}
	})
}

// Words are words, whatever is in them: no markup, no action, no attribute.
func TestCatalogue_TemplateTakesNoMarkup(t *testing.T) {
	t.Parallel()
	c := load(t, `{language: de, texts: {"Cancel": "{{.Page}} <b> \" {", "Sign in": "x\" onclick=\"y {{"}}`)
	got, err := c.Template(`<p title="Sign in">Cancel{{if .A}}b{{end}}</p>`)
	const want = `<p title="x&#34; onclick=&#34;y &#123;&#123;">&#123;&#123;.Page}} &lt;b&gt; &#34; &#123;{{if .A}}b{{end}}</p>`
	if got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// A text with an attribute in it is none: it is a part of a tag that a template writes, where words could become anything.
func TestEnglish_HasNoAttributes(t *testing.T) {
	t.Parallel()
	if strings.Contains(string(texts.English), `=\"{`) {
		t.Error("a key of en.yaml has an attribute in it")
	}
}

func TestEnglish_IsACatalogue(t *testing.T) {
	t.Parallel()
	var f map[string]any
	if err := yaml.Unmarshal(texts.English, &f); err != nil {
		t.Fatal(err)
	}
	if c := load(t, string(texts.English)); len(c.Missing()) != 0 || len(c.Unknown()) != 0 {
		t.Errorf("%q missing, %q unknown", c.Missing(), c.Unknown())
	}
}
