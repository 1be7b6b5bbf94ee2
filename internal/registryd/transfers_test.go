package registryd

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// TestTransfers_GivesUpWhatNobodyCanEnd: a move whose other store is lost is listed, and given up by its id; one whose other store is there is not.
func TestTransfers_GivesUpWhatNobodyCanEnd(t *testing.T) {
	dir := t.TempDir()
	n, err := mountNode(t, dir, "  - {path: /, store: a}\n")
	if err != nil {
		t.Fatal(err)
	}
	here, err := n.stores["b"].Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seal := func(p registry.Path, id byte, home registry.ID) string {
		putText(t, n.service, p)
		_, err := n.stores["a"].Update(t.Context(), registry.Op{Actor: someone, At: time.Now()}, func(tx registry.Tx) error {
			r, err := tx.Get(p)
			if err != nil {
				return err
			}
			return tx.Seal(r, registry.Transfer{ID: registry.ID{id}, Path: p, Home: home, Store: "b", To: "/there"}, registry.ID{1}, time.Hour)
		})
		if err != nil {
			t.Fatal(err)
		}
		return registry.ID{id}.String()
	}
	lost, known := seal("/lost", 1, registry.ID{9}), seal("/known", 2, here)
	command := func(args ...string) (int, string) {
		var out bytes.Buffer
		status := Main(args, nil, &out, &out)
		return status, out.String()
	}
	file := filepath.Join(dir, "registry.yaml")
	if status, out := command("migrate", "-config", file); status != 0 {
		t.Fatal(out)
	}
	run := func(args ...string) (int, string) {
		return command(append([]string{"transfers", "-config", file}, args...)...)
	}
	write := func(p registry.Path) registry.Code {
		_, err := n.service.Put(t.Context(), someone, registry.PutInput{Path: p, Body: strings.NewReader("new")})
		return registry.CodeOf(err)
	}
	if status, out := run(); status != 0 || strings.Count(out, "\n") != 2 || !strings.Contains(out, lost+": /lost in the store a to /there in the store b, by someone, since 2") {
		t.Errorf("status %d, printed %q", status, out)
	}
	for id, want := range map[string]string{known: "it goes to the store b, which is here", "abc": "no move has the id abc"} {
		if status, out := run(id); status != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, printed %q", id, status, out)
		}
	}
	if code := write("/lost"); code != registry.CodeUnavailable {
		t.Errorf("a write before: %s", code)
	}
	if status, out := run(lost); status != 0 || !strings.Contains(out, "/lost in the store a can be changed again") {
		t.Errorf("status %d, printed %q", status, out)
	}
	if code := write("/lost"); code != "" {
		t.Errorf("a write after: %s", code)
	}
	if code := write("/known"); code != registry.CodeUnavailable {
		t.Errorf("a write into the other one: %s", code)
	}
}
