package h1

// What the tests share: messages as text, and parsing them in pieces.

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fataler is a test or a property.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// request parses text, which must be exactly one head, in one piece.
func request(t fataler, text string) *Request {
	t.Helper()
	var r Request
	n, err := r.Parse([]byte(text))
	if err != nil || n != len(text) {
		t.Fatalf("Parse(%q) = %d, %v; want %d, nil", text, n, err, len(text))
	}
	return &r
}

// response does the same for a response.
func response(t fataler, text string) *Response {
	t.Helper()
	var r Response
	n, err := r.Parse([]byte(text))
	if err != nil || n != len(text) {
		t.Fatalf("Parse(%q) = %d, %v; want %d, nil", text, n, err, len(text))
	}
	return &r
}

// parser is what Request and Response have in common.
type parser interface {
	Parse(buf []byte) (n int, err error)
	Rebase(buf []byte)
	Reset()
}

// outcome is all that a parser says of a head, as text, so that two can be compared.
func outcome(p parser, n int, err error) string {
	var broken *Error
	if errors.As(err, &broken) {
		return fmt.Sprintf("error %d %s", broken.Status, broken.Text)
	}
	if n == 0 {
		return "more"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d bytes\n", n)
	switch r := p.(type) {
	case *Request:
		fmt.Fprintf(&out, "%q %q %q %q %q minor %d length %d close %t continue %t websocket %t trailers %t\n", r.Method(), r.Target(),
			r.Path(), r.Scheme(), r.Host(), r.Minor(), r.Length(), r.Close(), r.Continue(), r.Websocket(), r.Trailers())
		describeFields(&out, &r.Fields, r.Hop)
	case *Response:
		fmt.Fprintf(&out, "%d %q minor %d length %d declared %d close %t websocket %t\n", r.Status(), r.Reason(), r.Minor(),
			r.Length(), r.DeclaredLength(), r.Close(), r.Websocket())
		describeFields(&out, &r.Fields, r.Hop)
	}
	return out.String()
}

func describeFields(out *strings.Builder, f *Fields, hop func(int) bool) {
	for i := range f.Len() {
		fmt.Fprintf(out, "%d %q: %q %q %t\n", f.ID(i), f.Name(i), f.Value(i), f.Line(i), hop(i))
	}
}

// feed parses text as it comes in pieces that end at the given offsets, and at last whole. Each call sees
// it in memory of its own; what the calls before saw is spoilt.
func feed(p parser, text []byte, ends ...int) string {
	var before []byte
	for _, end := range append(ends, len(text)) {
		buf := append(make([]byte, 0, end), text[:end]...)
		n, err := p.Parse(buf)
		for i := range before {
			before[i] = '!'
		}
		if n > 0 || err != nil || end == len(text) {
			moved := append([]byte("somewhere else"), buf...)[len("somewhere else"):]
			p.Rebase(moved)
			for i := range buf {
				buf[i] = '!'
			}
			return outcome(p, n, err)
		}
		before = buf
	}
	return ""
}

// everyByte gives the offsets that feed text byte by byte.
func everyByte(text []byte) []int {
	ends := make([]int, len(text))
	for i := range ends {
		ends[i] = i + 1
	}
	return ends
}

// checkPieces says whether a head in pieces gives the same as in one piece: cut in two at every offset, and
// byte by byte.
func checkPieces(t *testing.T, p parser, text []byte) {
	t.Helper()
	p.Reset()
	whole := feed(p, text)
	p.Reset()
	if got := feed(p, text, everyByte(text)...); got != whole {
		t.Errorf("%.200q byte by byte:\n%s\nin one piece:\n%s", text, got, whole)
	}
	for cut := 0; cut <= len(text); cut++ {
		p.Reset()
		if got := feed(p, text, cut); got != whole {
			t.Fatalf("%.200q cut at %d:\n%s\nin one piece:\n%s", text, cut, got, whole)
		}
	}
}
