package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// markup gives the text of XML or HTML: names of elements, values of attributes, text and comments. What is no markup after all is taken as it is.
func markup(out *output, s string) {
	d := xml.NewDecoder(strings.NewReader(s))
	// Entities that a document declares stay what they are: names. So no document grows, and none reaches outside.
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	for !out.full() {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			out.words(s[min(d.InputOffset(), int64(len(s))):])
			return
		}
		switch t := t.(type) {
		case xml.StartElement:
			out.words(t.Name.Local)
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					out.words(a.Value)
				}
			}
		case xml.CharData:
			out.words(string(t))
		case xml.Comment:
			out.words(string(t))
		}
	}
}

// officeParts tells of files in an archive that have text for readers.
func officePart(name string) bool {
	switch {
	case name == "content.xml", name == "word/document.xml", name == "xl/sharedStrings.xml", name == "docProps/core.xml", name == "meta.xml":
		return true
	case strings.HasPrefix(name, "ppt/slides/slide"), strings.HasPrefix(name, "ppt/notesSlides/notesSlide"), strings.HasPrefix(name, "xl/worksheets/sheet"),
		strings.HasPrefix(name, "word/header"), strings.HasPrefix(name, "word/footer"), strings.HasPrefix(name, "word/footnotes"), strings.HasPrefix(name, "word/comments"):
		return strings.HasSuffix(name, ".xml")
	}
	return false
}

const maxParts = 1000

// office gives the text of the XML files in an archive. All of them together may grow to so many bytes.
func office(out *output, data []byte) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	left := int64(grownBytes)
	for _, f := range z.File[:min(len(z.File), maxParts)] {
		if out.full() || left <= 0 {
			return
		}
		if !officePart(f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			continue
		}
		in := &io.LimitedReader{R: r, N: left}
		officeXML(out, in)
		left = in.N
		_ = r.Close() // it was read as far as it goes
	}
}

// officeXML gives the text of a part: paragraphs, cells and the like apart, the runs within one together.
func officeXML(out *output, in io.Reader) {
	d := xml.NewDecoder(in)
	var b strings.Builder
	for !out.full() {
		t, err := d.RawToken()
		if err != nil {
			break
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t[:min(len(t), out.left)])
		case xml.StartElement:
			if slices.Contains([]string{"tab", "br", "s", "line-break"}, t.Name.Local) {
				b.WriteByte(' ')
			}
		case xml.EndElement:
			if slices.Contains([]string{"p", "h", "si", "c", "row", "title", "subject", "creator", "keywords", "description"}, t.Name.Local) {
				out.words(b.String())
				b.Reset()
			}
		}
		if b.Len() > out.left {
			break
		}
	}
	out.words(b.String())
}
