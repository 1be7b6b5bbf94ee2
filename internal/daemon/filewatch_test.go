package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
)

func TestFileWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testFileWatch)
}

func testFileWatch(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write := func(name, text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "one", 0)
	w := daemon.NewFileWatch(file)
	look := func(what string, wants ...bool) {
		t.Helper()
		for i, want := range wants {
			if got := w.Changed(); got != want {
				t.Errorf("%s, look %d: changed %t", what, i+1, got)
			}
			<-time.After(daemon.WatchEvery)
		}
	}
	look("nothing happened", false, false)
	write(file, "two", 0)
	look("just written", false, true, false)
	write(file, "thr", 0)
	look("still being written", false)
	write(file, "three", 0)
	look("still being written, again", false)
	look("at rest", true, false)
	write(file, "threefold", 0)
	for range 3 {
		if w.Changed() {
			t.Error("several looks within a moment made it a file at rest")
		}
	}
	look("a moment later", false, true, false)
	write(file, "four", time.Hour)
	look("written long ago, put there now", true, false)
	write(file, "four", 0)
	look("touched", false, false)
	write(file, "five", 0)
	look("for a moment another", false)
	write(file, "four", 0)
	look("as before", false, false)
	write(other, "six", 0)
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	look("renamed over", false, true, false)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	look("gone", false, true, false)
	write(file, "six", 0)
	look("back", false, true, false)
	write(file, "seven", 0)
	w.Accept()
	look("accepted", false, false)
	// A symbolic link that is turned, as in a folder that a cluster manager mounts; the new content is older than the old one.
	write(filepath.Join(dir, "old"), "longer", time.Hour)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("old", file); err != nil {
		t.Fatal(err)
	}
	look("turned", true, false)
}
