package registry

import "strings"

// The length of a snippet, in words.
const (
	snippetWords  = 32
	snippetBefore = 8 // before the first match
)

// inContent tells whether a phrase of the query stands in the candidate's content.
func (q *SearchQuery) inContent(c *Candidate) bool {
	for _, p := range q.parts {
		if p.starts(c, func(at uint32) bool { return fieldOf(at) == fieldContent }) {
			return true
		}
	}
	return false
}

// Snippet shows why a candidate was found: the part of its content with the most of the words that were searched for. What stands elsewhere, as in the name, is
// plain already.
func (q *SearchQuery) Snippet(text string) []SnippetPart {
	if text == "" {
		return nil
	}
	wanted := q.wanted()
	var list []snippetWord
	eachWord(text, func(w word) bool {
		list = append(list, snippetWord{w.start, w.end, wanted.find(w)})
		return len(list) < maxFieldWords
	})
	first, last := bestWindow(list)
	if first < 0 {
		return nil
	}
	return cutSnippet(text, list, first, last)
}

// snippetWord is a word of a text; match is the number of the query's word that it is, -1 for none.
type snippetWord struct{ start, end, match int }

// wantedWords are the words of the query's phrases.
type wantedWords struct {
	exact    map[string]int
	prefixes map[string]int
}

func (q *SearchQuery) wanted() wantedWords {
	w := wantedWords{map[string]int{}, map[string]int{}}
	for _, p := range q.parts {
		if !p.in.has(fieldContent) {
			continue
		}
		for _, i := range p.words {
			if l := q.lookups[i]; l.Prefix {
				w.prefixes[l.Term[1:]] = i
			} else {
				w.exact[l.Term[1:]] = i
			}
		}
	}
	return w
}

func (w wantedWords) find(x word) int {
	for _, s := range append([]string{x.fold}, x.parts...) {
		if i, ok := w.exact[s]; ok {
			return i
		}
		for prefix, i := range w.prefixes {
			if strings.HasPrefix(s, prefix) {
				return i
			}
		}
	}
	return -1
}

// bestWindow gives the words from first to before last that have the most different matches; -1 when there is none.
func bestWindow(list []snippetWord) (first, last int) {
	first, best := -1, 0
	in := map[int]int{}
	for i, j := 0, 0; j < len(list); j++ {
		if m := list[j].match; m >= 0 {
			in[m]++
		}
		for j-i >= snippetWords-snippetBefore {
			if m := list[i].match; m >= 0 {
				if in[m]--; in[m] == 0 {
					delete(in, m)
				}
			}
			i++
		}
		if len(in) > best {
			best = len(in)
			first = i
		}
	}
	if first < 0 {
		return -1, 0
	}
	for list[first].match < 0 {
		first++
	}
	first = max(first-snippetBefore, 0)
	return first, min(first+snippetWords, len(list))
}

// cutSnippet makes the pieces of the words from first to before last.
func cutSnippet(text string, list []snippetWord, first, last int) []SnippetPart {
	var parts []SnippetPart
	var b strings.Builder
	plain := func() {
		if b.Len() > 0 {
			parts = append(parts, SnippetPart{Text: b.String()})
			b.Reset()
		}
	}
	at := list[first].start
	if first > 0 {
		b.WriteString("… ")
	}
	for _, w := range list[first:last] {
		b.WriteString(between(text[at:w.start]))
		if w.match >= 0 {
			plain()
			parts = append(parts, SnippetPart{text[w.start:w.end], true})
		} else {
			b.WriteString(text[w.start:w.end])
		}
		at = w.end
	}
	if last < len(list) {
		b.WriteString(" …")
	}
	plain()
	return parts
}

// between is what stands between two words: white space as one blank, and not more than a few characters of the rest.
func between(s string) string {
	const most = 12
	words := strings.Fields(s)
	joined := strings.Join(words, " ")
	if len(words) == 0 {
		return strings.Repeat(" ", min(len(s), 1))
	}
	if s[0] == ' ' || s[0] == '\n' || s[0] == '\t' || s[0] == '\r' {
		joined = " " + joined
	}
	if c := s[len(s)-1]; c == ' ' || c == '\n' || c == '\t' || c == '\r' {
		joined += " "
	}
	if cut := firstRunes(joined, most); cut != joined {
		return cut + "… "
	}
	return joined
}
