package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

const asJSONType = "Content-Type: application/json"

// The bodies of the operations on the tree, as clients see them.
func TestTree_Bodies(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/governance/apis/pay.yaml", "openapi: 3.1.0\n")
	golden(t, "moved", d.do(t, "POST", "/api/v1/move/_system/governance/apis/pay.yaml", `{"to":"/_system/governance/v1/pay.yaml"}`, asJSONType))
	golden(t, "copied", d.do(t, "POST", "/api/v1/copy/_system/governance/v1", `{"to":"/_system/governance/v2"}`, asJSONType))
	golden(t, "link_created", d.do(t, "PUT", "/api/v1/link/_system/governance/current", `{"target":"/_system/governance/v2"}`, asJSONType))
	golden(t, "link_followed", d.do(t, "GET", "/api/v1/resource/_system/governance/current/pay.yaml", ""))
	golden(t, "link", d.do(t, "GET", "/api/v1/link/_system/governance/current", ""))
	golden(t, "children_by_size", d.do(t, "GET", "/api/v1/children/_system/governance?sort=-size&limit=2&total=true", ""))
	want(t, d.do(t, "DELETE", "/api/v1/resource/_system/governance/v1", ""), 204, "")
	golden(t, "trash", d.do(t, "GET", "/api/v1/trash/_system/governance", ""))
	golden(t, "undeleted", d.do(t, "POST", "/api/v1/undelete/_system/governance/old/v1",
		`{"id":"`+entries(t, d, "/_system/governance")[0]+`"}`, asJSONType))
	golden(t, "batch", d.do(t, "POST", "/api/v1/batch", `{"steps":[
		{"do":"collection","path":"/_system/governance/b","description":"B"},
		{"do":"put","path":"/_system/governance/b/text.txt","content":"hello","properties":{"a":["1"]}},
		{"do":"put","path":"/_system/governance/b/bytes","content_base64":"AP8=","media_type":"application/x-bytes"},
		{"do":"meta","path":"/_system/governance/b/text.txt","description":"T","if_match":"*"},
		{"do":"copy","path":"/_system/governance/b/text.txt","to":"/_system/governance/b/copy.txt"},
		{"do":"move","path":"/_system/governance/b/bytes","to":"/_system/governance/b/moved"},
		{"do":"link","path":"/_system/governance/b/link","target":"/_system/governance/b/moved"},
		{"do":"delete","path":"/_system/governance/b/text.txt"}]}`, asJSONType))
}

// entries gives the ids in the trash, newest first.
func entries(t *testing.T, d *door, path string) []string {
	t.Helper()
	var page struct{ Entries []struct{ ID string } }
	if err := json.Unmarshal(d.do(t, "GET", "/api/v1/trash"+path, "").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(page.Entries))
	for i, e := range page.Entries {
		ids[i] = e.ID
	}
	return ids
}

func TestTree_Move(t *testing.T) {
	d := newDoor(t)
	tag := d.put(t, "/_system/config/a/f.txt", "x").Header().Get("ETag")
	d.put(t, "/_system/config/b/g.txt", "y")
	const move = "/api/v1/move/_system/config"
	want(t, d.do(t, "POST", move+"/a/f.txt", `{"to":"/_system/config/b/g.txt"}`, asJSONType), 409, "/_system/config/b/g.txt exists already")
	want(t, d.do(t, "POST", move+"/a/f.txt", `{"to":"/_system/config/c"}`, asJSONType, `If-Match: "other"`), 412, "If-Match")
	moved := d.do(t, "POST", move+"/a/f.txt", `{"to":"/_system/config/b/g.txt","overwrite":true}`, asJSONType, "If-Match: "+tag)
	want(t, moved, 200, `"path":"/_system/config/b/g.txt"`)
	if moved.Header().Get("ETag") == tag {
		t.Error("the entity tag is that of the old place")
	}
	wantHeaders(t, moved, map[string]string{"Registry-Version": "1", "Content-Location": "/api/v1/resource/_system/config/b/g.txt"})
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/b/g.txt", ""), 200, "x")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/a/f.txt", ""), 404, "")
	want(t, d.do(t, "POST", move+"/b", `{"to":"/_system/config/b/c/d"}`, asJSONType), 409, "nothing can be put into itself")
	want(t, d.do(t, "POST", move, `{"to":"/_system/governance/x"}`, asJSONType), 409, "mount point")
	want(t, d.do(t, "POST", "/api/v1/move/_system", `{"to":"/_system/governance/x"}`, asJSONType), 409, "no store is mounted")
	want(t, d.do(t, "POST", move+"/b", `{"to":"/_system/config"}`, asJSONType), 409, "mount point")
	want(t, d.do(t, "POST", move+"/b", `{"to":"/frozen/b"}`, asJSONType), 403, "read-only")
	want(t, d.do(t, "POST", "/api/v1/copy/_system/config/b", `{"to":"/frozen/b"}`, asJSONType), 403, "read-only")
	want(t, d.do(t, "POST", move+"/b", `{"to":"/_system/governance/b"}`, asJSONType), 200, "") // two mounts on one store
	want(t, d.do(t, "GET", "/api/v1/content/_system/governance/b/g.txt", ""), 200, "x")
}

func TestTree_BadInput(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/f.txt", "kept")
	const at = "/_system/config/f.txt"
	for _, c := range []struct {
		method, url, body string
		status            int
		text              string
	}{
		{"POST", "/api/v1/move" + at, `{}`, 400, `lacks the field \"to\"`},
		{"POST", "/api/v1/move" + at, `{"to":"/a/../b"}`, 400, `field \"to\": path has the name \"..\"`},
		{"POST", "/api/v1/move" + at, `{"to":"/_system/config/g","over":1}`, 400, `unknown field`},
		{"POST", "/api/v1/move" + at + ";version:1", `{"to":"/_system/config/g"}`, 400, "current state only"},
		{"POST", "/api/v1/copy" + at, `{"to":"/_system/config/` + strings.Repeat("x", 256) + `"}`, 400, "has 256 characters; the limit is 255"},
		{"POST", "/api/v1/copy/_system/config/none", `{"to":"/_system/config/g"}`, 404, "nothing is at /_system/config/none"},
		{"PUT", "/api/v1/link/_system/config/l", `{"target":"a//b"}`, 400, "empty name"},
		{"PUT", "/api/v1/link/_system/config/l", `{"target":"/_system/config/l"}`, 409, "lead to itself"},
		{"PUT", "/api/v1/link" + at, `{"target":"/x"}`, 409, "is a resource; a link cannot replace it"},
		{"GET", "/api/v1/link" + at, ``, 409, "is a resource, not a link"},
		{"GET", "/api/v1/trash/_system/config?cursor=%21", ``, 400, "cursor"},
		{"GET", "/api/v1/trash/", ``, 409, "each store has a trash of its own"},
		{"DELETE", "/api/v1/trash/_system/config", ``, 400, "either id"},
		{"DELETE", "/api/v1/trash/_system/config?id=x", ``, 400, "32 hexadecimal digits"},
		{"DELETE", "/api/v1/trash/_system/config?id=" + strings.Repeat("0", 32), ``, 404, "no entry"},
		{"DELETE", "/api/v1/trash/_system/config?older_than=soon", ``, 400, "an age such as 720h"},
		{"DELETE", "/api/v1/trash/_system/config?older_than=-1h", ``, 400, "an age such as 720h"},
		{"POST", "/api/v1/undelete/_system/config/x", `{"id":"x"}`, 400, "32 hexadecimal digits"},
		{"POST", "/api/v1/undelete/_system/config/x", `{"id":"` + strings.Repeat("0", 32) + `"}`, 404, "no entry"},
		{"POST", "/api/v1/batch", `{"steps":[]}`, 400, "the batch has 0 steps; it must have from 1 to 100"},
		{"POST", "/api/v1/batch", `{"steps":[` + strings.TrimSuffix(strings.Repeat(`{"do":"delete","path":"/a"},`, 101), ",") + `]}`, 400, "the batch has 101 steps"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"fly","path":"/a"}]}`, 400, `step 1: do is \"fly\"`},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"/a","to":"/b"}]}`, 400, `step 1: a step that does \"delete\" has no field \"to\"`},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"delete"}]}`, 400, `step 1: the JSON body lacks the field \"path\"`},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/a"}]}`, 400, "either"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/a","content_base64":"?"}]}`, 400, "not base64"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"/a","if_match":"x"}]}`, 400, "entity tags"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/new","content":"x"},{"do":"delete","path":"/elsewhere"}]}`, 409, "step 2 (delete /elsewhere): no store is mounted"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/new","content":"x"},{"do":"delete","path":"/frozen/x"}]}`, 403, "step 2 (delete /frozen/x): the mount /frozen is read-only"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/new","content":"x"},{"do":"delete","path":"/_system/config/none"}]}`, 404, "step 2 (delete /_system/config/none): nothing is at"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/new","content":"x"},{"do":"copy","path":"/_system/config","to":"/_system/governance/x"}]}`, 409, "cannot be copied in a batch"},
		{"POST", "/api/v1/batch", `{"steps":[{"do":"put","path":"/_system/config/f.txt","content":"x","if_none_match":"*"}]}`, 412, "step 1 (put /_system/config/f.txt): If-None-Match"},
		{"GET", "/api/v1/children/_system/config?sort=kind", ``, 400, `sort is \"kind\"`},
		{"GET", "/api/v1/children/_system/config?total=1", ``, 400, "true or false"},
	} {
		want(t, d.do(t, c.method, c.url, c.body, asJSONType), c.status, c.text)
	}
	large := `{"steps":[{"do":"put","path":"/_system/config/new","content":"` + strings.Repeat("x", 1<<20) + `"}]}`
	want(t, d.do(t, "POST", "/api/v1/batch", large, asJSONType), 413, "1048576 bytes")
	want(t, d.do(t, "GET", "/api/v1/children/_system/config?total=true", ""), 200, `"total":1`)
	want(t, d.do(t, "GET", "/api/v1/content"+at, ""), 200, "kept")
}

// Orders other than that of names, page by page, both ways.
func TestTree_Sorted(t *testing.T) {
	d := newDoor(t)
	const dir = "/_system/config/sorted"
	for i, size := range []int{3, 1, 2, 2, 5, 0} {
		d.put(t, fmt.Sprintf("%s/n%d", dir, i), strings.Repeat("x", size))
	}
	for sort, order := range map[string]string{
		"name": "n0 n1 n2 n3 n4 n5", "-name": "n5 n4 n3 n2 n1 n0", "size": "n5 n1 n2 n3 n0 n4", "-size": "n4 n0 n3 n2 n1 n5",
		"updated": "n0 n1 n2 n3 n4 n5", "-updated": "n5 n4 n3 n2 n1 n0", // the clock of the tests stands
	} {
		for _, limit := range []int{1, 2, 6, 7} {
			var got []string
			for cursor, more := "", true; more; {
				rec := d.do(t, "GET", fmt.Sprintf("/api/v1/children%s?sort=%s&limit=%d&cursor=%s", dir, sort, limit, url.QueryEscape(cursor)), "")
				var page struct {
					Entries []struct{ Name string }
					Next    string
				}
				if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					got = append(got, e.Name)
				}
				cursor, more = page.Next, page.Next != ""
			}
			if strings.Join(got, " ") != order {
				t.Errorf("by %s, %d at a time: %q, want %s", sort, limit, got, order)
			}
		}
	}
	var page struct{ Next string }
	if err := json.Unmarshal(d.do(t, "GET", "/api/v1/children"+dir+"?sort=size&limit=1", "").Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"", "?sort=-size", "?sort=-name"} {
		separator := map[bool]string{true: "?", false: "&"}[other == ""]
		want(t, d.do(t, "GET", "/api/v1/children"+dir+other+separator+"cursor="+page.Next, ""), 400, "cursor")
	}
	want(t, d.do(t, "GET", "/api/v1/children/_system?sort=-name&total=true", ""), 200, `"total":2`)
	want(t, d.do(t, "GET", "/api/v1/children/?sort=-name&total=true", ""), 200, `"total":2`)
}
