package console

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// diffPart is a piece of a line; Mark where the line on the other side has something else.
type diffPart struct {
	Text string
	Mark bool
}

const (
	maxMarkedLine = 2 << 10   // bytes of a line beyond which no words are marked in it
	maxMarkedPage = 256 << 10 // and of all lines of a page
)

// markWords tells which words of two lines differ. Lines that have little in common are not marked: every word would be.
func markWords(from, to string) (a, b []diffPart) {
	before, after := wordsOf(from), wordsOf(to)
	same := 0 // bytes that both have
	at := 0
	diffs := lcs.DiffLines(before, after)
	for i := 0; i <= len(diffs); i++ {
		end, atTo, endTo := len(before), len(after), len(after)
		next := end
		if i < len(diffs) {
			end, next, atTo, endTo = diffs[i].Start, diffs[i].End, diffs[i].ReplStart, diffs[i].ReplEnd
		}
		for _, w := range before[at:end] {
			same += len(w)
			a, b = addPart(a, w, false), addPart(b, w, false)
		}
		for _, w := range before[end:next] {
			a = addPart(a, w, true)
		}
		for _, w := range after[atTo:endTo] {
			b = addPart(b, w, true)
		}
		at = next
	}
	if 3*same < max(len(from), len(to)) {
		return []diffPart{{Text: from}}, []diffPart{{Text: to}}
	}
	return a, b
}

func addPart(parts []diffPart, text string, mark bool) []diffPart {
	if last := len(parts) - 1; last >= 0 && parts[last].Mark == mark {
		parts[last].Text += text
		return parts
	}
	return append(parts, diffPart{text, mark})
}

// wordsOf splits a line into words, stretches of white space, and other characters one by one.
func wordsOf(line string) []string {
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
			return 1
		case unicode.IsSpace(r):
			return 2
		}
		return 0
	}
	var words []string
	for len(line) > 0 {
		first, end := utf8.DecodeRuneInString(line)
		for k := kind(first); k != 0 && end < len(line); {
			r, size := utf8.DecodeRuneInString(line[end:])
			if kind(r) != k {
				break
			}
			end += size
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return slices.Clip(words)
}
