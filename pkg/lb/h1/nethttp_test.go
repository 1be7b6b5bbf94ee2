package h1

// What is taken here is taken by net/http too, and means the same there. The other way round it need not
// be: this package refuses more.

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// headers gives the fields as net/http has them, without those that it takes out of the header.
func headers(f *Fields, without ...string) http.Header {
	h := http.Header{}
	for i := range f.Len() {
		h.Add(string(f.Name(i)), string(f.Value(i)))
	}
	for _, name := range without {
		h.Del(name)
	}
	return h
}

func equalHeaders(a, b http.Header) bool { return maps.EqualFunc(a, b, slices.Equal) }

func FuzzRequestAgainstNetHTTP(f *testing.F) {
	addRequests(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Request
		n, err := r.Parse(text)
		if err != nil || n == 0 {
			return
		}
		// An empty line before the request is for servers to skip; ReadRequest leaves that to them.
		head := bytes.TrimPrefix(text[:n], []byte("\r\n"))
		req, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(head), MaxHead))
		if err != nil {
			t.Fatalf("%q: net/http says %v", head, err)
		}
		compareRequests(t, head, &r, req)
	})
}

func compareRequests(t *testing.T, head []byte, r *Request, req *http.Request) {
	t.Helper()
	if req.Method != string(r.Method()) || req.RequestURI != string(r.Target()) || req.ProtoMinor != r.Minor() {
		t.Errorf("%q: request line %q %q 1.%d", head, req.Method, req.RequestURI, req.ProtoMinor)
	}
	if req.Host != string(r.Host()) {
		t.Errorf("%q: host %q, net/http has %q", head, r.Host(), req.Host)
	}
	if req.ContentLength != r.Length() || (len(req.TransferEncoding) > 0) != (r.Length() == Chunked) {
		t.Errorf("%q: length %d, net/http has %d %q", head, r.Length(), req.ContentLength, req.TransferEncoding)
	}
	if req.Close != r.Close() {
		t.Errorf("%q: Close %t, net/http has %t", head, r.Close(), req.Close)
	}
	if path := r.Path(); path != nil {
		comparePaths(t, string(path), req.URL)
	}
	without := []string{"Host"}
	if r.Length() == Chunked {
		without = append(without, "Transfer-Encoding", "Trailer")
	}
	want := headers(&r.Fields, without...)
	if pragma := want["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && want["Cache-Control"] == nil {
		want.Set("Cache-Control", "no-cache") // ReadRequest adds it
	}
	if !equalHeaders(req.Header, want) {
		t.Errorf("%q: fields\n%q\nnet/http has\n%q", head, want, req.Header)
	}
}

// comparePaths compares what goes to the member with how net/http understands the target.
func comparePaths(t *testing.T, path string, u *url.URL) {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	if unescaped, err := url.PathUnescape(path); err != nil || unescaped != u.Path && u.Path != "" || query != u.RawQuery {
		t.Errorf("path %q and query %q, net/http has %q and %q", path, query, u.Path, u.RawQuery)
	}
	if u.Path == "" && path != "/" && path != "*" {
		t.Errorf("path %q, net/http has none", path)
	}
}

func FuzzResponseAgainstNetHTTP(f *testing.F) {
	addResponses(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Response
		n, err := r.Parse(text)
		if err != nil || n == 0 {
			return
		}
		head := text[:n]
		resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), MaxHead), nil)
		if err != nil {
			t.Fatalf("%q: net/http says %v", head, err)
		}
		compareResponses(t, head, &r, resp)
	})
}

func compareResponses(t *testing.T, head []byte, r *Response, resp *http.Response) {
	t.Helper()
	if resp.StatusCode != r.Status() || resp.ProtoMinor != r.Minor() {
		t.Errorf("%q: status %d, minor %d", head, resp.StatusCode, resp.ProtoMinor)
	}
	length := r.Length()
	if length == UntilClose {
		length = -1
	}
	if resp.ContentLength != length || (len(resp.TransferEncoding) > 0) != r.chunked {
		t.Errorf("%q: length %d, net/http has %d %q", head, r.Length(), resp.ContentLength, resp.TransferEncoding)
	}
	if closes := r.Close() || r.Length() == UntilClose; resp.Close != closes {
		t.Errorf("%q: Close %t, net/http has %t", head, closes, resp.Close)
	}
	var without []string
	if r.chunked { // which a 304 may be, though it has no body
		without = []string{"Transfer-Encoding", "Trailer"}
	}
	want := headers(&r.Fields, without...)
	if lengths := want["Content-Length"]; len(lengths) > 1 {
		want["Content-Length"] = lengths[:1] // equal ones become one
	}
	if !equalHeaders(resp.Header, want) {
		t.Errorf("%q: fields\n%q\nnet/http has\n%q", head, want, resp.Header)
	}
}

func FuzzChunksAgainstNetHTTP(f *testing.F) {
	addChunks(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var c Chunks
		buf := bytes.Clone(raw)
		n, used, done, err := c.Decode(buf)
		if err != nil {
			return
		}
		const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		rest := bufio.NewReaderSize(io.MultiReader(strings.NewReader(head), bytes.NewReader(raw)), 2*MaxHead)
		resp, err := http.ReadResponse(rest, nil)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(resp.Body)
		if !bytes.Equal(content, buf[:n]) {
			t.Fatalf("%q: content %q, net/http has %q", raw, buf[:n], content)
		}
		if !done {
			if err == nil {
				t.Fatalf("%q goes on, net/http sees an end", raw)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: net/http says %v", raw, err)
		}
		if left, _ := io.ReadAll(rest); !bytes.Equal(left, raw[used:]) {
			t.Fatalf("%q: %q is left, net/http leaves %q", raw, raw[used:], left)
		}
		// net/http keeps trailers that are dropped here.
		for name, values := range headers(c.Trailers()) {
			if !slices.Equal(resp.Trailer[name], values) {
				t.Fatalf("%q: trailer %s is %q, net/http has %q", raw, name, values, resp.Trailer[name])
			}
		}
	})
}
