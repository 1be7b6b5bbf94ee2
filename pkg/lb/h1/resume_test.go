package h1

// Heads that come in pieces, in memory that moves; work and memory that stay bounded.

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// resumed are heads whose every cut is tried, beside those of the tables.
var resumed = []string{
	wrkRequest,
	browserRequest,
	"\r\nPOST http://a.example/x?y HTTP/1.1\r\n" + host + "Connection: close, X-A\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\nbody",
	"GET / HTTP/1.1\r\n" + host + "\r\nGET / HTTP/1.1\r\n",
}

func TestRequestInPieces(t *testing.T) {
	var r Request
	for _, text := range resumed {
		checkPieces(t, &r, []byte(text))
	}
	for _, tt := range refusedRequests {
		if len(tt.text) < 1000 {
			checkPieces(t, &r, []byte(tt.text))
		}
	}
}

func TestResponseInPieces(t *testing.T) {
	var r Response
	checkPieces(t, &r, []byte(goResponse))
	checkPieces(t, &r, []byte("HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\nbody"))
	for _, tt := range refusedResponses {
		if len(tt.text) < 1000 {
			checkPieces(t, &r, []byte(tt.text))
		}
	}
}

// TestLargeInPieces cuts the large heads around what decides about them.
func TestLargeInPieces(t *testing.T) {
	for _, tt := range refusedRequests {
		if len(tt.text) < 1000 {
			continue
		}
		var r Request
		text := []byte(tt.text)
		whole := feed(&r, text)
		for _, near := range []int{MaxTarget, MaxHead, len(text)} {
			for end := max(0, near-45); end < min(near+45, len(text)); end++ {
				r.Reset()
				if got := feed(&r, text, end, end+1); got != whole {
					t.Fatalf("%s cut at %d: %s, in one piece: %s", tt.name, end, got, whole)
				}
			}
		}
	}
}

// TestLimitsShowEarly finds the byte at which a message is too large: none later, none sooner.
func TestLimitsShowEarly(t *testing.T) {
	tests := []struct {
		name, text string
		at         int // bytes that are still fine
	}{
		{"target", "GET /" + strings.Repeat("a", MaxTarget), len("GET ") + MaxTarget},
		{"target after CR LF", "\r\nGET /" + strings.Repeat("a", MaxTarget), len("\r\nGET ") + MaxTarget},
		{"field", "GET / HTTP/1.1\r\nA: " + strings.Repeat("b", MaxHead), MaxHead - 1},
		{"version", "GET / " + strings.Repeat("b", MaxHead), MaxHead - 1},
	}
	for _, tt := range tests {
		var r Request
		if n, err := r.Parse([]byte(tt.text[:tt.at])); n != 0 || err != nil {
			t.Errorf("%s: %d bytes give %d, %v", tt.name, tt.at, n, err)
		}
		if _, err := r.Parse([]byte(tt.text[:tt.at+1])); err == nil {
			t.Errorf("%s: %d bytes are taken", tt.name, tt.at+1)
		}
	}
}

// TestNothingIsReadTwice gives a line byte by byte, and makes LF of all bytes of it that were given before.
// A parser that goes back to them sees a line end where there is none. So the work of a slow sender's head
// is that of a quick one's.
func TestNothingIsReadTwice(t *testing.T) {
	texts := []string{wrkRequest, browserRequest, "GET /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\n" + host + "A: " + strings.Repeat("b", 40000) + "\r\n\r\n"}
	for _, text := range texts {
		var r Request
		line := 0
		spoilt := []byte(text)
		for end := 1; end <= len(text); end++ {
			if text[end-1] == '\n' {
				copy(spoilt[line:], text[line:end])
			}
			n, err := r.Parse(spoilt[:end])
			if err != nil || n > 0 != (end == len(text)) {
				t.Fatalf("%.100q: after %d bytes %d, %v", text, end, n, err)
			}
			spoilt[end-1] = '\n'
			if text[end-1] == '\n' {
				line = end
				copy(spoilt, text[:end])
			}
		}
	}
}

// TestLongTargetIsMeasuredOnce: a request line that goes on behind a long target is not measured again.
func TestLongTargetIsMeasuredOnce(t *testing.T) {
	var r Request
	text := []byte("GET /" + strings.Repeat("a", MaxTarget-1) + " HTTP/1.1" + strings.Repeat(" ", 100))
	for end := MaxTarget; end <= len(text); end++ {
		if n, err := r.Parse(text[:end]); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if ended := bytes.Count(text[:end], []byte(" ")) > 1; r.bounded != ended {
			t.Fatalf("after %d bytes: bounded is %t", end, r.bounded)
		}
	}
}

// checkNoAllocation runs do, warm, and counts.
func checkNoAllocation(t *testing.T, name string, do func() error) {
	t.Helper()
	var broken error
	allocations := testing.AllocsPerRun(100, func() {
		if err := do(); err != nil {
			broken = err
		}
	})
	if allocations != 0 || broken != nil {
		t.Errorf("%s: %v allocations, error %v", name, allocations, broken)
	}
}

func TestNoAllocationForHeads(t *testing.T) {
	var req Request
	var resp Response
	buf, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	checkNoAllocation(t, "request", func() error {
		req.Reset()
		n := copy(buf, browserRequest)
		_, err := req.Parse(buf[:n])
		for i := range req.Len() {
			if !req.Hop(i) && !req.ID(i).IsForwarding() {
				out = req.AppendLine(out[:0], i)
			}
		}
		req.First(Cookie)
		req.Find("sec-fetch-mode")
		return err
	})
	checkNoAllocation(t, "request that is refused", func() error {
		req.Reset()
		n := copy(buf, "GET / HTTP/1.1\r\n\r\n")
		_, err := req.Parse(buf[:n])
		if errors.Is(err, requestErrors[noHost]) {
			return nil
		}
		return err
	})
	checkNoAllocation(t, "request with an address", func() error {
		req.Reset()
		n := copy(buf, "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nConnection: a, b\r\na: b\r\n\r\n")
		_, err := req.Parse(buf[:n])
		return err
	})
	checkNoAllocation(t, "response", func() error {
		resp.Reset()
		n := copy(buf, goResponse)
		_, err := resp.Parse(buf[:n])
		return err
	})
}

func TestNoAllocationForChunks(t *testing.T) {
	var c Chunks
	buf, out := make([]byte, 1024), make([]byte, 0, 1024)
	checkNoAllocation(t, "chunks", func() error {
		c.Reset()
		n := copy(buf, "5;a=\"b\"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
		_, _, _, err := c.Decode(buf[:n])
		out = AppendLastChunk(out[:0], c.Trailers())
		FrameChunk(buf, ChunkRoom, ChunkRoom+100)
		return err
	})
}
