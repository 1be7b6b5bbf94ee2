package httpapi_test

import (
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	d := newDoor(t)
	const url, asJSON, asText = "/api/v1/diff" + labelPath, "Content-Type: application/json", "Accept: text/plain"
	d.put(t, labelPath, "one\ntwo\nthree\n")
	d.put(t, labelPath, "one\n2\nthree\n")
	want(t, d.do(t, "PATCH", "/api/v1/resource"+labelPath, `{"description":"D","properties":{"stage":["test"]}}`, asJSON), 200, "")
	d.put(t, "/_system/config/other.txt", "one\nother\nthree\n")
	d.put(t, "/_system/config/binary", "\x00\x01", "Content-Type: application/octet-stream")
	large := strings.Repeat("x\n", 1<<19)
	d.put(t, "/_system/config/large.txt", large)
	want(t, d.do(t, "PUT", "/api/v1/labels"+labelPath+"?label=prod", `{"version":1}`, asJSON), 201, "")

	golden(t, "diff", d.do(t, "GET", url+"?from_version=1&to_version=3", ""))
	text := d.do(t, "GET", url+"?from_label=prod", "", asText)
	wantHeaders(t, text, map[string]string{"Content-Type": "text/plain; charset=utf-8", "Vary": "Accept"})
	wanted := `description: "" -> "D"
property "stage": [] -> ["test"]
--- /_system/config/f.txt;version:1
+++ /_system/config/f.txt;version:3
@@ -1,3 +1,3 @@
 one
-two
+2
 three
`
	if text.Code != 200 || text.Body.String() != wanted {
		t.Errorf("%d\n%s\nwant\n%s", text.Code, text.Body, wanted)
	}
	// Without a word on where from: what the newest version changed, or the current states of two resources.
	want(t, d.do(t, "GET", url, ""), 200, `"content":{"state":"same"}`)
	want(t, d.do(t, "GET", url+"?to_version=2", "", asText), 200, "version:1\n+++ ")
	want(t, d.do(t, "GET", url+"?to=/_system/config/other.txt", "", asText), 200, "-2\n+other\n")
	want(t, d.do(t, "GET", url+";version:1?to=/_system/config/other.txt%3Bversion:1", "", asText), 200, "-two\n+other\n")
	want(t, d.do(t, "GET", url+"?to=/_system/config/binary", ""), 200, `"content":{"state":"binary"}`)
	want(t, d.do(t, "GET", url+"?to=/_system/config", ""), 200, `"content":{"state":"none"}`)
	want(t, d.do(t, "GET", "/api/v1/diff/_system/config/large.txt", ""), 200, `"content":{"state":"same"}`)

	want(t, d.do(t, "GET", url+"?from_version=9", ""), 404, "no version 9")
	want(t, d.do(t, "GET", url+"?from_version=1&from_label=prod", ""), 400, "one state can be read at a time")
	want(t, d.do(t, "GET", url+"?version=1", ""), 400, `\"version\" is not known`)
	want(t, d.do(t, "GET", url+"?to=/a//b", ""), 400, "two slashes")
	want(t, d.do(t, "GET", url+"?to=/_system/config/none", ""), 404, "nothing is at /_system/config/none")
	want(t, d.do(t, "GET", url, "", "Authorization:"), 401, "")
}
