package client

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzAnswerHeaders: what the headers of an answer say is used only when it makes sense.
func FuzzAnswerHeaders(f *testing.F) {
	f.Add("sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:", "bytes 4-9/10", "120", "shared:7")
	f.Add("sha-512=:AA==:, sha-256=:AAAA:", "bytes */10", "Sun, 22 Nov 2026 12:00:00 GMT", ":7")
	f.Add("", "bytes 9-4/10", "-1", "a:b:9223372036854775807")
	f.Add("sha-256=::", "bytes 0-9223372036854775807/9223372036854775807", "99999999999999999999", "shared:-5")
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, sum, span, wait, seq string) {
		if d := digest(sum); d != "" && (len(d) != 64 || strings.Trim(d, "0123456789abcdef") != "") {
			t.Errorf("digest(%q) = %q", sum, d)
		}
		if first, last, total, ok := contentRange(span); ok && (first < 0 || last < first || total <= last) {
			t.Errorf("contentRange(%q) = %d, %d, %d", span, first, last, total)
		}
		if d := retryAfter(wait, now); d < 0 {
			t.Errorf("retryAfter(%q) = %v", wait, d)
		}
		c := &Client{seqs: map[string]int64{}}
		c.learn(http.Header{"Registry-Seq": {seq}})
		for store, n := range c.seqs {
			if store == "" || n < 0 {
				t.Errorf("%q taught %q: %d", seq, store, n)
			}
		}
	})
}

func TestEscapePath(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "": "/", "a/b": "/a/b", "/a/": "/a/", "/a b/%?#;ü": "/a%20b/%25%3F%23%3B%C3%BC", "/a//b": "/a//b", "/../x": "/../x", "/a\r\nb": "/a%0D%0Ab",
	} {
		if got := escapePath(path); got != want {
			t.Errorf("escapePath(%q) = %q, want %q", path, got, want)
		}
	}
}

// FuzzEventStream: whatever comes over a stream, its blocks are the same wherever the network divides it, and within the bound.
func FuzzEventStream(f *testing.F) {
	f.Add("retry: 500\nid: 1.0.a\n\n: beat\n\nid: 1.1.a\ndata: {}\n\n", 3)
	f.Add("data:a\rdata: b\r\revent:end\r\ndata\r\n\r\n", 7)
	f.Add("\xef\xbb\xbfid: \x00\n\nid\n\n\n\nid: 9", 1)
	f.Fuzz(func(t *testing.T, stream string, piece int) {
		read := func(r io.Reader) (blocks []eventBlock, retry time.Duration) {
			in := newEventReader(r)
			for {
				b, err := in.next()
				if errors.Is(err, io.EOF) {
					return blocks, in.retry
				}
				if err != nil {
					t.Fatal(err) // no input of the fuzzer is so long
				}
				if strings.ContainsAny(b.id+b.kind, "\r\n") {
					t.Errorf("%+v has the end of a line in it", b)
				}
				blocks = append(blocks, b)
			}
		}
		whole, retry := read(strings.NewReader(stream))
		pieces, again := read(&slicedReader{stream, 1 + max(0, piece)%len(stream+"x")})
		if !slices.Equal(whole, pieces) || retry != again || retry < 0 || retry > mostPatience {
			t.Errorf("%q gave %v, in pieces %v", stream, whole, pieces)
		}
		if p, ok := parsePosition(stream); ok && (p.seq < 0 || p.item < 0 || p.before(p)) {
			t.Errorf("position %q is %+v", stream, p)
		}
	})
}

// slicedReader gives n bytes at a time.
type slicedReader struct {
	left string
	n    int
}

func (r *slicedReader) Read(b []byte) (int, error) {
	if r.left == "" {
		return 0, io.EOF
	}
	n := copy(b, r.left[:min(r.n, len(r.left))])
	r.left = r.left[n:]
	return n, nil
}
