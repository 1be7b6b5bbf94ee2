package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// Every change, sent twice under one key, happens once, and both times the answer is the same.
func TestOnce_EveryChange(t *testing.T) {
	d := newDoor(t)
	const at, merge = "/_system/config/f.txt", "Content-Type: application/merge-patch+json"
	d.put(t, "/_system/config/dir/x", "x")
	for i, c := range []struct {
		method, url, body, header string
		status                    int
	}{
		{"PUT", "/api/v1/content" + at, "one", "If-None-Match: *", 201},
		{"PUT", "/api/v1/content" + at, "two", "If-Match: *", 200},
		{"PUT", "/api/v1/content" + at, "two", "", 200},
		{"PATCH", "/api/v1/resource" + at, `{"description":"D"}`, merge, 200},
		{"PUT", "/api/v1/properties" + at, `{"a":["1"]}`, asJSONType, 200},
		{"POST", "/api/v1/restore" + at, `{"version":1}`, asJSONType, 200},
		{"PUT", "/api/v1/resource/_system/config/c", `{"kind":"collection"}`, asJSONType, 201},
		{"PUT", "/api/v1/resource/_system/config/c", `{"kind":"collection","description":"C"}`, asJSONType, 200},
		{"PUT", "/api/v1/labels" + at + "?label=prod", `{"version":1}`, asJSONType, 201},
		{"PUT", "/api/v1/labels" + at + "?label=prod", `{"version":2}`, asJSONType, 200},
		{"DELETE", "/api/v1/labels" + at + "?label=prod", "", "", 204},
		{"PUT", "/api/v1/checkpoints/_system/config/c?checkpoint=v1", `{"comment":"V"}`, asJSONType, 201},
		{"POST", "/api/v1/restore-tree/_system/config/c", `{"checkpoint":"v1"}`, asJSONType, 200},
		{"DELETE", "/api/v1/checkpoints/_system/config/c?checkpoint=v1", "", "", 204},
		{"PUT", "/api/v1/retention/_system/config/c", `{"keep_last":3}`, asJSONType, 200},
		{"DELETE", "/api/v1/retention/_system/config/c", "", "", 204},
		{"POST", "/api/v1/tags" + at, `{"tags":["t"]}`, asJSONType, 200},
		{"DELETE", "/api/v1/tags" + at + "?tag=t", "", "", 204},
		{"POST", "/api/v1/comments" + at, `{"text":"C"}`, asJSONType, 201},
		{"PUT", "/api/v1/ratings" + at, `{"rating":4}`, asJSONType, 200},
		{"PUT", "/api/v1/stars" + at, "", "", 200},
		{"DELETE", "/api/v1/stars" + at, "", "", 204},
		{"POST", "/api/v1/associations" + at, `{"type":"t","target":"/_system/config/dir"}`, asJSONType, 201},
		{"POST", "/api/v1/copy" + at, `{"to":"/_system/config/g.txt"}`, asJSONType, 201},
		{"POST", "/api/v1/copy/_system/config/dir", `{"to":"/_system/config/dir2"}`, asJSONType, 201},
		{"POST", "/api/v1/move" + at, `{"to":"/_system/config/moved.txt"}`, asJSONType, 200},
		{"PUT", "/api/v1/link/_system/config/l", `{"target":"/_system/config/g.txt"}`, asJSONType, 201},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/b","content":"b","if_none_match":"*"},{"do":"delete","path":"/_system/config/l"}]}`, asJSONType, 200},
		{"PUT", "/resource/1.0.0/artifact/_system/config/wso2", "x", "If-None-Match: *", 201},
		{"DELETE", "/resource/1.0.0/artifact/_system/config/wso2", "", "", 204},
		{"DELETE", "/api/v1/content/_system/config/g.txt", "", "", 204},
		{"DELETE", "/api/v1/resource/_system/config/dir", "", "", 204},
	} {
		key := `Idempotency-Key: "key-` + strings.Repeat("k", i) + `"`
		var first *httptest.ResponseRecorder
		for time := range 2 {
			headers := []string{key}
			if c.header != "" {
				headers = append(headers, c.header)
			}
			got := d.do(t, c.method, c.url, c.body, headers...)
			want(t, got, c.status, "")
			if time == 0 {
				first = got
				d.put(t, "/_system/config/noise", strings.Repeat("n", i))
				continue
			}
			if got.Body.String() != first.Body.String() {
				t.Errorf("%s %s: the second body is %s, the first was %s", c.method, c.url, got.Body, first.Body)
			}
			for _, name := range []string{"ETag", "Registry-Seq", "Registry-Version", "Location"} {
				wantHeaders(t, got, map[string]string{name: first.Header().Get(name)})
			}
			if first.Header().Get("Registry-Seq") == "" {
				t.Errorf("%s %s: no Registry-Seq", c.method, c.url)
			}
		}
	}
	want(t, d.do(t, "GET", "/api/v1/versions/_system/config/moved.txt", ""), 200, `"version":5`)
	if rec := d.do(t, "GET", "/api/v1/versions/_system/config/moved.txt", ""); strings.Contains(rec.Body.String(), `"version":6`) {
		t.Errorf("a change happened twice: %s", rec.Body)
	}
}

// The same key on another request is 422, whatever makes it another one.
func TestOnce_AnotherRequest(t *testing.T) {
	d := newDoor(t)
	const key = "Idempotency-Key: k"
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/f", "x", key, "Content-Type: text/plain"), 201, "")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/f", "x", `Idempotency-Key: "k"`, "Content-Type: text/plain"), 201, "")
	for _, c := range []struct{ method, url, body, header string }{
		{"PUT", "/api/v1/content/_system/config/f", "y", "Content-Type: text/plain"},
		{"PUT", "/api/v1/content/_system/config/f", "x", "Content-Type: text/html"},
		{"PUT", "/api/v1/content/_system/config/f", "x", "Version-Comment: because"},
		{"PUT", "/api/v1/content/_system/config/g", "x", "Content-Type: text/plain"},
		{"DELETE", "/api/v1/content/_system/config/f", "", "Content-Type: text/plain"},
		{"PUT", "/api/v1/properties/_system/config/f", "{}", asJSONType},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"/_system/config/f"}]}`, asJSONType},
		{"DELETE", "/api/v1/trash/_system/config?older_than=0s", "", ""},
		{"POST", "/api/v1/copy/_system/config/f", `{"to":"/_system/config/g"}`, asJSONType},
	} {
		headers := []string{key}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		want(t, d.do(t, c.method, c.url, c.body, headers...), 422, "belongs to another request")
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/f", "", key), 200, "x")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/g", ""), 404, "")

	for header, text := range map[string]string{
		"Idempotency-Key: " + strings.Repeat("k", 256): "has 256 characters; it must have from 1 to 255",
		`Idempotency-Key: ""`:                          "has 0 characters",
		`Idempotency-Key: "a`:                          "closing quote",
		"Idempotency-Key: a b":                         "the character",
		"Idempotency-Key: ä":                           "the character",
	} {
		want(t, d.do(t, "PUT", "/api/v1/content/_system/config/h", "x", header), 400, text)
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/h", ""), 404, "")
}
