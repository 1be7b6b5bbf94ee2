package httpapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// A registry that was restored from a backup answers at every door as the one that the backup is of.
func TestEveryDoor_AnswersTheSameAfterARestore(t *testing.T) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	mount := func(s registry.Store) registry.Mount {
		return registry.Mount{Path: "/_system", Store: s, Target: "/_system"}
	}
	store := newStore(t, "shared", log)
	d := newDoorOn(t, auth.Config{Guesses: 100_000}, store, log, mount(store))
	gone := d.hide(t)
	var file bytes.Buffer
	if _, err := store.Backup(t.Context(), &file, registry.BackupNote{By: "admin"}); err != nil {
		t.Fatal(err)
	}
	other := newStore(t, "shared", log)
	if _, err := other.RestoreBackup(t.Context(), bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	for { // search has looked at all that came
		if n, err := other.IndexSearch(t.Context()); err != nil || n == 0 {
			break
		}
	}
	restored := newDoorOn(t, auth.Config{Guesses: 100_000}, other, log, mount(other))

	asked := 0
	for _, operation := range slices.Sorted(maps.Keys(everyDoor)) {
		method, at, _ := strings.Cut(operation, " ")
		if method != "GET" || strings.Contains(at, "watch") || strings.HasPrefix(at, "/api/v1/sessions") || strings.HasPrefix(at, "/api/v1/webhook") {
			continue // sessions are not in a backup, and webhooks come back disabled
		}
		for _, path := range []string{hiddenDoc, hiddenTree, openDoc, "/_system", "/_system/governance/open/link"} {
			address := strings.NewReplacer("/{path}", path, "{name}", map[bool]string{true: "mark-role", false: "mark-user"}[strings.Contains(at, "roles")], "{id}", noID).Replace(at)
			if query := strings.NewReplacer("ID", gone, "PATH", path).Replace(everyDoor[operation].query); query != "" {
				address += "?" + query
			}
			a, b := d.do(t, method, address, ""), restored.do(t, method, address, "")
			if a.Code != b.Code || a.Header().Get("ETag") != b.Header().Get("ETag") {
				t.Errorf("%s: %d %s, restored %d %s: %s", address, a.Code, a.Header().Get("ETag"), b.Code, b.Header().Get("ETag"), b.Body)
			}
			if diff := cmp.Diff(jsonOf(a.Body.Bytes()), jsonOf(b.Body.Bytes())); diff != "" {
				t.Errorf("%s differs (-before +restored):\n%.1500s", address, diff)
			}
			asked++
		}
	}
	if asked < 100 {
		t.Errorf("only %d answers were compared", asked)
	}
	want(t, restored.do(t, "GET", "/api/v1/webhooks", ""), 200, `"name":"mark-hook"`)
	want(t, restored.do(t, "GET", "/api/v1/webhooks", ""), 200, `"enabled":false`)
}

// jsonOf is a body as values, or as text when it is no JSON.
func jsonOf(body []byte) any {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	return v
}
