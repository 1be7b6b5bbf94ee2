package h1

// Whatever comes, the codec does not panic, stays inside its buffer, and says the same of a message in
// pieces and in one piece.

import (
	"bytes"
	"testing"
)

// addRequests seeds a fuzz target with all heads of the tests that are short.
func addRequests(f *testing.F) {
	for _, text := range resumed {
		f.Add([]byte(text))
	}
	for _, tt := range refusedRequests {
		if len(tt.text) < 1000 {
			f.Add([]byte(tt.text))
		}
	}
}

func addResponses(f *testing.F) {
	f.Add([]byte(goResponse))
	f.Add([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 304\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"))
	for _, tt := range refusedResponses {
		if len(tt.text) < 1000 {
			f.Add([]byte(tt.text))
		}
	}
}

func addChunks(f *testing.F) {
	for _, tt := range takenChunks {
		f.Add([]byte(tt.raw))
	}
	for _, tt := range refusedChunks {
		if len(tt.raw) < 1000 {
			f.Add([]byte(tt.raw))
		}
	}
}

// cuts makes up to three places to cut text out of its own bytes.
func cuts(text []byte) []int {
	n := len(text)
	if n < 2 {
		return nil
	}
	a := (int(text[0])*31 + int(text[n-1])*7 + n) % n
	return []int{a / 2, a, a + (n-a)/2}
}

// within reports whether part lies inside buf, with nothing behind it in reach that is not of buf.
func within(buf, part []byte) bool {
	if len(part) == 0 {
		return true
	}
	if cap(part) > cap(buf) {
		return false
	}
	at := cap(buf) - cap(part) // both end where the memory ends
	return at+len(part) <= len(buf) && &buf[:cap(buf)][at] == &part[0]
}

func checkInvariants(t *testing.T, p parser, buf []byte) {
	t.Helper()
	p.Reset()
	n, err := p.Parse(buf)
	if n < 0 || n > len(buf) || n > MaxHead || n > 0 && err != nil {
		t.Fatalf("Parse of %d bytes = %d, %v", len(buf), n, err)
	}
	if n > 0 {
		checkSpans(t, p, buf[:n:n])
	}
	whole := outcome(p, n, err)
	p.Reset()
	if got := feed(p, buf, cuts(buf)...); got != whole {
		t.Fatalf("%q cut at %d:\n%s\nin one piece:\n%s", buf, cuts(buf), got, whole)
	}
	if len(buf) > 2000 {
		return
	}
	p.Reset()
	if got := feed(p, buf, everyByte(buf)...); got != whole {
		t.Fatalf("%q byte by byte:\n%s\nin one piece:\n%s", buf, got, whole)
	}
}

func checkSpans(t *testing.T, p parser, head []byte) {
	t.Helper()
	p.Rebase(head)
	var fields *Fields
	var parts [][]byte
	switch r := p.(type) {
	case *Request:
		fields, parts = &r.Fields, [][]byte{r.Method(), r.Target(), r.Scheme(), r.Host()}
	case *Response:
		fields, parts = &r.Fields, [][]byte{r.Reason()}
	}
	for i := range fields.Len() {
		parts = append(parts, fields.Name(i), fields.Value(i), fields.Line(i))
	}
	for _, part := range parts {
		if !within(head, part) {
			t.Fatalf("%q lies outside of %q", part, head)
		}
		if i := bytes.IndexAny(part, "\x00\r\n"); i >= 0 && !bytes.HasSuffix(part, []byte("\r\n")) {
			t.Fatalf("%q holds what could end a line", part)
		}
	}
}

func FuzzRequest(f *testing.F) {
	addRequests(f)
	var r Request
	f.Fuzz(func(t *testing.T, buf []byte) { checkInvariants(t, &r, buf) })
}

func FuzzResponse(f *testing.F) {
	addResponses(f)
	var r Response
	f.Fuzz(func(t *testing.T, buf []byte) { checkInvariants(t, &r, buf) })
}

func FuzzChunks(f *testing.F) {
	addChunks(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var c Chunks
		buf := bytes.Clone(raw)
		n, used, done, err := c.Decode(buf)
		if n < 0 || n > used || used > len(buf) || done && err != nil || !done && err == nil && used != len(buf) {
			t.Fatalf("Decode of %d bytes = %d, %d, %t, %v", len(buf), n, used, done, err)
		}
		if !bytes.Equal(buf[used:], raw[used:]) {
			t.Fatalf("%q: bytes behind %d were touched", raw, used)
		}
		c.Reset()
		whole := decode(&c, raw)
		c.Reset()
		if got := decode(&c, raw, cuts(raw)...); got != whole {
			t.Fatalf("%q cut at %d:\n%s\nin one piece:\n%s", raw, cuts(raw), got, whole)
		}
		c.Reset()
		if got := decode(&c, raw, everyByte(raw)...); got != whole {
			t.Fatalf("%q byte by byte:\n%s\nin one piece:\n%s", raw, got, whole)
		}
	})
}
