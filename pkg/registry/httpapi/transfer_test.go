package httpapi_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// TestTree_MoveToAnotherStore: with versions, and back; meanwhile changes are told to come again.
func TestTree_MoveToAnotherStore(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	shared, local := newStore(t, "shared", log), newStore(t, "local", log)
	d := newDoorOn(t, auth.Config{Guesses: 1000}, shared, log, registry.Mount{Path: "/g", Store: shared, Target: "/"}, registry.Mount{Path: "/l", Store: local, Target: "/kept"})
	d.put(t, "/l/a/f.txt", "one")
	d.put(t, "/l/a/f.txt", "two")
	want(t, d.do(t, "POST", "/api/v1/copy/l/a", `{"to":"/g/copy"}`, asJSONType), 201, `"path":"/g/copy"`)
	want(t, d.do(t, "GET", "/api/v1/content/g/copy/f.txt", ""), 200, "two")
	want(t, d.do(t, "GET", "/api/v1/content/g/copy/f.txt?version=2", ""), 404, "")

	_, err := local.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
		r, err := tx.Get("/kept/a")
		if err != nil {
			return err
		}
		return tx.Seal(r, registry.Transfer{ID: registry.ID{1}, Path: r.Path, Store: "shared"}, registry.ID{2}, time.Minute)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]string{
		{"PUT", "/api/v1/content/l/a/f.txt"}, {"DELETE", "/api/v1/resource/l/a"}, {"PUT", "/resource/1.0.0/artifact/l/a/f.txt"}, {"POST", "/api/v1/tags/l/a/f.txt"},
	} {
		body, header := "three", "Content-Type: text/plain"
		if r[0] == "POST" {
			body, header = `{"tags":["x"]}`, asJSONType
		}
		rec := d.do(t, r[0], r[1], body, header)
		want(t, rec, 503, "is being moved to the store shared; try again")
		wantHeaders(t, rec, map[string]string{"Retry-After": "1"})
	}
	want(t, d.do(t, "GET", "/api/v1/content/l/a/f.txt", ""), 200, "two")
	if _, err := d.service.Move(t.Context(), registry.Actor{User: "u", Roles: []registry.ID{registry.RoleAdmin}}, registry.MoveInput{From: "/l/a", To: "/g/a"}); registry.CodeOf(err) != registry.CodeUnavailable {
		t.Errorf("a second move of the same: %v", err)
	}
	if err := local.EndTransfer(t.Context(), registry.Op{At: time.Now()}, registry.ID{1}, false); err != nil {
		t.Fatal(err)
	}

	want(t, d.do(t, "POST", "/api/v1/tags/l/a/f.txt", `{"tags":["moving"]}`, asJSONType), 200, "moving")
	found := func(at, not string) {
		t.Helper()
		for _, query := range []string{"tag:moving", "two"} {
			rec := d.do(t, "GET", "/api/v1/search?q="+query, "")
			want(t, rec, 200, at+"/f.txt")
			if strings.Contains(rec.Body.String(), not+"/f.txt") {
				t.Errorf("%s finds it at its old place: %s", query, rec.Body)
			}
		}
	}
	found("/l/a", "/g/a")
	const key = "Idempotency-Key: k1"
	moved := d.do(t, "POST", "/api/v1/move/l/a", `{"to":"/g/a"}`, asJSONType, key)
	want(t, moved, 200, `"path":"/g/a"`)
	again := d.do(t, "POST", "/api/v1/move/l/a", `{"to":"/g/a"}`, asJSONType, key)
	want(t, again, 200, `"path":"/g/a"`)
	if again.Header().Get("ETag") != moved.Header().Get("ETag") || again.Header().Get("Registry-Seq") != moved.Header().Get("Registry-Seq") {
		t.Errorf("the answers have the headers %v and %v", moved.Header(), again.Header())
	}
	want(t, d.do(t, "GET", "/api/v1/content/g/a/f.txt?version=1", ""), 200, "one")
	want(t, d.do(t, "GET", "/api/v1/content/l/a/f.txt", ""), 404, "")
	found("/g/a", "/l/a")
	want(t, d.do(t, "GET", "/api/v1/trash/l", ""), 200, `"path":"/l/a"`)
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"move","path":"/g/a","to":"/l/a"}]}`, asJSONType), 409, "a batch is for one store")
	want(t, d.do(t, "POST", "/api/v1/move/g/a", `{"to":"/l/back"}`, asJSONType), 200, `"version":1`)
	want(t, d.do(t, "GET", "/api/v1/content/l/back/f.txt?version=1", ""), 200, "one")
	found("/l/back", "/g/a")
}
