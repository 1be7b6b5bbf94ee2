package registry

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestCompareContents(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		state          ContentState
		want           string
	}{
		{"one line of three", "a\nb\nc\n", "a\nB\nc\n", ContentText, "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"from nothing", "", "a\n", ContentText, "@@ -0,0 +1 @@\n+a\n"},
		{"to nothing", "a\nb\n", "", ContentText, "@@ -1,2 +0,0 @@\n-a\n-b\n"},
		{"no newline at the end", "a\nb", "a\nb\n", ContentText, "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"},
		{"line ends", "a\r\n", "a\n", ContentText, "@@ -1 +1 @@\n-a\r\n+a\n"},
		{"NUL", "a\x00", "b", ContentBinary, ""},
		{"no UTF-8", "a", "\xff", ContentBinary, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := compareContents([]byte(c.from), []byte(c.to), DefaultDiffContext)
			if err != nil || d.State != c.state {
				t.Fatalf("state %q, %v", d.State, err)
			}
			var b strings.Builder
			for _, h := range d.Hunks {
				h.write(&b)
			}
			if b.String() != c.want {
				t.Errorf("got %q\nwant %q", b.String(), c.want)
			}
		})
	}
}

// Applied to the one text, the difference gives the other, however much differs, and it takes no long time to find.
func TestCompareContents_IsWholeAndBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(lines, words int) string {
		var b strings.Builder
		for range lines {
			fmt.Fprintf(&b, "line %d\n", r.IntN(words))
		}
		return b.String()
	}
	start := time.Now()
	for _, size := range []int{0, 1, 10, 1000, 50_000} {
		for _, words := range []int{2, 1000} {
			from, to := text(size, words), text(size, words)
			d, err := compareContents([]byte(from), []byte(to), DefaultDiffContext)
			if err != nil {
				t.Fatal(err)
			}
			if got := apply(t, from, d.Hunks); got != to {
				t.Errorf("%d lines of %d words: the difference does not lead there", size, words)
			}
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// apply patches a text, and checks that the hunks say rightly what is where.
func apply(t *testing.T, from string, hunks []Hunk) string {
	t.Helper()
	lines := strings.SplitAfter(from, "\n")
	var out strings.Builder
	at, made := 0, 0
	for _, h := range hunks {
		for at < h.FromLine-1 {
			out.WriteString(lines[at])
			at, made = at+1, made+1
		}
		if made+1 != h.ToLine {
			t.Fatalf("a hunk at line %d says that it makes line %d, not %d", h.FromLine, h.ToLine, made+1)
		}
		fromCount, toCount := 0, 0
		for _, l := range h.Lines {
			if l.Op != LineTo {
				if lines[at] != l.Text {
					t.Fatalf("line %d is %q, not %q", at+1, lines[at], l.Text)
				}
				at, fromCount = at+1, fromCount+1
			}
			if l.Op != LineFrom {
				out.WriteString(l.Text)
				made, toCount = made+1, toCount+1
			}
		}
		if fromCount != h.FromCount || toCount != h.ToCount {
			t.Fatalf("a hunk has %d and %d lines, and says %d and %d", fromCount, toCount, h.FromCount, h.ToCount)
		}
	}
	out.WriteString(strings.Join(lines[at:], ""))
	return out.String()
}

func TestDiff_Unified(t *testing.T) {
	d := Diff{
		From: DiffSide{Path: "/a", Kind: KindResource, Version: Version{Number: 1, Meta: Meta{
			MediaType: "text/plain", Properties: Properties{"same": {"1"}, "gone": {"x"}, "moved": {"1", "2"}},
		}}},
		To: DiffSide{Path: "/b", Kind: KindResource, Version: Version{Number: 4, Meta: Meta{
			MediaType: "text/plain", Description: "new\nline", Properties: Properties{"same": {"1"}, "moved": {"2", "1"}, "added": {"y"}},
		}}},
		Content: ContentDiff{State: ContentBinary},
	}
	d.compareMeta()
	want := `description: "" -> "new\nline"
property "added": [] -> ["y"]
property "gone": ["x"] -> []
property "moved": ["1" "2"] -> ["2" "1"]
contents differ (binary): /a;version:1 and /b;version:4
`
	if got := d.Unified(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
