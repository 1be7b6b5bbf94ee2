package registry

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestEachWord(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"Hello, wörld 42!":        "hello world 42",
		"a-b_c.d/e":               "a b c d e",
		"PaymentService":          "paymentservice(payment service)",
		"HTTPServer2":             "httpserver2(http server2)",
		"getURL x":                "geturl(get url) x",
		"ÉCLAIR e\u0301clair":     "eclair eclair",
		"日本語 text 한국어":            "日 本 語 text 한국어",
		"ﬁne ①":                   "fine",
		"\xff\xfea\xc3b":          "a b",
		strings.Repeat("x", 70):   strings.Repeat("x", 63),
		"Straße ΣΊΣΥΦΟΣ İstanbul": "straße σισυφοσ istanbul",
	} {
		var got []string
		eachWord(text, func(w word) bool {
			s := w.fold
			if w.parts != nil {
				s += "(" + strings.Join(w.parts, " ") + ")"
			}
			got = append(got, s)
			return true
		})
		if joined := strings.Join(got, " "); fold(joined) != fold(want) {
			t.Errorf("%q has the words %q, want %q", text, joined, want)
		}
	}
}

// FuzzEachWord: words are inside the text, one after the other, and what stands for a word in the index is what a query of it asks for.
func FuzzEachWord(f *testing.F) {
	for _, s := range []string{"a", "PaymentService ÉÀ", "日本", "\xff", "İ", "ᾈΣ", "e\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end := 0
		eachWord(s, func(w word) bool {
			if w.start < end || w.end <= w.start || w.end > len(s) || w.fold == "" || !utf8.ValidString(w.fold) {
				t.Errorf("%q: word %+v after %d", s, w, end)
			}
			end = w.end
			again := ""
			eachWord(s[w.start:w.end], func(v word) bool { again += v.fold; return true })
			if again != w.fold {
				t.Errorf("%q is %q in the text and %q by itself", s[w.start:w.end], w.fold, again)
			}
			return true
		})
	})
}

// Every term fits into a term of a store, whatever the characters are.
func TestSearchDoc_TermsFit(t *testing.T) {
	const wide = "\U00010348" // four bytes, and a letter
	long := strings.Repeat(wide, 1000)
	d := NewSearchDoc(SearchSource{
		Name: long, Text: long + " " + strings.Repeat(wide+"X", 200), Tags: []string{long}, Associations: []string{long}, Comments: []string{long},
		Resource: Resource{CreatedBy: long, UpdatedBy: long, Meta: Meta{MediaType: "text/" + long, Description: long, Properties: Properties{long: {long}, "short": {long}}}},
	})
	if len(d.Terms) < 10 {
		t.Errorf("%d terms", len(d.Terms))
	}
	for term := range d.Terms {
		if len(term) > MaxTerm {
			t.Errorf("a term of %d bytes: %.20q", len(term), term)
		}
	}
}

func TestParseSearch_Refuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "character 1: a word or a condition is missing",
		"a OR":                               "character 5: a word or a condition is missing",
		"(a b":                               "character 1: the ( has no )",
		"a) b":                               "character 2: there is a ) without its (",
		`x "a b`:                             "character 3: the text in quotes has no end",
		"a -":                                "character 4: what must not be there is missing",
		"-- ":                                "character 3: what must not be there is missing",
		`a"b"`:                               `character 2: '"' cannot stand here`,
		"pay*ment":                           `character 4... cannot stand here`,
		"!!!":                                "character 4: what must not be there",
		"...":                                `character 1: "..." has no letter or digit`,
		"http://x":                           `character 1: there is no field "http"`,
		"prop.:x":                            "character 1: a condition on a property is written prop.NAME:value",
		"prop.a x":                           "character 1: a condition on a property is written prop.NAME:value",
		"kind:file":                          `character 6: kind is "file"`,
		"path:a//b":                          `character 6: "a//b" is not a path`,
		"updated:>yesterday":                 `character 10: updated is "yesterday"`,
		"size:1..x":                          `character 9: size is "x"`,
		"rating:6":                           `character 8: rating is "6"`,
		"type:":                              "character 6: a word or a value is missing",
		strings.Repeat("(", 20) + "a":        "character 18: more than 16",
		strings.Repeat("a ", 33):             "character 65: the query has more than 32",
		strings.Repeat("x", 1001):            "query has 1001 characters; the limit is 1000",
		"\xff":                               "not valid UTF-8",
		`"` + strings.Repeat("a ", 33) + `"`: "character 1: the phrase has more than 32 words",
	} {
		_, err := ParseSearch(text)
		if before, after, ok := strings.Cut(want, "..."); ok && before != "" && strings.HasPrefix(want, "character 4...") {
			if CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), after) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

var document = NewSearchDoc(SearchSource{
	Resource: Resource{
		Kind: KindResource, Size: 2048, Meta: Meta{MediaType: "application/wsdl+xml; charset=utf-8", Description: "pays bills", Properties: Properties{
			"level": {"3"}, "note": {"Two Words", "3.5"}, "registry.hidden": {"secret"},
		}},
		CreatedAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), UpdatedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), CreatedBy: "Ann", UpdatedBy: "joe",
	},
	Name: "Pay.wsdl", Text: "one two three two", Tags: []string{"Gold Card", "x"}, Comments: []string{"first", "second"}, Associations: []string{"depends"},
	Votes: 2, RatingTotal: 7,
})

func TestSearchQuery_Examine(t *testing.T) {
	yes := []string{
		"one", "ONE two", `"one two three two"`, `"two thr"*`, "on*", "-four", "four OR one", "(four OR one) -(five six)", "NOT four", "pays", "pay", "gold", "first second",
		"name:pay", "content:one", "description:bills", "comment:second", `name:"pay wsdl"`, "tag:x", `tag:"gold card"`, `tag:"GOLD CARD"`, "tag:gold*", "type:wsdl", "type:xml",
		"type:application/wsdl+xml", "type:app*", "kind:resource", "owner:ann", "author:joe", "assoc:depends", "prop.level:3", "prop.level:*", `prop.note:"two words"`, "prop.note:words",
		"prop.note:tw*", "prop.level:>=3", "prop.level:2..3", "prop.note:words\nsize:1k..3k", "prop.note:words\tsize:1k..3k", "(prop.note:words)\tsize:1k..3k", "prop.note:>3", "prop.level:..3", "created:2026-01-31", "created:2026-01", "created:2026", "created:<=2026-01-31",
		"created:>=2026-01-31", "created:2026-01..2026-02", "updated:>2026-02", "updated:>=2026-03-01T00:00:00Z", "updated:<2026-03-02", "size:2k", "size:>1k", "size:2048", "size:1KiB..1M",
		"rating:3.5", "rating:>3", "path:/anywhere", "one AND two", "-path:/anywhere",
	}
	no := []string{
		"four", `"two one"`, "-one", "one -two", "four OR five", "secret", "name:one", "content:pay", "comment:one", "tag:gold", "tag:y*", "type:json", "type:wsd", "kind:link", "owner:joe",
		"author:ann", "assoc:dep", "prop.level:4", "prop.none:*", "prop.registry.hidden:*", "prop.Level:3", "prop.level:>3", "prop.level:4..", "prop.note:words*x OR four", "created:2026-02",
		"created:>2026-01-31", "created:>2026", "created:<2026-01-31", "updated:<2026-03", "size:>2k", "size:..1k", "rating:>3.5", "rating:<3", `"first second"`, `"card x"`, `"three two one"`,
	}
	for _, want := range []bool{true, false} {
		list := yes
		if !want {
			list = no
		}
		for _, text := range list {
			q, err := ParseSearch(strings.ReplaceAll(text, "words*x", "word"))
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if c := q.Examine(document); (c != nil) != want {
				t.Errorf("%s: found %t, want %t", text, c != nil, want)
			}
		}
	}
}

func TestSearchQuery_PathsAreDecidedLast(t *testing.T) {
	q, err := ParseSearch("one path:/a -path:/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[Path]bool{"": true, "/a": true, "/a/c": true, "/a/b": false, "/a/b/c": false, "/ab": false, "/": false} {
		c := q.Examine(document)
		if c.Path = p; q.Possible(c) != want {
			t.Errorf("at %q: %t", p, !want)
		}
	}
}

// A query of conditions alone, or of what must not be, needs all documents; one with words needs theirs.
func TestParseSearch_KnowsWhatItNeeds(t *testing.T) {
	for text, want := range map[string]string{
		"a b": "wa wb", "pay*": "wpay*", "tag:x -a": "tx wa", "-a": "wa *", "size:>1": "*", "a OR size:>1": "wa *", "prop.x:>1": "vx", "a -prop.x:>1": "wa vx", "-prop.x:>1": "vx *", "path:/a": "*", `"a b" a`: "wa wb", "a size:>1": "wa",
	} {
		q, err := ParseSearch(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range q.Lookups() {
			s := l.Term
			if l.Prefix {
				s += "*"
			}
			got = append(got, s)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s looks up %q, want %q", text, s, want)
		}
	}
}

func TestSearchQuery_Score(t *testing.T) {
	score := func(query string, s SearchSource, counts ...int64) int64 {
		q, err := ParseSearch(query)
		if err != nil {
			t.Fatal(err)
		}
		c := q.Examine(NewSearchDoc(s))
		if c == nil {
			t.Fatalf("%s does not find %+v", query, s)
		}
		q.Score(c, NewRanking(counts, 1000))
		return c.Score
	}
	inName := score("pay", SearchSource{Name: "pay"}, 10)
	inTag := score("pay", SearchSource{Tags: []string{"pay"}}, 10)
	twice := score("pay", SearchSource{Text: "pay and pay"}, 10)
	once := score("pay", SearchSource{Text: "pay and go"}, 10)
	long := score("pay", SearchSource{Text: "pay" + strings.Repeat(" word", 2000)}, 10)
	common := score("pay", SearchSource{Text: "pay and go"}, 900)
	if !(inName > inTag && inTag > twice && twice > once && once > long && once > common && common > 0) {
		t.Errorf("name %d, tag %d, twice %d, once %d, long %d, common %d", inName, inTag, twice, once, long, common)
	}
	if a, b := score("pay", SearchSource{Text: "pay"}, 500), score("pay", SearchSource{Text: "pay"}, 501); a != b {
		t.Errorf("one document more changes the score from %d to %d", a, b)
	}
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("filler ", 100)
	for _, c := range []struct{ query, text, want string }{
		{"pay", "", ""},
		{"pay", "nothing here", ""},
		{"pay", "you PAY here", "you [PAY] here"},
		{"pay*", "payments & <b>Paying</b>", "[payments] & <b>[Paying]</b"},
		{"service", "PaymentService", "[PaymentService]"},
		{"pay -more", "pay more", "[pay] more"},
		{"name:pay", "pay", ""},
		{"needle", long + "needle " + long, "… filler filler filler filler filler filler filler filler [needle]" + strings.Repeat(" filler", 23) + " …"},
		{"a b", "a " + long + "a b", "… " + strings.Repeat("filler ", 8) + "[a] [b]"},
		{"pay", "a\n\n\tpay\n==================================\nb", "a [pay] ===========… b"},
	} {
		q, err := ParseSearch(c.query)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, p := range q.Snippet(c.text) {
			if p.Match {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		if b.String() != c.want {
			t.Errorf("%s in %.40q gives %q, want %q", c.query, c.text, b.String(), c.want)
		}
	}
}

// FuzzParseSearch: no query makes the parser or what it gives panic, and each error names a place.
func FuzzParseSearch(f *testing.F) {
	for _, s := range []string{
		`type:wsdl tag:pay owner:admin updated:>2026-01-01 "exact words" pay*`, `-(a OR b) "c d"* prop."a b":>=3`, "size:1k..2M path:/a kind:link", `a\"b`, "NOT NOT a", "日本 é*", "rating:..3",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseSearch(s)
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Errorf("%q: code %s", s, CodeOf(err))
			}
			return
		}
		for _, l := range q.Lookups() {
			if len(l.Term) == 0 || len(l.Term) > MaxTerm || l.Prefix && len(l.Term) < 1 {
				t.Errorf("%q looks up %q", s, l.Term)
			}
		}
		if c := q.Examine(document); c != nil {
			q.Score(c, NewRanking(make([]int64, len(q.Lookups())), 10))
			if c.Score < 0 {
				t.Errorf("%q scores %d", s, c.Score)
			}
		}
		q.Snippet("one two three two")
		if again, err := ParseSearch(q.String()); err != nil || len(again.Lookups()) != len(q.Lookups()) {
			t.Errorf("%q is not what it was: %v", s, err)
		}
	})
}
