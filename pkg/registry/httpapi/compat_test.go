package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestArtifact_AnswersAsWSO2Does(t *testing.T) {
	d := newDoor(t)
	const url = "/resource/1.0.0/artifact" + payPath
	missing := d.do(t, "GET", url, "")
	want(t, missing, 404, "Resource not found : "+payPath)
	wantHeaders(t, missing, map[string]string{"Content-Type": "text/plain; charset=utf-8"})

	created := d.do(t, "PUT", url, "openapi: 3.1.0\n", "Content-Type: application/yaml")
	want(t, created, 201, "")
	wantHeaders(t, created, map[string]string{"Location": url, "Registry-Version": "1"})
	updated := d.do(t, "PUT", url, "openapi: 3.2.0\n", "Content-Type: application/yaml")
	want(t, updated, 204, "")
	wantHeaders(t, updated, map[string]string{"Registry-Version": "2"})
	want(t, d.do(t, "PUT", url, "x", "Content-Type: text/plain"), 400, `media type "text/plain" differs from the stored one, "application/yaml"`)
	want(t, d.do(t, "PUT", url, "openapi: 3.3.0\n"), 204, "")                                                    // curl -T says no type
	want(t, d.do(t, "PUT", url, "openapi: 3.4.0\n", "Content-Type: application/x-www-form-urlencoded"), 204, "") // curl --data says this one

	got := d.do(t, "GET", url, "")
	want(t, got, 200, "openapi: 3.4.0\n")
	wantHeaders(t, got, map[string]string{"Content-Type": "application/yaml", "Content-Disposition": "attachment; filename=openapi.yaml"})
	want(t, d.do(t, "GET", url+";version:1", ""), 200, "openapi: 3.1.0\n")
	want(t, d.do(t, "GET", url, "", "If-None-Match: "+got.Header().Get("ETag")), 304, "")
	want(t, d.do(t, "PUT", url, "x", `If-Match: "x"`), 412, "If-Match")
	want(t, d.do(t, "PUT", url, "x", "If-None-Match: *"), 412, "If-None-Match")

	want(t, d.do(t, "DELETE", url, "", `If-Match: "x"`), 412, "")
	want(t, d.do(t, "DELETE", url, ""), 204, "")
	want(t, d.do(t, "DELETE", url, ""), 404, "Resource not found : "+payPath)
	want(t, d.do(t, "POST", url, ""), 405, "this URL takes DELETE, GET, HEAD, PUT only")
	refused := d.do(t, "GET", url, "", "Authorization:")
	want(t, refused, 401, "sign in first")
	wantHeaders(t, refused, map[string]string{"WWW-Authenticate": `Basic realm="Regent", charset="UTF-8"`})
}

func TestArtifact_Collections(t *testing.T) {
	d := newDoor(t)
	const url, atom = "/resource/1.0.0/artifact/_system/config/c", "Content-Type: application/atomcoll+xml"
	want(t, d.do(t, "PUT", url, "", atom), 201, "")
	want(t, d.do(t, "PUT", url, "", atom), 409, "Collection already exist /_system/config/c")
	want(t, d.do(t, "PUT", url, "x", "Content-Type: text/plain"), 409, "is a collection")
	empty := d.do(t, "GET", url, "")
	want(t, empty, 200, "[]")
	wantHeaders(t, empty, map[string]string{"Content-Type": "application/json"})

	var paths []string
	for i := range 3 {
		p := fmt.Sprintf("/_system/config/c/n%d é", i)
		d.put(t, strings.ReplaceAll(p, " é", "%20%C3%A9"), "x")
		paths = append(paths, p)
	}
	var got []string
	rec := d.do(t, "GET", url, "")
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(paths) {
		t.Errorf("children %q, %v; want %q", got, err, paths)
	}
	want(t, d.do(t, "GET", "/resource/1.0.0/artifact/", ""), 200, `["/_system","/frozen"]`)
	d.put(t, "/_system/config/f", "x")
	want(t, d.do(t, "PUT", "/resource/1.0.0/artifact/_system/config/f", "", atom), 409, "is a resource, not a collection")
	want(t, d.do(t, "DELETE", url, ""), 204, "")
	want(t, d.do(t, "GET", url, ""), 404, "Resource not found : /_system/config/c")
}

// A list longer than one page of the store comes whole.
func TestArtifact_ListsAllChildren(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 1001 collections")
	}
	d := newDoor(t)
	var wg sync.WaitGroup
	for first := range 32 { // at once, so that the store groups them
		wg.Go(func() {
			for i := first; i < 1001; i += 32 {
				p := registry.Path(fmt.Sprintf("/_system/config/many/%04d", i))
				if _, err := d.service.CreateCollection(t.Context(), registry.Actor{User: "admin", Roles: []registry.ID{registry.RoleAdmin}}, registry.CollectionInput{Path: p}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var got []string
	rec := d.do(t, "GET", "/resource/1.0.0/artifact/_system/config/many", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || len(got) != 1001 || got[1000] != "/_system/config/many/1000" {
		t.Errorf("%d children, %v", len(got), err)
	}
}

func TestPermalink(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "one")
	d.put(t, payPath, "two")
	got := d.do(t, "GET", "/registry/resource"+payPath, "")
	want(t, got, 200, "two")
	wantHeaders(t, got, map[string]string{"Content-Type": "application/yaml", "Content-Disposition": "inline; filename=openapi.yaml"})
	want(t, d.do(t, "GET", "/registry/resource"+payPath+";version:1", ""), 200, "one")
	want(t, d.do(t, "GET", "/registry/resource"+payPath+";version:9", ""), 404, "no version 9")
	want(t, d.do(t, "GET", "/registry/resource"+payPath+";comments", ""), 400, ";version:N")
	want(t, d.do(t, "GET", "/registry/resource/_system/governance", ""), 404, "is a collection")
	want(t, d.do(t, "GET", "/registry/resource/_system/governance/none", ""), 404, "nothing is at")
	want(t, d.do(t, "DELETE", "/registry/resource"+payPath, ""), 405, "GET, HEAD")
}
