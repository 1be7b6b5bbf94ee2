package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord is how many characters of a word count; longer ones are cut, in documents as in queries. With four bytes each and what is before them they must
// fit into a term of a store, which has 255 bytes.
const maxWord = 63

// word is a word of a text: as it is searched for, and where it stands.
type word struct {
	fold       string
	start, end int      // bytes of the text
	parts      []string // folded, when the word is made of several: ["payment", "service"] of PaymentService
}

// eachWord gives the words of a text in their order, until give tells false. A word is a run of letters and digits; each character of scripts that are written
// without spaces is a word of its own.
func eachWord(text string, give func(word) bool) {
	start := -1
	flush := func(end int) bool {
		if start < 0 {
			return true
		}
		w := word{start: start, end: end}
		w.fold, w.parts = foldWord(text[start:end])
		start = -1
		return w.fold == "" || give(w)
	}
	for i, r := range text {
		switch {
		case alone(r):
			if !flush(i) || !give(word{fold: fold(string(r)), start: i, end: i + utf8.RuneLen(r)}) {
				return
			}
		case inWord(r):
			if start < 0 {
				start = i
			}
		default:
			if !flush(i) {
				return
			}
		}
	}
	flush(len(text))
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r))
}

// alone tells of characters that are words by themselves.
func alone(r rune) bool {
	return r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// foldWord gives the searched form of a word, and of its parts when its capitals divide it.
func foldWord(s string) (string, []string) {
	whole := cutRunes(fold(s), maxWord)
	var parts []string
	begin := 0
	var before, last rune // the two characters before i
	for i, r := range s {
		up := unicode.IsUpper(r)
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(max(r, 0)):])
		// payService divides at S, and HTTPServer, too.
		if i > 0 && up && (unicode.IsLower(last) || unicode.IsUpper(last) && before != 0 && unicode.IsLower(next)) {
			parts = append(parts, cutRunes(fold(s[begin:i]), maxWord))
			begin = i
		}
		before, last = last, r
	}
	if begin == 0 {
		return whole, nil
	}
	return whole, append(parts, cutRunes(fold(s[begin:]), maxWord))
}

// fold makes texts equal that differ in case, accents or width alone.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(strings.ToValidUTF8(s, "")))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return firstRunes(s, n)
}

// The kinds of terms: the first byte of each.
const (
	termAll   = "*" // every document has this one
	termWord  = "w"
	termType  = "y" // a media type, whole, and the words in it
	termTag   = "t" // a whole tag
	termOwner = "o" // who made the resource
	termUser  = "a" // who wrote the current version
	termKind  = "k"
	termLink  = "s" // the type of an association, whole
	termProp  = "p" // name, 0, and: a word of a value, or the whole value
	termValue = "v" // the name of a property; see IsValues
)

// MaxTerm is the most bytes that a term of the search index has.
const MaxTerm = 255

// term writes a term. A long one ends in a hash, so that it stays one of its own.
func term(kind, text string) string {
	const head = 150
	if len(kind)+len(text) <= MaxTerm {
		return kind + text
	}
	sum := sha256.Sum256([]byte(text))
	return kind + strings.ToValidUTF8(text[:head], "") + hex.EncodeToString(sum[:])
}

// propTerm writes a term of a property.
func propTerm(name, text string) string { return term(termProp, name+"\x00"+text) }
