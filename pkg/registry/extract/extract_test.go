package extract

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	for mediaType, want := range map[string]Format{
		"text/plain; charset=utf-8": Plain, "text/markdown": Plain, "application/yaml": Plain, "application/graphql": Plain, "application/json": JSON, "application/schema+json": JSON,
		"application/xml": Markup, "application/wsdl+xml": Markup, "image/svg+xml": Markup, "text/html": Markup, "text/xml": Markup, "application/pdf": PDF,
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": Office, "application/vnd.oasis.opendocument.text": Office,
		"application/octet-stream": None, "image/png": None, "application/zip": None, "": None, "nonsense": None,
	} {
		if got := Of(mediaType); got != want {
			t.Errorf("%s is %d, want %d", mediaType, got, want)
		}
	}
}

// words gives the text with single blanks.
func words(t *testing.T, f Format, data string) string {
	t.Helper()
	text, _ := Text(t.Context(), f, []byte(data), 1<<20)
	return strings.Join(strings.Fields(text), " ")
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		format     Format
		data, want string
	}{
		"plain":          {Plain, "a\n b", "a b"},
		"mark":           {Plain, "\xef\xbb\xbfa", "a"},
		"utf-16":         {Plain, "\xff\xfea\x00\xe9\x00", "aé"},
		"latin-1":        {Plain, "caf\xe9 au lait", "café au lait"},
		"cut character":  {Plain, "a \xe6\x97", "a"},
		"json":           {JSON, `{"a\nb": "\u00e9 \"x\" \\ \ud83d"}`, `{"a b": "é "x" \ ` + "\ufffd" + `"}`},
		"xml":            {Markup, `<?xml version="1.0"?><w:def xmlns:w="urn:ns" name="Pay"><w:doc>über &amp; mehr</w:doc><!-- note --><![CDATA[<raw>]]></w:def>`, "def Pay doc über & mehr note <raw>"},
		"entity":         {Markup, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "yyy">]><a>&x; &y; end</a>`, "a &x; &y; end"},
		"html":           {Markup, `<html><body><p>one<br>two &eacute; <a href="/x">link</a>`, "html body p one br two é a /x link"},
		"no markup":      {Markup, "just < a text", "just a text"},
		"broken xml":     {Markup, "<a>one</b><c d=", "a one"},
		"not a document": {Office, "PK\x03\x04 no archive", ""},
		"no pdf":         {PDF, "%PDF-1.4 stream", ""},
		"none":           {None, "text", ""},
	} {
		if got := words(t, c.format, c.data); got != c.want && !(name == "broken xml" && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got, whole := Text(t.Context(), Plain, []byte("éééé"), 5); got != "éé" || !whole {
		t.Errorf("cut to %q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got, whole := Text(ended, Markup, []byte("<a>b</a>"), 100); got != "" || whole {
		t.Errorf("after its end: %q", got)
	}
}

func archive(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText_Office(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"docx": {archive(t, "word/document.xml", `<w:document xmlns:w="x"><w:p><w:r><w:t>Pay</w:t></w:r><w:r><w:t>ment</w:t></w:r></w:p><w:p><w:t>terms</w:t></w:p></w:document>`, "word/media/x.xml", "<p>no</p>"), "Payment terms"},
		"xlsx": {archive(t, "xl/sharedStrings.xml", `<sst><si><t>one</t></si><si><t>two</t></si></sst>`, "xl/worksheets/sheet1.xml", `<row><c><v>42</v></c><c><v>43</v></c></row>`), "one two 42 43"},
		"pptx": {archive(t, "ppt/slides/slide1.xml", `<a:p xmlns:a="x"><a:t>slide</a:t></a:p>`), "slide"},
		"odt":  {archive(t, "content.xml", `<text:p xmlns:text="x">one<text:s/>two</text:p><text:h xmlns:text="x">head</text:h>`), "one two head"},
		"xxe":  {archive(t, "content.xml", `<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>a</p><p>&x;</p>`), "a"},
	} {
		if got := words(t, Office, c.data); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Archives and documents that grow cost what the limits say, and no more.
func TestText_Bombs(t *testing.T) {
	zeros := strings.Repeat("<p>x</p>", 3<<20) // 24 MiB from some KiB
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">`)
	for i := 'b'; i < 'j'; i++ {
		fmt.Fprintf(&laughs, `<!ENTITY %c "%s">`, i, strings.Repeat("&"+string(i-1)+";", 10))
	}
	deep := strings.Repeat("<a>", 300_000)
	for name, c := range map[string]struct {
		format Format
		data   string
	}{
		"zip":    {Office, archive(t, "content.xml", zeros)},
		"laughs": {Markup, laughs.String() + "]><l>&i;</l>"},
		"deep":   {Markup, deep},
		"pdf":    {PDF, pdfFile(t, "BT "+strings.Repeat("(x) Tj ", 1<<20)+" ET")},
	} {
		if got, _ := Text(t.Context(), c.format, []byte(c.data), 256<<10); len(got) > 256<<10 {
			t.Errorf("%s gives %d bytes", name, len(got))
		}
	}
}

// pdfFile is a file with one deflated stream for each text, without what a reader of pages needs.
func pdfFile(t *testing.T, streams ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	for i, s := range streams {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		if _, err := io.WriteString(z, s); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream\nendobj\n", i+1, packed.Len(), packed.String())
	}
	return b.String()
}

func TestText_PDF(t *testing.T) {
	const cmap = "begincmap 1 beginbfrange <0003> <0005> <0061> endbfrange 1 beginbfchar <0010> <00E90074> endbfchar endcmap"
	for name, c := range map[string]struct{ data, want string }{
		"strings":   {pdfFile(t, `BT /F1 12 Tf 72 700 Td (Pay\(ment\) \101) Tj 0 -20 Td [(ter) -20 (ms) -300 (apply)] TJ ET`), "Pay(ment) A terms apply"},
		"glyphs":    {pdfFile(t, cmap, "BT <000300040010> Tj ET"), "abét"},
		"plain":     {"1 0 obj <</Length 9>>\nstream\nBT (plain) Tj ET\nendstream", "plain"},
		"no filter": {"1 0 obj <</Filter /LZWDecode>>\nstream\nBT (no) Tj ET\nendstream", ""},
		"encrypted": {pdfFile(t, "BT (secret) Tj ET") + "trailer <</Encrypt 5 0 R>>", ""},
		"broken":    {pdfFile(t, "BT (open Tj ET")[:60], ""},
	} {
		if got := words(t, PDF, c.data); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzText: whatever bytes come, the text is valid and within the limit.
func FuzzText(f *testing.F) {
	f.Add(uint8(Markup), []byte(`<a b="c">&d;<!-- e --></a>`))
	f.Add(uint8(JSON), []byte(`{"a":"\u00e9\ud83d\ude00\"}`))
	f.Add(uint8(PDF), []byte("1 0 obj <<>>\nstream\nBT [(a\\051) -300 <00410042>] TJ ET\nendstream begincmap beginbfrange <0000> <ffff> <0000> endbfrange"))
	f.Add(uint8(Office), []byte("PK\x03\x04"))
	f.Add(uint8(Plain), []byte("\xff\xfea\x00"))
	f.Fuzz(func(t *testing.T, format uint8, data []byte) {
		const most = 1000
		text, _ := Text(t.Context(), Format(format%6), data, most)
		if len(text) > 3*most || !utf8.ValidString(text) { // a byte that is no text may become a blank, never more
			t.Errorf("%d bytes", len(text))
		}
	})
}

// Pieces that end at, before and after the limit.
func TestText_EndsAtTheLimit(t *testing.T) {
	for most := range 12 {
		for _, data := range []string{"<a>xxxx</a>", "<a>xx</a><b>xx</b><c>ééé</c>"} {
			if got, _ := Text(t.Context(), Markup, []byte(data), most); len(got) > most {
				t.Errorf("%q is more than %d bytes", got, most)
			}
		}
	}
}

// A map of glyphs that says the same again and again is left when the time that a text has is over.
func TestReadGlyphs_EndsWithItsTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	data := []byte("beginbfrange " + strings.Repeat("<0000> <ffff> <0000> ", 10) + "endbfrange beginbfchar <0001> <0041> endbfchar")
	glyphs := map[uint16]string{}
	if readGlyphs(&output{ctx: ctx, left: 1}, data, glyphs); len(glyphs) != 1<<16 || glyphs[1] != "A" {
		t.Errorf("%d glyphs, %q", len(glyphs), glyphs[1])
	}
	cancel()
	clear(glyphs)
	if readGlyphs(&output{ctx: ctx, left: 1}, data, glyphs); len(glyphs) != 0 {
		t.Errorf("%d glyphs were read when the time was over", len(glyphs))
	}
	if _, whole := Text(ctx, PDF, []byte("1 0 obj <<>> stream\n"+string(data)+"\nendstream endobj"), 1<<20); whole {
		t.Error("what was read is told to be all")
	}
}
