package extract

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// PDF without a model of its objects: the streams are found by their key words, inflated, and the ones that show text are read for the strings that they show.
// Strings of two-byte glyphs are translated by the maps to Unicode that the file brings along, all of its fonts taken together, so that files with several
// such fonts may give wrong words. Encrypted files and pictures of text give none.

const maxStreams = 5000

var (
	streamStart = []byte("stream")
	streamEnd   = []byte("endstream")
)

func pdf(out *output, data []byte) {
	if bytes.Contains(data, []byte("/Encrypt")) {
		return
	}
	streams := pdfStreams(out, data)
	glyphs := map[uint16]string{}
	for _, s := range streams {
		if !out.full() && bytes.Contains(s, []byte("begincmap")) {
			readGlyphs(out, s, glyphs)
		}
	}
	for _, s := range streams {
		if !out.full() && bytes.Contains(s, []byte("BT")) && bytes.Contains(s, []byte("ET")) {
			shown(out, s, glyphs)
		}
	}
}

// pdfStreams gives the streams that are plain or deflated and may hold text or a map of glyphs.
func pdfStreams(out *output, data []byte) [][]byte {
	var streams [][]byte
	left := int64(grownBytes)
	for range maxStreams {
		i := bytes.Index(data, streamStart)
		if i < 0 || left <= 0 || out.ctx.Err() != nil {
			break
		}
		head := data[max(0, i-1024):i]
		if k := bytes.LastIndex(head, []byte("obj")); k >= 0 {
			head = head[k:]
		}
		body := data[i+len(streamStart):]
		body = bytes.TrimPrefix(bytes.TrimPrefix(body, []byte("\r")), []byte("\n"))
		end := bytes.Index(body, streamEnd)
		if end < 0 {
			break
		}
		data = body[end+len(streamEnd):]
		body = body[:end]
		switch {
		case bytes.Contains(head, []byte("/Subtype/Image")), bytes.Contains(head, []byte("/Subtype /Image")):
			continue
		case bytes.Contains(head, []byte("/FlateDecode")):
			z, err := zlib.NewReader(bytes.NewReader(body))
			if err != nil {
				continue
			}
			body, _ = io.ReadAll(io.LimitReader(z, min(left, 4<<20))) // what a broken stream gave until it broke counts
		case bytes.Contains(head, []byte("/Filter")):
			continue
		}
		left -= int64(len(body))
		streams = append(streams, body)
	}
	return streams
}

var (
	glyphChar  = regexp.MustCompile(`<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4,32})>\s*\n?`)
	glyphRange = regexp.MustCompile(`<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4})>`)
)

const maxGlyphs = 1 << 16

// readGlyphs reads a map from glyphs to characters.
func readGlyphs(out *output, s []byte, glyphs map[uint16]string) {
	text := string(s)
	for _, section := range between(text, "beginbfrange", "endbfrange") {
		for _, m := range glyphRange.FindAllStringSubmatch(section, maxGlyphs) {
			if out.full() {
				return
			}
			from, to, first := hex16(m[1]), hex16(m[2]), hex16(m[3])
			for g := int(from); g <= int(to); g++ {
				glyphs[uint16(g)] = string(rune(int(first) + g - int(from)))
			}
		}
	}
	for _, section := range between(text, "beginbfchar", "endbfchar") {
		for _, m := range glyphChar.FindAllStringSubmatch(section, maxGlyphs) {
			if out.full() {
				return
			}
			glyphs[hex16(m[1])] = utf16Hex(m[2])
		}
	}
}

// between gives the parts of a text that lie between two words.
func between(s, begin, end string) []string {
	var parts []string
	for {
		_, rest, ok := strings.Cut(s, begin)
		if !ok {
			return parts
		}
		part, after, _ := strings.Cut(rest, end)
		parts, s = append(parts, part), after
	}
}

func hex16(s string) uint16 {
	n, _ := strconv.ParseUint(s, 16, 16) // four hexadecimal digits
	return uint16(n)
}

func utf16Hex(s string) string {
	var units []uint16
	for ; len(s) >= 4; s = s[4:] {
		units = append(units, hex16(s[:4]))
	}
	return string(utf16.Decode(units))
}

// shown writes the strings that a content stream shows. A new place of the text is a new word; so is a wide gap within a line.
func shown(out *output, s []byte, glyphs map[uint16]string) {
	var line strings.Builder
	flush := func() {
		out.words(line.String())
		line.Reset()
	}
	for i := 0; i < len(s) && !out.full(); {
		switch c := s[i]; {
		case c == '(':
			text, n := literal(s[i:])
			line.WriteString(text)
			i += n
		case c == '<' && i+1 < len(s) && s[i+1] != '<':
			end := bytes.IndexByte(s[i:], '>')
			if end < 0 {
				i = len(s)
				break
			}
			line.WriteString(glyphText(s[i+1:i+end], glyphs))
			i += end + 1
		case c == '-' || c >= '0' && c <= '9':
			n := 1
			for i+n < len(s) && (s[i+n] >= '0' && s[i+n] <= '9' || s[i+n] == '.') {
				n++
			}
			if v, err := strconv.ParseFloat(string(s[i:i+n]), 64); err == nil && v < -200 {
				line.WriteByte(' ')
			}
			i += n
		case c == 'T' && i+1 < len(s) && bytes.IndexByte([]byte("dDm*"), s[i+1]) >= 0, c == 'E' && i+1 < len(s) && s[i+1] == 'T':
			flush()
			i += 2
		default:
			i++
		}
		if line.Len() > out.left {
			break
		}
	}
	flush()
}

// literal reads a string in parentheses, and tells how long it is.
func literal(s []byte) (string, int) {
	var b []byte
	depth := 0
	i := 0
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case '(':
			if depth++; depth > 1 {
				b = append(b, c)
			}
		case ')':
			if depth--; depth == 0 {
				return pdfText(b), i + 1
			}
			b = append(b, c)
		case '\\':
			if i++; i < len(s) {
				n := octal(s[i:])
				switch {
				case n > 0:
					v, _ := strconv.ParseUint(string(s[i:i+n]), 8, 16)
					b = append(b, byte(v))
					i += n - 1
				case strings.IndexByte("nrtbf\r\n", s[i]) >= 0:
					b = append(b, ' ')
				default:
					b = append(b, s[i])
				}
			}
		default:
			b = append(b, c)
		}
	}
	return pdfText(b), i
}

func octal(s []byte) int {
	n := 0
	for n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	return n
}

func pdfText(b []byte) string {
	if bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return decode(b)
	}
	return latin1(b)
}

// glyphText translates a string of hexadecimal digits: glyphs that a map knows, else bytes.
func glyphText(digits []byte, glyphs map[uint16]string) string {
	var hex []byte
	for _, c := range digits {
		if c > ' ' {
			hex = append(hex, c)
		}
	}
	var b strings.Builder
	for len(hex) >= 4 && len(glyphs) > 0 {
		b.WriteString(glyphs[hex16(string(hex[:4]))])
		hex = hex[4:]
	}
	for len(glyphs) == 0 && len(hex) >= 2 {
		v, _ := strconv.ParseUint(string(hex[:2]), 16, 8)
		b.WriteRune(rune(v))
		hex = hex[2:]
	}
	return b.String()
}
