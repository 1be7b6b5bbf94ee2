package h1

// The scanners that look at eight bytes at a time, against plain rules, with every byte at every place.

import (
	"bytes"
	"strings"
	"testing"
)

func TestScannersSeeEveryByte(t *testing.T) {
	for length := 1; length <= 26; length++ {
		for at := range length {
			for c := range 256 {
				b := bytes.Repeat([]byte{'a'}, length)
				b[at] = byte(c)
				if want := c >= ' ' && c != 0x7f || c == '\t'; isText(b) != want {
					t.Fatalf("isText(%q) = %t", b, !want)
				}
				if want := c > ' ' && c < 0x7f && c != '#'; isURI(b) != want {
					t.Fatalf("isURI(%q) = %t", b, !want)
				}
				if want := c < 0x80 && c > ' ' && c != 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(c)); IsToken(b) != want {
					t.Fatalf("IsToken(%q) = %t", b, !want)
				}
			}
		}
	}
	if !isText(nil) || !isURI(nil) || IsToken(nil) {
		t.Error("the empty string is text, and no token")
	}
	if isText([]byte("a\ta\ta\ta\x00\t")) || !isText([]byte("\t\t\t\t\t\t\t\t\t")) {
		t.Error("tabs hide a control character, or are taken for one")
	}
}
