package h2

// What bytes may stand where. Text is looked at eight bytes at a time.

import "encoding/binary"

const (
	ones  = 0x0101010101010101 // one in each byte of a word
	highs = 0x8080808080808080 // the top bit of each byte
)

// below is non-zero if a byte of x is below n; n <= 0x80.
func below(x uint64, n byte) uint64 { return (x - ones*uint64(n)) &^ x & highs }

// badText is non-zero if a byte of x is a control character, HTAB included.
func badText(x uint64) uint64 { return below(x, ' ') | below(x^ones*0x7f, 1) }

// isText reports whether b has no control characters but HTAB (RFC 9110 section 5.5).
func isText(b []byte) bool {
	if len(b) >= 8 {
		bad := badText(binary.LittleEndian.Uint64(b[len(b)-8:]))
		for rest := b; len(rest) >= 8; rest = rest[8:] {
			bad |= badText(binary.LittleEndian.Uint64(rest))
		}
		if bad == 0 {
			return true // the word at the end covers what is left
		}
	}
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// class says in what a byte may stand.
type class uint8

const (
	inName      class = 1 << iota // field names: tokens (RFC 9110 section 5.6.2) without upper case
	inMethod                      // methods: tokens
	inTarget                      // request targets: visible ASCII that begins no fragment
	inAuthority                   // names or addresses, and ports
)

var classes = func() (t [256]class) {
	for c := '!'; c <= '~'; c++ {
		t[c] = inTarget
	}
	t['#'] = 0
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= inName | inMethod | inAuthority
		t[c-'a'+'A'] |= inMethod | inAuthority
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= inName | inMethod | inAuthority
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= inName | inMethod
	}
	for _, c := range []byte("-._~:[]") {
		t[c] |= inAuthority
	}
	return t
}()

// all reports whether all bytes of s, which are some, are of a class.
func all(s string, in class) bool {
	for i := range len(s) {
		if classes[s[i]]&in == 0 {
			return false
		}
	}
	return s != ""
}

// spaced reports whether a value has white space around it, which RFC 9113 section 8.2.1 forbids.
func spaced(value string) bool {
	return value != "" && (isSpace(value[0]) || isSpace(value[len(value)-1]))
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// equalFold compares two strings, ignoring the case of ASCII letters alone.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
