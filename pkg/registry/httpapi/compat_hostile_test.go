package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// Names that look alike are what their characters say: NFC and NFD are one, case, accents and spaces tell apart; in the URL and in the query.
func TestCompat_Names(t *testing.T) {
	d := newDoor(t)
	const artifact = "/resource/1.0.0/artifact"
	uuid := func(p string) string {
		t.Helper()
		rec := d.do(t, "GET", "/resource/1.0.0/metadata?path="+url.QueryEscape(p), "")
		var v struct {
			UUID string `json:"uuid"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &v); rec.Code != 200 || err != nil {
			t.Fatalf("metadata of %q: %d %s", p, rec.Code, rec.Body)
		}
		return v.UUID
	}
	const dir = "/_system/config/n/"
	seen := map[string]string{}
	for _, name := range []string{"a", "a ", " a", "a  ", "A", "á", "Á", "ａ", "a\u200b", "a(b)", "a&b", "a:b", "a[1]", "$a", "a?b", "a.b", "名前", strings.Repeat("n", 255), strings.Repeat("é", 255)} {
		want(t, d.do(t, "PUT", artifact+(&url.URL{Path: dir + name}).EscapedPath(), name, "Content-Type: text/plain"), 201, "Created : "+dir+name)
		id := uuid(dir + name)
		if other, taken := seen[id]; taken {
			t.Errorf("%q and %q are one", name, other)
		}
		seen[id] = name
		want(t, d.do(t, "GET", artifact+(&url.URL{Path: dir + name}).EscapedPath(), ""), 200, name)
		want(t, d.do(t, "POST", "/resource/1.0.0/tag?name=t&path="+url.QueryEscape(dir+name), ""), 204, "")
	}
	if uuid(dir+"a\u0301") != uuid(dir+"\u00e1") {
		t.Error("NFD and NFC of one name are two")
	}
	want(t, d.do(t, "PUT", artifact+dir+"a%CC%81", "again", "Content-Type: text/plain"), 204, "")
	rec := d.do(t, "GET", "/resource/1.0.0/tag?name=t", "")
	var tagged []struct{ ResourcePath string }
	if err := json.Unmarshal(rec.Body.Bytes(), &tagged); err != nil || len(tagged) != len(seen) {
		t.Errorf("%d resources have the tag, want %d: %v", len(tagged), len(seen), err)
	}
}

// TestCompat_BadPaths: what is no path is 400 wherever a path can stand, and stores nothing.
func TestCompat_BadPaths(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/ok", "x")
	before := d.head(t)
	bad := []string{
		"/a//b", "//a", "/a/../b", "/..", "/a/./b", "/a\\b", "/a\x00b", "/a\nb", "/a\r\nX-Evil: 1", "/a\x7f", "/a%2fb", "/a%252fb", "/a#b", "/a;b", "/a*b", "/a<b>",
		"/a\"b", "/a'b", "/a,b", "/a=b", "/a|b", "/a\xffb", "/.meta", "/" + strings.Repeat("n", 256), "/" + strings.Repeat("é", 256), strings.Repeat("/d", 300),
		strings.Repeat("/"+strings.Repeat("n", 200), 11), "/a';DROP TABLE node;--",
	}
	for _, p := range bad {
		q := url.QueryEscape("/_system/config" + p)
		for _, c := range [][3]string{
			{"GET", "metadata?path=" + q, ""},
			{"GET", "comments?path=" + q, ""},
			{"POST", "comment?path=" + q, "x"},
			{"POST", "property?name=a&value=b&path=" + q, ""},
			{"POST", "tag?name=t&path=" + q, ""},
			{"POST", "rate?value=1&path=" + q, ""},
			{"POST", "revision?path=" + q, ""},
			{"GET", "revisions?path=" + q, ""},
			{"POST", "copy?path=" + q + "&destination=/_system/config/x", ""},
			{"POST", "move?path=/_system/config/ok&destination=" + q, ""},
			{"POST", "copy?path=/_system/config/ok&destination=" + q, ""},
			{"POST", "association?type=t&targetPath=/_system/config&path=" + q, ""},
			{"POST", "association?type=t&path=/_system/config/ok&targetPath=" + q, ""},
			{"DELETE", "association?type=t&path=/_system/config/ok&targetPath=" + q, ""},
		} {
			if rec := d.do(t, c[0], "/resource/1.0.0/"+c[1], c[2], "Content-Type: text/plain"); rec.Code != 400 || rec.Header().Get("X-Evil") != "" {
				t.Errorf("%s %s: %d %s", c[0], c[1], rec.Code, rec.Body)
			}
		}
	}
	for _, p := range []string{"/a%2fb", "/a%2Fb", "/a//b", "/../x", "/%2e%2e/x", "/a%00", "/a%0d%0aX:1", "/a%ff", "/a%5Cb", "/a;b", "/a;version:1", "/a;version:abc", "/.meta", "/" + strings.Repeat("n", 256)} {
		for _, method := range []string{"PUT", "DELETE"} {
			if rec := d.do(t, method, "/resource/1.0.0/artifact/_system/config"+p, "x", "Content-Type: text/plain"); rec.Code != 400 {
				t.Errorf("%s artifact%s: %d %s", method, p, rec.Code, rec.Body)
			}
		}
	}
	if after := d.head(t); after != before {
		t.Errorf("refused requests moved the log from %v to %v", before, after)
	}
}

// TestCompat_BadBodies: bodies that lie, that are too large or that want to be parsed as something else.
func TestCompat_BadBodies(t *testing.T) {
	d := newDoor(t)
	const p = "/_system/config/ok"
	d.put(t, p, "x")
	before := d.head(t)
	bomb := `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]><l>&b;&f;</l>`
	const properties, tags, assocs, comment = "properties?path=" + p, "tags?path=" + p, "associations?path=" + p, "comment?path=" + p
	for _, c := range []struct {
		url, kind, body string
		status          int
	}{
		{properties, "application/xml", bomb, 415},
		{tags, "text/xml", bomb, 415},
		{assocs, "application/xml", bomb, 415},
		{properties, "", `[{"name":"a","value":["b"]}]`, 415},
		{properties, "application/json", bomb, 400},
		{properties, "application/json", `[{"name":"a","value":["b"],"evil":1}]`, 400},
		{properties, "application/json", `[{"name":"a","value":["b"]}] []`, 400},
		{properties, "application/json", `{"name":"a","value":["b"]}`, 400},
		{properties, "application/json", `null`, 400},
		{properties, "application/json", `[null]`, 400},
		{properties, "application/json", `[{"name":"a","value":[1]}]`, 400},
		{properties, "application/json", "\ufeff[]", 400},
		{properties, "application/json", strings.Repeat("[", 1<<19), 400},
		{properties, "application/json", `[{"name":"a","value":["` + strings.Repeat("v", 1<<20) + `"]}]`, 413},
		{properties, "application/json", `[{"name":"a","value":[` + strings.Repeat(`"v",`, 1000) + `"v"]}]`, 400},
		{tags, "application/json", `{"tags":["` + strings.Repeat("a,", 200) + `"]}`, 400},
		{tags, "application/json", `{"tags":"a"}`, 400},
		{tags, "application/json", `{"tags":["a\u0000b"]}`, 400},
		{assocs, "application/json", `[` + strings.Repeat(`{"target":"/_system/config","type":"t"},`, 100) + `{"target":"/_system/config","type":"t"}]`, 400},
		{assocs, "application/json", `[{"target":"../x","type":"t"}]`, 400},
		{assocs, "application/json", `[{"target":"/a/../b","type":"t"}]`, 400},
		{comment, "text/plain", strings.Repeat("c", 1<<17), 413},
		{comment, "text/plain", "\xff\xfe", 400},
		{comment, "text/plain", "a\x00b", 400},
		{comment, "text/plain", " \n\t ", 400},
	} {
		if rec := d.do(t, "POST", "/resource/1.0.0/"+c.url, c.body, "Content-Type: "+c.kind); rec.Code != c.status {
			t.Errorf("POST %s of %s %.60q: %d %.200s, want %d", c.url, c.kind, c.body, rec.Code, rec.Body, c.status)
		}
	}
	want(t, d.do(t, "POST", "/resource/1.0.0/"+comment, "x", "Content-Encoding: gzip"), 415, "")
	if after := d.head(t); after != before {
		t.Errorf("refused requests moved the log from %v to %v", before, after)
	}
	// What is stored is not read: XML is bytes, or text.
	want(t, d.do(t, "PUT", "/resource/1.0.0/artifact/_system/config/bomb.xml", bomb, "Content-Type: application/xml"), 201, "")
	got := d.do(t, "GET", "/resource/1.0.0/artifact/_system/config/bomb.xml", "")
	want(t, got, 200, bomb)
	wantHeaders(t, got, map[string]string{"Content-Disposition": "attachment; filename=bomb.xml"})
	want(t, d.do(t, "POST", "/resource/1.0.0/"+comment, bomb, "Content-Type: application/xml"), 204, "")
	want(t, d.do(t, "GET", "/resource/1.0.0/comments?path="+p, ""), 200, `SYSTEM \"file:///etc/passwd\"`)
}

// Nobody learns anything before signing in; a token that WSO2 took without looking at its signature is nothing.
func TestCompat_SignIn(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/ok", "x")
	part := base64.RawURLEncoding.EncodeToString
	forged := part([]byte(`{"alg":"none"}`)) + "." + part([]byte(`{"http://wso2.org/claims/enduser":"admin"}`)) + "."
	for _, c := range [][2]string{
		{"GET", "metadata?path=/_system/config/ok"}, {"GET", "metadata"}, {"GET", "nothing"}, {"PATCH", "metadata"}, {"GET", "artifact/a//b"}, {"POST", "copy"}, {"GET", "swagger"},
	} {
		rec := d.do(t, c[0], "/resource/1.0.0/"+c[1], "", "Authorization:", "X-JWT-Assertion: "+forged)
		if rec.Code != 401 || !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s %s by nobody: %d %s", c[0], c[1], rec.Code, rec.Body)
		}
	}
	want(t, d.do(t, "GET", "/resource/1.0.0/nothing", ""), 404, "no operation has this URL")
	want(t, d.do(t, "PATCH", "/resource/1.0.0/metadata", ""), 405, "GET, HEAD")
	// What an operation does not know does nothing; WSO2's scripts send more than they need.
	want(t, d.do(t, "GET", "/resource/1.0.0/rating?path=/_system/config/ok&tenant=x&_=1", ""), 200, `"myRating":0`)
}

// A key makes a change happen once, at these calls too.
func TestCompat_Once(t *testing.T) {
	d := newDoor(t)
	const p = "/_system/config/ok"
	d.put(t, p, "x")
	for range 2 {
		want(t, d.do(t, "POST", "/resource/1.0.0/comment?path="+p, "only once", "Idempotency-Key: k1", "Content-Type: text/plain"), 204, "")
	}
	want(t, d.do(t, "POST", "/resource/1.0.0/comment?path="+p, "another", "Idempotency-Key: k1", "Content-Type: text/plain"), 422, "")
	want(t, d.do(t, "GET", "/resource/1.0.0/comments?start=1&size=5&path="+p, ""), 200, "[]")
	for range 2 {
		want(t, d.do(t, "POST", "/resource/1.0.0/revision?path=/_system/config", "", "Idempotency-Key: k2"), 204, "")
	}
	want(t, d.do(t, "GET", "/resource/1.0.0/revisions?path=/_system/config", ""), 200, `["/_system/config;version:2","/_system/config;version:1"]`)
}
