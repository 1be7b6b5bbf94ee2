package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// What the buttons of the conflict page do, beside saving mine.
const (
	doMerge      = "merge"       // store the merged text
	doEditMerged = "edit-merged" // go on with it in the editor
)

const (
	mergeContext   = 3   // equal lines that are shown around a change
	maxMergeBlocks = 200 // changes beyond which the page shows the two texts and no merge
)

// conflictView shows what somebody else saved beside what the user wants to save, and the two merged where what both began from is known.
type conflictView struct {
	head
	ETag     string // of what is there now; "" when it was deleted
	Base     string // as in editView
	Deleted  bool
	HasBase  bool
	Blocks   []mergeBlock // none where the texts cannot be merged
	Clashes  int          // how many of them need a choice
	Theirs   preview      // only without Blocks
	Text     string       // the user's draft
	Newlines newlines
	Comment  string
	Error    string
}

// mergeBlock is a stretch of the merged text, as the page shows it.
type mergeBlock struct {
	registry.MergeBlock
	Number  int    // of a conflict, from 1; 0 for other stretches
	Choice  string // of a conflict: what was chosen already
	Line    int    // where it begins in their text
	Hidden  int    // equal lines that are left out after those in Mine
	Clipped []string
}

// IsConflict is for templates.
func (b mergeBlock) IsConflict() bool { return b.Number > 0 }

// Field is the name of the field that has the choice.
func (b mergeBlock) Field() string { return choiceField(b.Number) }

// Taken is what the merged text has of a change of one side.
func (b mergeBlock) Taken() []string {
	if b.Kind == registry.MergeTheirs {
		return b.Theirs
	}
	return b.Mine
}

// mergeSide is one of the two texts of a conflict.
type mergeSide struct {
	Field, Value, Label, Choice string
	Lines                       []string
}

// Side is for templates.
func (b mergeBlock) Side(value string) mergeSide {
	if value == "theirs" {
		return mergeSide{b.Field(), value, mark("Theirs"), b.Choice, b.Theirs}
	}
	return mergeSide{b.Field(), value, mark("Yours"), b.Choice, b.Mine}
}

func choiceField(n int) string { return "choice-" + strconv.Itoa(n) }

// conflict keeps both texts. The form on the page carries the entity tag of the newer state: saving it again overwrites that, and no other.
func (c *console) conflict(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, draft editView) error {
	return c.showConflict(w, r, a, p, draft, "")
}

func (c *console) showConflict(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, draft editView, problem string) error {
	v := conflictView{Base: draft.Base, Text: draft.Text, Newlines: draft.Newlines, Comment: draft.Comment, Error: problem}
	cur, err := c.currentText(r, a, p)
	switch registry.CodeOf(err) {
	case "":
		v.head, v.ETag = c.headOf(r, cur.resource, "content", cur.resource.Version), cur.resource.ETag()
		if err := c.fillConflict(r, a, cur, draft, &v); err != nil {
			return err
		}
	case registry.CodeNotFound:
		v.Deleted = true
		v.head = c.headOf(r, registry.Resource{Path: p, Kind: registry.KindResource}, "content", 0)
		v.Crumbs = crumbsOf(p.Parent())
	default:
		return err
	}
	return c.show(w, r, a, http.StatusPreconditionFailed, "conflict", c.say("Somebody was faster"), v.head, v)
}

// fillConflict puts the merge into v, or only the beginning of their content where the two cannot be merged.
func (c *console) fillConflict(r *http.Request, a registry.Actor, theirs currentText, draft editView, v *conflictView) error {
	if blocks, hasBase := c.mergeWith(r, a, theirs, draft); blocks != nil {
		v.Blocks, v.HasBase = showBlocks(blocks, r), hasBase
		for _, b := range v.Blocks {
			v.Clashes = max(v.Clashes, b.Number)
		}
		return nil
	}
	_, at, content, err := c.Service.Open(r.Context(), a, theirs.resource.Path, theirs.resource.Version, registry.Freshness{})
	if err != nil {
		return err
	}
	v.Theirs, err = readPreview(content, at.Size)
	return errors.Join(err, content.Close())
}

// mergeWith merges the draft with theirs, by what both began from where that can still be read. It gives nothing where theirs is no text, or too much
// differs for a page.
func (c *console) mergeWith(r *http.Request, a registry.Actor, theirs currentText, draft editView) (blocks []registry.MergeBlock, hasBase bool) {
	if !theirs.isText || len(draft.Text) > maxEditable {
		return nil, false
	}
	mine, other := fromTextarea(draft.Text, newlinesLF), fromTextarea(theirs.text, newlinesLF)
	base, hasBase := c.baseOf(r, a, theirs.resource.Path, draft.Base)
	if hasBase {
		blocks = registry.MergeTexts(base, mine, other)
	} else {
		blocks = registry.CompareTexts(mine, other)
	}
	lines := 0
	for _, b := range blocks {
		if b.Kind != registry.MergeSame {
			lines += len(b.Mine) + len(b.Theirs)
		}
	}
	if len(blocks) > maxMergeBlocks || lines > maxShownLines {
		return nil, false
	}
	return blocks, hasBase
}

// baseOf reads the version with an entity tag: the number stands last in it. A version of what was there before, or one that retention removed, is none.
func (c *console) baseOf(r *http.Request, a registry.Actor, p registry.Path, tag string) (string, bool) {
	base, err := c.textOf(r, a, p, tag)
	if err != nil || !base.isText {
		return "", false
	}
	return fromTextarea(base.text, newlinesLF), true
}

// textOf reads the version that an entity tag of a resource or of a version names: its id and number stand first in it, with a point between.
func (c *console) textOf(r *http.Request, a registry.Actor, p registry.Path, tag string) (currentText, error) {
	parts := strings.Split(strings.Trim(tag, `"`), ".")
	none := registry.Errorf(registry.CodeNotFound, "%s has no version with the entity tag %s", p, tag)
	if len(parts) < 2 {
		return currentText{}, none
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n <= 0 {
		return currentText{}, none
	}
	found, err := c.textAt(r, a, p, n)
	if err == nil && found.version.ETag() != `"`+parts[0]+"."+parts[1]+`"` {
		err = none
	}
	return found, err
}

// showBlocks numbers the conflicts and leaves out what is equal far from any change.
func showBlocks(blocks []registry.MergeBlock, r *http.Request) []mergeBlock {
	shown := make([]mergeBlock, 0, len(blocks))
	line, conflicts := 1, 0
	for i, b := range blocks {
		m := mergeBlock{MergeBlock: b, Line: line}
		line += len(b.Theirs)
		switch b.Kind {
		case registry.MergeConflict:
			conflicts++
			m.Number, m.Choice = conflicts, r.PostForm.Get(choiceField(conflicts))
		case registry.MergeSame:
			m = m.clip(i == 0, i == len(blocks)-1)
		case registry.MergeMine, registry.MergeTheirs:
		}
		shown = append(shown, m)
	}
	return shown
}

// clip leaves the lines that are near a change.
func (b mergeBlock) clip(first, last bool) mergeBlock {
	head, tail := mergeContext, mergeContext
	if first {
		head = 0
	}
	if last {
		tail = 0
	}
	if len(b.Mine) > head+tail+1 {
		b.Hidden = len(b.Mine) - head - tail
		b.Clipped = b.Mine[len(b.Mine)-tail:]
		b.Mine = b.Mine[:head]
	}
	return b
}

// merge stores the merged text with the user's choices, or gives it back for more editing. It merges with the version that the page showed, which must
// still be the newest.
func (c *console) merge(w http.ResponseWriter, r *http.Request, a registry.Actor, p registry.Path, draft editView, do string) error {
	theirs, err := c.textOf(r, a, p, draft.ETag)
	switch code := registry.CodeOf(err); {
	case code == registry.CodeNotFound || code == registry.CodeGone:
		return c.conflict(w, r, a, p, draft)
	case err != nil:
		return err
	case do == doEditMerged && theirs.resource.ETag() != draft.ETag:
		return c.conflict(w, r, a, p, draft)
	}
	blocks, _ := c.mergeWith(r, a, theirs, draft)
	if blocks == nil {
		return c.conflict(w, r, a, p, draft)
	}
	text, open := joinBlocks(blocks, r)
	if open > 0 && do == doMerge {
		problem := c.say("Choose for %s what is to be saved, or edit the merged text.", c.count(open, "conflict", "conflicts"))
		return c.showConflict(w, r, a, p, draft, problem)
	}
	v := editView{
		head: c.headOf(r, theirs.resource, "content", theirs.resource.Version), ETag: draft.ETag, Base: theirs.version.ETag(), Newlines: newlinesOf(theirs.text),
		Comment: draft.Comment, Dirty: true,
	}
	v.Text = fromTextarea(text, v.Newlines)
	if do == doMerge {
		return c.save(w, r, a, p, v)
	}
	return c.show(w, r, a, http.StatusOK, "edit", c.say("Edit %s", v.Name()), v.head, v)
}

// joinBlocks makes the merged text. Conflicts without a choice stand in it with marks around both sides, and are counted.
func joinBlocks(blocks []registry.MergeBlock, r *http.Request) (text string, open int) {
	var out strings.Builder
	write := func(lines []string) {
		for _, l := range lines {
			out.WriteString(l)
		}
	}
	endLine := func(lines []string) { // what follows begins on a line of its own
		if n := len(lines); n > 0 && !strings.HasSuffix(lines[n-1], "\n") {
			out.WriteString("\n")
		}
	}
	number := 0
	for _, b := range blocks {
		switch b.Kind {
		case registry.MergeSame, registry.MergeMine:
			write(b.Mine)
			continue
		case registry.MergeTheirs:
			write(b.Theirs)
			continue
		case registry.MergeConflict:
			number++
		}
		switch r.PostForm.Get(choiceField(number)) {
		case "mine":
			write(b.Mine)
		case "theirs":
			write(b.Theirs)
		case "both":
			write(b.Theirs)
			endLine(b.Theirs)
			write(b.Mine)
		default:
			open++
			out.WriteString("<<<<<<< theirs\n")
			write(b.Theirs)
			endLine(b.Theirs)
			out.WriteString("=======\n")
			write(b.Mine)
			endLine(b.Mine)
			out.WriteString(">>>>>>> mine\n")
		}
	}
	return out.String(), open
}
