package h1

// The chunked coding, read and written.

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decode gives a body to c in pieces that end at the given offsets, and at last whole, and tells all that
// came of it. No call sees the memory of another one.
func decode(c *Chunks, raw []byte, ends ...int) string {
	var content []byte
	var done bool
	var err error
	from := 0
	for _, end := range append(ends, len(raw)) {
		piece := bytes.Clone(raw[from:end])
		var n, used int
		n, used, done, err = c.Decode(piece)
		content = append(content, piece[:n]...)
		if err == nil && !done && used != len(piece) {
			return fmt.Sprintf("used %d of %d", used, len(piece))
		}
		if done && !bytes.Equal(piece[used:], raw[from+used:end]) {
			return "touched what follows"
		}
		if from += used; err != nil || done {
			break
		}
	}
	var broken *Error
	if errors.As(err, &broken) {
		return fmt.Sprintf("%q error %d %s", content, broken.Status, broken.Text)
	}
	var trailers []byte
	if done {
		for i := range c.Trailers().Len() {
			trailers = c.Trailers().AppendLine(trailers, i)
		}
	}
	return fmt.Sprintf("%q done %t used %d trailers %q", content, done, from, trailers)
}

// checkChunkPieces says whether a body in pieces gives the same as in one piece.
func checkChunkPieces(t *testing.T, raw []byte) {
	t.Helper()
	var c Chunks
	whole := decode(&c, raw)
	c.Reset()
	if got := decode(&c, raw, everyByte(raw)...); got != whole {
		t.Errorf("%.200q byte by byte:\n%s\nin one piece:\n%s", raw, got, whole)
	}
	for cut := 0; cut <= len(raw); cut++ {
		c.Reset()
		if got := decode(&c, raw, cut); got != whole {
			t.Fatalf("%.200q cut at %d:\n%s\nin one piece:\n%s", raw, cut, got, whole)
		}
	}
}

var takenChunks = []struct{ name, raw, content, trailers, rest string }{
	{name: "empty", raw: "0\r\n\r\n"},
	{name: "one", raw: "5\r\nhello\r\n0\r\n\r\n", content: "hello"},
	{name: "two", raw: "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET / HTTP/1.1\r\n", content: "hello", rest: "GET / HTTP/1.1\r\n"},
	{name: "hexadecimal", raw: "0000000000000010\r\n0123456789abcdef\r\n000\r\n\r\n", content: "0123456789abcdef"},
	{name: "upper case", raw: "A\r\n0123456789\r\n0\r\n\r\n", content: "0123456789"},
	{name: "content like framing", raw: "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", content: "\r\n0\r\n\r\n"},
	{name: "extension", raw: "1;a\r\nx\r\n0;b=c;d=\"e \\\"f\\\\ ;\t\xe9\"\r\n\r\n", content: "x"},
	{name: "empty quoted string", raw: "1;a=\"\"\r\nx\r\n0\r\n\r\n", content: "x"},
	{name: "extension of 256", raw: "1;" + strings.Repeat("a", 255) + "\r\nx\r\n0\r\n\r\n", content: "x"},
	{name: "trailers", raw: "0\r\nGrpc-Status:0\r\nX: y \r\n\r\nmore", trailers: "Grpc-Status: 0\r\nX: y\r\n", rest: "more"},
	{name: "digest", raw: "0\r\nContent-Digest: x\r\n\r\n", trailers: "Content-Digest: x\r\n"},
	{name: "trailers that may not be", raw: "0\r\nA: 1\r\nContent-Length: 5\r\ntransfer-encoding: chunked\r\nHost: b\r\nConnection: A\r\n" +
		"X-Forwarded-For: c\r\nX_Forwarded_For: c\r\nForwarded: c\r\nX-Request-Id: c\r\nContent-Type: d\r\nContent-Anything: d\r\n" +
		"Content_Length: 5\r\nContent_Anything: d\r\nAuthorization: e\r\nCookie: f\r\nSet-Cookie: f\r\nTrailer: g\r\nTE: g\r\nUpgrade: g\r\nB: 2\r\n\r\n", trailers: "A: 1\r\nB: 2\r\n"},
}

var refusedChunks = []struct{ name, raw, says string }{
	{"no size", "\r\n", "bad chunk size"},
	{"letter", "g\r\n", "bad chunk size"},
	{"plus", "+5\r\nhello\r\n", "bad chunk size"},
	{"minus", "-1\r\n", "bad chunk size"},
	{"0x", "0x5\r\nhello\r\n", "bad chunk size"},
	{"underscore", "1_0\r\n", "bad chunk size"},
	{"space before", " 5\r\nhello\r\n", "bad chunk size"},
	{"space behind", "5 \r\nhello\r\n", "bad chunk size"},
	{"tab behind", "5\t\r\nhello\r\n", "bad chunk size"},
	{"space before extension", "5 ;a\r\nhello\r\n", "bad chunk size"},
	{"17 digits", "00000000000000005\r\nhello\r\n", "bad chunk size"},
	{"beyond 60 bits", "1000000000000000\r\n", "bad chunk size"},
	{"beyond 63 bits", "8000000000000000\r\n", "bad chunk size"},
	{"beyond 64 bits", "10000000000000005\r\nhello\r\n", "bad chunk size"},
	{"NUL", "5\x00\r\nhello\r\n", "bad chunk size"},
	{"LF ends size", "5\nhello\r\n", "bad chunk size"},
	{"CR ends size", "5\rhello\r\n", "bad chunk size"},
	{"CR CR LF ends size", "5\r\r\nhello\r\n", "bad chunk size"},
	{"LF ends last size", "0\n\r\n", "bad chunk size"},
	{"no CR LF behind data", "5\r\nhello0\r\n\r\n", "chunk does not end with CR LF"},
	{"LF behind data", "5\r\nhello\n0\r\n\r\n", "chunk does not end with CR LF"},
	{"CR behind data", "5\r\nhello\r0\r\n\r\n", "chunk does not end with CR LF"},
	{"too much data", "5\r\nhello!\r\n0\r\n\r\n", "chunk does not end with CR LF"},
	{"empty extension", "5;\r\nhello\r\n", "bad chunk extension"},
	{"two semicolons", "5;;a\r\nhello\r\n", "bad chunk extension"},
	{"space in extension", "5; a\r\nhello\r\n", "bad chunk extension"},
	{"space before value", "5;a= b\r\nhello\r\n", "bad chunk extension"},
	{"no value", "5;a=\r\nhello\r\n", "bad chunk extension"},
	{"two values", "5;a=b=c\r\nhello\r\n", "bad chunk extension"},
	{"LF in extension", "5;a\nhello\r\n", "bad chunk extension"},
	{"CR in extension", "5;a\rb\r\nhello\r\n", "bad chunk size"},
	{"open quote", "5;a=\"b\r\nhello\r\n", "bad chunk extension"},
	{"LF in quote", "5;a=\"b\nc\"\r\nhello\r\n", "bad chunk extension"},
	{"escaped CR", "5;a=\"b\\\r\n\"\r\nhello\r\n", "bad chunk extension"},
	{"token behind quote", "5;a=\"b\"c\r\nhello\r\n", "bad chunk extension"},
	{"NUL in extension", "5;a\x00\r\nhello\r\n", "bad chunk extension"},
	{"extension of 257", "1;" + strings.Repeat("a", 256) + "\r\nx\r\n", "chunk size line too long"},
	{"trailer without colon", "0\r\nGET / HTTP/1.1\r\n\r\n", "field without a colon"},
	{"trailer folded", "0\r\nA: b\r\n c\r\n\r\n", "white space before a field name"},
	{"trailer with space before colon", "0\r\nA : b\r\n\r\n", "white space before a colon"},
	{"trailer ends with LF", "0\r\nA: b\n\r\n", "line does not end with CR LF"},
	{"trailers end with LF", "0\r\nA: b\r\n\n", "line does not end with CR LF"},
	{"body ends with LF", "0\r\n\n", "line does not end with CR LF"},
	{"body ends with CR", "0\r\n\rA: b\r\n\r\n", "chunk does not end with CR LF"},
	{"NUL in trailer", "0\r\nA: \x00\r\n\r\n", "control character in a field value"},
	{"257 trailers", "0\r\n" + strings.Repeat("a:b\r\n", MaxFields+1) + "\r\n", "too many fields"},
	{"long trailer", "0\r\nA: " + strings.Repeat("b", MaxTrailers), "trailer section too large"},
	{"long trailers", "0\r\n" + strings.Repeat("A: "+strings.Repeat("b", 123)+"\r\n", 65) + "\r\n", "trailer section too large"},
	{"forbidden trailers count too", "0\r\n" + strings.Repeat("Cookie: "+strings.Repeat("b", 118)+"\r\n", 65) + "\r\n", "trailer section too large"},
}

func TestChunksTaken(t *testing.T) {
	for _, tt := range takenChunks {
		t.Run(tt.name, func(t *testing.T) {
			var c Chunks
			want := fmt.Sprintf("%q done true used %d trailers %q", tt.content, len(tt.raw)-len(tt.rest), tt.trailers)
			if got := decode(&c, []byte(tt.raw)); got != want {
				t.Errorf("%q gives\n%s, want\n%s", tt.raw, got, want)
			}
			checkChunkPieces(t, []byte(tt.raw))
		})
	}
}

func TestChunksRefused(t *testing.T) {
	for _, tt := range refusedChunks {
		t.Run(tt.name, func(t *testing.T) {
			var c Chunks
			got := decode(&c, []byte(tt.raw))
			if !strings.HasSuffix(got, " error 400 "+tt.says) {
				t.Errorf("%.200q gives %s, want %q", tt.raw, got, tt.says)
			}
			if len(tt.raw) < 1000 {
				checkChunkPieces(t, []byte(tt.raw))
			}
		})
	}
}

func TestChunkOfAnySize(t *testing.T) {
	var c Chunks
	if n, used, done, err := c.Decode([]byte("0fffffffffffffff\r\nabc")); n != 3 || used != 21 || done || err != nil {
		t.Errorf("Decode = %d, %d, %t, %v", n, used, done, err)
	}
	if c.left != 1<<60-1-3 {
		t.Errorf("%d bytes left", c.left)
	}
}

// TestChunkOverhead: bodies of many small chunks pass, those that are mostly extensions do not.
func TestChunkOverhead(t *testing.T) {
	const last = "0\r\n\r\n"
	tests := []struct {
		name, chunk string
		times       int
		taken       bool
	}{
		{"single bytes", "1\r\nx\r\n", 100000, true},
		{"single bytes, padded", "0000000000000001\r\nx\r\n", 5000, true},
		{"small extensions", "1;a=b\r\nx\r\n", 100000, true},
		{"large extensions on tiny chunks", "1;" + strings.Repeat("a", 200) + "\r\nx\r\n", 1000, false},
		{"large extensions on large chunks", "400;" + strings.Repeat("a", 200) + "\r\n" + strings.Repeat("x", 1024) + "\r\n", 1000, true},
		{"a few large extensions", "1;" + strings.Repeat("a", 200) + "\r\nx\r\n", 80, true},
	}
	for _, tt := range tests {
		var c Chunks
		got := decode(&c, []byte(strings.Repeat(tt.chunk, tt.times)+last))
		if taken := strings.Contains(got, "done true"); taken != tt.taken {
			t.Errorf("%s: taken %t, want %t: ...%s", tt.name, taken, tt.taken, got[max(0, len(got)-80):])
		}
	}
}

// TestChunksKeepTrailers: a Chunks that is used again knows nothing of the body before.
func TestChunksKeepTrailers(t *testing.T) {
	var fresh, reused Chunks
	const second = "1\r\nx\r\n0\r\nC: d\r\n\r\n"
	decode(&reused, []byte("5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\nLong-Name: with a value\r\n\r\n"))
	reused.Reset()
	want := decode(&fresh, []byte(second))
	if got := decode(&reused, []byte(second)); got != want {
		t.Errorf("after Reset %s, fresh %s", got, want)
	}
	reused.Reset()
	decode(&reused, []byte("5\r\nhel")) // cut off
	reused.Reset()
	if got := decode(&reused, []byte(second)); got != want {
		t.Errorf("after a broken body %s, fresh %s", got, want)
	}
}

func TestAfterTheEnd(t *testing.T) {
	var c Chunks
	decode(&c, []byte(LastChunk))
	if n, used, done, err := c.Decode([]byte("5\r\nhello\r\n")); n != 0 || used != 0 || !done || err != nil {
		t.Errorf("Decode after the end = %d, %d, %t, %v", n, used, done, err)
	}
}

// TestFrameRoundTrip writes bodies with FrameChunk and AppendLastChunk and reads them with Chunks, in
// pieces of any size.
func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 5000)), 0, 6).Draw(t, "sizes")
		trailers := rapid.SliceOfN(rapid.StringMatching(`X-[a-z]{1,9}: [a-z]{0,9}\r\n`), 0, 4).Draw(t, "trailers")
		section := request(t, "GET / HTTP/1.0\r\n"+strings.Join(trailers, "")+"\r\n")
		var raw, content []byte
		for i, size := range sizes {
			buf := make([]byte, ChunkRoom+size+2)
			data := buf[ChunkRoom : ChunkRoom+size]
			for j := range data {
				data[j] = byte(i + j)
			}
			content = append(content, data...)
			start, end := FrameChunk(buf, ChunkRoom, ChunkRoom+size)
			if want := fmt.Sprintf("%x\r\n%s\r\n", size, data); string(buf[start:end]) != want {
				t.Fatalf("FrameChunk gives %q, want %q", buf[start:end], want)
			}
			raw = append(raw, buf[start:end]...)
		}
		raw = AppendLastChunk(raw, &section.Fields)
		cuts := []int{}
		for at := 0; at < len(raw); {
			at = min(len(raw), at+rapid.IntRange(1, 1500).Draw(t, "piece"))
			cuts = append(cuts, at)
		}
		var c Chunks
		want := fmt.Sprintf("%q done true used %d trailers %q", content, len(raw), strings.Join(trailers, ""))
		if got := decode(&c, raw, cuts...); got != want {
			t.Fatalf("got\n%.500s, want\n%.500s", got, want)
		}
	})
}

func TestLargestChunkFits(t *testing.T) {
	if got := len(fmt.Sprintf("%x\r\n", math.MaxInt64)); got != ChunkRoom {
		t.Errorf("the largest size line has %d bytes, ChunkRoom is %d", got, ChunkRoom)
	}
	if got := string(AppendLastChunk([]byte("x"), nil)); got != "x"+LastChunk {
		t.Errorf("AppendLastChunk gives %q", got)
	}
}
