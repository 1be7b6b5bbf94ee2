package httpapi_test

import (
	"strings"
	"testing"
)

func TestAt(t *testing.T) {
	d := newDoor(t)
	first := d.put(t, labelPath, "one").Header().Get("Registry-Seq")
	d.put(t, labelPath, "two")
	second := d.put(t, "/_system/config/more.txt", "x").Header().Get("Registry-Seq")
	want(t, d.do(t, "DELETE", "/api/v1/resource"+labelPath, ""), 204, "")

	for _, door := range []string{"/api/v1/content", "/registry/resource", "/resource/1.0.0/artifact"} {
		for at, text := range map[string]string{first: "one", strings.TrimPrefix(first, "shared:"): "one", second: "two"} {
			got := d.do(t, "GET", door+labelPath+"?at="+at, "")
			want(t, got, 200, text)
			wantHeaders(t, d.do(t, "GET", door+labelPath+"?at="+at, "", "If-None-Match: "+got.Header().Get("ETag")), map[string]string{"ETag": got.Header().Get("ETag")})
		}
		want(t, d.do(t, "GET", door+labelPath+"?at=2026-11-22T12:00:00Z", ""), 404, "")
		want(t, d.do(t, "GET", door+labelPath+"?at=yesterday", ""), 400, "at is")
		want(t, d.do(t, "GET", door+labelPath+"?at=999999", ""), 400, "the change log of the store shared ends at")
		want(t, d.do(t, "GET", door+labelPath+"?at=other:1", ""), 400, "at names the store")
		want(t, d.do(t, "GET", door+labelPath+"?at=1&version=1", ""), 400, "one state can be read at a time")
	}
	got := d.do(t, "GET", "/api/v1/resource"+labelPath+"?at="+first, "")
	want(t, got, 200, `"version":1`)
	wantHeaders(t, got, map[string]string{"Registry-Seq": first, "Registry-Version": "1"})
	if strings.Contains(got.Body.String(), "current_version") {
		t.Errorf("a past state tells of the current version: %s", got.Body)
	}
	want(t, d.do(t, "GET", "/api/v1/properties"+labelPath+"?at="+first, ""), 200, "{}")
	golden(t, "children_at", d.do(t, "GET", "/api/v1/children/_system/config?limit=2&at="+second, ""))
	want(t, d.do(t, "GET", "/api/v1/children/_system/config?at="+second, "", "Authorization:"), 401, "")
	want(t, d.do(t, "GET", "/api/v1/diff"+labelPath+"?from_at="+first+"&to_at="+second, "", "Accept: text/plain"), 200, "-one\n")
}

func TestCheckpoints(t *testing.T) {
	d := newDoor(t)
	const url, tree, asJSON = "/api/v1/checkpoints/_system/config", "/api/v1/restore-tree/_system/config", "Content-Type: application/json"
	d.put(t, labelPath, "one")
	want(t, d.do(t, "PUT", url+"?checkpoint=v1", `{"comment":"the first"}`, asJSON), 201, `"checkpoint":"v1","at":"shared:`)
	want(t, d.do(t, "PUT", url+"?checkpoint=v1", `{}`, asJSON), 409, "already")
	want(t, d.do(t, "PUT", url+"?checkpoint=a%20b", `{}`, asJSON), 400, "checkpoint \\\"a b\\\" has the character")
	want(t, d.do(t, "PUT", url+"?checkpoint=v2", `{"at":"nowhen"}`, asJSON), 400, "at is")
	want(t, d.do(t, "PUT", "/api/v1/checkpoints"+labelPath+"?checkpoint=v1", `{}`, asJSON), 409, "is a resource")
	want(t, d.do(t, "PUT", url+"?checkpoint=v2", `{}`, asJSON, "Authorization:"), 401, "")
	want(t, d.do(t, "GET", url, ""), 200, `"comment":"the first","set_at":"2026-11-22T12:00:00Z","set_by":"admin"`)

	d.put(t, labelPath, "two")
	d.put(t, "/_system/config/new/below.txt", "x")
	want(t, d.do(t, "POST", tree, `{}`, asJSON), 400, "neither a checkpoint nor a moment")
	want(t, d.do(t, "POST", tree, `{"checkpoint":"none"}`, asJSON), 404, "no checkpoint")
	want(t, d.do(t, "POST", tree, `{"checkpoint":"v1"}`, asJSON, `If-Match: "x"`), 412, "")
	want(t, d.do(t, "POST", tree, `{"checkpoint":"v1"}`, asJSON, "Authorization:"), 401, "")
	want(t, d.do(t, "POST", "/api/v1/restore-tree/_system", `{"at":"1"}`, asJSON), 409, "no store is mounted")
	want(t, d.do(t, "POST", "/api/v1/restore-tree/frozen", `{"at":"1"}`, asJSON), 403, "read-only")
	told := d.do(t, "POST", tree, `{"checkpoint":"v1","dry_run":true}`, asJSON)
	want(t, told, 200, `{"path":"/_system/config","revised":1,"returned":0,"created":0,"removed":1}`)
	want(t, d.do(t, "GET", "/api/v1/content"+labelPath, ""), 200, "two")
	if told.Header().Get("ETag") != "" || told.Header().Get("Registry-Seq") != "" {
		t.Errorf("a dry run tells a state: %v", told.Header())
	}
	want(t, d.do(t, "POST", tree, `{"checkpoint":"v1","comment":"back"}`, asJSON), 200,
		`{"path":"/_system/config","revised":1,"returned":0,"created":0,"removed":1}`)
	want(t, d.do(t, "GET", "/api/v1/content"+labelPath, ""), 200, "one")
	want(t, d.do(t, "GET", "/api/v1/versions"+labelPath, ""), 200, `"comment":"back"`)

	want(t, d.do(t, "DELETE", url+"?checkpoint=v1", ""), 204, "")
	want(t, d.do(t, "DELETE", url+"?checkpoint=v1", ""), 404, "")
}
