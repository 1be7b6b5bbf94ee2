package httpapi_test

import "testing"

func TestStars(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	d.put(t, cardPath, "x")
	const at = "/api/v1/stars"
	want(t, d.do(t, "GET", at, ""), 200, `{"entries":[]}`)
	want(t, d.do(t, "GET", at+payPath, ""), 200, `"starred":false`)
	want(t, d.do(t, "PUT", at+payPath, ""), 200, `"starred":true`)
	want(t, d.do(t, "PUT", at+payPath, ""), 200, `"starred":true`)
	want(t, d.do(t, "PUT", at+cardPath, ""), 200, "")
	want(t, d.do(t, "GET", at+payPath, ""), 200, `"starred":true`)
	golden(t, "stars", d.do(t, "GET", at, ""))
	want(t, d.do(t, "GET", at+"?limit=1", ""), 200, `"path":"`+cardPath+`"`)
	want(t, d.do(t, "POST", "/api/v1/move"+cardPath, `{"to":"/_system/governance/moved"}`, jsonBody), 200, "")
	want(t, d.do(t, "GET", at+"?limit=1", ""), 200, `"path":"/_system/governance/moved"`)
	want(t, d.do(t, "DELETE", at+payPath, ""), 204, "")
	want(t, d.do(t, "DELETE", at+payPath, ""), 204, "")
	want(t, d.do(t, "GET", at+payPath, ""), 200, `"starred":false`)
	for _, limit := range []string{"-1", "201", "x"} {
		want(t, d.do(t, "GET", at+"?limit="+limit, ""), 400, "limit")
	}
	want(t, d.do(t, "PUT", at+"/none", ""), 409, "no store is mounted")
	want(t, d.do(t, "PUT", at+"/_system/governance/none", ""), 404, "nothing is at")
	want(t, d.do(t, "DELETE", at+"/_system/governance/none", ""), 404, "nothing is at")
	want(t, d.do(t, "GET", at+"/_system/governance/none", ""), 404, "nothing is at")
	want(t, d.do(t, "GET", at, "", "Authorization:"), 401, "")
	want(t, d.do(t, "PUT", at+payPath, "", "Authorization:"), 401, "")
}
