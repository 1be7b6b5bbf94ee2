// Package texts is the catalogue of what the console says. Texts stand in English where they are used, which is what a reader of the code wants: in
// templates as they are, in Go as the formats of [Catalogue.Say], [Catalogue.Count] and of registry.Errorf, in scripts as those of say(…). en.yaml
// has all of them in one place, collected by package collect; a translation is a copy of it with other words behind the same keys.
//
// A text of a template has {1} where a value comes, and <1>…</1> around what an element encloses. A format has the verbs of package fmt, which a
// translation may put into another order ("%[2]s … %[1]s"). A text that is counted has a form for each of the language's plural categories
// (CLDR: zero, one, two, few, many, other), with {n} where the number comes.
package texts

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:generate go run ./collect

// English is the catalogue as it is written, in YAML: where translations begin.
//
//go:embed en.yaml
var English []byte

// Catalogue is the console's texts in a language. A nil one is English. Safe for concurrent use.
type Catalogue struct {
	tag     language.Tag
	missing []string
	unknown []string
	texts   map[string]string
	counts  map[string]map[plural.Form]string
}

// file is how a catalogue is written.
type file struct {
	Language string                       `yaml:"language"`
	Texts    map[string]string            `yaml:"texts"`
	Counts   map[string]map[string]string `yaml:"counts"`
}

var forms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other,
}

// Load reads a translation. A text that is missing or empty stays English. The error names each key whose text lacks something that the English one
// has, or has more.
func Load(data []byte) (*Catalogue, error) {
	english, err := read(English)
	if err != nil {
		return nil, fmt.Errorf("texts: en.yaml: %w", err)
	}
	f, err := read(data)
	if err != nil {
		return nil, err
	}
	tag, err := language.Parse(f.Language)
	if err != nil || f.Language == "" {
		return nil, fmt.Errorf("language is %q; it must be a language tag like de or pt-BR", f.Language)
	}
	c := &Catalogue{tag: tag, texts: map[string]string{}, counts: map[string]map[plural.Form]string{}}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(f.Texts)) {
		text := f.Texts[key]
		switch _, known := english.Texts[key]; {
		case text == "":
		case !known:
			c.unknown = append(c.unknown, key)
		default:
			if err := matches(key, text); err != nil {
				faults = append(faults, fmt.Errorf("texts: %q: %w", key, err))
			}
			c.texts[key] = text
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Counts)) {
		if _, known := english.Counts[key]; !known {
			c.unknown = append(c.unknown, key)
			continue
		}
		c.counts[key] = map[plural.Form]string{}
		for name, text := range f.Counts[key] {
			form, known := forms[name]
			switch {
			case !known:
				faults = append(faults, fmt.Errorf("counts: %q: there is no plural category %q; the categories are zero, one, two, few, many and other", key, name))
			case text == "":
			case strings.Count(text, numberMark) > 1:
				faults = append(faults, fmt.Errorf("counts: %q: %s has %s more than once", key, name, numberMark))
			case form == plural.Other && !strings.Contains(text, numberMark):
				faults = append(faults, fmt.Errorf("counts: %q: other has no %s, where the number comes", key, numberMark))
			default:
				c.counts[key][form] = text
			}
		}
		switch of := c.counts[key]; {
		case len(of) == 0:
			delete(c.counts, key)
		case of[plural.Other] == "":
			faults = append(faults, fmt.Errorf("counts: %q: there is no text for other, which stands for the categories without one", key))
		}
	}
	for _, key := range slices.Concat(slices.Sorted(maps.Keys(english.Texts)), slices.Sorted(maps.Keys(english.Counts))) {
		if c.texts[key] == "" && c.counts[key] == nil {
			c.missing = append(c.missing, key)
		}
	}
	return c, errors.Join(faults...)
}

func read(data []byte) (f file, err error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return file{}, fmt.Errorf("it is no catalogue: %w", err)
	}
	return f, nil
}

// Missing are the keys of the texts that stay English.
func (c *Catalogue) Missing() []string {
	if c == nil {
		return nil
	}
	return c.missing
}

// Unknown are the keys that no text of the console has, as those of another version.
func (c *Catalogue) Unknown() []string {
	if c == nil {
		return nil
	}
	return c.unknown
}

// Language is the language tag (BCP 47), as pages name it.
func (c *Catalogue) Language() string {
	if c == nil {
		return "en"
	}
	return c.tag.String()
}

// Text is the translation of a text, itself when there is none.
func (c *Catalogue) Text(english string) string {
	if c != nil {
		if text, ok := c.texts[english]; ok {
			return text
		}
	}
	return english
}

// Say is fmt.Sprintf in the language. Without args the format is the text itself.
func (c *Catalogue) Say(format string, args ...any) string {
	text := c.Text(format)
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// numberMark stands where the number of a counted text comes.
const numberMark = "{n}"

// Counted is what is counted, as English has it: "role", "roles".
type Counted struct{ One, Many string }

// Count is a number with what it counts: "1 role", "2,000 roles".
func (c *Catalogue) Count(n int64, one, many string) string {
	text := many
	if n == 1 {
		text = one
	}
	text = numberMark + " " + text
	if c != nil {
		if own := c.counts[CountKey(one, many)]; own != nil {
			text = own[plural.Other]
			if form, ok := own[plural.Cardinal.MatchPlural(c.tag, lastDigits(n), 0, 0, 0, 0)]; ok {
				text = form
			}
		}
	}
	return strings.Replace(text, numberMark, Number(n), 1)
}

// lastDigits is what the rules of plural need of a number: its last digits, and that it has more.
func lastDigits(n int64) int {
	if n < 0 {
		n = -n
	}
	if n >= 1e9 {
		n = n%1e6 + 1e6
	}
	return int(n)
}

// CountKey is the key of a counted text.
func CountKey(one, many string) string { return one + " | " + many }

// Number writes a number with its thousands apart.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
