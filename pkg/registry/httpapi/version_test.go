package httpapi_test

import (
	"strings"
	"testing"
)

// TestVersionInPath: "path;version:N" is understood at every door that speaks of one state, raw and escaped, and refused where only the current one counts.
func TestVersionInPath(t *testing.T) {
	d := newDoor(t)
	const file, text = "/_system/config/v.txt", "Content-Type: text/plain"
	d.put(t, file, "one", text)
	want(t, d.do(t, "PATCH", "/api/v1/resource"+file, `{"description": "second", "properties": {"p": ["2"]}}`, "Content-Type: application/json"), 200, "")
	d.put(t, file, "three", text)
	then := d.put(t, file, "four", text).Header().Get("Registry-Seq")
	want(t, d.do(t, "PUT", "/api/v1/labels"+file+"?label=prod", `{"version": 2}`, "Content-Type: application/json"), 201, "")

	for _, c := range []struct {
		url  string // {} is the path and a version
		want string
	}{
		{"/api/v1/content{}", "three"},
		{"/api/v1/resource{}", `"version":3`},
		{"/api/v1/properties{}", `{"p":["2"]}`},
		{"/api/v1/versions{}?limit=1", `"version":3`},
		{"/api/v1/diff{}", "+four"},
		{"/api/v1/diff" + file + ";version:1?to={}", "+three"},
		{"/registry/resource{}", "three"},
		{"/resource/1.0.0/artifact{}", "three"},
		{"/resource/1.0.0/metadata?path={}", `"description":"second"`},
		{"/resource/1.0.0/properties?path={}", `[{"name":"p","value":["2"]}]`},
		{"/resource/1.0.0/property?name=p&path={}", `{"p":["2"]}`},
	} {
		accept := "Accept: */*"
		if strings.Contains(c.url, "/diff") {
			accept = "Accept: text/plain"
		}
		for _, form := range []string{";version:3", "%3Bversion:3", "%3bversion%3A3"} {
			url := strings.Replace(c.url, "{}", file+form, 1)
			if strings.Contains(c.url, "?to={}") && form[0] == ';' {
				continue // the query of this API is strict
			}
			want(t, d.do(t, "GET", url, "", accept), 200, c.want)
		}
		for form, says := range map[string]string{
			";version:9": "404", ";version:0": "400", ";version:-1": "400", ";version:abc": "400", ";version:": "400", ";version:99999999999999999999": "400",
			";Version:1": "400", ";version:1;version:2": "400", ";version=1": "400", ";comments": "400",
		} {
			url := strings.Replace(c.url, "{}", file+strings.ReplaceAll(form, ";", "%3B"), 1)
			rec := d.do(t, "GET", url, "")
			if got := rec.Result().Status[:3]; got != says && !(says == "404" && strings.Contains(c.url, "/versions")) {
				t.Errorf("GET %s: %s %s, want %s", url, got, rec.Body, says)
			}
		}
	}

	// Labels and moments do the same.
	for _, prefix := range []string{"/api/v1/content" + file + "?", "/registry/resource" + file + "?", "/resource/1.0.0/artifact" + file + "?"} {
		want(t, d.do(t, "GET", prefix+"label=prod", ""), 200, "one")
		want(t, d.do(t, "GET", prefix+"at="+then, ""), 200, "four")
		want(t, d.do(t, "GET", prefix+"version=3", ""), 200, "three")
		want(t, d.do(t, "GET", prefix+"label=none", ""), 404, "")
		want(t, d.do(t, "GET", strings.Replace(prefix, "?", ";version:3?version=2", 1), ""), 400, "")
		want(t, d.do(t, "GET", strings.Replace(prefix, "?", ";version:3?label=prod", 1), ""), 400, "")
	}
	want(t, d.do(t, "GET", "/resource/1.0.0/properties?label=prod&path="+file, ""), 200, `[{"name":"p","value":["2"]}]`)

	// A restore takes it too, and then the body need not say it.
	const json = "Content-Type: application/json"
	want(t, d.do(t, "POST", "/api/v1/restore"+file+";version:3", `{"version": 2}`, json), 400, "another one")
	want(t, d.do(t, "POST", "/api/v1/restore"+file+";version:3", `{"label": "prod"}`, json), 400, "another one")
	want(t, d.do(t, "POST", "/api/v1/restore"+file+";version:3", `{}`, json), 200, `"version":5`)
	want(t, d.do(t, "GET", "/api/v1/content"+file, ""), 200, "three")
	want(t, d.do(t, "GET", "/api/v1/versions"+file+";version:4?limit=10", ""), 200, `"versions":[{"version":4`)
	want(t, d.do(t, "GET", "/api/v1/versions"+file+";version:4?before=3", ""), 200, `"versions":[{"version":2`)

	// Changes are of the current state.
	before := d.head(t)
	for _, c := range [][2]string{
		{"PUT", "/api/v1/content" + file},
		{"DELETE", "/api/v1/content" + file},
		{"PATCH", "/api/v1/resource" + file},
		{"DELETE", "/api/v1/resource" + file},
		{"PUT", "/api/v1/properties" + file},
		{"POST", "/api/v1/move" + file},
		{"POST", "/api/v1/tags" + file},
		{"PUT", "/api/v1/ratings" + file},
		{"PUT", "/api/v1/stars" + file},
		{"PUT", "/resource/1.0.0/artifact" + file},
		{"DELETE", "/resource/1.0.0/artifact" + file},
		{"POST", "/resource/1.0.0/properties?path=" + file},
		{"POST", "/resource/1.0.0/move?destination=/_system/config/y&path=" + file},
		{"POST", "/resource/1.0.0/revision?path=" + file},
		{"POST", "/resource/1.0.0/rate?value=1&path=" + file},
	} {
		want(t, d.do(t, c[0], c[1]+";version:1", `{}`, json), 400, "version 1; this operation is on the current state only")
	}
	if after := d.head(t); after != before {
		t.Errorf("refused changes moved the log from %v to %v", before, after)
	}
}

// TestPermalink_IsHTTP: HEAD, ranges and conditions at the address that people pass on.
func TestPermalink_IsHTTP(t *testing.T) {
	d := newDoor(t)
	const file, link = "/_system/config/v.txt", "/registry/resource/_system/config/v.txt"
	d.put(t, file, "0123456789")
	d.put(t, file, "abcdefghij")
	current, old := d.do(t, "GET", link, ""), d.do(t, "GET", link+";version:1", "")
	tag, oldTag := current.Header().Get("ETag"), old.Header().Get("ETag")
	for _, c := range []struct {
		method, url, header string
		status              int
		body                string
		headers             map[string]string
	}{
		{"HEAD", link, "", 200, "", map[string]string{"Content-Length": "10", "ETag": tag, "Registry-Version": "2", "Accept-Ranges": "bytes"}},
		{"HEAD", link + ";version:1", "", 200, "", map[string]string{"Content-Length": "10", "ETag": oldTag, "Registry-Version": "1"}},
		{"HEAD", link + ";version:7", "", 404, "", map[string]string{"ETag": ""}},
		{"GET", link + ";version:1", "Range: bytes=2-4", 206, "234", map[string]string{"Content-Range": "bytes 2-4/10", "ETag": oldTag}},
		{"GET", link, "Range: bytes=-3", 206, "hij", map[string]string{"Content-Range": "bytes 7-9/10", "ETag": tag}},
		{"HEAD", link, "Range: bytes=0-0", 206, "", map[string]string{"Content-Length": "1"}},
		{"GET", link, "Range: bytes=10-", 416, "10 bytes", map[string]string{"Content-Range": "bytes */10"}},
		{"GET", link, "If-None-Match: " + tag, 304, "", map[string]string{"ETag": tag}},
		{"GET", link, "If-None-Match: W/" + tag, 304, "", nil},
		{"GET", link, "If-None-Match: " + oldTag, 200, "abcdefghij", nil},
		{"GET", link + ";version:1", "If-None-Match: " + oldTag, 304, "", nil},
		{"GET", link + ";version:1", "If-None-Match: " + tag, 200, "0123456789", nil},
		{"GET", link, "If-Match: " + oldTag, 412, "", map[string]string{"ETag": ""}},
		{"GET", link, "If-Match: " + tag, 200, "abcdefghij", nil},
		{"GET", link + "?version=1", "", 200, "0123456789", map[string]string{"ETag": oldTag}},
	} {
		headers := []string{}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		rec := d.do(t, c.method, c.url, "", headers...)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.body) {
			t.Errorf("%s %s %s: %d %q, want %d %q", c.method, c.url, c.header, rec.Code, rec.Body, c.status, c.body)
		}
		wantHeaders(t, rec, c.headers)
	}
	// A range of a state that has changed meanwhile is no range.
	both := d.do(t, "GET", link, "", "Range: bytes=0-1", "If-Range: "+oldTag)
	want(t, both, 200, "abcdefghij")
	want(t, d.do(t, "GET", link, "", "Range: bytes=0-1", "If-Range: "+tag), 206, "ab")
}
