package httpapi_test

import (
	"fmt"
	"testing"
)

func TestRetention(t *testing.T) {
	d := newDoor(t)
	const url, asJSON = "/api/v1/retention/_system/config/r", "Content-Type: application/json"
	for i := range 4 {
		d.put(t, "/_system/config/r/f.txt", fmt.Sprint(i))
	}
	collection := d.do(t, "GET", "/api/v1/resource/_system/config/r", "").Header().Get("ETag")
	want(t, d.do(t, "GET", url, ""), 200, `{"path":"/_system/config/r","keep_last":0,"keep_days":0,"own":false}`)
	dry := d.do(t, "PUT", url, `{"keep_last":2,"dry_run":true}`, asJSON)
	want(t, dry, 200, `{"keep_last":2,"keep_days":0,"would_remove":{"looked":1,"versions":2,"whole":true}}`)
	wantHeaders(t, dry, map[string]string{"ETag": ""})
	want(t, d.do(t, "PUT", url, `{"dry_run":true}`, asJSON), 400, "keep_last and keep_days are both 0")
	want(t, d.do(t, "PUT", "/api/v1/retention/frozen", `{"keep_last":1,"dry_run":true}`, asJSON), 403, "read-only")
	want(t, d.do(t, "GET", url, ""), 200, `"own":false`)
	set := d.do(t, "PUT", url, `{"keep_last":2,"keep_days":0}`, asJSON, "If-None-Match: *")
	want(t, set, 200, `{"keep_last":2,"keep_days":0}`)
	want(t, d.do(t, "PUT", url, `{"keep_last":3}`, asJSON, "If-None-Match: *"), 412, "rule of retention")
	want(t, d.do(t, "PUT", url, `{"keep_last":0}`, asJSON), 400, "keep_last and keep_days are both 0")
	want(t, d.do(t, "PUT", url, `{"keep_last":1000001}`, asJSON), 400, "keep_last is 1000001; it must be from 0 to 1000000")
	want(t, d.do(t, "PUT", url, `{"keep_days":-1}`, asJSON), 400, "keep_days is -1; it must be from 0 to 36500")
	want(t, d.do(t, "PUT", url, `{"keep":1}`, asJSON), 400, "unknown field")
	want(t, d.do(t, "PUT", "/api/v1/retention/_system/config/none", `{"keep_last":1}`, asJSON), 404, "")
	want(t, d.do(t, "PUT", "/api/v1/retention/_system/config/r/f.txt", `{"keep_last":1}`, asJSON), 409, "is a resource")
	want(t, d.do(t, "PUT", "/api/v1/retention/frozen", `{"keep_last":1}`, asJSON), 403, "read-only")
	want(t, d.do(t, "PUT", url, `{"keep_last":1}`, asJSON, "Authorization:"), 401, "")
	got := d.do(t, "GET", "/api/v1/retention/_system/config/r/f.txt", "")
	want(t, got, 200, `"keep_last":2,"keep_days":0,"own":false,"from":"/_system/config/r","set_at":"2026-11-22T12:00:00Z","set_by":"admin"`)
	wantHeaders(t, got, map[string]string{"ETag": ""})
	wantHeaders(t, d.do(t, "GET", url, ""), map[string]string{"ETag": set.Header().Get("ETag")})
	wantHeaders(t, d.do(t, "GET", "/api/v1/resource/_system/config/r", ""), map[string]string{"ETag": collection})

	want(t, d.do(t, "POST", "/api/v1/retention/run", "", "Authorization:"), 401, "")
	want(t, d.do(t, "POST", "/api/v1/retention/run", ""), 200, `{"stores":[{"store":"shared","busy":false,"versions":2,"contents":2}]}`)
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/r/f.txt?version=2", ""), 404, "no version 2")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/r/f.txt?version=3", ""), 200, "2")

	want(t, d.do(t, "DELETE", url, "", `If-Match: "x"`), 412, "")
	want(t, d.do(t, "DELETE", url, "", "If-Match: "+set.Header().Get("ETag")), 204, "")
	want(t, d.do(t, "DELETE", url, ""), 404, "no rule of retention of its own")
	want(t, d.do(t, "GET", "/api/v1/retention/", ""), 200, `"own":false`)
}
