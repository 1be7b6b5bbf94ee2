package httpapi_test

import (
	"strings"
	"testing"
)

// TestContract_Answers gives the answers of the description that no other test needs.
func TestContract_Answers(t *testing.T) {
	d := newDoor(t)
	const (
		api, wso2 = "/api/v1/", "/resource/1.0.0/"
		pay       = "/_system/governance/pay"
		coll      = "/_system/governance/apis"
		none      = "/_system/governance/none"
		nowhere   = "/nowhere/x" // where no store is mounted
		json      = "Content-Type: application/json"
		other     = `If-Match: "x"`
		known     = "If-None-Match: *"
	)
	names := seedCompat(t, d)
	comment := names["comment1"]
	play := func(method, url, body string, status int, headers ...string) {
		t.Helper()
		rec := d.do(t, method, strings.ReplaceAll(url, "{comment}", comment), body, append([]string{json}, headers...)...)
		if rec.Code != status {
			t.Errorf("%s %s: %d %s\nwant %d", method, url, rec.Code, rec.Body, status)
		}
	}

	play("PUT", api+"checkpoints"+coll+"?checkpoint=one", `{}`, 201)
	play("DELETE", api+"checkpoints"+coll+"?checkpoint=one", "", 412, other)
	play("DELETE", api+"checkpoints"+nowhere+"?checkpoint=one", "", 409)
	play("DELETE", api+"labels"+nowhere+"?label=one", "", 409)
	play("PUT", api+"labels"+nowhere+"?label=one", `{"version": 1}`, 409)
	play("DELETE", api+"retention"+nowhere, "", 409)

	play("GET", api+"comment"+pay+"?id={comment}", "", 304, known)
	play("GET", api+"comment"+pay+"?id={comment}", "", 412, other)
	play("DELETE", api+"comment"+pay+"?id=999999", "", 404)
	play("DELETE", api+"ratings"+none, "", 404)
	play("POST", api+"comments"+nowhere, `{"text": "x"}`, 409)
	play("POST", api+"associations"+nowhere, `{"type": "uses", "target": "urn:x:y"}`, 409)

	play("DELETE", api+"resource"+none, "", 404)
	play("DELETE", api+"resource"+pay, "", 412, other)
	play("PUT", api+"link/_system/governance/l", `{"target": "`+pay+`"}`, 201)
	play("PUT", api+"link/_system/governance/l", `{"target": "`+coll+`"}`, 200)
	play("GET", api+"link/_system/governance/l", "", 304, known)
	play("DELETE", api+"resource/_system/governance/l", "", 204)
	play("DELETE", api+"trash/_system/governance?older_than=0s", "", 200)
	play("GET", api+"openapi.json", "", 200)

	link := "/registry/resource" + pay
	play("GET", link, "", 206, "Range: bytes=0-1")
	play("GET", link, "", 416, "Range: bytes=9-")
	play("GET", link, "", 412, other)
	play("GET", link, "", 304, known)

	query := "?path=" + pay
	for _, url := range []string{"metadata" + query, "properties" + query, "property" + query + "&name=owner", "comment" + query + "&id={comment}", "revision" + query + "&id=1"} {
		play("GET", wso2+url, "", 304, known)
		play("GET", wso2+url, "", 412, other)
	}
	play("POST", wso2+"association?path="+nowhere+"&targetPath=/x&type=uses", "", 409)
	play("POST", wso2+"associations?path="+nowhere, `[{"target": "/x", "type": "uses"}]`, 409)
	play("POST", wso2+"revision?path="+nowhere, "", 409)
}

// What retention has removed from a past state is gone at WSO2's calls, too.
func TestContract_PastGone(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/c/x", "one")
	then := d.put(t, "/_system/config/c/x", "two").Header().Get("Registry-Seq")
	d.put(t, "/_system/config/c/x", "three")
	const url = "/resource/1.0.0/artifact/_system/config/c"
	want(t, d.do(t, "GET", url+"?at="+then, ""), 200, `["/_system/config/c/x;version:2"]`)
	want(t, d.do(t, "PUT", "/api/v1/retention/_system/config/c", `{"keep_last": 1}`, "Content-Type: application/json"), 200, "")
	want(t, d.do(t, "POST", "/api/v1/retention/run", ""), 200, "")
	want(t, d.do(t, "GET", url+"?at="+then, ""), 410, "not kept any more")
}
