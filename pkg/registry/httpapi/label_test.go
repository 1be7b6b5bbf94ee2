package httpapi_test

import (
	"strings"
	"testing"
)

const labelPath = "/_system/config/f.txt"

func TestComment_AtEveryWritingDoor(t *testing.T) {
	d := newDoor(t)
	const asJSON = "Content-Type: application/json"
	d.put(t, labelPath, "one", "Version-Comment: by header, ü")
	want(t, d.do(t, "PATCH", "/api/v1/resource"+labelPath, `{"description":"D","comment":"by field"}`, asJSON), 200, `"comment":"by field"`)
	want(t, d.do(t, "PUT", "/api/v1/properties"+labelPath, `{"a":["1"]}`, asJSON, "Version-Comment: properties"), 200, "")
	want(t, d.do(t, "POST", "/api/v1/restore"+labelPath, `{"version":1,"comment":"back"}`, asJSON), 200, `"comment":"back"`)
	want(t, d.do(t, "PUT", "/resource/1.0.0/artifact"+labelPath, "two", "Version-Comment: compat"), 204, "")
	want(t, d.do(t, "PUT", "/api/v1/resource/_system/config/c", `{"kind":"collection","comment":"made"}`, asJSON), 201, `"comment":"made"`)
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"collection","path":"/_system/config/d","comment":"own"},{"do":"put","path":"/_system/config/d/e","content":"x"}]}`, asJSON), 200, `"comment":"own"`)
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/d/e","content":"y"}]}`, asJSON, "Version-Comment: of all"), 200, `"comment":"of all"`)
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"/_system/config/d","comment":"no version"}]}`, asJSON), 400, "comment")
	golden(t, "versions_comments", d.do(t, "GET", "/api/v1/versions"+labelPath, ""))

	want(t, d.do(t, "PUT", "/api/v1/content"+labelPath, "three", "Version-Comment: "+strings.Repeat("x", 501)), 400,
		"version comment has 501 characters; the limit is 500")
	want(t, d.do(t, "PATCH", "/api/v1/resource"+labelPath, `{"comment":"a"}`, asJSON, "Version-Comment: b"), 400, "differ")
	want(t, d.do(t, "PATCH", "/api/v1/resource"+labelPath, `{"comment":7}`, asJSON), 400, `field \"comment\"`)
	want(t, d.do(t, "PUT", "/api/v1/content"+labelPath, "two", "Version-Comment: the same content"), 200, `"version":5`)
}

func TestLabels(t *testing.T) {
	d := newDoor(t)
	const url, asJSON = "/api/v1/labels" + labelPath, "Content-Type: application/json"
	d.put(t, labelPath, "one")
	d.put(t, labelPath, "two")
	d.put(t, labelPath, "three")
	versions := d.do(t, "GET", "/api/v1/versions"+labelPath, "").Header().Get("ETag")

	made := d.do(t, "PUT", url+"?label=prod", `{"version":1}`, asJSON, "If-None-Match: *")
	want(t, made, 201, `"label":"prod","version":1`)
	want(t, d.do(t, "PUT", url+"?label=prod", `{"version":2}`, asJSON, "If-None-Match: *"), 412, "label prod")
	moved := d.do(t, "PUT", url+"?label=prod", `{"version":2}`, asJSON, "If-Match: "+made.Header().Get("ETag"))
	want(t, moved, 200, `"version":2`)
	want(t, d.do(t, "PUT", url+"?label=prod", `{"version":3}`, asJSON, "If-Match: "+made.Header().Get("ETag")), 412, "")
	golden(t, "labels", d.do(t, "GET", url, ""))
	// The list of versions names labels, so it changes with them.
	want(t, d.do(t, "GET", "/api/v1/versions"+labelPath, "", "If-None-Match: "+versions), 200, `"labels":["prod"]`)

	for _, read := range []string{"/api/v1/content", "/registry/resource", "/resource/1.0.0/artifact"} {
		for _, pick := range []string{"?label=prod", ";version:2", "?version=2"} {
			got := d.do(t, "GET", read+labelPath+pick, "")
			want(t, got, 200, "two")
			wantHeaders(t, got, map[string]string{"Registry-Version": "2"})
		}
		want(t, d.do(t, "GET", read+labelPath+"?label=none", ""), 404, "")
		want(t, d.do(t, "GET", read+labelPath+"?label=7", ""), 400, "is a number")
		want(t, d.do(t, "GET", read+labelPath+";version:2?label=prod", ""), 400, "one state can be read at a time")
	}
	want(t, d.do(t, "GET", "/api/v1/resource"+labelPath+"?label=prod", ""), 200, `"version":2,"current_version":3`)
	want(t, d.do(t, "GET", "/api/v1/properties"+labelPath+"?label=prod", ""), 200, `{}`)
	want(t, d.do(t, "POST", "/api/v1/restore"+labelPath, `{"label":"prod"}`, asJSON), 200, `"version":4`)
	want(t, d.do(t, "POST", "/api/v1/restore"+labelPath, `{"label":"prod","version":1}`, asJSON), 400, "one of them names the version")

	want(t, d.do(t, "PUT", url, `{"version":1}`, asJSON), 400, "label is empty")
	want(t, d.do(t, "PUT", url+"?label=a%20b", `{"version":1}`, asJSON), 400, "it may have letters")
	want(t, d.do(t, "PUT", url+"?label="+strings.Repeat("x", 101), `{"version":1}`, asJSON), 400, "has 101 characters; the limit is 100")
	want(t, d.do(t, "PUT", url+"?label=prod", `{"version":9}`, asJSON), 404, "no version 9")
	want(t, d.do(t, "PUT", url+"?label=prod", `{}`, asJSON), 400, "version is 0")
	want(t, d.do(t, "PUT", "/api/v1/labels/_system/config/none?label=prod", `{"version":1}`, asJSON), 404, "nothing is at")
	want(t, d.do(t, "GET", url, "", "Authorization:"), 401, "")
	want(t, d.do(t, "DELETE", url+"?label=prod", "", `If-Match: "0.0"`), 412, "")
	want(t, d.do(t, "DELETE", url+"?label=prod", "", "If-Match: "+moved.Header().Get("ETag")), 204, "")
	want(t, d.do(t, "DELETE", url+"?label=prod", ""), 404, `has no label \"prod\"`)
	want(t, d.do(t, "GET", "/api/v1/labels/", ""), 200, `"labels":[]`)
}
