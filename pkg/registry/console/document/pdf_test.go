package document_test

import (
	"bytes"
	"compress/zlib"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/console/document"
)

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestIsQuietPDF(t *testing.T) {
	const head = "%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R"
	stream := func(content string) string {
		return head + ">>endobj\n5 0 obj<</Filter/FlateDecode>>stream\r\n" + content + "\nendstream endobj"
	}
	for name, c := range map[string]struct {
		text  string
		quiet bool
	}{
		"plain":                   {head + ">>endobj", true},
		"with a packed page":      {stream(packed(t, "BT /F1 12 Tf (Hello /JSON) Tj ET")), true},
		"with a picture":          {stream("\xff\xd8\xff\xe0 no zlib"), true},
		"link to a page":          {head + "/A<</S/URI/URI(https://example.org)>>>>endobj", true},
		"script":                  {head + "/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>endobj", false},
		"script, escaped":         {head + "/OpenAction<</S/J#61vaScript/#4a#53 7 0 R>>>>endobj", false},
		"script in a name tree":   {stream(packed(t, "7 0 8 40 <</Names[(x)<</S/JavaScript>>]>>")), false},
		"script in a second":      {stream(packed(t, "nothing")+"\nendstream endobj 6 0 obj<<>>stream\n"+packed(t, "<</JS 7 0 R>>")) + "", false},
		"form that is sent":       {head + "/A<</S/SubmitForm/F(https://evil.example)>>>>endobj", false},
		"program":                 {head + "/A<</S/Launch/F(calc.exe)>>>>endobj", false},
		"encrypted":               {head + ">>endobj trailer<</Encrypt 9 0 R>>", false},
		"packed otherwise":        {head + "/Filter[/ASCIIHexDecode/FlateDecode]>>stream\n00>endstream", false},
		"packed without an end":   {stream(packed(t, strings.Repeat("x", 5000)+"/JavaScript ")[:20]), true},
		"broken in the middle":    {stream(broken(packed(t, strings.Repeat("abcdefgh", 50)))), false},
		"unpacks to too much":     {stream(packed(t, strings.Repeat("x", 65<<20))), false},
		"no PDF":                  {"<script>alert(1)</script>", false},
		"nothing":                 {"", false},
		"too large":               {head + strings.Repeat(" ", document.MaxPDF), false},
		"a name at the very end":  {head + "/JS", false},
		"a longer name":           {head + "/JavaScriptIsNotThisName 1>>", true},
		"an escape cut at an end": {head + "/J#5", true},
	} {
		if got := document.IsQuietPDF([]byte(c.text)); got != c.quiet {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// broken changes a packed text after its beginning.
func broken(text string) string {
	b := []byte(text)
	for i := 12; i < len(b)-6; i++ {
		b[i] ^= 0xff
	}
	return string(b)
}

func FuzzIsQuietPDF(f *testing.F) {
	f.Add([]byte("%PDF-1.7\n/JS"))
	f.Add([]byte("%PDF-1.7\nstream\n" + packed(f, "/JS (x)")))
	f.Fuzz(func(t *testing.T, text []byte) {
		if document.IsQuietPDF(text) && bytes.Contains(text, []byte("/JavaScript ")) {
			t.Error("it has a script")
		}
	})
}
