package registry

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestParseMoment(t *testing.T) {
	noon := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]Moment{
		"1":                         {Seq: 1},
		"shared:4711":               {Seq: 4711, Name: "shared"},
		"a:b:2":                     {Seq: 2, Name: "a:b"},
		"2026-01-31T12:00:00Z":      {Time: noon},
		"2026-01-31T13:00:00+01:00": {Time: noon},
	} {
		got, err := ParseMoment(text)
		if err != nil || got.Seq != want.Seq || got.Name != want.Name || !got.Time.Equal(want.Time) {
			t.Errorf("%q is %+v, want %+v: %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "0", "-1", ":1", "shared:", "shared:0", "yesterday", "2026-01-31", "99999999999999999999", "1.5", " 1"} {
		if got, err := ParseMoment(text); CodeOf(err) != CodeInvalid {
			t.Errorf("%q is %+v: %v", text, got, err)
		}
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"1", "shared:4711", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789+05:30", ":", "a:b:3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoment(s)
		if err != nil {
			return
		}
		if m.IsZero() {
			t.Fatalf("%q is no moment", s)
		}
		again, err := ParseMoment(m.String())
		if err != nil || again.Seq != m.Seq || again.Name != m.Name || !again.Time.Equal(m.Time) {
			t.Fatalf("%q is %+v, written %q, and then %+v: %v", s, m, m, again, err)
		}
	})
}

func FuzzParseLabel(f *testing.F) {
	for _, s := range []string{"prod", "1.0", "7", "", "e\u0301", "a b", "\xff", strings.Repeat("x", 101)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseLabel(s)
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseLabel(name); err != nil || again != name {
			t.Fatalf("%q becomes %q, and that %q: %v", s, name, again, err)
		}
		if n := utf8.RuneCountInString(name); n == 0 || n > MaxLabelLength || !norm.NFC.IsNormalString(name) || strings.ContainsAny(name, " /;:?&#<>\"'\n\x00") {
			t.Fatalf("%q is let through", name)
		}
	})
}
