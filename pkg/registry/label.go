package registry

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Label is a name that points at one version of a resource, and may be moved to another: "prod" -> version 7.
type Label struct {
	Resource ID
	Name     string
	Version  int64
	SetAt    time.Time
	SetBy    string
	Seq      Seq // the change that set it
}

// ETag is the strong entity tag of what the label says, with its quotes.
func (l Label) ETag() string { return entityTag(l.Resource, l.Version, l.Seq.N) }

// ParseLabel makes the name of a label, NFC-normalised, of s: letters, digits, '.', '-' and '_', not digits alone, since those are versions.
// Its error has [CodeInvalid].
func ParseLabel(s string) (string, error) { return parseShortName("label", s) }

// parseShortName checks the names that a resource's users give to its states. field is what errors call them.
func parseShortName(field, s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", Errorf(CodeInvalid, "%s is not valid UTF-8", field)
	}
	s = norm.NFC.String(s)
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0:
		return "", Errorf(CodeInvalid, "%s is empty", field)
	case n > MaxLabelLength:
		return "", Errorf(CodeInvalid, "%s %q… has %d characters; the limit is %d", field, firstRunes(s, 20), n, MaxLabelLength)
	case strings.Trim(s, "0123456789") == "":
		return "", Errorf(CodeInvalid, "%s %q is a number; it would be taken for one of a version", field, s)
	}
	for _, r := range s {
		if !labelRune(r) {
			return "", Errorf(CodeInvalid, "%s %q has the character %q; it may have letters, digits, '.', '-' and '_'", field, s, r)
		}
	}
	return s, nil
}

func labelRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '.' || r == '-' || r == '_'
}

// labelled is the version that a label points at, as a transaction sees it.
func labelled(tx Tx, p Path, id ID, name string) (int64, error) {
	name, err := ParseLabel(name)
	if err != nil {
		return 0, err
	}
	l, err := findLabel(tx, id, name)
	switch {
	case err != nil:
		return 0, err
	case l == nil:
		return 0, noLabel(p, name)
	}
	return l.Version, nil
}

// findLabel gives a label, nil when the resource has none of that name.
func findLabel(tx Tx, id ID, name string) (*Label, error) {
	all, err := tx.Labels(id)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if l.Name == name {
			return &l, nil
		}
	}
	return nil, nil //nolint:nilnil // "no such label" is a state here, not a failure
}

func noLabel(p Path, name string) error {
	return Errorf(CodeNotFound, "%s has no label %q", p, name)
}
