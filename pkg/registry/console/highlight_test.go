package console

import (
	"html/template"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/chroma/v2"
	"golang.org/x/net/html"
)

func TestHighlight(t *testing.T) {
	tests := []struct {
		name, media, text string
		want              []string // of the first line
	}{
		{"a.yaml", "application/yaml", "openapi: 3.1.0 # now", []string{`<span class="hl-name">openapi</span>`, `<span class="hl-comment"># now</span>`}},
		{"a", "application/vnd.pay+json", `{"a": [1, true, "x<y"]}`, []string{`<span class="hl-name">&#34;a&#34;</span>`, `<span class="hl-number">1</span>`, `<span class="hl-number">true</span>`, "x&lt;y"}},
		{"pay.wsdl", "application/wsdl+xml", `<a b="c">&amp;<!-- no --></a>`, []string{`<span class="hl-name">&lt;a</span>`, `<span class="hl-attribute">b=</span>`, "&amp;amp;"}},
		{"run.sh", "text/plain", "if true; then", []string{`<span class="hl-keyword">if</span>`}},
		{"notes", "text/plain", "<b>if</b> & 1", []string{"&lt;b&gt;if&lt;/b&gt; &amp; 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := highlight([]string{tt.text}, tt.name, tt.media, time.Now().Add(time.Hour))
			for _, want := range tt.want {
				if !strings.Contains(string(got[0]), want) {
					t.Errorf("%s\nhas no %s", got[0], want)
				}
			}
		})
	}
}

// The time is looked at for every word, not only where a line ends, and a page whose time is up looks for no language.
func TestHighlight_WithinTheTime(t *testing.T) {
	lines := []string{"a: 1", "b: " + strings.Repeat("[1, ", 2000)}
	for i, got := range highlight(lines, "a.yaml", "", time.Now()) {
		if want := template.HTMLEscapeString(lines[i]); string(got) != want {
			t.Errorf("after the time, line %d is %.80s", i, got)
		}
	}
	if lexer := lexerOf("", ""); lexer != nil {
		t.Errorf("code without a language is %s", lexer.Config().Name)
	}
}

// A line in which words are found for a minute takes no longer than the limit.
func TestHighlight_LineWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		done := highlightWith(&slowLexer{}, []string{"one line"}, start.Add(20*time.Millisecond), nil)
		if took := time.Since(start); len(done) != 0 || took > 25*time.Millisecond {
			t.Errorf("a line without end took %s and gave %q", took, done)
		}
	})
}

// slowLexer finds words in a line for a minute.
type slowLexer struct{ chroma.Lexer }

func (*slowLexer) Tokenise(*chroma.TokeniseOptions, string) (chroma.Iterator, error) {
	end := time.Now().Add(time.Minute)
	return func() chroma.Token {
		time.Sleep(time.Millisecond)
		if time.Now().After(end) {
			return chroma.EOF
		}
		return chroma.Token{Type: chroma.Keyword, Value: "a"} // all of them are made one
	}, nil
}

// Whatever the text is and whatever language it is taken for, the lines say what the text says, and have no element but ours.
func FuzzHighlight(f *testing.F) {
	for _, text := range []string{"a: 1\n- b", "{\"a\": <script>}", "<a>\n</b", "\x00\xff\r\n\r", "```\n# x\n", "'''\n\"", "\n\n\n", "a\r\nb\rc", "{{ .x }}<%= y %>"} {
		for _, name := range []string{"a.yaml", "a.json", "a.xml", "a.md", "a.go", "a.html", "Makefile", "a.js", "a.php", "a.sql"} {
			f.Add(text, name)
		}
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		lines := strings.Split(text, "\n")
		got := highlight(lines, name, "", time.Now().Add(150*time.Millisecond))
		if len(got) != len(lines) {
			t.Fatalf("%d lines became %d", len(lines), len(got))
		}
		for i, line := range got {
			if plain := plainOf(t, line); plain != lines[i] && isText([]byte(lines[i])) && !strings.Contains(lines[i], "\r") {
				t.Errorf("line %d is %q, and was %q", i, plain, lines[i])
			}
		}
	})
}

// plainOf takes the elements away.
func plainOf(t *testing.T, line template.HTML) string {
	t.Helper()
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(string(line)))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.WriteString(z.Token().Data)
		case html.StartTagToken, html.EndTagToken:
			if token := z.Token(); token.Data != "span" || len(token.Attr) > 1 || len(token.Attr) == 1 && !strings.HasPrefix(token.Attr[0].Val, "hl-") {
				t.Errorf("%s has %s", line, token)
			}
		default:
			t.Errorf("%s has %s", line, z.Token())
		}
	}
}
