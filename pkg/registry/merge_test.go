package registry

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMergeTexts(t *testing.T) {
	for _, c := range []struct {
		name, base, mine, theirs string
		want                     string // the kinds of the blocks and what each side has there
	}{
		{"nothing changed", "a\nb\n", "a\nb\n", "a\nb\n", "same[a b]"},
		{"only mine", "a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\n", "same[a] mine[B|b] same[c]"},
		{"only theirs", "a\nb\nc\n", "a\nb\nc\n", "a\nB\nc\n", "same[a] theirs[b|B] same[c]"},
		{"apart", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "mine[A|a] same[b] theirs[c|C]"},
		{"both the same", "a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\n", "same[a] same[X] same[c]"},
		{"the same line", "a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n", "same[a] conflict[X|Y] same[c]"},
		{"one after the other", "a\nb\nc\nd\n", "a\nX\nc\nd\n", "a\nb\nY\nd\n", "same[a] conflict[X c|b Y] same[d]"},
		{"two insertions at one place", "a\nb\n", "a\nx\nb\n", "a\ny\nb\n", "same[a] conflict[x|y] same[b]"},
		{"changed and removed", "a\nb\nc\n", "a\nX\nc\n", "a\nc\n", "same[a] conflict[X|] same[c]"},
		{"from nothing", "", "a\n", "b\n", "conflict[a|b]"},
		{"to nothing", "a\n", "", "a\n", "mine[|a]"},
		{"no line end at the end", "a\nb", "a\nb\n", "A\nb", "conflict[a b|A b]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := blocksText(MergeTexts(c.base, c.mine, c.theirs)); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
	if got := blocksText(CompareTexts("a\nb\nc\n", "a\nc\nd\n")); got != "same[a] conflict[b|] same[c] conflict[|d]" {
		t.Errorf("compared: %s", got)
	}
}

func blocksText(blocks []MergeBlock) string {
	var parts []string
	words := func(lines []string) string { return strings.Join(strings.Fields(strings.Join(lines, " ")), " ") }
	for _, b := range blocks {
		text := words(b.Mine)
		if b.Kind != MergeSame {
			text += "|" + words(b.Theirs)
		}
		parts = append(parts, string(b.Kind)+"["+text+"]")
	}
	return strings.Join(parts, " ")
}

// Whatever the texts are, no line of any of them is lost or made up, and what one side alone changed is not called a conflict.
func TestMergeTexts_LosesNothing(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "a\r\n"}), 0, 12).Draw(t, "lines")
		return strings.Join(lines, "") + rapid.SampledFrom([]string{"", "end"}).Draw(t, "end")
	})
	rapid.Check(t, func(t *rapid.T) {
		base, mine, theirs := text.Draw(t, "base"), text.Draw(t, "mine"), text.Draw(t, "theirs")
		check := func(what string, blocks []MergeBlock, of func(MergeBlock) []string, want string) {
			var b strings.Builder
			for _, block := range blocks {
				b.WriteString(strings.Join(of(block), ""))
			}
			if b.String() != want {
				t.Errorf("%s: the blocks hold %q, want %q", what, b.String(), want)
			}
		}
		getMine, getTheirs := func(b MergeBlock) []string { return b.Mine }, func(b MergeBlock) []string { return b.Theirs }
		merged := MergeTexts(base, mine, theirs)
		check("mine", merged, getMine, mine)
		check("theirs", merged, getTheirs, theirs)
		check("base", merged, func(b MergeBlock) []string { return b.Base }, base)
		compared := CompareTexts(mine, theirs)
		check("mine compared", compared, getMine, mine)
		check("theirs compared", compared, getTheirs, theirs)
		for _, b := range MergeTexts(base, mine, base) {
			if b.Kind == MergeConflict || b.Kind == MergeTheirs {
				t.Errorf("nobody else changed anything, but a block is %s", b.Kind)
			}
		}
	})
}
