package sqlstore

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	childAddress = "REGISTRY_TEST_CHILD_DSN"
	childCount   = "REGISTRY_TEST_CHILD_COUNT"
)

// Several processes use one SQLite file: they start on it at once while it is empty, count together, and one of them is killed in the middle.
func TestProcesses_ShareAFile(t *testing.T) {
	if os.Getenv(childAddress) != "" {
		t.Skip("this is a child")
	}
	dsn := sqliteFile(t)
	const processes = 3
	each := 150
	if testing.Short() {
		each = 20
	}
	start := func(count int) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessChild$", "-test.count=1")
		cmd.Env = append(os.Environ(), childAddress+"="+dsn, childCount+"="+strconv.Itoa(count))
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	victim := start(1 << 30)
	var children []*exec.Cmd
	for range processes {
		children = append(children, start(each))
	}
	s := testStore(t, Config{DSN: dsn})
	await(t, func() bool {
		r, err := s.Get(t.Context(), "/counter", registry.Freshness{})
		return err == nil && r.Version > int64(each)
	})
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // says that it was killed
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Errorf("a child: %v", err)
		}
	}
	counter, err := s.Get(t.Context(), "/counter", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := counter.Meta.Description, strconv.FormatInt(counter.Version, 10); got != want || counter.Version < processes*int64(each) {
		t.Errorf("the counter says %s at version %s", got, want)
	}
	var verdict string
	if err := s.read.one(t.Context(), "test", "PRAGMA integrity_check", nil, &verdict); err != nil || verdict != "ok" {
		t.Errorf("the file: %s, %v", verdict, err)
	}
}

// TestProcessChild is one of the processes: it adds one to the counter again and again.
func TestProcessChild(t *testing.T) {
	dsn := os.Getenv(childAddress)
	if dsn == "" {
		t.Skip("only a child of TestProcesses_ShareAFile")
	}
	count, err := strconv.Atoi(os.Getenv(childCount))
	if err != nil {
		t.Fatal(err)
	}
	s := testStore(t, Config{DSN: dsn})
	for range count {
		_, err := s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
			r, err := tx.Get("/counter")
			if registry.CodeOf(err) == registry.CodeNotFound {
				root, err := tx.Get(registry.Root)
				if err != nil {
					return err
				}
				_, err = tx.Create(root, "counter", registry.KindCollection, registry.Draft{Meta: registry.Meta{Description: "1"}})
				return err
			}
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(r.Meta.Description)
			if err != nil {
				return err
			}
			_, err = tx.Revise(r, registry.Draft{Meta: registry.Meta{Description: fmt.Sprint(n + 1)}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
