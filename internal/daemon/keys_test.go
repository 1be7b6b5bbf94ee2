package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func writeKeys(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewGossipKey_CanBeRead(t *testing.T) {
	t.Parallel()
	a, b := NewGossipKey(), NewGossipKey()
	file := filepath.Join(t.TempDir(), "gossip.key")
	writeKeys(t, file, "# new first\n"+a+"\n\n"+b+"\n")
	keys, err := ReadGossipKeys(file)
	if err != nil || len(keys) != 2 || len(keys[0]) != 32 || bytes.Equal(keys[0], keys[1]) {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestReadGossipKeys_FaultsShowNoKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gossip.key")
	for text, want := range map[string]string{
		"":                               "holds no key",
		"# c29tZXRoaW5nc2VjcmV0MTIzNA==": "holds no key",
		"secret!":                        ":1: not base64",
		NewGossipKey() + "\nc2VjcmV0":    ":2: the key has 6 bytes; it must have 16, 24 or 32",
	} {
		writeKeys(t, file, text)
		_, err := ReadGossipKeys(file)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%q: %v, want %q and no key", text, err, want)
		}
	}
}

// logText is a log that is read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestFollowGossipKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "gossip.key")
		one, two, refused := NewGossipKey(), NewGossipKey(), NewGossipKey()
		writeKeys(t, file, one+"\n")
		start, err := ReadGossipKeys(file)
		if err != nil {
			t.Fatal(err)
		}
		var seen struct {
			sync.Mutex
			applied []string
		}
		applied := func() []string {
			seen.Lock()
			defer seen.Unlock()
			return slices.Clone(seen.applied)
		}
		log := &logText{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			FollowGossipKeys(ctx, file, start, func(keys [][]byte) error {
				var lines []string
				for _, k := range keys {
					lines = append(lines, base64.StdEncoding.EncodeToString(k))
				}
				if lines[0] == refused {
					return errors.New("not this one")
				}
				seen.Lock()
				defer seen.Unlock()
				seen.applied = append(seen.applied, strings.Join(lines, " "))
				return nil
			}, slog.New(slog.NewTextHandler(log, nil)))
		}()
		warnings := func() int { return strings.Count(log.String(), "the old keys stay") }
		for _, step := range []struct {
			name, text string
			applied    int // calls of apply so far that took
			warnings   int // so far
		}{
			{"as at the start", one + "\n", 0, 0},
			{"a comment", "# mine\n" + one + "\n", 0, 0},
			{"second key", one + "\n" + two + "\n", 1, 0},
			{"first key", two + "\n" + one + "\n", 2, 0},
			{"no key", "", 2, 1},
			{"half a key", two[:20], 2, 2},
			{"what was there before", two + "\n" + one + "\n", 2, 2},
			{"refused", refused, 2, 3},
			{"alone", two, 3, 3},
		} {
			writeKeys(t, file, step.text)
			<-time.After(3*keyFileLook + time.Millisecond)
			synctest.Wait()
			if len(applied()) != step.applied || warnings() != step.warnings {
				t.Errorf("%s: applied %d, warned %d; want %d, %d", step.name, len(applied()), warnings(), step.applied, step.warnings)
			}
		}
		if want := []string{one + " " + two, two + " " + one, two}; strings.Join(applied(), "|") != strings.Join(want, "|") {
			t.Errorf("applied other keys than written")
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if warnings() != 4 {
			t.Errorf("%d warnings after the file went, want one more", warnings())
		}
		// A file that is being written is not taken over before it is whole.
		before := len(applied())
		for _, text := range []string{one, one + "\n", one + "\n" + two} {
			writeKeys(t, file, text)
			<-time.After(keyFileLook)
			synctest.Wait()
		}
		if len(applied()) != before {
			t.Error("a file that changes at each look was taken over")
		}
		for _, k := range []string{one, two, refused} {
			if strings.Contains(log.String(), k) || strings.Contains(log.String(), k[:20]) {
				t.Error("a key is in the log")
			}
		}
		cancel()
		<-done
	})
}

func TestFollowGossipKeys_WarnsOfAnOpenFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gossip.key")
	writeKeys(t, file, NewGossipKey())
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	FollowGossipKeys(ctx, file, nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "open to others") || !strings.Contains(log.String(), "-rw-r--r--") {
		t.Errorf("log: %s", &log)
	}
}
