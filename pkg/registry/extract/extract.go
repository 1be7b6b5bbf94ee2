package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Format is how the text lies in a content. The numbers are those in the stores.
type Format uint8

// The formats.
const (
	None   Format = 0 // no text, or none that can be read
	Plain  Format = 1 // the content is the text
	JSON   Format = 2 // likewise, with escapes
	Markup Format = 3 // XML and HTML
	Office Format = 4 // OOXML and OpenDocument: XML in a zip archive
	PDF    Format = 5
)

const (
	textBytes   = 1 << 20  // of a content of text that are read
	packedBytes = 16 << 20 // of a content in a compressed format
	grownBytes  = 16 << 20 // that compressed parts may give, together
	longest     = 2 * time.Second
)

// Of tells the format of contents of a media type.
func Of(mediaType string) Format {
	t, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return None
	}
	switch {
	case t == "application/pdf":
		return PDF
	case strings.HasPrefix(t, "application/vnd.openxmlformats-officedocument."), strings.HasPrefix(t, "application/vnd.oasis.opendocument."):
		return Office
	case t == "text/html", t == "application/xml", strings.HasSuffix(t, "/xml"), strings.HasSuffix(t, "+xml"):
		return Markup
	case strings.HasSuffix(t, "/json"), strings.HasSuffix(t, "+json"):
		return JSON
	case strings.HasPrefix(t, "text/"), strings.HasSuffix(t, "yaml"), strings.HasSuffix(t, "javascript"), t == "application/graphql", t == "application/sql",
		t == "application/toml", t == "application/x-sh":
		return Plain
	}
	return None
}

// Needs is how many bytes of a content are read at most.
func (f Format) Needs() int64 {
	switch f {
	case None:
		return 0
	case Office, PDF:
		return packedBytes
	case Plain, JSON, Markup:
	}
	return textBytes
}

// Slow tells of formats whose text is worth keeping.
func (f Format) Slow() bool { return f == Office || f == PDF }

// Text gives the text of a content, at most so many bytes of it, as valid UTF-8. What cannot be read has none. It ends with ctx, and after two seconds,
// with what it has by then; whole is false when it was the time that ended it.
func Text(ctx context.Context, f Format, data []byte, most int) (text string, whole bool) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	out := &output{ctx: ctx, left: most}
	data = data[:min(int64(len(data)), f.Needs())]
	switch f {
	case Plain:
		out.write(decode(data))
	case JSON:
		out.write(unescape(decode(data)))
	case Markup:
		markup(out, decode(data))
	case Office:
		office(out, data)
	case PDF:
		pdf(out, data)
	case None:
	}
	return strings.ToValidUTF8(out.b.String(), " "), ctx.Err() == nil
}

// output gathers text up to a limit.
type output struct {
	ctx  context.Context //nolint:containedctx // the one of Text, which makes and drops the output
	b    strings.Builder
	left int
}

// full tells that no more is wanted.
func (o *output) full() bool { return o.left <= 0 || o.ctx.Err() != nil }

func (o *output) write(s string) {
	if len(s) > o.left {
		n := o.left
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		o.b.WriteString(s[:n])
		o.left = 0
		return
	}
	o.b.WriteString(s)
	o.left -= len(s)
}

// words writes a piece of text apart from what is before it.
func (o *output) words(s string) {
	if s = strings.TrimSpace(s); s != "" && !o.full() {
		o.write(s)
		o.write(" ")
	}
}

// decode makes a text of bytes: UTF-8, or UTF-16 with a byte order mark. Bytes that are neither are taken for Latin-1.
func decode(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		b = b[3:]
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return wide(b[2:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return wide(b[2:], binary.LittleEndian)
	}
	s := string(b)
	for cut := 0; cut < utf8.UTFMax && cut < len(s); cut++ { // the end may be in the middle of a character
		if utf8.ValidString(s[:len(s)-cut]) {
			return s[:len(s)-cut]
		}
	}
	return latin1(b)
}

func wide(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// unescape undoes the escapes of JSON that divide or spoil words, in all of the text: what is not in a string has none.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		switch c := s[i+1]; {
		case c == 'u' && i+6 <= len(s):
			n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
			if err == nil {
				b.WriteRune(rune(n)) // half of a pair becomes U+FFFD, which is in no word
				i += 4
			}
		case strings.IndexByte("bfnrt", c) >= 0:
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
		s = s[i+2:]
	}
}
