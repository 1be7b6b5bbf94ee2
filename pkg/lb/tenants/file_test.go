package tenants

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseList(t *testing.T) {
	t.Parallel()
	ids, err := parseList("l", []byte("# tenants\n\na.com 7\n\tB.com:\t200 # the second\ncarbon.super: -1234\r\nlast 9"))
	if err != nil {
		t.Fatal(err)
	}
	for domain, id := range map[string]int{"a.com": 7, "b.com": 200, "carbon.super": -1234, "last": 9} {
		if got, ok := ids[domain]; !ok || got != id {
			t.Errorf("%s is %d, %v; want %d", domain, got, ok, id)
		}
	}
	if len(ids) != 4 {
		t.Errorf("%v", ids)
	}
	if ids, err := parseList("l", nil); err != nil || len(ids) != 0 {
		t.Errorf("an empty list: %v, %v", ids, err)
	}
}

func TestParseList_TellsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := parseList("l", []byte("a.com\na.com 7 8\nb com 1\nx/y 1\na.com seven\nc.com 1\nC.com 1\n"))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"l:1: not of the form", "l:2: not of the form", "l:3: not of the form", `l:4: "x/y" cannot be`, `l:5: "seven" is no id`, "l:7: the tenant c.com has an id already, at line 6",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	_, err = parseList("l", bytes.Repeat([]byte("x\n"), 1000))
	if n := strings.Count(err.Error(), "\n") + 1; n != maxFaults {
		t.Errorf("%d faults are told, want %d", n, maxFaults)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte("a.com 7\nb.com: 8 # x\n"))
	f.Add([]byte(": 1\n# \n\x00 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ids, err := parseList("l", text)
		if err != nil {
			return
		}
		for domain := range ids {
			if domain != strings.ToLower(domain) || strings.ContainsAny(domain, "/ :%") || domain == "" {
				t.Errorf("the tenant %q", domain)
			}
		}
	})
}

// The list is read again when it changes, by writing or by a new file in its place; what is wrong keeps the old one and is told once.
func TestFile_FollowsTheFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "tenants")
	minute := 0
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		minute++ // the clock of the file system may be too coarse for two writes
		at := time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(name, "a.com 1\n")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f, err := OpenFile(name, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go f.Watch(ctx, time.Second)
		expect := func(when string, id int, known bool) {
			t.Helper()
			time.Sleep(3500 * time.Millisecond)
			synctest.Wait()
			if got := f.Tenant([]byte("a.com")); got.ID != id || got.Known != known || got.Err != nil || !strings.Contains(got.From, name) {
				t.Errorf("%s: %+v, want %d, %v", when, got, id, known)
			}
		}
		expect("at first", 1, true)
		write(name, "a.com 2\n")
		expect("written", 2, true)
		write(name+".new", "a.com 3\n")
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
		expect("replaced", 3, true)
		for id := 4; id <= 6; id++ {
			write(name, strings.Repeat("# more\n", id)) // by pieces: the tenant is not there yet
			time.Sleep(time.Second)
			if got := f.Tenant([]byte("a.com")); got.ID != 3 {
				t.Errorf("a list that was still being written was read: %+v", got)
			}
		}
		write(name, "a.com 3\n")
		expect("whole again", 3, true)
		write(name, "a.com three\n")
		expect("with a fault", 3, true)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		expect("gone", 3, true)
		write(name, "b.com 4\n")
		expect("back without the tenant", 0, false)
		cancel()
		synctest.Wait()
		if n := strings.Count(log.String(), "the old one stays"); n != 2 {
			t.Errorf("%d warnings, want 2: the fault, and that it is gone\n%s", n, log.String())
		}
	})
}

func TestOpenFile_Refuses(t *testing.T) {
	t.Parallel()
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that is not there is accepted")
	}
	if _, err := OpenFile(t.TempDir(), nil); err == nil {
		t.Error("a folder is accepted")
	}
}
