package accesslog

import (
	"unicode"
	"unicode/utf8"
)

// How a byte may stand in a line.
const (
	plainText = 1 << iota // in text without quotes around the value
	plainJSON             // in a JSON string, and in quoted text
)

// plain tells of every byte how it may stand. Those from 0x80 on are looked at as characters.
var plain = plainBytes()

func plainBytes() (t [256]uint8) {
	for b := byte(' '); b < 0x7f; b++ {
		t[b] = plainText | plainJSON
	}
	t[' '], t['='] = plainJSON, plainJSON
	t['"'] = 0
	t['\\'] = plainText
	return t
}

// cutMark stands behind a value that was longer than its limit.
const cutMark = "..."

// cut shortens v to limit bytes, or up to three fewer in order not to split a character.
func cut[T ~string | ~[]byte](v T, limit int) (short T, mark string) {
	if len(v) <= limit {
		return v, ""
	}
	end := limit
	for end > limit-utf8.UTFMax+1 && !utf8.RuneStart(v[end]) {
		end--
	}
	return v[:end], cutMark
}

// appendText writes v as a value of logfmt: bare if it can be, else in quotes and escaped as by strconv.Quote.
func appendText[T ~string | ~[]byte](dst []byte, v T, limit int) []byte {
	v, mark := cut(v, limit)
	i := 0
	for i < len(v) && plain[v[i]]&plainText != 0 {
		i++
	}
	if i < len(v) && !visible(v[i:]) {
		dst = append(escape(append(dst, '"'), v, false), mark...)
		return append(dst, '"')
	}
	return append(append(dst, v...), mark...)
}

// visible reports whether v is UTF-8 of characters that can all be seen and told from white space, and that need no quotes.
func visible[T ~string | ~[]byte](v T) bool {
	for i := 0; i < len(v); {
		if v[i] < utf8.RuneSelf {
			if plain[v[i]]&plainText == 0 {
				return false
			}
			i++
			continue
		}
		r, size := decode(v[i:])
		if !printable(r, size) {
			return false
		}
		i += size
	}
	return true
}

// printable reports whether a decoded character beyond ASCII may stand as it is.
func printable(r rune, size int) bool {
	return (r != utf8.RuneError || size > 1) && unicode.IsPrint(r)
}

// appendJSON writes v as a JSON string (RFC 8259 section 7). What is no UTF-8 becomes U+FFFD.
func appendJSON[T ~string | ~[]byte](dst []byte, v T, limit int) []byte {
	v, mark := cut(v, limit)
	dst = append(dst, '"')
	i := 0
	for i < len(v) && plain[v[i]]&plainJSON != 0 {
		i++
	}
	dst = append(dst, v[:i]...)
	if i < len(v) {
		dst = escape(dst, v[i:], true)
	}
	return append(append(dst, mark...), '"')
}

// escape writes v so that it can stand between quotes. JSON knows no escape for a byte, so there what is no UTF-8 cannot be told apart.
func escape[T ~string | ~[]byte](dst []byte, v T, json bool) []byte {
	for i := 0; i < len(v); {
		b := v[i]
		switch {
		case plain[b]&plainJSON != 0:
			dst = append(dst, b)
			i++
		case b < utf8.RuneSelf:
			dst = escapeASCII(dst, b, json)
			i++
		default:
			r, size := decode(v[i:])
			switch {
			case printable(r, size):
				dst = append(dst, v[i:i+size]...)
			case json:
				dst = escapeUTF16(dst, r)
			case r == utf8.RuneError && size == 1:
				dst = appendHex(append(dst, `\x`...), uint32(b), 2)
			case r > 0xffff:
				dst = appendHex(append(dst, `\U`...), uint32(r), 8)
			default:
				dst = appendHex(append(dst, `\u`...), uint32(r), 4)
			}
			i += size
		}
	}
	return dst
}

func escapeASCII(dst []byte, b byte, json bool) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if json {
		return appendHex(append(dst, `\u`...), uint32(b), 4)
	}
	return appendHex(append(dst, `\x`...), uint32(b), 2)
}

// escapeUTF16 writes r as JSON does: beyond the first plane as two surrogates.
func escapeUTF16(dst []byte, r rune) []byte {
	const firstBeyond, high, low, bits = 0x10000, 0xd800, 0xdc00, 10
	if r < firstBeyond {
		return appendHex(append(dst, `\u`...), uint32(r), 4)
	}
	r -= firstBeyond
	dst = appendHex(append(dst, `\u`...), uint32(high+r>>bits), 4)
	return appendHex(append(dst, `\u`...), uint32(low+r&(1<<bits-1)), 4)
}

func appendHex(dst []byte, n uint32, digits int) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, hex[n>>shift&0xf])
	}
	return dst
}

// decode reads one character of v, which is not empty.
func decode[T ~string | ~[]byte](v T) (r rune, size int) {
	return utf8.DecodeRuneInString(string(v[:min(len(v), utf8.UTFMax)]))
}
