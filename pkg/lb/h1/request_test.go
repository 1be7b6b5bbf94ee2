package h1

// Which requests are taken, as what, and which are refused.

import (
	"strings"
	"testing"
)

const host = "Host: a.example\r\n"

// refusedRequests are heads that must not pass, each by one rule alone.
var refusedRequests = []struct {
	name, text string
	status     int
	says       string
}{
	// RFC 9112 section 3: the request line.
	{"two CR LF before", "\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"LF before", "\nGET / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"space before", " GET / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"HTTP/0.9", "GET /\r\n", 400, "bad request line"},
	{"no target", "GET  HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"two spaces before the target", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"two spaces before the version", "GET /  HTTP/1.1\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"space at the end", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"tab for space", "GET\t/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"tab before version", "GET /\tHTTP/1.1\r\n" + host + "\r\n", 400, "bad request line"},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n", 400, "HTTP version not supported here"},
	{"HTTP/01.1", "GET / HTTP/01.1\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"HTTP/1.10", "GET / HTTP/1.10\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"lower-case version", "GET / http/1.1\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"no slash in version", "GET / HTTP1.1\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"request line ends with LF", "GET / HTTP/1.1\n" + host + "\r\n", 400, "line does not end with CR LF"},
	{"CR in request line", "GET /\r HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"two CR", "GET / HTTP/1.1\r\r\n" + host + "\r\n", 400, "HTTP version not supported here"},
	{"method with a bad byte", "G(T / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"method with NUL", "GE\x00T / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"method above ASCII", "G\xc3\x8bT / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"long method", strings.Repeat("M", 33) + " / HTTP/1.1\r\n" + host + "\r\n", 400, "bad method"},
	{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400, "bad method"},

	// RFC 9112 section 3.2: the target.
	{"fragment", "GET /a#b HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"NUL in target", "GET /a\x00b HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"DEL in target", "GET /a\x7fb HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"UTF-8 in target", "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"control late in target", "GET /0123456789abcdef0123456789\x01 HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"broken escape", "GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"cut escape", "GET /a%4 HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"escape cut by the query", "GET /a%4?b HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"no leading slash", "GET a HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"backslash", "GET \\a HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"query alone", "GET ?a HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"asterisk for GET", "GET * HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"asterisk and more", "OPTIONS *x HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"authority for GET", "GET a.example:80 HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"other scheme", "GET ftp://a.example/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"scheme without slashes", "GET http:a.example/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"scheme with one slash", "GET http:/a.example/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"empty authority", "GET http:/// HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"userinfo", "GET http://me@a.example/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"userinfo with password", "GET http://me:pw@a.example/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"backslash in authority", "GET http://a.example\\@b/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"query behind authority", "GET http://a.example?b HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"broken escape in absolute form", "GET http://a.example/%g0 HTTP/1.1\r\n" + host + "\r\n", 400, "bad request target"},
	{"CONNECT to a path", "CONNECT / HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"CONNECT without a port", "CONNECT a.example HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},
	{"CONNECT to an absolute form", "CONNECT http://a.example:80/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad authority in the request target"},

	// RFC 9112 section 5: field lines.
	{"space before colon", "GET / HTTP/1.1\r\n" + host + "A : b\r\n\r\n", 400, "white space before a colon"},
	{"tab before colon", "GET / HTTP/1.1\r\n" + host + "Content-Length\t: 5\r\n\r\n", 400, "white space before a colon"},
	{"folded field", "GET / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n", 400, "white space before a field name"},
	{"field folded with a tab", "GET / HTTP/1.1\r\n" + host + "A: b\r\n\tc: d\r\n\r\n", 400, "white space before a field name"},
	{"first field folded", "GET / HTTP/1.1\r\n " + host + "\r\n", 400, "white space before a field name"},
	{"line of a space", "GET / HTTP/1.1\r\n" + host + " \r\n\r\n", 400, "white space before a field name"},
	{"no colon", "GET / HTTP/1.1\r\n" + host + "A\r\n\r\n", 400, "field without a colon"},
	{"empty name", "GET / HTTP/1.1\r\n" + host + ": b\r\n\r\n", 400, "bad field name"},
	{"space in name", "GET / HTTP/1.1\r\n" + host + "A b: c\r\n\r\n", 400, "bad field name"},
	{"NUL in name", "GET / HTTP/1.1\r\n" + host + "A\x00: c\r\n\r\n", 400, "bad field name"},
	{"CR in name", "GET / HTTP/1.1\r\n" + host + "\rA: c\r\n\r\n", 400, "bad field name"},
	{"name above ASCII", "GET / HTTP/1.1\r\n" + host + "\xc3\xa9: c\r\n\r\n", 400, "bad field name"},
	{"separator in name", "GET / HTTP/1.1\r\n" + host + "A[]: c\r\n\r\n", 400, "bad field name"},
	{"field ends with LF", "GET / HTTP/1.1\r\n" + host + "A: b\n\r\n", 400, "line does not end with CR LF"},
	{"head ends with LF", "GET / HTTP/1.1\r\n" + host + "\n", 400, "line does not end with CR LF"},
	{"CR in value", "GET / HTTP/1.1\r\n" + host + "A: b\rc: d\r\n\r\n", 400, "control character in a field value"},
	{"CR CR LF", "GET / HTTP/1.1\r\n" + host + "A: b\r\r\n\r\n", 400, "control character in a field value"},
	{"NUL in value", "GET / HTTP/1.1\r\n" + host + "A: b\x00c\r\n\r\n", 400, "control character in a field value"},
	{"DEL in value", "GET / HTTP/1.1\r\n" + host + "A: b\x7fc\r\n\r\n", 400, "control character in a field value"},
	{"vertical tab in value", "GET / HTTP/1.1\r\n" + host + "A: 0123456789\x0b0123456789\r\n\r\n", 400, "control character in a field value"},
	{"escape late in value", "GET / HTTP/1.1\r\n" + host + "A: 0123456789\t0123456789\x1b\r\n\r\n", 400, "control character in a field value"},

	// RFC 9112 section 3.2, RFC 9110 section 7.2: Host.
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "no Host field"},
	{"no Host in absolute form", "GET http://a.example/ HTTP/1.1\r\n\r\n", 400, "no Host field"},
	{"two Hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "two Host fields"},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" + host + "hOST: b\r\n\r\n", 400, "two Host fields"},
	{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "bad Host field"},
	{"port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, "bad Host field"},
	{"empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400, "bad Host field"},
	{"port of letters", "GET / HTTP/1.1\r\nHost: a:8a\r\n\r\n", 400, "bad Host field"},
	{"port too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "bad Host field"},
	{"two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400, "bad Host field"},
	{"userinfo in Host", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", 400, "bad Host field"},
	{"list in Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "bad Host field"},
	{"space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad Host field"},
	{"path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad Host field"},
	{"backslash in Host", "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", 400, "bad Host field"},
	{"escape in Host", "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n", 400, "bad Host field"},
	{"UTF-8 in Host", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400, "bad Host field"},
	{"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "bad Host field"},
	{"no address in brackets", "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n", 400, "bad Host field"},
	{"zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", 400, "bad Host field"},
	{"garbage behind brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400, "bad Host field"},
	{"long Host", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 256) + "\r\n\r\n", 400, "bad Host field"},
	{"Host differs", "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", 400, "Host differs from the request target"},
	{"Host differs by port", "GET http://a.example:80/ HTTP/1.1\r\n" + host + "\r\n", 400, "Host differs from the request target"},
	{"Host differs in HTTP/1.0", "GET http://a.example/ HTTP/1.0\r\nHost: b\r\n\r\n", 400, "Host differs from the request target"},
	{"Host differs for CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 400, "Host differs from the request target"},

	// RFC 9112 section 6: framing of the body.
	{"length and coding", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"},
	{"coding and length", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400, "both Content-Length and Transfer-Encoding"},
	{"differing lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, "two Content-Length fields"},
	{"equal lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", 400, "two Content-Length fields"},
	{"list of lengths", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n\r\n", 400, "bad Content-Length"},
	{"empty length", "POST / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", 400, "bad Content-Length"},
	{"signed length", "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\n", 400, "bad Content-Length"},
	{"negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\n", 400, "bad Content-Length"},
	{"hexadecimal length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\n", 400, "bad Content-Length"},
	{"underscore in length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1_0\r\n\r\n", 400, "bad Content-Length"},
	{"fraction", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5.0\r\n\r\n", 400, "bad Content-Length"},
	{"space in length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5 0\r\n\r\n", 400, "bad Content-Length"},
	{"quoted length", "POST / HTTP/1.1\r\n" + host + "Content-Length: \"5\"\r\n\r\n", 400, "bad Content-Length"},
	{"no-break space before length", "POST / HTTP/1.1\r\n" + host + "Content-Length: \xa05\r\n\r\n", 400, "bad Content-Length"},
	{"length of 19 digits", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1000000000000000000\r\n\r\n", 400, "bad Content-Length"},
	{"length beyond 64 bits", "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n", 400, "bad Content-Length"},
	{"identity", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"chunked twice", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"gzip, chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"chunked, identity", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, identity\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"chunked and a comma", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked,\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"xchunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"quoted chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"chunked with a parameter", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked;q=1\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"Kelvin sign in chunKed", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chun\xe2\x84\xaaed\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"vertical tab before chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400, "control character in a field value"},
	{"tab before chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\tchunked\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"tab behind chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked \t\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"tab before length", "POST / HTTP/1.1\r\n" + host + "Content-Length: \t5\r\n\r\n", 400, "bad Content-Length"},
	{"tab behind length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\t\r\n\r\n", 400, "bad Content-Length"},
	{"empty coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", 400, "Transfer-Encoding other than chunked"},
	{"two codings", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n\r\n", 400, "two Transfer-Encoding fields"},
	{"two codings that differ", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n", 400, "two Transfer-Encoding fields"},
	{"coding in HTTP/1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding in HTTP/1.0"},

	// RFC 9110 sections 7.6.1 and 10.1.1.
	{"Connection names Content-Length", "POST / HTTP/1.1\r\n" + host + "Connection: Content-Length\r\n\r\n", 400, "Connection names a field that is not its own"},
	{"Connection names Host", "POST / HTTP/1.1\r\n" + host + "Connection: close, hoSt\r\n\r\n", 400, "Connection names a field that is not its own"},
	{"option that is no token", "POST / HTTP/1.1\r\n" + host + "Connection: close; x\r\n\r\n", 400, "bad Connection field"},
	{"33 options", "POST / HTTP/1.1\r\n" + host + "Connection: " + strings.Repeat("a,", 33) + "\r\n\r\n", 400, "too many options in Connection"},
	{"33 options in fields", "POST / HTTP/1.1\r\n" + host + strings.Repeat("Connection: close\r\n", 33) + "\r\n", 400, "too many options in Connection"},
	{"Trailer names Content-Length", "POST / HTTP/1.1\r\n" + host + "Trailer: X, content-length\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Trailer names a field that frames the message"},
	{"other expectation", "POST / HTTP/1.1\r\n" + host + "Expect: 200-ok\r\n\r\n", 417, "expectation other than 100-continue"},
	{"list of expectations", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue, 100-continue\r\n\r\n", 417, "expectation other than 100-continue"},
	{"two expectations", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 417, "expectation other than 100-continue"},
	{"empty expectation", "POST / HTTP/1.1\r\n" + host + "Expect:\r\n\r\n", 417, "expectation other than 100-continue"},

	// Limits.
	{"long target", "GET /" + strings.Repeat("a", MaxTarget) + " HTTP/1.1\r\n" + host + "\r\n", 414, "request target too long"},
	{"long target not ended", "GET /" + strings.Repeat("a", MaxTarget), 414, "request target too long"},
	{"head not ended", "GET / HTTP/1.1\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1021)+"\r\n", 64), 431, "head too large"},
	{"long line", "GET / HTTP/1.1\r\nA: " + strings.Repeat("b", MaxHead), 431, "head too large"},
	{"long first line", "GET / " + strings.Repeat("b", MaxHead), 431, "head too large"},
	{"257 fields", "GET / HTTP/1.1\r\n" + host + strings.Repeat("a:b\r\n", MaxFields) + "\r\n", 431, "too many fields"},
}

func TestRequestRefused(t *testing.T) {
	for _, tt := range refusedRequests {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			n, err := r.Parse([]byte(tt.text))
			broken, _ := err.(*Error) //nolint:errorlint // Parse promises an unwrapped *Error
			if n != 0 || broken == nil || broken.Status != tt.status || err.Error() != tt.says {
				t.Errorf("Parse(%.200q) = %d, %#v; want %d %q", tt.text, n, err, tt.status, tt.says)
			}
		})
	}
}

// TestRequestTaken has what stands close to the refused, and what the accessors make of it.
func TestRequestTaken(t *testing.T) {
	tests := []struct {
		name, text                   string
		method, target, path, toHost string
		scheme                       string
		length                       int64
	}{
		{name: "plain", text: "GET / HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "/", path: "/", toHost: "a.example"},
		{name: "CR LF before", text: "\r\nGET / HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "/", path: "/", toHost: "a.example"},
		{name: "HTTP/1.0 without Host", text: "GET /x HTTP/1.0\r\n\r\n", method: "GET", target: "/x", path: "/x"},
		{name: "own method", text: "M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" + host + "\r\n", method: "M!#$%&'*+-.^_`|~9", target: "/", path: "/", toHost: "a.example"},
		{name: "lower-case method", text: "get / HTTP/1.1\r\n" + host + "\r\n", method: "get", target: "/", path: "/", toHost: "a.example"},
		{name: "method of 32", text: strings.Repeat("M", 32) + " / HTTP/1.1\r\n" + host + "\r\n", method: strings.Repeat("M", 32), target: "/", path: "/", toHost: "a.example"},
		{name: "query", text: "GET /a?b=%&c=/?{}|\" HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "/a?b=%&c=/?{}|\"", path: "/a?b=%&c=/?{}|\"", toHost: "a.example"},
		{name: "escapes", text: "GET /%00%2F%e9 HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "/%00%2F%e9", path: "/%00%2F%e9", toHost: "a.example"},
		{name: "two slashes", text: "GET //b.example/ HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "//b.example/", path: "//b.example/", toHost: "a.example"},
		{name: "absolute", text: "GET HTTP://A.example/x?y HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "HTTP://A.example/x?y", path: "/x?y", toHost: "A.example", scheme: "HTTP"},
		{name: "absolute with port", text: "GET https://a:8443/ HTTP/1.1\r\nHost: a:8443\r\n\r\n", method: "GET", target: "https://a:8443/", path: "/", toHost: "a:8443", scheme: "https"},
		{name: "absolute without path", text: "GET http://a.example HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "http://a.example", path: "/", toHost: "a.example", scheme: "http"},
		{name: "absolute in HTTP/1.0", text: "GET http://a/ HTTP/1.0\r\n\r\n", method: "GET", target: "http://a/", path: "/", toHost: "a", scheme: "http"},
		{name: "server options", text: "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", method: "OPTIONS", target: "*", path: "*", toHost: "a.example"},
		{name: "server options, absolute", text: "OPTIONS http://a.example HTTP/1.1\r\n" + host + "\r\n", method: "OPTIONS", target: "http://a.example", path: "*", toHost: "a.example", scheme: "http"},
		{name: "connect", text: "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", method: "CONNECT", target: "a:443", toHost: "a:443"},
		{name: "address", text: "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", method: "GET", target: "/", path: "/", toHost: "192.0.2.1:80"},
		{name: "IPv6 address", text: "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", method: "GET", target: "/", path: "/", toHost: "[2001:db8::1]:80"},
		{name: "long Host", text: "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 255) + ":65535\r\n\r\n", method: "GET", target: "/", path: "/", toHost: strings.Repeat("a", 255) + ":65535"},
		{name: "length", text: "POST / HTTP/1.1\r\n" + host + "Content-Length:  0012  \r\n\r\n", method: "POST", target: "/", path: "/", toHost: "a.example", length: 12},
		{name: "length of 18 digits", text: "POST / HTTP/1.1\r\n" + host + "CONTENT-LENGTH: 999999999999999999\r\n\r\n", method: "POST", target: "/", path: "/", toHost: "a.example", length: 999999999999999999},
		{name: "length of nothing", text: "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", method: "POST", target: "/", path: "/", toHost: "a.example"},
		{name: "chunked", text: "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:  ChunKed  \r\n\r\n", method: "POST", target: "/", path: "/", toHost: "a.example", length: Chunked},
		{name: "longest target", text: "GET /" + strings.Repeat("a", MaxTarget-1) + " HTTP/1.1\r\n" + host + "\r\n", method: "GET", target: "/" + strings.Repeat("a", MaxTarget-1), path: "/" + strings.Repeat("a", MaxTarget-1), toHost: "a.example"},
		{name: "trailers announced", text: "POST / HTTP/1.1\r\n" + host + "Trailer: Expires, x y,,\r\nTransfer-Encoding: chunked\r\n\r\n", method: "POST", target: "/", path: "/", toHost: "a.example", length: Chunked},
		{name: "256 fields", text: "GET / HTTP/1.1\r\n" + host + strings.Repeat("a:b\r\n", MaxFields-1) + "\r\n", method: "GET", target: "/", path: "/", toHost: "a.example"},
		{name: "largest head", text: "GET / HTTP/1.1\r\n" + host + "A:" + strings.Repeat("b", MaxHead-len("GET / HTTP/1.1\r\nA:\r\n\r\n"+host)) + "\r\n\r\n", method: "GET", target: "/", path: "/", toHost: "a.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.text)
			for _, got := range []struct{ what, got, want string }{
				{"Method", string(r.Method()), tt.method},
				{"Target", string(r.Target()), tt.target},
				{"Path", string(r.Path()), tt.path},
				{"Host", string(r.Host()), tt.toHost},
				{"Scheme", string(r.Scheme()), tt.scheme},
			} {
				if got.got != got.want {
					t.Errorf("%s is %q, want %q", got.what, got.got, got.want)
				}
			}
			if r.Length() != tt.length {
				t.Errorf("Length is %d, want %d", r.Length(), tt.length)
			}
		})
	}
}

// TestRequestConnection has what the connection fields of a request say.
func TestRequestConnection(t *testing.T) {
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	tests := []struct {
		name, text                             string
		closes, continues, websocket, trailers bool
	}{
		{name: "1.1", text: "GET / HTTP/1.1\r\n" + host + "\r\n"},
		{name: "1.0", text: "GET / HTTP/1.0\r\n\r\n", closes: true},
		{name: "1.0 keep-alive", text: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
		{name: "1.0 both", text: "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", closes: true},
		{name: "1.0 proxy-connection", text: "GET / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n", closes: true},
		{name: "close", text: "GET / HTTP/1.1\r\n" + host + "Connection: , CLOSE ,\r\n\r\n", closes: true},
		{name: "close in second field", text: "GET / HTTP/1.1\r\n" + host + "Connection: x\r\nconnection: close\r\n\r\n", closes: true},
		{name: "no close", text: "GET / HTTP/1.1\r\n" + host + "Connection: closed, keep-alive\r\n\r\n"},
		{name: "continue", text: "PUT / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", continues: true},
		{name: "continue chunked", text: "PUT / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", continues: true},
		{name: "continue without a body", text: "PUT / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"},
		{name: "continue in 1.0", text: "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", closes: true},
		{name: "websocket", text: "GET / HTTP/1.1\r\n" + host + upgrade + "\r\n", websocket: true},
		{name: "websocket in any case", text: "GET / HTTP/1.1\r\n" + host + "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n\r\n", websocket: true},
		{name: "websocket by POST", text: "POST / HTTP/1.1\r\n" + host + upgrade + "\r\n"},
		{name: "websocket in 1.0", text: "GET / HTTP/1.0\r\n" + upgrade + "\r\n", closes: true},
		{name: "websocket with a body", text: "GET / HTTP/1.1\r\n" + host + upgrade + "Content-Length: 5\r\n\r\n"},
		{name: "websocket without the option", text: "GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\n\r\n"},
		{name: "websocket twice", text: "GET / HTTP/1.1\r\n" + host + upgrade + "Upgrade: websocket\r\n\r\n"},
		{name: "websocket or h2c", text: "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"},
		{name: "h2c", text: "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"},
		{name: "trailers", text: "GET / HTTP/1.1\r\n" + host + "TE: gzip;q=0.5, Trailers\r\nConnection: TE\r\n\r\n", trailers: true},
		{name: "no trailers", text: "GET / HTTP/1.1\r\n" + host + "TE: trailers2\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.text)
			if r.Close() != tt.closes || r.Continue() != tt.continues || r.Websocket() != tt.websocket || r.Trailers() != tt.trailers {
				t.Errorf("Close %t, Continue %t, Websocket %t, Trailers %t", r.Close(), r.Continue(), r.Websocket(), r.Trailers())
			}
		})
	}
}
