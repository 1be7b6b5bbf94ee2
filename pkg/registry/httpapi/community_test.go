package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

const (
	cardPath = "/_system/governance/apis/card/openapi.yaml"
	jsonBody = "Content-Type: application/json"
)

// othersWrote adds tags, a comment and a rating of joe to the pay API.
func (d *door) othersWrote(t *testing.T) (comment registry.Comment) {
	t.Helper()
	joe := registry.Actor{User: "joe"}
	if _, err := d.service.AddTags(t.Context(), joe, payPath, []string{"payments", "beta"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.service.Rate(t.Context(), joe, payPath, 5); err != nil {
		t.Fatal(err)
	}
	_, comment, err := d.service.AddComment(t.Context(), joe, payPath, "Is <b>this</b> final?", 0)
	if err != nil {
		t.Fatal(err)
	}
	return comment
}

// field reads one field of a JSON answer.
func field(t *testing.T, rec *httptest.ResponseRecorder, name string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v", rec.Body, err)
	}
	return body[name]
}

func TestTags(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	tag := d.do(t, "GET", "/api/v1/resource"+payPath, "").Header().Get("ETag")
	d.othersWrote(t)
	const at = "/api/v1/tags" + payPath
	want(t, d.do(t, "POST", at, `{"tags":["payments"," Ready "]}`, jsonBody), 200, `"name":"Ready","count":1,"mine":true`)
	rec := d.do(t, "GET", at, "")
	golden(t, "tags", rec)
	if seq := rec.Header().Get("Registry-Seq"); !strings.HasPrefix(seq, "shared:") {
		t.Errorf("Registry-Seq is %q", seq)
	}
	golden(t, "cloud", d.do(t, "GET", "/api/v1/tags", ""))
	golden(t, "tagged", d.do(t, "GET", "/api/v1/tagged?tag=payments", ""))
	want(t, d.do(t, "GET", "/api/v1/tags/", ""), 200, `{"path":"/","tags":[]}`)
	want(t, d.do(t, "DELETE", at+"?tag=beta", ""), 404, `no tag \"beta\" of admin`)
	d.addUser(t, "eve")
	want(t, d.do(t, "DELETE", at+"?tag=beta&all=true", "", as("eve")), 403, "only a moderator")
	want(t, d.do(t, "DELETE", at+"?tag=beta&all=true", ""), 204, "") // who may give permissions there moderates
	rec = d.do(t, "DELETE", at+"?tag=Ready", "")
	want(t, rec, 204, "")
	if rec.Header().Get("Registry-Seq") == "" {
		t.Error("a deletion does not tell the state")
	}
	want(t, d.do(t, "DELETE", at+"?tag=Ready", ""), 404, "no tag")
	if got := d.do(t, "GET", "/api/v1/resource"+payPath, "").Header().Get("ETag"); got != tag {
		t.Errorf("tags changed the entity tag from %s to %s", tag, got)
	}
	for _, c := range []struct {
		method, url, body string
		status            int
		text              string
	}{
		{"POST", at, `{"tags":[]}`, 400, "tags has 0 entries"},
		{"POST", at, `{"tags":["a,b"]}`, 400, `has the character`},
		{"POST", at, `{"tags":["` + strings.Repeat("x", 501) + `"]}`, 400, "tag has 501 characters; the limit is 500"},
		{"POST", at, `{"tags":"a"}`, 400, "tags"},
		{"POST", at, `{"labels":["a"]}`, 400, "labels"},
		{"POST", at + ";version:1", `{"tags":["a"]}`, 400, "version 1"},
		{"POST", "/api/v1/tags/_system/config/none", `{"tags":["a"]}`, 404, "nothing is at /_system/config/none"},
		{"POST", "/api/v1/tags/frozen", `{"tags":["a"]}`, 403, "read-only"},
		{"POST", "/api/v1/tags/_system", `{"tags":["a"]}`, 409, "no store is mounted"},
		{"DELETE", at + "?tag=", "", 400, "empty"},
		{"DELETE", at + "?tag=x&all=yes", "", 400, `all is \"yes\"`},
		{"GET", "/api/v1/tags?limit=101", "", 400, "limit"},
		{"GET", "/api/v1/tagged", "", 400, "a tag is empty"},
		{"GET", "/api/v1/tagged?tag=x&cursor=x", "", 400, "cursor"},
		{"GET", "/api/v1/tagged?tag=x&limit=1001", "", 400, "limit"},
		{"PATCH", at, "", 405, "DELETE, GET, HEAD, POST"},
	} {
		want(t, d.do(t, c.method, c.url, c.body, jsonBody), c.status, c.text)
	}
	want(t, d.do(t, "POST", at, `tags=a`, "Content-Type: application/x-www-form-urlencoded"), 415, "application/json")
}

func TestComments(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	d.put(t, cardPath, "x")
	joes := d.othersWrote(t)
	const at, one = "/api/v1/comments" + payPath, "/api/v1/comment" + payPath
	reply := `{"text":"yes\r\nit is","reply_to":` + jsonNumber(joes.Number) + `}`
	rec := d.do(t, "POST", at, reply, jsonBody)
	want(t, rec, 201, `"text":"yes\nit is"`)
	mine := rec.Header().Get("Location")
	if !strings.HasPrefix(mine, one+"?id=") {
		t.Fatalf("Location is %q", mine)
	}
	list := d.do(t, "GET", at, "")
	// The numbers count what happened in the store before.
	text := regexp.MustCompile(`("(?:id|thread|reply_to)":|\.)[0-9]+(,|\.1)`).ReplaceAllString(list.Body.String(), "${1}0$2")
	list.Body = bytes.NewBufferString(text)
	golden(t, "comments", list)
	page := d.do(t, "GET", at+"?limit=1", "")
	next, _ := field(t, page, "next").(string)
	want(t, d.do(t, "GET", at+"?limit=1&cursor="+url.QueryEscape(next), ""), 200, "it is")

	rec = d.do(t, "GET", mine, "")
	want(t, rec, 200, `"author":"admin"`)
	tag := rec.Header().Get("ETag")
	want(t, d.do(t, "GET", mine, "", "If-None-Match: "+tag), 304, "")
	rec = d.do(t, "PUT", mine, `{"text":"no"}`, jsonBody, "If-Match: "+tag)
	want(t, rec, 200, `"edited_by":"admin"`)
	if rec.Header().Get("ETag") == tag {
		t.Error("an edit kept the entity tag")
	}
	want(t, d.do(t, "PUT", mine, `{"text":"too late"}`, jsonBody, "If-Match: "+tag), 412, "the current entity tag of the comment is")
	want(t, d.do(t, "DELETE", mine, "", "If-Match: "+tag), 412, "the current entity tag of the comment is")
	theirs := one + "?id=" + jsonNumber(joes.Number)
	d.addUser(t, "eve")
	want(t, d.do(t, "PUT", theirs, `{"text":"mine now"}`, jsonBody, as("eve")), 403, "only a moderator")
	want(t, d.do(t, "DELETE", theirs, "", as("eve")), 403, "only a moderator")
	want(t, d.do(t, "PUT", theirs, `{"text":"moderated"}`, jsonBody), 200, `"author":"joe","text":"moderated"`)
	want(t, d.do(t, "DELETE", mine, "", "If-Match: "+rec.Header().Get("ETag")), 204, "")
	want(t, d.do(t, "GET", mine, ""), 404, "there is no comment")

	for _, c := range []struct {
		method, url, body string
		status            int
		text              string
	}{
		{"POST", at, `{"text":" "}`, 400, "the comment is empty"},
		{"POST", at, `{"text":"` + strings.Repeat("é", 501) + `"}`, 400, "comment has 501 characters; the limit is 500"},
		{"POST", at, `{"text":"a\u0000b"}`, 400, "control character"},
		{"POST", at, `{"text":"x","reply_to":4711}`, 404, "no comment 4711"},
		{"POST", "/api/v1/comments" + cardPath, reply, 404, "no comment"},
		{"POST", at + ";version:1", `{"text":"x"}`, 400, "version 1"},
		{"GET", one, "", 400, "id is missing"},
		{"GET", one + "?id=0", "", 400, "id"},
		{"GET", one + "?id=99999", "", 404, "no comment 99999"},
		{"PUT", one + "?id=99999", `{"text":"x"}`, 404, "no comment 99999"},
		{"GET", "/api/v1/comment" + cardPath + "?id=" + jsonNumber(joes.Number), "", 404, "no comment"},
		{"GET", at + "?cursor=!", "", 400, "cursor"},
		{"GET", "/api/v1/comments/none", "", 404, "nothing is at"},
		{"GET", "/api/v1/comments/_system", "", 200, `"comments":[]`},
	} {
		want(t, d.do(t, c.method, c.url, c.body, jsonBody), c.status, c.text)
	}
	want(t, d.do(t, "DELETE", theirs, "", "If-Unmodified-Since: Mon, 23 Nov 2026 00:00:00 GMT"), 400, "too coarse")
}

func jsonNumber(n int64) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestRatings(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	d.othersWrote(t)
	const at = "/api/v1/ratings" + payPath
	want(t, d.do(t, "GET", at, ""), 200, `"average":5,"count":1,"mine":0`)
	want(t, d.do(t, "PUT", at, `{"rating":4}`, jsonBody), 200, `"average":4.5,"count":2,"mine":4`)
	golden(t, "ratings", d.do(t, "GET", at, ""))
	want(t, d.do(t, "PUT", at, `{"rating":0}`, jsonBody), 200, `"average":5,"count":1,"mine":0`)
	want(t, d.do(t, "PUT", at, `{"rating":2}`, jsonBody), 200, `"average":3.5,"count":2,"mine":2`)
	want(t, d.do(t, "DELETE", at, ""), 204, "")
	want(t, d.do(t, "DELETE", at, ""), 204, "")
	want(t, d.do(t, "GET", at, ""), 200, `"average":5,"count":1,"mine":0`)
	for body, text := range map[string]string{
		`{"rating":6}`: "rating is 6; it must be from 1 to 5", `{"rating":-1}`: "rating is -1", `{"rating":2.5}`: "rating", `{"rating":"4"}`: "rating",
		`{}`: "lacks the field", `{"rating":null}`: "lacks the field",
	} {
		want(t, d.do(t, "PUT", at, body, jsonBody), 400, text)
	}
	want(t, d.do(t, "PUT", "/api/v1/ratings/none", `{"rating":4}`, jsonBody), 409, "no store is mounted")
	want(t, d.do(t, "GET", "/api/v1/ratings/none", ""), 404, "nothing is at")
}

func TestAssociations(t *testing.T) {
	d := newDoor(t)
	for _, p := range []string{payPath, cardPath, "/_system/governance/money.xsd"} {
		d.put(t, p, "x")
	}
	const at = "/api/v1/associations" + payPath
	body := func(kind, target string) string {
		b, _ := json.Marshal(map[string]string{"type": kind, "target": target})
		return string(b)
	}
	want(t, d.do(t, "POST", at, body("depends", cardPath), jsonBody), 201, `"type":"depends"`)
	want(t, d.do(t, "POST", at, body(" depends", cardPath+"/"), jsonBody), 200, cardPath)
	want(t, d.do(t, "POST", at, body("docs", "https://example.com/a?b#c"), jsonBody), 201, `"uri":"https://example.com/a?b#c"`)
	want(t, d.do(t, "POST", "/api/v1/associations"+cardPath, body("depends", "/_system/governance/money.xsd"), jsonBody), 201, "")
	golden(t, "associations", d.do(t, "GET", at, ""))
	golden(t, "associations_in", d.do(t, "GET", "/api/v1/associations"+cardPath+"?direction=in", ""))
	want(t, d.do(t, "GET", at+"?type=docs", ""), 200, "example.com")
	page := d.do(t, "GET", at+"?limit=1", "")
	next, _ := field(t, page, "next").(string)
	want(t, d.do(t, "GET", at+"?limit=1&cursor="+url.QueryEscape(next), ""), 200, `"associations":[{`)
	golden(t, "dependencies", d.do(t, "GET", "/api/v1/dependencies"+payPath, ""))
	golden(t, "impact", d.do(t, "GET", "/api/v1/impact/_system/governance/money.xsd", ""))
	want(t, d.do(t, "PUT", "/api/v1/link/_system/governance/to-money", `{"target":"/_system/governance/money.xsd"}`, jsonBody), 201, "")
	golden(t, "dependents", d.do(t, "GET", "/api/v1/dependents/_system/governance/money.xsd", ""))
	want(t, d.do(t, "GET", "/api/v1/dependents/_system/governance", ""), 200, `"incoming":[],`)
	want(t, d.do(t, "DELETE", "/api/v1/resource/_system/governance/to-money", ""), 204, "")
	want(t, d.do(t, "GET", "/api/v1/dependencies"+payPath+"?depth=1", ""), 200, `"cut":"depth"`)
	want(t, d.do(t, "GET", "/api/v1/dependencies"+payPath+"?type=*", ""), 200, `{"uri":"https://example.com/a?b#c","depth":1}`)
	want(t, d.do(t, "GET", "/api/v1/dependencies/_system", ""), 200, `"edges":[]`)

	// A move of the target is no change of the association; here the target goes, and what is then at its path is another resource.
	want(t, d.do(t, "DELETE", "/api/v1/content"+cardPath, ""), 204, "")
	d.put(t, cardPath, "another")
	want(t, d.do(t, "GET", at+"?type=depends", ""), 200, `"associations":[]`)

	for _, c := range []struct {
		method, url, body string
		status            int
		text              string
	}{
		{"POST", at, body("depends", "/_system/governance/none"), 404, "nothing is at /_system/governance/none"},
		{"POST", at, body("depends", payPath), 400, "the resource itself"},
		{"POST", at, body("depends", "javascript:alert(1)"), 400, `scheme \"javascript\"`},
		{"POST", at, body("depends", "not a target"), 400, "neither a path"},
		{"POST", at, body("depends", "/a//b"), 400, "empty name"},
		{"POST", at, body("", cardPath), 400, "type is empty"},
		{"POST", at, body("a\"b", cardPath), 400, "type"},
		{"POST", at, body(strings.Repeat("x", 2001), cardPath), 400, "type has 2001 characters; the limit is 2000"},
		{"POST", at, body("x", "urn:"+strings.Repeat("x", 2048)), 400, "the limit for a URI is 2048"},
		{"POST", "/api/v1/associations/frozen", body("x", cardPath), 403, "read-only"},
		{"DELETE", at + "?type=depends&target=" + cardPath, "", 404, "no association"},
		{"DELETE", at + "?type=docs", "", 400, "target"},
		{"DELETE", at + "?type=docs&target=" + url.QueryEscape("https://example.com/a?b#c"), "", 204, ""},
		{"DELETE", at + "?type=docs&target=" + url.QueryEscape("https://example.com/a?b#c"), "", 404, "no association"},
		{"GET", at + "?direction=both", "", 400, "direction"},
		{"GET", at + "?cursor=!", "", 400, "cursor"},
		{"GET", "/api/v1/impact" + payPath + "?depth=101", "", 400, "depth"},
		{"GET", "/api/v1/impact" + payPath + "?limit=2001", "", 400, "limit"},
		{"GET", "/api/v1/impact" + payPath + "?type=%22", "", 400, "type"},
		{"GET", "/api/v1/impact/none", "", 404, "nothing is at /none"},
		{"GET", "/api/v1/dependents/none", "", 404, "nothing is at /none"},
	} {
		want(t, d.do(t, c.method, c.url, c.body, jsonBody), c.status, c.text)
	}
}

// Nobody learns or changes anything before signing in, and a page of another origin changes nothing.
func TestCommunity_IsGuarded(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	token, _, err := d.auth.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, url string }{
		{"GET", "/api/v1/tags"},
		{"GET", "/api/v1/tags/x"},
		{"POST", "/api/v1/tags/x"},
		{"DELETE", "/api/v1/tags" + payPath + "?tag=x"},
		{"GET", "/api/v1/tagged"},
		{"GET", "/api/v1/comments" + payPath},
		{"POST", "/api/v1/comments/x"},
		{"PUT", "/api/v1/comment/x"},
		{"DELETE", "/api/v1/comment/x"},
		{"GET", "/api/v1/ratings/x"},
		{"PUT", "/api/v1/ratings" + payPath},
		{"DELETE", "/api/v1/ratings" + payPath},
		{"GET", "/api/v1/associations/x"},
		{"POST", "/api/v1/associations/x"},
		{"DELETE", "/api/v1/associations/x"},
		{"GET", "/api/v1/dependencies/x"},
		{"GET", "/api/v1/impact/x?depth=bad"},
	} {
		want(t, d.do(t, c.method, c.url, "{", "Authorization:"), 401, "")
		if c.method != http.MethodGet {
			want(t, d.do(t, c.method, c.url, "{}", "Authorization:", "Cookie: regent_session="+token, "Origin: https://evil.example", jsonBody), 403, "another origin")
		}
	}
}
