package console

import (
	"strings"
	"testing"
)

func TestMarkWords(t *testing.T) {
	for _, c := range []struct{ from, to, a, b string }{
		{"version: 1.0.0", "version: 2.0.0", "version: [1].0.0", "version: [2].0.0"},
		{"title: Pay", "title: Pay & more", "title: Pay", "title: Pay[ & more]"},
		{"", "x", "", "x"},
		{"nothing alike", "<b>", "nothing alike", "<b>"},
		{"ähnlich wie", "ähnlich als", "ähnlich [wie]", "ähnlich [als]"},
		{"same", "same", "same", "same"},
	} {
		a, b := markWords(c.from, c.to)
		if got := partsText(a); got != c.a {
			t.Errorf("%q -> %q: from is %q, want %q", c.from, c.to, got, c.a)
		}
		if got := partsText(b); got != c.b {
			t.Errorf("%q -> %q: to is %q, want %q", c.from, c.to, got, c.b)
		}
	}
}

func partsText(parts []diffPart) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Mark {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func FuzzMarkWords(f *testing.F) {
	f.Add("a b", "a c")
	f.Add("\xff\xfe x", "\xff")
	f.Fuzz(func(t *testing.T, from, to string) {
		a, b := markWords(from, to)
		join := func(parts []diffPart) string {
			var s strings.Builder
			for _, p := range parts {
				s.WriteString(p.Text)
			}
			return s.String()
		}
		if join(a) != from || join(b) != to {
			t.Errorf("%q and %q became %q and %q", from, to, join(a), join(b))
		}
	})
}
