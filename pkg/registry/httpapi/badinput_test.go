package httpapi_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Every wrong input gets the right status, and a message that names what is wrong. None of them changes anything.
func TestBadInput(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/f.txt", "kept")
	before := d.do(t, "GET", "/api/v1/children/_system/config", "").Body.String()

	const at, asJSON, patch = "/_system/config/f.txt", "Content-Type: application/json", "Content-Type: application/merge-patch+json"
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		method, url, body, header string
		status                    int
		text                      string
	}{
		{"GET", "/api/v1/content/a/../b", "", "", 400, `the name \"..\"`},
		{"GET", "/api/v1/content/a/%2e%2e/b", "", "", 400, `the name \"..\"`},
		{"GET", "/api/v1/content/a/%2E./b", "", "", 400, `the name \"..\"`},
		{"GET", "/api/v1/content/a/./b", "", "", 400, `the name \".\"`},
		{"GET", "/api/v1/content/a//b", "", "", 400, "empty name"},
		{"GET", "/api/v1/content//a", "", "", 400, "empty name"},
		{"GET", "/api/v1/content/a%2Fb", "", "", 400, "encoded slash"},
		{"GET", "/api/v1/content/a%2fb", "", "", 400, "encoded slash"},
		{"GET", "/api/v1/content/a%252fb", "", "", 400, "'%'"},
		{"GET", "/api/v1/content/a%5Cb", "", "", 400, "the character"},
		{"GET", "/api/v1/content/a%00b", "", "", 400, "U+0000"},
		{"GET", "/api/v1/content/a%0Ab", "", "", 400, "U+000A"},
		{"GET", "/api/v1/content/a%FFb", "", "", 400, "not valid UTF-8"},
		{"GET", "/api/v1/content/a*b", "", "", 400, "the character"},
		{"GET", "/api/v1/content/.meta", "", "", 400, "reserved"},
		{"GET", "/api/v1/content/a;version:x", "", "", 400, ";version:N"},
		{"GET", "/api/v1/content/a;version:0", "", "", 400, ";version:N"},
		{"GET", "/api/v1/content/" + long(256), "", "", 400, "has 256 characters; the limit is 255"},
		{"GET", "/api/v1/content" + strings.Repeat("/"+long(200), 11), "", "", 400, "the limit is 2048"},
		{"GET", "/api/v1/content" + strings.Repeat("/a", 257), "", "", 400, "path has 257 names; the limit is 256"},
		{"PUT", "/api/v1/content/_system/config/a/../b", "x", "", 400, `the name \"..\"`},
		{"PUT", "/resource/1.0.0/artifact/_system/config/a/%2e%2e/b", "x", "", 400, `the name ".."`},
		{"GET", "/registry/resource/a/../b", "", "", 400, `the name \"..\"`},

		{"GET", "/api/v1/content" + at + "?version=x", "", "", 400, "query parameter version is \\\"x\\\"; it must be a number from 1 on"},
		{"GET", "/api/v1/content" + at + "?version=0", "", "", 400, "a number from 1 on"},
		{"GET", "/api/v1/content" + at + "?verssion=1", "", "", 400, "query parameter \\\"verssion\\\" is not known; this operation has version"},
		{"GET", "/api/v1/content" + at + "?version=1&version=2", "", "", 400, "2 times"},
		{"PUT", "/api/v1/content" + at + "?version=1", "x", "", 400, "is not known; this operation has none"},
		{"GET", "/api/v1/children/_system/config?limit=1001", "", "", 400, "limit is \\\"1001\\\"; it must be a number from 1 to 1000"},
		{"GET", "/api/v1/children/_system/config?limit=0", "", "", 400, "from 1 to 1000"},
		{"GET", "/api/v1/children/_system/config?cursor=%21", "", "", 400, "cursor"},
		{"GET", "/api/v1/versions" + at + "?before=-1", "", "", 400, "before"},
		{"GET", "/api/v1/no-such", "", "", 404, "no operation has this URL"},
		{"POST", "/api/v1/content" + at, "", "", 405, "DELETE, GET, HEAD, PUT"},
		{"DELETE", "/api/v1/mounts", "", "", 405, "GET, HEAD"},
		{"GET", "/api/v1/restore" + at, "", "", 405, "POST"},

		{"PUT", "/api/v1/content" + at, "x", "Content-Encoding: gzip", 415, "Content-Encoding"},
		{"PUT", "/api/v1/content" + at, "x", "Content-Range: bytes 0-0/5", 400, "Content-Range"},
		{"PUT", "/api/v1/content" + at, "x", "Content-Type: text", 400, "media type"},
		{"PUT", "/api/v1/content" + at, "x", "Content-Type: text/" + long(500), 400, "the limit is 500"},
		{"PUT", "/api/v1/content" + at, "x", "If-Match: x", 400, "If-Match must be"},
		{"PUT", "/api/v1/content" + at, "x", `If-Match: "x"`, 412, "the current entity tag"},
		{"PUT", "/api/v1/content" + at, long(contentLimit + 1), "", 413, "1048576 bytes"},
		{"PUT", "/resource/1.0.0/artifact" + at, long(contentLimit + 1), "", 413, "1048576 bytes"},

		{"PATCH", "/api/v1/resource" + at, `{}`, "", 415, "application/merge-patch+json or application/json"},
		{"PATCH", "/api/v1/resource" + at, `{}`, "Content-Type: text/plain", 415, "application/merge-patch+json"},
		{"PATCH", "/api/v1/resource" + at, `{"path":"/x"}`, patch, 400, `the field \"path\"`},
		{"PATCH", "/api/v1/resource" + at, `{"description":7}`, patch, 400, `field \"description\"`},
		{"PATCH", "/api/v1/resource" + at, `{"properties":{"a":"b"}}`, patch, 400, `field \"properties\"`},
		{"PATCH", "/api/v1/resource" + at, `{"description":"` + long(1001) + `"}`, patch, 400, "description has 1001 characters; the limit is 1000"},
		{"PATCH", "/api/v1/resource" + at, `null`, patch, 400, "must be an object"},
		{"PATCH", "/api/v1/resource" + at, `[]`, patch, 400, "its type cannot be array"},
		{"PATCH", "/api/v1/resource" + at, `{`, patch, 400, "ends too early"},
		{"PATCH", "/api/v1/resource" + at, ``, patch, 400, "ends too early"},
		{"PATCH", "/api/v1/resource" + at, `{}{}`, patch, 400, "more than one value"},
		{"PATCH", "/api/v1/resource" + at, `{"description":"` + long(1<<20) + `"}`, patch, 413, "1048576 bytes"},
		{"PUT", "/api/v1/resource/_system/config/c", `{"kind":"collection","colour":1}`, asJSON, 400, `unknown field \"colour\"`},
		{"PUT", "/api/v1/resource/_system/config/c", `{"kind":"resource"}`, asJSON, 400, "PUT /api/v1/content/_system/config/c"},
		{"PUT", "/api/v1/resource/_system/config/c", `{"kind":["collection"]}`, asJSON, 400, `the type of field \"kind\" cannot be array`},
		{"PUT", "/api/v1/properties" + at, `null`, asJSON, 400, "must be an object of lists"},
		{"POST", "/api/v1/restore" + at, `{"version":"1"}`, asJSON, 400, `the type of field \"version\" cannot be string`},
	} {
		var headers []string
		if c.header != "" {
			headers = append(headers, c.header)
		}
		rec := d.do(t, c.method, c.url, c.body, headers...)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.text) {
			t.Errorf("%s %.80s %s: %d %s\nwant %d with %q", c.method, c.url, c.header, rec.Code, rec.Body, c.status, c.text)
		}
		if kind := rec.Header().Get("Content-Type"); !strings.HasPrefix(c.url, "/resource/1.0.0/") && kind != "application/problem+json" {
			t.Errorf("%s %.80s: Content-Type %q", c.method, c.url, kind)
		}
	}
	if after := d.do(t, "GET", "/api/v1/children/_system/config", "").Body.String(); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	want(t, d.do(t, "GET", "/api/v1/content"+at, ""), 200, "kept")
}

// raw sends bytes as they are, shuts the sending side when told, and reads one answer.
func raw(t *testing.T, address, request string, shut bool) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if shut {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, readAll(t, answer.Body)
}

// put is the head of a PUT request by admin.
func put(path string, headers ...string) string {
	basic := base64.StdEncoding.EncodeToString([]byte("admin:" + password))
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\n%s\r\n\r\n", path, basic, strings.Join(headers, "\r\n"))
}

func TestBadInput_CutOffUploadChangesNothing(t *testing.T) {
	d := newDoor(t)
	address := serve(t, d).Listener.Addr().String()
	d.put(t, "/_system/config/old.txt", "kept")
	for name, request := range map[string]string{
		"by length":  put("/api/v1/content/_system/config/PATH", "Content-Length: 1000") + "only this",
		"in chunks":  put("/api/v1/content/_system/config/PATH", "Transfer-Encoding: chunked") + "9\r\nonly this\r\n",
		"bad chunks": put("/api/v1/content/_system/config/PATH", "Transfer-Encoding: chunked") + "9\r\nonly this\r\nzz\r\n",
		"compat":     put("/resource/1.0.0/artifact/_system/config/PATH", "Content-Length: 1000") + "only this",
	} {
		for _, path := range []string{"new.txt", "old.txt"} {
			status, body := raw(t, address, strings.ReplaceAll(request, "PATH", path), true)
			if status != 400 || !strings.Contains(body, "nothing was stored") {
				t.Errorf("%s, %s: %d %s", name, path, status, body)
			}
		}
		want(t, d.do(t, "GET", "/api/v1/content/_system/config/new.txt", ""), 404, "")
		want(t, d.do(t, "GET", "/api/v1/content/_system/config/old.txt", ""), 200, "kept")
	}
}

// What is refused for its headers is refused without the body: the client that waits for "100 Continue" never sends it.
func TestBadInput_IsRefusedBeforeTheBody(t *testing.T) {
	d := newDoor(t)
	address := serve(t, d).Listener.Addr().String()
	d.put(t, "/_system/config/f.txt", "kept")
	const url = "/api/v1/content/_system/config/f.txt"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"too long":     {put(url, "Content-Length: 1048577", "Expect: 100-continue"), 413},
		"wrong tag":    {put(url, "Content-Length: 10", "Expect: 100-continue", `If-Match: "x"`), 412},
		"collection":   {put("/api/v1/content/_system/config", "Content-Length: 10", "Expect: 100-continue"), 409},
		"no operation": {put("/api/v1/x", "Content-Length: 10", "Expect: 100-continue"), 404},
		"nobody":       {"PUT " + url + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", 401},
	} {
		if status, _ := raw(t, address, c.request, false); status != c.status {
			t.Errorf("%s: the first answer is %d, want %d", name, status, c.status)
		}
	}
	if status, _ := raw(t, address, put(url, "Content-Length: 3", "Expect: 100-continue"), false); status != http.StatusContinue {
		t.Errorf("a good request: the first answer is %d, want 100", status)
	}
}

// A body of unknown length is cut at the limit, and nothing of it stays.
func TestBadInput_EndlessBody(t *testing.T) {
	d := newDoor(t)
	s := serve(t, d)
	// LimitReader hides the length, so that the client sends chunks.
	endless := io.LimitReader(zeros{}, contentLimit+1)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+"/api/v1/content/_system/config/big", endless)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", password)
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body := readAll(t, answer.Body); answer.StatusCode != 413 || !strings.Contains(body, "1048576") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/big", ""), 404, "")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/big", strings.Repeat("x", contentLimit)), 201, `"size":1048576`)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
