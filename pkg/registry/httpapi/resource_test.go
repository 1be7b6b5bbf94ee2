package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// The bodies of the API, as clients see them.
func TestResource_Bodies(t *testing.T) {
	d := newDoor(t)
	golden(t, "collection_created", d.do(t, "PUT", "/api/v1/resource/_system/governance/apis",
		`{"kind":"collection","description":"All APIs","properties":{"owner":["team-a","team-b"]}}`, "Content-Type: application/json"))
	golden(t, "content_created", d.put(t, payPath, "openapi: 3.1.0\n", "Content-Type: application/yaml"))
	golden(t, "content_changed", d.put(t, payPath, "openapi: 3.2.0\n"))
	golden(t, "patched", d.do(t, "PATCH", "/api/v1/resource"+payPath, `{"description":"Pay & <go>","properties":{"stage":["test"]}}`,
		"Content-Type: application/merge-patch+json"))
	golden(t, "resource", d.do(t, "GET", "/api/v1/resource"+payPath, ""))
	golden(t, "resource_version", d.do(t, "GET", "/api/v1/resource"+payPath+"?version=1", ""))
	golden(t, "properties", d.do(t, "GET", "/api/v1/properties"+payPath, ""))
	golden(t, "versions", d.do(t, "GET", "/api/v1/versions"+payPath, ""))
	golden(t, "restored", d.do(t, "POST", "/api/v1/restore"+payPath, `{"version":1}`, "Content-Type: application/json"))
	golden(t, "children", d.do(t, "GET", "/api/v1/children/_system/governance/apis", ""))
	golden(t, "children_root", d.do(t, "GET", "/api/v1/children/", ""))
	golden(t, "resource_root", d.do(t, "GET", "/api/v1/resource", ""))
	golden(t, "mounts", d.do(t, "GET", "/api/v1/mounts", ""))
	golden(t, "whoami", d.do(t, "GET", "/api/v1/whoami", ""))
	golden(t, "problem_not_found", d.do(t, "GET", "/api/v1/resource/_system/config/none", ""))
	golden(t, "problem_unauthenticated", d.do(t, "GET", "/api/v1/mounts", "", "Authorization:"))
}

func TestResource_Collection(t *testing.T) {
	d := newDoor(t)
	const url, asJSON = "/api/v1/resource/_system/config/a/b", "Content-Type: application/json"
	created := d.do(t, "PUT", url, `{"kind":"collection"}`, asJSON)
	want(t, created, 201, `"kind":"collection"`)
	wantHeaders(t, created, map[string]string{"Location": url, "Registry-Version": "1"})
	want(t, d.do(t, "GET", "/api/v1/resource/_system/config/a", ""), 200, `"kind":"collection"`)

	again := d.do(t, "PUT", url, `{"kind":"collection"}`, asJSON)
	want(t, again, 200, `"version":1`)
	wantHeaders(t, again, map[string]string{"ETag": created.Header().Get("ETag")})
	want(t, d.do(t, "PUT", url, `{"kind":"collection"}`, asJSON, "If-None-Match: *"), 412, "")
	described := d.do(t, "PUT", url, `{"kind":"collection","description":"B","properties":{"x":["1"]}}`, asJSON)
	want(t, described, 200, `"description":"B","properties":{"x":["1"]}`)
	want(t, d.do(t, "PUT", url, `{"kind":"collection","properties":{}}`, asJSON), 200, `"description":"B","properties":{}`)
	want(t, d.do(t, "PUT", url, `{"kind":"collection","description":"C"}`, asJSON, "If-Match: "+created.Header().Get("ETag")), 412, "")

	// A collection and a resource do not replace each other.
	d.put(t, "/_system/config/f", "x")
	want(t, d.do(t, "PUT", "/api/v1/resource/_system/config/f", `{"kind":"collection"}`, asJSON), 409, "is a resource, not a collection")
	want(t, d.do(t, "PUT", "/api/v1/resource/_system/config/f/below", `{"kind":"collection"}`, asJSON), 409, "is a resource, not a collection")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/f/below", "x"), 409, "is a resource, not a collection")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/a", "x"), 409, "is a collection; a resource cannot replace it")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/a", ""), 409, "it has no content")
	want(t, d.do(t, "GET", "/api/v1/children/_system/config/f", ""), 409, "is a resource")
	want(t, d.do(t, "DELETE", "/api/v1/content/_system/config/a", ""), 409, "is a collection, not a resource with content")
	want(t, d.do(t, "GET", url, ""), 200, `"description":"B"`)

	want(t, d.do(t, "DELETE", "/api/v1/resource/_system/config/a", ""), 204, "")
	want(t, d.do(t, "GET", url, ""), 404, "")
}

func TestResource_Patch(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/f.txt", "body")
	const url = "/api/v1/resource/_system/config/f.txt"
	for i, c := range []struct{ patch, want string }{
		{`{"properties":{"a":["1","2"],"b":["3"]}}`, `"media_type":"text/plain","description":"","properties":{"a":["1","2"],"b":["3"]}`},
		{`{"description":"D","media_type":"text/markdown"}`, `"media_type":"text/markdown","description":"D","properties":{"a":["1","2"],"b":["3"]}`},
		{`{"properties":{"a":null,"c":["4"]}}`, `"description":"D","properties":{"b":["3"],"c":["4"]}`},
		{`{}`, `"description":"D","properties":{"b":["3"],"c":["4"]}`},
		{`{"properties":null,"description":null}`, `"media_type":"text/markdown","description":"","properties":{}`},
	} {
		got := d.do(t, "PATCH", url, c.patch, "Content-Type: application/merge-patch+json")
		want(t, got, 200, c.want)
		version := []string{"2", "3", "4", "4", "5"}[i]
		wantHeaders(t, got, map[string]string{"Registry-Version": version})
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/f.txt", ""), 200, "body")
	want(t, d.do(t, "PATCH", "/api/v1/resource/_system/config", `{"media_type":"text/plain"}`, "Content-Type: application/json"), 400, "it has no media type")
}

func TestResource_Properties(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/f.txt", "body")
	const url, asJSON = "/api/v1/properties/_system/config/f.txt", "Content-Type: application/json"
	want(t, d.do(t, "GET", url, ""), 200, "{}\n")
	put := d.do(t, "PUT", url, `{"a":["1"],"gone":[]}`, asJSON)
	want(t, put, 200, `{"a":["1"]}`)
	want(t, d.do(t, "PUT", url, `{"b":["2","2"]}`, asJSON, "If-Match: "+put.Header().Get("ETag")), 200, `{"b":["2","2"]}`)
	want(t, d.do(t, "PUT", url, `{"c":[]}`, asJSON, "If-Match: "+put.Header().Get("ETag")), 412, "")
	want(t, d.do(t, "GET", url+"?version=2", ""), 200, `{"a":["1"]}`)
	want(t, d.do(t, "GET", url, ""), 200, `{"b":["2","2"]}`)
	want(t, d.do(t, "PUT", url, `{"`+strings.Repeat("n", 101)+`":["1"]}`, asJSON), 400, "property name has 101 characters; the limit is 100")
	want(t, d.do(t, "PUT", url, `{"n":["`+strings.Repeat("v", 1001)+`"]}`, asJSON), 400, "has 1001 characters; the limit is 1000")
}

func TestResource_Restore(t *testing.T) {
	d := newDoor(t)
	const asJSON = "Content-Type: application/json"
	d.put(t, "/_system/config/f.txt", "one")
	tag := d.put(t, "/_system/config/f.txt", "two").Header().Get("ETag")
	const url = "/api/v1/restore/_system/config/f.txt"
	want(t, d.do(t, "POST", url, `{"version":9}`, asJSON), 404, "no version 9; the newest is 2")
	want(t, d.do(t, "POST", url, `{}`, asJSON), 400, `lacks the field \"version\"`)
	want(t, d.do(t, "POST", url, `{"version":1}`, asJSON, `If-Match: "x"`), 412, "")
	want(t, d.do(t, "POST", url, `{"version":1}`, asJSON, "If-Match: "+tag), 200, `"version":3`)
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/f.txt", ""), 200, "one")
	want(t, d.do(t, "POST", "/api/v1/restore/_system/config/none", `{"version":1}`, asJSON), 404, "")
}

// Pages join to the whole list, without gap or repeat, whatever their size.
func TestListing_Pages(t *testing.T) {
	d := newDoor(t)
	var paths []string
	for i := range 7 {
		p := fmt.Sprintf("/_system/config/list/n%d", i)
		d.put(t, p, "x")
		paths = append(paths, p)
		d.put(t, "/_system/config/versions.txt", strconv.Itoa(i))
	}
	for _, limit := range []int{1, 3, 7, 8} {
		var got []string
		for cursor, more := "", true; more; {
			rec := d.do(t, "GET", fmt.Sprintf("/api/v1/children/_system/config/list?limit=%d&cursor=%s", limit, url.QueryEscape(cursor)), "")
			var page struct {
				Entries []struct{ Path string }
				Next    string
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Entries {
				got = append(got, e.Path)
			}
			cursor, more = page.Next, page.Next != ""
		}
		if fmt.Sprint(got) != fmt.Sprint(paths) {
			t.Errorf("children by %d: %q", limit, got)
		}

		var numbers []int64
		for query, more := "", true; more; {
			rec := d.do(t, "GET", fmt.Sprintf("/api/v1/versions/_system/config/versions.txt?limit=%d%s", limit, query), "")
			var page struct {
				Versions []struct{ Version int64 }
				Next     int64
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Versions {
				numbers = append(numbers, v.Version)
			}
			query, more = fmt.Sprintf("&before=%d", page.Next), page.Next != 0
		}
		if fmt.Sprint(numbers) != "[7 6 5 4 3 2 1]" {
			t.Errorf("versions by %d: %v", limit, numbers)
		}
	}
}

func TestReads_TakeARegistrySeqBack(t *testing.T) {
	d := newDoor(t)
	seq := d.put(t, "/_system/config/f.txt", "x").Header().Get("Registry-Seq")
	for _, url := range []string{"/api/v1/content", "/api/v1/resource", "/api/v1/properties", "/api/v1/versions", "/resource/1.0.0/artifact", "/registry/resource"} {
		got := d.do(t, "GET", url+"/_system/config/f.txt", "", "Registry-Min-Seq: "+seq)
		want(t, got, 200, "")
		wantHeaders(t, got, map[string]string{"Registry-Seq": seq})
		want(t, d.do(t, "GET", url+"/_system/config/f.txt", "", "Registry-Min-Seq: 12"), 400, "Registry-Min-Seq")
	}
	want(t, d.do(t, "GET", "/api/v1/children/_system/config", "", "Registry-Min-Seq: "+seq), 200, "f.txt")
}
