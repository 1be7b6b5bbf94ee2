package client

import (
	"net/http"
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
