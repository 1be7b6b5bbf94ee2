package console

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"mime"
	"strings"
	"unicode/utf8"
)

const (
	maxShown      = 512 << 10 // bytes of a text that a page shows
	maxShownLines = 10_000    // and lines
	hexShown      = 256       // first bytes of what is no text
	hexWidth      = 16
)

// preview is as much of a content as a page shows.
type preview struct {
	Image      bool            // a picture, shown by the browser
	Text       bool            // a text, as Lines
	Lines      []string        // without their ends
	Shown      []template.HTML // the same, highlighted; none where the page shows another form
	Cut        bool            // there is more than Lines or Hex show
	ShownBytes int64
	Hex        []hexRow
}

type hexRow struct {
	Offset, Bytes, Chars string
}

// images are the media types that every browser shows as a picture, in an <img>, which runs no script.
var images = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/svg+xml": true, "image/avif": true,
}

// isImage tells whether a content of that type is shown as a picture.
func isImage(mediaType string) bool {
	base, _, err := mime.ParseMediaType(mediaType)
	return err == nil && images[base]
}

// readPreview reads the beginning of a content of size bytes.
func readPreview(content io.Reader, size int64) (preview, error) {
	head, err := io.ReadAll(io.LimitReader(content, maxShown))
	if err != nil {
		return preview{}, fmt.Errorf("console: content: %w", err)
	}
	cut := int64(len(head)) < size
	text := head
	if cut {
		text = trimPartialRune(text)
	}
	if !isText(text) {
		p := preview{Hex: hexDump(head[:min(len(head), hexShown)])}
		p.ShownBytes = int64(min(len(head), hexShown))
		p.Cut = p.ShownBytes < size
		return p, nil
	}
	p := preview{Text: true, Cut: cut, ShownBytes: int64(len(text))}
	p.Lines = strings.SplitAfterN(string(text), "\n", maxShownLines+1)
	if len(p.Lines) > maxShownLines {
		p.ShownBytes -= int64(len(p.Lines[maxShownLines]))
		p.Lines, p.Cut = p.Lines[:maxShownLines], p.Cut || p.Lines[maxShownLines] != ""
	}
	if last := len(p.Lines) - 1; p.Lines[last] == "" {
		p.Lines = p.Lines[:last]
	}
	for i, line := range p.Lines {
		p.Lines[i] = strings.TrimRight(line, "\r\n")
	}
	return p, nil
}

// isText tells a text from other bytes: valid UTF-8 without NUL.
func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

// trimPartialRune drops the first bytes of a character that a cut split.
func trimPartialRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if start := len(b) - i; utf8.RuneStart(b[start]) {
			if !utf8.FullRune(b[start:]) {
				return b[:start]
			}
			break
		}
	}
	return b
}

func hexDump(b []byte) []hexRow {
	var rows []hexRow
	for start := 0; start < len(b); start += hexWidth {
		part := b[start:min(start+hexWidth, len(b))]
		chars := make([]byte, len(part))
		for i, x := range part {
			chars[i] = '.'
			if x >= 0x20 && x < 0x7f {
				chars[i] = x
			}
		}
		rows = append(rows, hexRow{fmt.Sprintf("%08x", start), fmt.Sprintf("% x", part), string(chars)})
	}
	return rows
}

// newlines says how the lines of a text end.
type newlines string

const (
	newlinesLF    newlines = "lf"
	newlinesCRLF  newlines = "crlf"
	newlinesMixed newlines = "mixed"
)

func newlinesOf(text string) newlines {
	crlf := strings.Count(text, "\r\n")
	switch {
	case crlf == 0:
		return newlinesLF
	case crlf == strings.Count(text, "\n"):
		return newlinesCRLF
	}
	return newlinesMixed
}

// fromTextarea undoes what a browser does to the text of a form: it sends every line end as CR LF.
func fromTextarea(text string, want newlines) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if want == newlinesCRLF {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// readText reads a whole content of at most maxEditable bytes; ok is false when it is larger or no text.
func readText(content io.Reader, size int64) (text string, ok bool, err error) {
	if size > maxEditable {
		return "", false, nil
	}
	b, err := io.ReadAll(io.LimitReader(content, maxEditable+1))
	if err != nil {
		return "", false, fmt.Errorf("console: content: %w", err)
	}
	return string(b), isText(b) && len(b) <= maxEditable, nil
}
