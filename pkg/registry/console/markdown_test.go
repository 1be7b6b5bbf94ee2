package console

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestMarkdown(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"headings stand below the page's", "# Pay\n###### six", "<h2>Pay</h2>\n<h6>six</h6>\n"},
		{"a neighbour", "[v2](v2/pay.yaml)", `<p><a href="/console/resource/_system/governance/apis/v2/pay.yaml">v2</a></p>` + "\n"},
		{"above", "[up](../x%20y)", `<p><a href="/console/resource/_system/governance/x%20y">up</a></p>` + "\n"},
		{"from the root", "[c](/_system/config)", `<p><a href="/console/resource/_system/config">c</a></p>` + "\n"},
		{"elsewhere", "[o](https://example.org/a)", `<p><a href="https://example.org/a" rel="noopener noreferrer nofollow">o</a></p>` + "\n"},
		{"a picture", "![logo](logo.svg)", `<p><img src="/console/download/_system/governance/apis/logo.svg?inline=1" alt="logo"></p>` + "\n"},
		{"a picture from elsewhere", "![logo](https://example.org/a.png)", `<p><a href="https://example.org/a.png" rel="noopener noreferrer nofollow">logo</a></p>` + "\n"},
		{"code", "```yaml\na: <b>\n```", `<pre tabindex="0"><code><span class="hl-name">a</span>: <span class="hl-string">&lt;b&gt;</span>` + "\n</code></pre>\n"},
		{"script", "[x](javascript:alert(1)) <script>alert(1)</script>", `<p><a href="" rel="noopener noreferrer nofollow">x</a> <!-- raw HTML omitted -->alert(1)<!-- raw HTML omitted --></p>` + "\n"},
		{"a table", "|a|b|\n|-|:-:|\n|1|2|", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"center\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"center\">2</td>\n</tr>\n</tbody>\n</table>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := markdown(tt.source, "/_system/governance/apis/README.md")
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestIsTangled(t *testing.T) {
	for _, tt := range []struct {
		name, source string
		want         bool
	}{
		{"a page", "# *Pay*\n\n[a](b)", false},
		{"as many as may be", strings.Repeat("*", maxDelimiters), false},
		{"one more", strings.Repeat("[", maxDelimiters) + "\n_", true},
		{"in two paragraphs", strings.Repeat("~", maxDelimiters) + "\n \n" + strings.Repeat("_", maxDelimiters), false},
	} {
		if got := isTangled(strings.Split(tt.source, "\n")); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// Code without a language stays as it is written.
func TestMarkdown_CodeWithoutLanguage(t *testing.T) {
	got, err := markdown("```\nif <a>\n```", "/a/b.md")
	if want := "<pre tabindex=\"0\"><code>if &lt;a&gt;\n</code></pre>\n"; err != nil || string(got) != want {
		t.Errorf("%q: %v", got, err)
	}
}

var harmless = regexp.MustCompile(`^((?i:https?|mailto):|/console/|#|$)`)

// Whatever a text says, its page has no script, no style, no frame, no form, no id, and nothing that is loaded from elsewhere.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{
		"<script>x</script>", "[a](javascript:b)", "![a](//evil.example/x.png)", "![a](data:image/svg+xml;base64,AAAA)", "<img src=x onerror=alert(1)>",
		"[a]: javascript:b\n[a]", "```<b>\nx\n```", "<https://a.example/\"onclick=x>", "# {#main}", "|a|\n|-|\n|<b>|", "[a](\"onclick=x)", "&lt;script&gt;", "[x](vbscript:a)", "[x](data:text/html,a)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		got, err := markdown(source, "/a/b.md")
		if err != nil {
			t.Fatal(err)
		}
		z := html.NewTokenizer(strings.NewReader(string(got)))
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			token := z.Token()
			switch token.Data {
			case "script", "style", "iframe", "object", "embed", "form", "input", "link", "meta", "base", "svg", "math":
				if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
					t.Errorf("%q has %s", got, token)
				}
			}
			if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
				continue
			}
			for _, a := range token.Attr {
				switch {
				case a.Key == "id", a.Key == "style", a.Key == "name", strings.HasPrefix(a.Key, "on"):
					t.Errorf("%q has %s", got, token)
				case a.Key == "src" && !strings.HasPrefix(a.Val, "/console/download/"):
					t.Errorf("%q loads %s", got, a.Val)
				case a.Key == "href" && !harmless.MatchString(a.Val):
					t.Errorf("%q leads to %s", got, a.Val)
				}
			}
		}
	})
}
