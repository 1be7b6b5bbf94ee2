package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
	"testing"
)

const payPath = "/_system/governance/apis/pay/openapi.yaml"

func TestContent_StoresAndGivesBack(t *testing.T) {
	d := newDoor(t)
	created := d.do(t, "PUT", "/api/v1/content"+payPath, "openapi: 3.1.0\n", "Content-Type: application/yaml")
	want(t, created, 201, `"version":1`)
	wantHeaders(t, created, map[string]string{"Location": "/api/v1/content" + payPath, "Registry-Version": "1"})
	if seq := created.Header().Get("Registry-Seq"); !strings.HasPrefix(seq, "shared:") {
		t.Errorf("Registry-Seq is %q", seq)
	}

	got := d.do(t, "GET", "/api/v1/content"+payPath, "")
	want(t, got, 200, "openapi: 3.1.0\n")
	sum := sha256.Sum256([]byte("openapi: 3.1.0\n"))
	wantHeaders(t, got, map[string]string{
		"Content-Type": "application/yaml", "ETag": created.Header().Get("ETag"), "Registry-Version": "1", "Accept-Ranges": "bytes",
		"Repr-Digest":         "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
		"Content-Disposition": "inline; filename=openapi.yaml", "Last-Modified": "Sun, 22 Nov 2026 12:00:00 GMT",
		"Cache-Control": "private, no-cache", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	})

	same := d.do(t, "PUT", "/api/v1/content"+payPath, "openapi: 3.1.0\n")
	want(t, same, 200, `"version":1`)
	wantHeaders(t, same, map[string]string{"ETag": created.Header().Get("ETag"), "Location": ""})

	changed := d.do(t, "PUT", "/api/v1/content"+payPath, "openapi: 3.2.0\n")
	want(t, changed, 200, `"version":2`)
	want(t, changed, 200, `"media_type":"application/yaml"`)
	want(t, d.do(t, "GET", "/api/v1/content"+payPath, ""), 200, "openapi: 3.2.0\n")
	for _, url := range []string{payPath + "?version=1", payPath + ";version:1", payPath + "%3Bversion:1", payPath + ";version:1?version=1"} {
		old := d.do(t, "GET", "/api/v1/content"+url, "")
		want(t, old, 200, "openapi: 3.1.0\n")
		wantHeaders(t, old, map[string]string{"Registry-Version": "1"})
	}
	want(t, d.do(t, "GET", "/api/v1/content"+payPath+"?version=3", ""), 404, "no version 3")
	want(t, d.do(t, "GET", "/api/v1/content"+payPath+";version:1?version=2", ""), 400, "version 1 and the query version 2")
	want(t, d.do(t, "PUT", "/api/v1/content"+payPath+";version:1", "x"), 400, "current state only")

	gone := d.do(t, "DELETE", "/api/v1/content"+payPath, "")
	want(t, gone, 204, "")
	if gone.Header().Get("Registry-Seq") == "" {
		t.Error("a delete tells no Registry-Seq")
	}
	want(t, d.do(t, "GET", "/api/v1/content"+payPath, ""), 404, "nothing is at "+payPath)
	want(t, d.do(t, "DELETE", "/api/v1/content"+payPath, ""), 404, "nothing is at "+payPath)
}

func TestContent_MediaType(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct{ name, sent, stored string }{
		{"a.wsdl", "", "application/wsdl+xml"},
		{"b.unknown", "", "application/octet-stream"},
		{"c.yaml", "application/x-www-form-urlencoded", "application/yaml"}, // curl --data
		{"d.yaml", "text/plain; charset=utf-8", "text/plain; charset=utf-8"},
	} {
		url := "/_system/config/" + c.name
		var headers []string
		if c.sent != "" {
			headers = append(headers, "Content-Type: "+c.sent)
		}
		d.put(t, url, "x", headers...)
		wantHeaders(t, d.do(t, "GET", "/api/v1/content"+url, ""), map[string]string{"Content-Type": c.stored})
	}
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/e", "x", "Content-Type: nonsense"), 400, `media type \"nonsense\" is not of the form type/subtype`)
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/e", ""), 404, "")
}

// Stored bytes must not run as the registry's own page.
func TestContent_IsHarmlessInABrowser(t *testing.T) {
	d := newDoor(t)
	for mediaType, disposition := range map[string]string{
		"text/html": "attachment", "image/svg+xml": "attachment", "application/xml": "attachment", "text/javascript": "attachment",
		"application/xhtml+xml": "attachment", "application/pdf": "attachment", "TEXT/HTML": "attachment",
		"text/plain": "inline", "image/png": "inline", "application/json": "inline",
	} {
		d.put(t, "/_system/config/f", "<script>alert(1)</script>", "Content-Type: "+mediaType)
		for _, url := range []string{"/api/v1/content/_system/config/f", "/registry/resource/_system/config/f"} {
			wantHeaders(t, d.do(t, "GET", url, ""), map[string]string{
				"Content-Type": mediaType, "Content-Disposition": disposition + "; filename=f",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
			})
		}
		wantHeaders(t, d.do(t, "GET", "/resource/1.0.0/artifact/_system/config/f", ""), map[string]string{"Content-Disposition": "attachment; filename=f"})
	}
	d.put(t, "/_system/config/na%20%C3%AFve%20(1).txt", "x")
	got := d.do(t, "GET", "/api/v1/content/_system/config/na%20%C3%AFve%20(1).txt", "")
	_, params, err := mime.ParseMediaType(got.Header().Get("Content-Disposition"))
	if err != nil || params["filename"] != "na ïve (1).txt" {
		t.Errorf("Content-Disposition %q names %q, %v", got.Header().Get("Content-Disposition"), params["filename"], err)
	}
}

func TestContent_Conditions(t *testing.T) {
	d := newDoor(t)
	const url = "/api/v1/content/_system/config/f.txt"
	want(t, d.do(t, "PUT", url, "one", "If-Match: *"), 412, "nothing is at this path")
	want(t, d.do(t, "PUT", url, "one", `If-Match: "x"`), 412, "nothing is at this path")
	first := d.do(t, "PUT", url, "one", "If-None-Match: *")
	want(t, first, 201, "")
	tag := first.Header().Get("ETag")
	want(t, d.do(t, "PUT", url, "two", "If-None-Match: *"), 412, "the current entity tag is")
	want(t, d.do(t, "PUT", url, "two", "If-None-Match: W/"+tag), 412, "the current entity tag is")
	want(t, d.do(t, "PUT", url, "two", `If-Match: "x"`), 412, "the current entity tag is")
	want(t, d.do(t, "PUT", url, "two", "If-Match: W/"+tag), 412, "the current entity tag is")
	want(t, d.do(t, "PUT", url, "two", "If-Match: "+strings.Trim(tag, `"`)), 400, "If-Match must be")
	want(t, d.do(t, "PUT", url, "two", "If-Unmodified-Since: Sun, 22 Nov 2026 12:00:00 GMT"), 400, "use If-Match")
	want(t, d.do(t, "GET", url, ""), 200, "one")

	second := d.do(t, "PUT", url, "two", `If-Match: "x", `+tag)
	want(t, second, 200, `"version":2`)
	want(t, d.do(t, "DELETE", url, "", "If-Match: "+tag), 412, "")
	tag = second.Header().Get("ETag")

	want(t, d.do(t, "GET", url, "", "If-None-Match: "+tag), 304, "")
	want(t, d.do(t, "GET", url, "", `If-None-Match: "x", W/`+tag), 304, "")
	want(t, d.do(t, "GET", url, "", "If-None-Match: *"), 304, "")
	want(t, d.do(t, "GET", url, "", `If-None-Match: "x"`), 200, "two")
	want(t, d.do(t, "GET", url, "", `If-None-Match: x`), 400, "If-None-Match must be")
	want(t, d.do(t, "GET", url, "", `If-Match: "x"`), 412, "If-Match")
	want(t, d.do(t, "GET", url, "", "If-Match: "+tag), 200, "two")
	// Both versions are of one second: a date cannot tell them apart, so it never hides the newer one.
	want(t, d.do(t, "GET", url, "", "If-Modified-Since: Sun, 22 Nov 2026 12:00:00 GMT"), 200, "two")
	wantHeaders(t, d.do(t, "GET", url, "", "If-None-Match: "+tag), map[string]string{"ETag": tag, "Registry-Version": "2"})

	for _, u := range []string{"/api/v1/resource", "/api/v1/properties", "/api/v1/versions"} {
		known := tag
		if u == "/api/v1/versions" { // a list has a tag of its own, since labels and retention change it too
			known = d.do(t, "GET", u+"/_system/config/f.txt", "").Header().Get("ETag")
		}
		want(t, d.do(t, "GET", u+"/_system/config/f.txt", "", "If-None-Match: "+known), 304, "")
		want(t, d.do(t, "GET", u+"/_system/config/f.txt", "", `If-Match: "x"`), 412, "")
	}
	want(t, d.do(t, "DELETE", url, "", "If-Match: "+tag), 204, "")
}

func TestContent_Ranges(t *testing.T) {
	d := newDoor(t)
	const url = "/api/v1/content/_system/config/digits.txt"
	tag := d.put(t, "/_system/config/digits.txt", "0123456789").Header().Get("ETag")

	part := d.do(t, "GET", url, "", "Range: bytes=2-4")
	want(t, part, 206, "234")
	wantHeaders(t, part, map[string]string{"Content-Range": "bytes 2-4/10", "Content-Length": "3", "ETag": tag})
	want(t, d.do(t, "GET", url, "", "Range: bytes=-2"), 206, "89")
	want(t, d.do(t, "GET", url, "", "Range: bytes=0-1", "If-Range: "+tag), 206, "01")
	want(t, d.do(t, "GET", url, "", "Range: bytes=0-1", `If-Range: "x"`), 200, "0123456789")
	want(t, d.do(t, "GET", url, "", "Range: bytes=0-1", "If-Range: Sun, 22 Nov 2026 12:00:00 GMT"), 200, "0123456789")
	two := d.do(t, "GET", url, "", "Range: bytes=0-1,8-9")
	if !strings.HasPrefix(two.Header().Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges come as %q", two.Header().Get("Content-Type"))
	}
	beyond := d.do(t, "GET", url, "", "Range: bytes=10-12")
	want(t, beyond, 416, "the content has 10 bytes")
	wantHeaders(t, beyond, map[string]string{"Content-Range": "bytes */10", "Content-Type": "application/problem+json"})
}

func TestContent_HeadTellsTheSameAsGet(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/f.txt", "four")
	s := serve(t, d)
	for _, url := range []string{
		"/api/v1/content/_system/config/f.txt", "/api/v1/resource/_system/config/f.txt", "/resource/1.0.0/artifact/_system/config/f.txt",
		"/registry/resource/_system/config/f.txt", "/api/v1/content/_system/config/none",
	} {
		var status [2]int
		var headers [2]http.Header
		for i, method := range []string{"GET", "HEAD"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth("admin", password)
			answer, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if body := readAll(t, answer.Body); method == "HEAD" && body != "" {
				t.Errorf("HEAD %s has the body %q", url, body)
			}
			answer.Body.Close()
			answer.Header.Del("Date")
			status[i], headers[i] = answer.StatusCode, answer.Header
		}
		if status[0] != status[1] {
			t.Errorf("%s: GET %d, HEAD %d", url, status[0], status[1])
		}
		for name := range headers[0] {
			if get, head := headers[0].Get(name), headers[1].Get(name); get != head && (name != "Content-Length" || head != "") {
				t.Errorf("%s: %s is %q for GET and %q for HEAD", url, name, get, head)
			}
		}
	}
}
