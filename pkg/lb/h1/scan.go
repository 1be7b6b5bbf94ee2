package h1

// What bytes may stand where, looked at eight at a time where it pays.

import (
	"bytes"
	"encoding/binary"
)

const (
	ones  = 0x0101010101010101 // one in each byte of a word
	highs = 0x8080808080808080 // the top bit of each byte
)

// below is non-zero if a byte of x is below n; n <= 0x80.
func below(x uint64, n byte) uint64 { return (x - ones*uint64(n)) &^ x & highs }

// has is non-zero if a byte of x is c.
func has(x uint64, c byte) uint64 { return below(x^ones*uint64(c), 1) }

// badText is non-zero if a byte of x is a control character, HTAB included.
func badText(x uint64) uint64 { return below(x, ' ') | has(x, 0x7f) }

// badURI is non-zero if a byte of x cannot stand in a request target: it is no visible ASCII, or begins a
// fragment.
func badURI(x uint64) uint64 { return below(x, '!') | has(x, 0x7f) | has(x, '#') | x&highs }

// isText reports whether b may be a field value or a reason phrase: no control characters but HTAB (RFC
// 9110 section 5.5).
func isText(b []byte) bool {
	if len(b) < 8 {
		return isTextWithTabs(b)
	}
	bad := badText(binary.LittleEndian.Uint64(b[len(b)-8:]))
	for rest := b; len(rest) >= 8; rest = rest[8:] {
		bad |= badText(binary.LittleEndian.Uint64(rest))
	}
	return bad == 0 || isTextWithTabs(b)
}

func isTextWithTabs(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isURI reports whether all bytes of b may stand in a request target.
func isURI(b []byte) bool {
	if len(b) >= 8 {
		bad := badURI(binary.LittleEndian.Uint64(b[len(b)-8:]))
		for ; len(b) >= 8; b = b[8:] {
			bad |= badURI(binary.LittleEndian.Uint64(b))
		}
		return bad == 0 // the word at the end covers what is left
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// hasEscapes reports whether every % in b begins an escape (RFC 3986 section 2.1).
func hasEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return true
		}
		if i+2 >= len(b) || unhex[b[i+1]] == noHex || unhex[b[i+2]] == noHex {
			return false
		}
		b = b[i+3:]
	}
}

// fold maps the bytes of a token (RFC 9110 section 5.6.2) to lower case, and its punctuation to '-': many
// servers cannot tell Content_Length from Content-Length. All other bytes map to zero.
var fold = func() (t [256]byte) {
	for c := range 128 {
		switch c := byte(c); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			t[c] = c
		case 'A' <= c && c <= 'Z':
			t[c] = c | 0x20
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = '-'
	}
	return t
}()

// IsToken reports whether b is a token (RFC 9110 section 5.6.2), which is never empty.
func IsToken(b []byte) bool {
	for _, c := range b {
		if fold[c] == 0 {
			return false
		}
	}
	return len(b) > 0
}

const noHex = 0xff

// unhex gives the value of a hexadecimal digit, noHex for other bytes.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = noHex
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = byte(10 + i)
	}
	return t
}()

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// equalFold compares b with an ASCII string in lower case, ignoring the case of ASCII letters alone.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != s[i] {
			return false
		}
	}
	return true
}

// equalFoldString compares b with s of the same length, ignoring the case of ASCII letters alone.
func equalFoldString(b []byte, s string) bool {
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

// equalFoldBytes compares a with b, ignoring the case of ASCII letters alone.
func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

// isSpace reports optional white space (RFC 9110 section 5.6.3).
func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// Trim gives the span of b[from:to] without white space around it (RFC 9110 section 5.6.3).
func Trim(b []byte, from, to int) (start, end int) {
	for from < to && isSpace(b[from]) {
		from++
	}
	for from < to && isSpace(b[to-1]) {
		to--
	}
	return from, to
}

// nextElement cuts the first element off a comma-separated list (RFC 9110 section 5.6.1). Elements may be
// empty. The grammar of what it is used for has no quoted strings.
func nextElement(list []byte) (element, rest []byte, more bool) {
	comma := 0
	for comma < len(list) && list[comma] != ',' {
		comma++
	}
	from, to := Trim(list, 0, comma)
	if comma == len(list) {
		return list[from:to], nil, false
	}
	return list[from:to], list[comma+1:], true
}

// digits reads a number of 1 to 18 decimal digits, and nothing else.
func digits(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
