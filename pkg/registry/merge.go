package registry

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// MergeKind says who changed a stretch of a text that two people started from.
type MergeKind string

// The kinds of stretches.
const (
	MergeSame     MergeKind = "same"     // both texts have the same there, whoever changed it
	MergeMine     MergeKind = "mine"     // only mine was changed
	MergeTheirs   MergeKind = "theirs"   // only theirs was changed
	MergeConflict MergeKind = "conflict" // both were changed, each in another way
)

// MergeBlock is a stretch of lines of the texts. Lines have their ends, which the last one of a text may lack. Base is what both started from, none
// where that is not known.
type MergeBlock struct {
	Kind               MergeKind
	Base, Mine, Theirs []string
}

// MergeTexts puts together what two people made of the same text, line by line. Changes that touch each other are in one block. Joined in order, the
// lines of Mine are my text, those of Theirs are theirs, and those of Base what both started from.
func MergeTexts(base, mine, theirs string) []MergeBlock {
	from, a, b := linesOf(base), linesOf(mine), linesOf(theirs)
	mineEdits, theirEdits := lcs.DiffLines(from, a), lcs.DiffLines(from, b)
	var blocks []MergeBlock
	at, atMine, atTheirs := 0, 0, 0 // lines that are in blocks already
	for len(mineEdits) > 0 || len(theirEdits) > 0 {
		start, end := region(mineEdits, theirEdits)
		blocks = addSame(blocks, from[at:start])
		atMine, atTheirs = atMine+start-at, atTheirs+start-at
		var endMine, endTheirs int
		mineEdits, endMine = through(mineEdits, end, atMine+end-start)
		theirEdits, endTheirs = through(theirEdits, end, atTheirs+end-start)
		blocks = append(blocks, blockOf(from[start:end], a[atMine:endMine], b[atTheirs:endTheirs]))
		at, atMine, atTheirs = end, endMine, endTheirs
	}
	return addSame(blocks, from[at:])
}

// CompareTexts gives blocks like those of [MergeTexts] where it is not known what both texts started from: every difference is a conflict.
func CompareTexts(mine, theirs string) []MergeBlock {
	a, b := linesOf(mine), linesOf(theirs)
	var blocks []MergeBlock
	at := 0
	for _, d := range lcs.DiffLines(a, b) {
		blocks = addSame(blocks, a[at:d.Start])
		blocks = append(blocks, MergeBlock{Kind: MergeConflict, Mine: a[d.Start:d.End], Theirs: b[d.ReplStart:d.ReplEnd]})
		at = d.End
	}
	return addSame(blocks, a[at:])
}

// region is the stretch of the base that the next edits change: those that overlap or touch, of either side. Two insertions at the same place touch.
func region(mine, theirs []lcs.Diff) (start, end int) {
	next := func() (lcs.Diff, bool) {
		switch {
		case len(mine) > 0 && (len(theirs) == 0 || mine[0].Start <= theirs[0].Start):
			d := mine[0]
			mine = mine[1:]
			return d, true
		case len(theirs) > 0:
			d := theirs[0]
			theirs = theirs[1:]
			return d, true
		}
		return lcs.Diff{}, false
	}
	first, _ := next()
	start, end = first.Start, first.End
	for d, ok := next(); ok && d.Start <= end; d, ok = next() {
		end = max(end, d.End)
	}
	return start, end
}

// through takes the edits up to the line end of the base, and tells at which line the edited text is then; unchanged is where it would be without them.
func through(edits []lcs.Diff, end, unchanged int) (rest []lcs.Diff, at int) {
	at = unchanged
	for len(edits) > 0 && edits[0].Start <= end {
		d := edits[0]
		at += d.ReplEnd - d.ReplStart - (d.End - d.Start)
		edits = edits[1:]
	}
	return edits, at
}

func blockOf(base, mine, theirs []string) MergeBlock {
	b := MergeBlock{MergeConflict, base, mine, theirs}
	switch {
	case slices.Equal(mine, theirs):
		b.Kind = MergeSame
	case slices.Equal(base, theirs):
		b.Kind = MergeMine
	case slices.Equal(base, mine):
		b.Kind = MergeTheirs
	}
	return b
}

func addSame(blocks []MergeBlock, lines []string) []MergeBlock {
	if len(lines) == 0 {
		return blocks
	}
	return append(blocks, MergeBlock{MergeSame, lines, lines, lines})
}

// linesOf splits a text after its line ends.
func linesOf(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	return lines
}
