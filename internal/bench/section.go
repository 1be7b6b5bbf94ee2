package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// section is a part of the document that one measurement writes, between two marks; the others leave it alone.
type section struct{ begin, end string }

// whole is the text with its marks.
func (s section) whole(text string) string { return s.begin + text + s.end }

// replace writes the text into a document that has a place for it.
func (s section) replace(doc, with string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(text), s.begin)
	_, after, ok2 := strings.Cut(rest, s.end)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the section %s", doc, strings.TrimSpace(s.begin))
	}
	return os.WriteFile(doc, []byte(before+s.whole(with)+after), 0o644) //nolint:gosec // for everybody to read
}

// kept is the section of a document; "" when there is none.
func (s section) kept(doc string) (string, error) {
	text, err := os.ReadFile(doc)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(text), s.begin)
	kept, _, ok := strings.Cut(rest, s.end)
	if !ok {
		return "", nil
	}
	return kept, nil
}
