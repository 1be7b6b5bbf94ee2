package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1: "1 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1 MiB", 100 << 20: "100 MiB", 1 << 30: "1 GiB", 5 << 40: "5 TiB", 1 << 60: "1048576 TiB",
	} {
		if got := formatSize(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestFormatTime(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", 44 * time.Second: "just now", 50 * time.Second: "50 seconds ago", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago", 5 * time.Hour: "5 hours ago",
		24 * time.Hour: "1 day ago", 13 * 24 * time.Hour: "13 days ago", 15 * 24 * time.Hour: "2026-11-07", -30 * time.Second: "just now", -time.Hour: "2026-11-22 13:00",
	} {
		if got := new(console).relative(now.Add(-d), now); got != want {
			t.Errorf("%v before is %q, want %q", d, got, want)
		}
	}
	local := time.FixedZone("UTC+5", 5*3600)
	if got, want := string(new(console).timesAt([]byte(formatTime(now.In(local))), time.UTC, now)), `<time datetime="2026-11-22T12:00:00Z" title="2026-11-22 12:00:00 UTC">just now</time>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadPreview_CutsTextsAtCharactersAndLines(t *testing.T) {
	read := func(content string) preview {
		p, err := readPreview(strings.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	// A character of two, three or four bytes across the cut is no reason to call the text binary.
	for _, char := range []string{"é", "漢", "🎩"} {
		for shift := range len(char) {
			p := read(strings.Repeat("x", maxShown-shift) + strings.Repeat(char, 10))
			if !p.Text || !p.Cut || strings.ContainsRune(p.Lines[0], '\uFFFD') {
				t.Errorf("%s shifted by %d: text %v, cut %v", char, shift, p.Text, p.Cut)
			}
		}
	}
	p := read(strings.Repeat("\n", maxShownLines+5))
	if len(p.Lines) != maxShownLines || !p.Cut || p.ShownBytes != maxShownLines {
		t.Errorf("%d lines, cut %v, %d bytes", len(p.Lines), p.Cut, p.ShownBytes)
	}
	if p := read(strings.Repeat("\n", maxShownLines)); len(p.Lines) != maxShownLines || p.Cut {
		t.Errorf("%d lines, cut %v", len(p.Lines), p.Cut)
	}
	for content, want := range map[string]int{"": 0, "a": 1, "a\n": 1, "a\nb": 2, "a\r\nb\r\n": 2, "\n": 1} {
		if p := read(content); len(p.Lines) != want || !p.Text || p.Cut {
			t.Errorf("%q has %d lines, want %d", content, len(p.Lines), want)
		}
	}
	if p := read("a\x00" + strings.Repeat("b", 300)); p.Text || !p.Cut || len(p.Hex) != hexShown/hexWidth {
		t.Errorf("binary: %+v", p)
	}
	if p := read("\xff\xfe"); p.Text || p.Cut || p.Hex[0].Bytes != "ff fe" || p.Hex[0].Chars != ".." {
		t.Errorf("binary: %+v", p)
	}
}

func TestTrimPartialRune(t *testing.T) {
	whole := []byte("a🎩")
	for n := range len(whole) + 1 {
		want := []byte("a")[:min(n, 1)]
		if n == len(whole) {
			want = whole
		}
		if got := trimPartialRune(whole[:n]); !bytes.Equal(got, want) {
			t.Errorf("%q becomes %q", whole[:n], got)
		}
	}
	if got := trimPartialRune([]byte("a\x80\x80\x80\x80")); string(got) != "a\x80\x80\x80\x80" {
		t.Errorf("bytes that begin no character became %q", got)
	}
}

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/console/", "/console/browse/a?b=c#d", "//evil", "/console/%2e%2e/x", "/console/\\evil", "https://evil/console/", "/console//evil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := safeNext(next)
		if !strings.HasPrefix(got, "/console/") || strings.ContainsAny(got, "\\\r\n") || strings.HasPrefix(got, "/console//") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}

func FuzzEscapePath(f *testing.F) {
	f.Add("/a b/ü?&[]:$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := registry.ParsePath(text)
		if err != nil {
			return
		}
		if err := checkRawPath(link("browse", p)); err != nil && !p.IsRoot() {
			t.Errorf("the address of %q is refused: %v", p, err)
		}
		if got := locationOf("https://registry.example" + permalink("", p)); got != string(p) {
			t.Errorf("the permalink of %q leads to %q", p, got)
		}
	})
}
