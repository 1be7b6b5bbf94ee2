package e2e_test

// HTTP/2 requests that would be something else in HTTP/1.1: line ends in values, lengths that lie, fields of a connection, pseudo-fields that do
// not go together. Frames are made by hand, since no client library sends such things.

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// downgrade is a request over HTTP/2, and what the member may see of it.
type downgrade struct {
	name     string
	from     string
	fields   []field // after those of a GET for /NAME, which they replace where the names are the same
	without  string  // a pseudo-field to leave out
	data     []string
	trailers []field
	endless  bool // the stream is not ended by the client
	// want is what the member sees; without a method it sees nothing, and the stream ends in an error.
	want message
	// either allows that the request is refused all the same.
	either bool
	// early allows that the member sees want whatever the status is: the lie comes after a request that is whole.
	early bool
}

var (
	// The member sees nothing.
	nothing = message{}
	// sequel stands for the paper that first went through these.
	sequel = "PortSwigger 2021, HTTP/2: The Sequel is Always Worse; "
)

func with(name, value string) []field { return []field{{name, value}} }

// plain is the GET of a downgrade as the member has it, with more fields.
func plain(fields ...field) message {
	return message{method: "GET", fields: append(with("Host", "front.test"), fields...)}
}

func posted(body string, fields ...field) message {
	m := plain(fields...)
	m.method, m.body = "POST", body
	return m
}

const tail = "\r\nHost: front.test\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: front.test"

var downgrades = []downgrade{
	{name: "plain", from: "RFC 9113 section 8.3.1", want: plain()},
	{name: "value-crlf", from: sequel + "RFC 9113 section 8.2.1", fields: with("x-note", "a\r\nTransfer-Encoding: chunked"), want: nothing},
	{name: "value-crlf-request", from: sequel + "RFC 9113 section 8.2.1", fields: with("x-note", "a"+tail), want: nothing},
	{name: "value-lf", from: sequel + "RFC 9113 section 8.2.1", fields: with("x-note", "a\nx-other: b"), want: nothing},
	{name: "value-cr", from: "RFC 9113 section 8.2.1", fields: with("x-note", "a\rb"), want: nothing},
	{name: "value-nul", from: "RFC 9113 section 8.2.1", fields: with("x-note", "a\x00b"), want: nothing},
	{name: "value-control", from: "RFC 9110 section 5.5", fields: with("x-note", "a\x08b"), want: nothing},
	{name: "value-obs-text", from: "RFC 9110 section 5.5", fields: with("x-note", "\xff\xe9"), want: plain(field{"x-note", "\xff\xe9"})},
	{name: "value-space-around", from: "RFC 9113 section 8.2.1", fields: with("x-note", " a "), want: plain(field{"x-note", "a"}), either: true},
	{name: "name-upper-case", from: "RFC 9113 section 8.2.1", fields: with("X-Note", "a"), want: nothing},
	{name: "name-colon", from: sequel + "RFC 9113 section 8.2.1", fields: with("transfer-encoding: chunked\r\nx", "a"), want: nothing},
	{name: "name-inner-colon", from: sequel + "RFC 9113 section 8.2.1", fields: with("x:y", "a"), want: nothing},
	{name: "name-space", from: "RFC 9113 section 8.2.1", fields: with("x note", "a"), want: nothing},
	{name: "name-crlf", from: "RFC 9113 section 8.2.1", fields: with("x\r\ny", "a"), want: nothing},
	{name: "name-obs-text", from: "RFC 9113 section 8.2.1", fields: with("x\xe9", "a"), want: nothing},
	{name: "name-empty", from: "CVE-2023-25725", fields: with("", "a"), want: nothing},

	{name: "path-space", from: sequel + "RFC 9113 section 8.3.1", fields: with(":path", "/ HTTP/1.1"), want: nothing},
	{name: "path-crlf", from: sequel + "RFC 9113 section 8.2.1", fields: with(":path", "/ HTTP/1.1"+tail), want: nothing},
	{name: "path-tab", from: "RFC 9113 section 8.3.1", fields: with(":path", "/\tHTTP/1.1"), want: nothing},
	{name: "path-nul", from: "RFC 9113 section 8.2.1", fields: with(":path", "/a\x00"), want: nothing},
	{name: "path-obs-text", from: "RFC 9112 section 3.2", fields: with(":path", "/\xe9"), want: nothing},
	{name: "path-empty", from: "RFC 9113 section 8.3.1", fields: with(":path", ""), want: nothing},
	{name: "path-asterisk", from: "RFC 9113 section 8.3.1", fields: with(":path", "*"), want: nothing},
	{name: "path-relative", from: "RFC 9113 section 8.3.1", fields: with(":path", "evil"), want: nothing},
	{name: "path-absolute", from: sequel + "RFC 9113 section 8.3.1", fields: with(":path", "http://evil.test/"), want: nothing},
	{name: "path-fragment", from: "RFC 9110 section 4.2.5; CVE-2021-39156", fields: with(":path", "/a#b"), want: nothing},
	{name: "path-missing", from: "RFC 9113 section 8.3.1", without: ":path", want: nothing},
	{name: "path-twice", from: sequel + "RFC 9113 section 8.3.1", fields: []field{{":path", "/path-twice"}, {"+:path", "/evil"}}, want: nothing},

	{name: "method-space", from: sequel + "RFC 9113 section 8.3.1", fields: with(":method", "GET /evil HTTP/1.1"+tail), want: nothing},
	{name: "method-no-token", from: "RFC 9110 section 9.1", fields: with(":method", "GE{T"), want: nothing},
	{name: "method-empty", from: "RFC 9113 section 8.3.1", fields: with(":method", ""), want: nothing},
	{name: "method-missing", from: "RFC 9113 section 8.3.1", without: ":method", want: nothing},
	{name: "method-twice", from: "RFC 9113 section 8.3.1", fields: []field{{":method", "GET"}, {"+:method", "POST"}}, want: nothing},
	{name: "method-connect", from: "RFC 9113 section 8.5", fields: with(":method", "CONNECT"), want: nothing},
	{name: "method-connect-websocket", from: "RFC 8441 section 4", fields: []field{{":method", "CONNECT"}, {"+:protocol", "websocket"}}, want: nothing},
	{name: "method-trace", from: "RFC 9110 section 9.3.8", fields: with(":method", "TRACE"), want: nothing},

	{name: "scheme-junk", from: sequel + "RFC 9113 section 8.3.1", fields: with(":scheme", "https://evil.test/?"), want: plain(), either: true},
	{name: "scheme-other", from: "RFC 9113 section 8.3.1", fields: with(":scheme", "http"), want: plain(), either: true},
	{name: "scheme-missing", from: "RFC 9113 section 8.3.1", without: ":scheme", want: nothing},

	{name: "authority-crlf", from: sequel + "RFC 9113 section 8.2.1", fields: with(":authority", "front.test\r\nx: y"), want: nothing},
	{name: "authority-space", from: "RFC 9113 section 8.3.1", fields: with(":authority", "front.test evil.test"), want: nothing},
	{name: "authority-slash", from: "RFC 9113 section 8.3.1", fields: with(":authority", "front.test/evil"), want: nothing},
	{name: "authority-userinfo", from: "RFC 9113 section 8.3.1", fields: with(":authority", "front.test@evil.test"), want: nothing},
	{name: "authority-twice", from: sequel + "RFC 9113 section 8.3.1", fields: []field{{":authority", "front.test"}, {"+:authority", "evil.test"}}, want: nothing},
	{name: "authority-missing", from: "RFC 9113 section 8.3.1", without: ":authority", want: nothing},
	{name: "authority-is-host", from: "RFC 9113 section 8.3.1", fields: with("host", "front.test"), want: plain(), either: true},
	{name: "authority-is-not-host", from: "RFC 9113 section 8.3.1", fields: with("host", "evil.test"), want: nothing},
	{name: "host-twice", from: "RFC 9110 section 7.2", fields: []field{{"host", "front.test"}, {"+host", "evil.test"}}, want: nothing},
	{name: "host-only", from: "RFC 9113 section 8.3.1", without: ":authority", fields: with("host", "front.test"), want: plain(), either: true},

	{name: "pseudo-late", from: "RFC 9113 section 8.3", without: ":path", fields: []field{{"x-note", "a"}, {"+:path", "/pseudo-late"}}, want: nothing},
	{name: "pseudo-unknown", from: "RFC 9113 section 8.3", fields: with(":evil", "a"), want: nothing},
	{name: "pseudo-of-answers", from: "RFC 9113 section 8.3", fields: with(":status", "200"), want: nothing},

	{name: "transfer-encoding", from: sequel + "(H2.TE) RFC 9113 section 8.2.2", fields: []field{{":method", "POST"}, {"transfer-encoding", "chunked"}}, data: []string{"0\r\n\r\nGET /smuggled HTTP/1.1\r\n"}, want: nothing},
	{name: "transfer-encoding-identity", from: "RFC 9113 section 8.2.2", fields: []field{{":method", "POST"}, {"transfer-encoding", "identity"}}, data: []string{"a"}, want: nothing},
	{name: "connection", from: "RFC 9113 section 8.2.2", fields: with("connection", "x-forwarded-for"), want: nothing},
	{name: "keep-alive", from: "RFC 9113 section 8.2.2", fields: with("keep-alive", "timeout=5"), want: nothing},
	{name: "proxy-connection", from: "RFC 9113 section 8.2.2", fields: with("proxy-connection", "keep-alive"), want: nothing},
	{name: "upgrade", from: "RFC 9113 section 8.2.2; Bishop Fox 2020, h2c Smuggling", fields: with("upgrade", "h2c"), want: nothing},
	{name: "te-other", from: "RFC 9113 section 8.2.2", fields: with("te", "gzip"), want: nothing},
	{name: "http2-settings", from: "RFC 9113 section 3.1", fields: with("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA"), want: plain(), either: true},

	{name: "length-too-long", from: sequel + "(H2.CL) RFC 9113 section 8.1.1", fields: []field{{":method", "POST"}, {"content-length", "10"}}, data: []string{"hello"}, want: nothing},
	{name: "length-too-short", from: sequel + "(H2.CL) RFC 9113 section 8.1.1", fields: []field{{":method", "POST"}, {"content-length", "0"}}, data: []string{"GET /smuggled HTTP/1.1\r\nHost: front.test\r\n\r\n"}, want: posted(""), early: true},
	{name: "length-too-short-later", from: sequel + "(H2.CL) RFC 9113 section 8.1.1", fields: []field{{":method", "POST"}, {"content-length", "5"}}, data: []string{"hello", "GET /smuggled HTTP/1.1\r\n"}, want: posted("hello"), early: true},
	{name: "length-without-body", from: "RFC 9113 section 8.1.1", fields: []field{{":method", "POST"}, {"content-length", "5"}}, want: nothing},
	{name: "length-twice", from: "RFC 9110 section 8.6", fields: []field{{":method", "POST"}, {"content-length", "5"}, {"+content-length", "6"}}, data: []string{"hello"}, want: nothing},
	{name: "length-signed", from: "RFC 9110 section 8.6", fields: []field{{":method", "POST"}, {"content-length", "+5"}}, data: []string{"hello"}, want: nothing},
	{name: "length-list", from: "RFC 9110 section 8.6", fields: []field{{":method", "POST"}, {"content-length", "5, 5"}}, data: []string{"hello"}, want: nothing},
	{name: "length-right", from: "RFC 9113 section 8.1.1", fields: []field{{":method", "POST"}, {"content-length", "10"}}, data: []string{"hello", "world"}, want: posted("helloworld")},
	{name: "length-none", from: "RFC 9113 section 8.1.1", fields: with(":method", "POST"), data: []string{"0\r\n\r\n", "GET /smuggled HTTP/1.1\r\n\r\n"}, want: posted("0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")},
	{name: "length-never-comes", from: "PortSwigger 2022, Browser-Powered Desync (pause-based)", fields: []field{{":method", "POST"}, {"content-length", "10"}}, data: []string{"hello"}, endless: true, want: nothing},

	{name: "twins", from: "PortSwigger 2021, HTTP/2: The Sequel is Always Worse", fields: []field{{"x_forwarded_for", "6.6.6.6"}, {"content_length", "5"}, {"transfer_encoding", "chunked"}}, want: plain()},
	{name: "forwarding", from: "RFC 7239 section 8.1", fields: []field{{"x-forwarded-for", "6.6.6.6"}, {"x-forwarded-proto", "http"}, {"forwarded", "for=6.6.6.6"}, {"x-real-ip", "6.6.6.6"}}, want: plain()},
	{name: "cookies", from: "RFC 9113 section 8.2.3", fields: []field{{"cookie", "a=1"}, {"+cookie", "b=2"}}, want: plain(field{"cookie", "a=1; b=2"})},
	{name: "expect-other", from: "RFC 9110 section 10.1.1", fields: with("expect", "evil"), want: nothing},
	{name: "too-many-fields", from: "RFC 6585 section 5", fields: many(300), want: nothing},
	{
		name: "trailers", from: "RFC 9113 section 8.1; RFC 9110 section 6.5.1", fields: []field{{":method", "POST"}, {"trailer", "x-forwarded-for, x-sum"}}, data: []string{"hello"},
		trailers: []field{{"x-forwarded-for", "6.6.6.6"}, {"x-sum", "1"}},
		want:     message{method: "POST", fields: []field{{"Host", "front.test"}, {"Trailer", "x-forwarded-for, x-sum"}}, body: "hello", trailers: with("x-sum", "1")}, either: true,
	},
	{name: "trailers-framing", from: "RFC 9110 section 6.5.1", fields: []field{{":method", "POST"}, {"trailer", "x-sum"}}, data: []string{"hello"}, trailers: []field{{"content-length", "3"}, {"transfer-encoding", "chunked"}}, want: nothing},
	{name: "trailers-with-pseudo", from: "RFC 9113 section 8.1", fields: with(":method", "POST"), data: []string{"hello"}, trailers: with(":path", "/evil"), want: nothing},
}

func many(n int) []field {
	var fields []field
	for i := range n {
		fields = append(fields, field{"x-" + strconv.Itoa(i), "a"})
	}
	return fields
}

func TestSmuggling_DowngradeFromHTTP2(t *testing.T) {
	slow(t)
	t.Parallel()
	r := startRecorder(t)
	elb := startFront(t, r.port)
	for _, d := range downgrades {
		t.Run(d.name, func(t *testing.T) {
			before := r.mark()
			status, err := d.send(t, elb)
			t.Logf("status %d, %v", status, err)
			after := downgrade{name: "good/" + d.name, want: plain()}
			if status, err := after.send(t, elb); status != 200 {
				t.Errorf("a good request after it: status %d, %v", status, err)
			}
			seen, faults := r.since(before)
			d.check(t, status, seen, faults)
		})
	}
	elb.Stop()
	// A body is passed on as it comes; that something is wrong with it may show later.
	may := []string{"/length-too-long", "/length-never-comes", "/trailers-framing", "/trailers-with-pseudo"}
	for _, m := range r.cutOff() {
		if !slices.Contains(may, m.target) {
			t.Errorf("the member saw the beginning of a request that may not begin: %v", m)
		}
	}
}

// check compares what the member saw, the last of it the good request.
func (d downgrade) check(t *testing.T, status int, seen []message, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Errorf("bytes at the member that are no request: %s", f)
	}
	allowed := 0
	switch {
	case d.early:
		allowed = len(seen) - 1 // or none: the lie may have been heard in time
		if allowed > 1 {
			t.Errorf("the member saw %d requests", allowed)
		}
	case d.want.method != "" && (status == 200 || !d.either):
		allowed = 1
		fallthrough
	default:
		if (allowed == 1) != (status == 200) {
			t.Errorf("status %d", status)
		}
	}
	if len(seen) != allowed+1 {
		t.Errorf("the member saw %d requests; %d and a good one are allowed:\n%s", len(seen), allowed, list(seen))
		return
	}
	want := []message{plain()}
	want[0].target = "/good/" + d.name
	if allowed == 1 {
		d.want.target = "/" + d.name
		want = append([]message{d.want}, want...)
	}
	v := verdict{t: t, proto: "https"}
	for i := range want {
		v.sameInAll(want[i], seen[i])
	}
}

// headers gives the fields of the request, in the order that they are sent in.
func (d downgrade) headers() []field {
	fields := []field{{":method", "GET"}, {":scheme", "https"}, {":path", "/" + d.name}, {":authority", "front.test"}}
	for _, f := range d.fields {
		name, more := strings.CutPrefix(f.name, "+")
		at := -1
		for i := range fields {
			if fields[i].name == name && !more {
				at = i
			}
		}
		if at >= 0 {
			fields[at].value = f.value
		} else {
			fields = append(fields, field{name, f.value})
		}
	}
	for i, f := range fields {
		if d.without != "" && f.name == d.without {
			return append(fields[:i:i], fields[i+1:]...)
		}
	}
	return fields
}

// send makes a connection and sends the request on it as stream 1. It gives the status of the answer; 0 and the reason when there is none.
func (d downgrade) send(t *testing.T, elb *loneELB) (status int, reason error) {
	t.Helper()
	conn, err := elb.dialTLS("h2")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(exchangeLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	// What stops the writing shows in the answer.
	_ = d.write(framer)
	return readStatus(framer)
}

func (d downgrade) write(framer *http2.Framer) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encode := func(fields []field) ([]byte, error) {
		block.Reset()
		for _, f := range fields {
			if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
				return nil, err
			}
		}
		return block.Bytes(), nil
	}
	head, err := encode(d.headers())
	if err != nil {
		return err
	}
	last := len(d.data) == 0 && d.trailers == nil && !d.endless
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head, EndHeaders: true, EndStream: last}); err != nil {
		return err
	}
	for i, data := range d.data {
		last := i == len(d.data)-1 && d.trailers == nil && !d.endless
		if err := framer.WriteData(1, last, []byte(data)); err != nil {
			return err
		}
	}
	if d.trailers == nil {
		return nil
	}
	tail, err := encode(d.trailers)
	if err != nil {
		return err
	}
	return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: tail, EndHeaders: true, EndStream: true})
}

// errRefused is how a stream or a connection ends that is refused.
var errRefused = errors.New("refused")

// readStatus reads frames until stream 1 has a final answer or is over.
func readStatus(framer *http2.Framer) (int, error) {
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return -1, err
			}
			return 0, err
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck() // the peer may have gone; the next frame tells
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return 0, errRefused
		case *http2.MetaHeadersFrame:
			status, err := strconv.Atoi(f.PseudoValue("status"))
			if err != nil || status >= 200 {
				return status, err
			}
		}
	}
}
