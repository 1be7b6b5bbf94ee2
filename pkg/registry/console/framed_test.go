package console_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

const plainPDF = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>endobj\ntrailer<</Size 4/Root 1 0 R>>\n%%EOF"

// What a content shows of itself stands in a frame that gives it nothing, and the page allows no more than that frame.
func TestFramed_PagesAndDocuments(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(viewsIn+"/page.html", "", "<em>Hello</em><script>alert(1)</script>")
	s.put(viewsIn+"/paper.pdf", "", plainPDF)
	s.put(viewsIn+"/empty.pdf", "", "")
	s.put(viewsIn+"/loud.pdf", "", strings.Replace(plainPDF, "/Catalog", "/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>", 1))
	s.put(viewsIn+"/fake.pdf", "", "<script>alert(1)</script>")
	const at, raw = "/console/resource" + string(viewsIn), "/console/download" + string(viewsIn)
	pagePolicy := b.get("/console/").Header.Get("Content-Security-Policy") // which TestPages knows

	for _, c := range []struct {
		address, golden string
		framed          bool
		frame           string
	}{
		{at + "/page.html", "view-html", false, ""},
		{at + "/page.html?as=preview", "view-html-preview", true, `<iframe class="frame" src="` + raw + `/page.html?inline=preview&amp;version=1" sandbox="" title="Preview of page.html"`},
		{at + "/paper.pdf", "view-pdf", true, `<iframe class="frame" src="` + raw + `/paper.pdf?inline=1&amp;version=1" title="paper.pdf"`},
		{at + "/paper.pdf?as=bytes", "", false, ""},
		{at + "/loud.pdf", "view-pdf-loud", false, "This PDF is not shown here"},
		{at + "/fake.pdf", "", false, "This PDF is not shown here"},
		{at + "/empty.pdf", "", false, ""},
	} {
		page := b.get(c.address).wantStatus(http.StatusOK)
		want := pagePolicy
		if c.framed {
			want += "; frame-src 'self'"
		}
		if got := page.Header.Get("Content-Security-Policy"); got != want {
			t.Errorf("%s: policy %q", c.address, got)
		}
		if got := strings.Contains(page.body, "<iframe"); got != c.framed || !strings.Contains(page.body, c.frame) {
			t.Errorf("%s: the frame is not as it should be:\n%s", c.address, page.body)
		}
		checkWellFormed(t, page.body)
		checkAccess(t, page.doc())
		if c.golden != "" {
			checkGolden(t, c.golden+".html", golden(c.golden, page.body))
		}
	}

	for _, c := range []struct{ address, dest, disposition, contentType, policy string }{
		{raw + "/page.html?inline=preview", "iframe", "inline", "text/html; charset=utf-8", "sandbox; default-src 'none'"},
		{raw + "/page.html?inline=preview", "", "inline", "text/html; charset=utf-8", "sandbox; default-src 'none'"},
		{raw + "/page.html?inline=preview", "document", "attachment", "text/html", "sandbox"}, // never by itself
		{raw + "/page.html?inline=1", "iframe", "attachment", "text/html", "sandbox"},
		{raw + "/paper.pdf?inline=preview", "iframe", "inline", "application/pdf", "default-src 'none'"},
		{raw + "/loud.pdf?inline=1", "iframe", "attachment", "application/pdf", "sandbox"},
		{raw + "/fake.pdf?inline=1", "document", "attachment", "application/pdf", "sandbox"},
		{raw + "/paper.pdf", "document", "attachment", "application/pdf", "sandbox"},
	} {
		b.header.Set("Sec-Fetch-Dest", c.dest)
		r := b.get(c.address).wantStatus(http.StatusOK)
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(r.Header.Get("Content-Disposition"), c.disposition) || r.Header.Get("Content-Type") != c.contentType || !strings.Contains(policy, c.policy) ||
			!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "allow") || strings.Contains(policy, "script") {
			t.Errorf("%s as %q: %s, %s, %s", c.address, c.dest, r.Header.Get("Content-Disposition"), r.Header.Get("Content-Type"), policy)
		}
		framedBy, styled := r.Header.Get("X-Frame-Options"), strings.Contains(policy, "style-src 'unsafe-inline'")
		if shown := c.disposition == "inline"; shown && (!strings.Contains(policy, "frame-ancestors 'self'") || framedBy != "SAMEORIGIN") ||
			!shown && (!strings.Contains(policy, "frame-ancestors 'none'") || framedBy != "DENY" || styled) {
			t.Errorf("%s as %q goes out %s in frames of %s: %s", c.address, c.dest, c.disposition, framedBy, policy)
		}
	}
	b.header.Set("Range", "bytes=5-8")
	if r := b.get(raw + "/paper.pdf?inline=1").wantStatus(http.StatusPartialContent); r.body != "1.4\n" || !strings.HasPrefix(r.Header.Get("Content-Disposition"), "inline") {
		t.Errorf("a part is %q", r.body)
	}
	b.header.Set("Range", "bytes=0-8,5-6")
	if r := b.get(raw + "/loud.pdf?inline=1"); !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("two parts go out %s", r.Header.Get("Content-Disposition"))
	}
}

func TestPicture_TellsItsSize(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	small := image.NewGray(image.Rect(0, 0, 12, 7))
	encoded := func(encode func(*bytes.Buffer) error) string {
		var buf bytes.Buffer
		must(t, encode(&buf))
		return buf.String()
	}
	bomb := encoded(func(w *bytes.Buffer) error { return png.Encode(w, small) })
	bomb = bomb[:16] + "\x00\x00\x27\x10\x00\x00\x27\x10" + bomb[24:29] // 10,000 × 10,000
	bomb = string(binary.BigEndian.AppendUint32([]byte(bomb), crc32.ChecksumIEEE([]byte(bomb[12:]))))
	for name, c := range map[string]struct{ content, size, why string }{
		"a.png":  {encoded(func(w *bytes.Buffer) error { return png.Encode(w, small) }), "12 × 7 pixels", ""},
		"a.jpg":  {encoded(func(w *bytes.Buffer) error { return jpeg.Encode(w, small, nil) }), "12 × 7 pixels", ""},
		"a.gif":  {encoded(func(w *bytes.Buffer) error { return gif.Encode(w, small, nil) }), "12 × 7 pixels", ""},
		"a.svg":  {`<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg" width="40px" height="30"><script>alert(1)</script></svg>`, "40 × 30 pixels", ""},
		"b.svg":  {`<svg viewBox="0 0 24 16" width="100%"/>`, "24 × 16 pixels", ""},
		"c.svg":  {`<svg width="1e99" height="-3"/>`, "", ""},
		"d.svg":  {`no picture`, "", ""},
		"x.webp": {"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x63\x00\x00\x31\x00\x00", "100 × 50 pixels", ""},
		"y.webp": {"RIFF\x00\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\x64\x00\x32\x00", "100 × 50 pixels", ""},
		"z.webp": {"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\x63\x40\x0c\x00\x00\x00\x00\x00\x00\x00\x00", "100 × 50 pixels", ""},
		"e.png":  {"\x89PNG\r\n", "", ""},
		"f.png":  {bomb, "10000 × 10000 pixels", "it has more than 50,000,000 pixels"},
		"g.gif":  {"GIF89a", "", ""},
		"h.avif": {"xxxx", "", ""},
	} {
		p := viewsIn + registry.Path("/"+name)
		mediaType := ""
		if strings.HasSuffix(name, ".avif") {
			mediaType = "image/avif"
		}
		s.put(p, mediaType, c.content)
		page := b.get("/console/resource"+string(p)).wantStatus(http.StatusOK).wantText(c.size, c.why)
		if c.size == "" {
			page.wantNoText("pixels")
		}
		if shown := strings.Contains(page.body, "<img src="); shown != (c.why == "") {
			t.Errorf("%s: shown %v", name, shown)
		}
		checkAccess(t, page.doc())
	}
	description := "A graph of \"sales\""
	_, err := s.service.UpdateMeta(t.Context(), s.admin, registry.MetaInput{Path: viewsIn + "/a.png", Description: &description})
	must(t, err)
	page := b.get("/console/resource" + string(viewsIn) + "/a.png")
	if !strings.Contains(page.body, `alt="A graph of &#34;sales&#34;" width="12" height="7"`) {
		t.Error(page.body)
	}
	checkGolden(t, "view-picture.html", golden("view-picture", page.body))
}
