package h1

// Which responses are taken, as what, and which are refused.

import (
	"strings"
	"testing"
)

// refusedResponses are heads that must not pass, each by one rule alone.
var refusedResponses = []struct{ name, text, says string }{
	{"CR LF before", "\r\nHTTP/1.1 200 OK\r\n\r\n", "bad status line"},
	{"nothing", "\r\n", "bad status line"},
	{"HTTP/0.9", "<html>hello, this is content</html>\r\n", "HTTP version not supported here"},
	{"HTTP/2", "HTTP/2 200 OK is not here\r\n\r\n", "HTTP version not supported here"},
	{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", "HTTP version not supported here"},
	{"lower case", "http/1.1 200 OK\r\n\r\n", "HTTP version not supported here"},
	{"ICY", "ICY 200 OK and more\r\n\r\n", "HTTP version not supported here"},
	{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", "bad status line"},
	{"tab", "HTTP/1.1\t200 OK\r\n\r\n", "bad status line"},
	{"two digits", "HTTP/1.1 20 OK\r\n\r\n", "bad status line"},
	{"four digits", "HTTP/1.1 2000 OK\r\n\r\n", "bad status line"},
	{"four digits alone", "HTTP/1.1 2000\r\n\r\n", "bad status line"},
	{"letters", "HTTP/1.1 2xx OK\r\n\r\n", "bad status code"},
	{"sign", "HTTP/1.1 +20 OK\r\n\r\n", "bad status code"},
	{"below 100", "HTTP/1.1 099 OK\r\n\r\n", "bad status code"},
	{"600", "HTTP/1.1 600 OK\r\n\r\n", "bad status code"},
	{"999", "HTTP/1.1 999 OK\r\n\r\n", "bad status code"},
	{"no status", "HTTP/1.1\r\n\r\n", "bad status line"},
	{"no status but a space", "HTTP/1.1 \r\n\r\n", "bad status line"},
	{"status line ends with LF", "HTTP/1.1 200 OK\n\r\n", "bad status line"},
	{"short status line ends with LF", "HTTP/1.1 200\n\r\n", "bad status line"},
	{"control in reason", "HTTP/1.1 200 O\x01K\r\n\r\n", "bad status line"},
	{"CR in reason", "HTTP/1.1 200 OK\rA: b\r\n\r\n", "bad status line"},
	{"folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "white space before a field name"},
	{"space before colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", "white space before a colon"},
	{"head ends with LF", "HTTP/1.1 200 OK\r\nA: b\r\n\n", "line does not end with CR LF"},
	{"no colon", "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r\n", "field without a colon"},
	{"NUL", "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", "control character in a field value"},
	{"length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both Content-Length and Transfer-Encoding"},
	{"differing lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "two Content-Length fields"},
	{"length spelled twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\n", "two Content-Length fields"},
	{"list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "bad Content-Length"},
	{"length of letters", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n", "bad Content-Length"},
	{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bad Content-Length"},
	{"length beyond 63 bits", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", "bad Content-Length"},
	{"gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding other than chunked"},
	{"identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "Transfer-Encoding other than chunked"},
	{"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "two Transfer-Encoding fields"},
	{"coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in HTTP/1.0"},
	{"204 with length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "body length in a message that has no body"},
	{"204 chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "body length in a message that has no body"},
	{"100 with length", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", "body length in a message that has no body"},
	{"101 chunked", "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n", "body length in a message that has no body"},
	{"Connection names Content-Length", "HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\n", "Connection names a field that is not its own"},
	{"Trailer names Transfer-Encoding", "HTTP/1.1 200 OK\r\nTrailer: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n", "Trailer names a field that frames the message"},
	{"257 fields", "HTTP/1.1 200 OK\r\n" + strings.Repeat("a:b\r\n", MaxFields+1) + "\r\n", "too many fields"},
	{"long reason", "HTTP/1.1 200 " + strings.Repeat("a", MaxHead), "head too large"},
	{"long head", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", MaxHead) + "\r\n\r\n", "head too large"},
}

func TestResponseRefused(t *testing.T) {
	for _, tt := range refusedResponses {
		t.Run(tt.name, func(t *testing.T) {
			var r Response
			n, err := r.Parse([]byte(tt.text))
			broken, _ := err.(*Error) //nolint:errorlint // Parse promises an unwrapped *Error
			if n != 0 || broken == nil || broken.Status != 502 || broken.Text != tt.says {
				t.Errorf("Parse(%.200q) = %d, %#v; want 502 %q", tt.text, n, err, tt.says)
			}
		})
	}
}

func TestResponseTaken(t *testing.T) {
	tests := []struct {
		name, text       string
		status           int
		reason           string
		length, declared int64
		closes           bool
		websocket        bool
	}{
		{name: "length", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200, reason: "OK", length: 5, declared: 5},
		{name: "lengths", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length:5\r\n\r\n", status: 200, reason: "OK", length: 5, declared: 5},
		{name: "chunked", text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n", status: 200, reason: "OK", length: Chunked, declared: -1},
		{name: "until close", text: "HTTP/1.1 200 OK\r\n\r\n", status: 200, reason: "OK", length: UntilClose, declared: -1},
		{name: "1.0", text: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", status: 200, reason: "OK", length: 5, declared: 5, closes: true},
		{name: "1.0 keep-alive", text: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", status: 200, reason: "OK", length: 5, declared: 5},
		{name: "close", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", status: 200, reason: "OK", length: 5, declared: 5, closes: true},
		{name: "empty reason", text: "HTTP/1.1 200 \r\n\r\n", status: 200, length: UntilClose, declared: -1},
		{name: "no reason", text: "HTTP/1.1 404\r\n\r\n", status: 404, length: UntilClose, declared: -1},
		{name: "long reason", text: "HTTP/1.1 599 no\tgood \xc3\xa9\r\n\r\n", status: 599, reason: "no\tgood \xc3\xa9", length: UntilClose, declared: -1},
		{name: "100", text: "HTTP/1.1 100 Continue\r\n\r\n", status: 100, reason: "Continue", declared: -1},
		{name: "103", text: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", status: 103, reason: "Early Hints", declared: -1},
		{name: "204", text: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, reason: "No Content", declared: -1},
		{name: "204 with length 0", text: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", status: 204, reason: "No Content", declared: -1},
		{name: "304", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", status: 304, reason: "Not Modified", declared: 5},
		{name: "304 chunked", text: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", status: 304, reason: "Not Modified", declared: -1},
		{name: "websocket", text: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", status: 101, reason: "Switching Protocols", declared: -1, websocket: true},
		{name: "websocket without 101", text: "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", status: 200, reason: "OK", length: UntilClose, declared: -1},
		{name: "101 to h2c", text: "HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", status: 101, reason: "OK", declared: -1},
		{name: "101 without the option", text: "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n", status: 101, reason: "OK", declared: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := response(t, tt.text)
			if r.Status() != tt.status || string(r.Reason()) != tt.reason {
				t.Errorf("status %d %q", r.Status(), r.Reason())
			}
			if r.Length() != tt.length || r.DeclaredLength() != tt.declared {
				t.Errorf("Length %d, DeclaredLength %d", r.Length(), r.DeclaredLength())
			}
			if r.Close() != tt.closes || r.Websocket() != tt.websocket {
				t.Errorf("Close %t, Websocket %t", r.Close(), r.Websocket())
			}
		})
	}
}
