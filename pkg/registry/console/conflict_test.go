package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

const contested = registry.Path("/_system/config/contested.txt")

// conflict sends what somebody made of a text of nine lines, of which somebody else has changed the last meanwhile. With more fields, it goes on from there.
func (s *site) conflict(b *browser, mine string, more ...string) reply {
	s.t.Helper()
	s.put(contested, "", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	form := b.get("/console/edit" + string(contested)).wantStatus(http.StatusOK)
	s.put(contested, "", "1\n2\n3\n4\n5\n6\n7\n8\nninth of theirs\n")
	r := s.send(b, form, mine)
	if len(more) == 0 {
		return r
	}
	return s.send(b, r.wantStatus(http.StatusPreconditionFailed), r.field("text"), more...)
}

// send sends the form that a page has, with a text.
func (s *site) send(b *browser, form reply, text string, more ...string) reply {
	s.t.Helper()
	fields := []string{"etag", form.field("etag"), "base", form.field("base"), "newlines", form.field("newlines"), "text", strings.ReplaceAll(text, "\n", "\r\n")}
	return b.post("/console/edit"+string(contested), append(fields, more...)...)
}

func TestConflict_MergesWhatDoesNotOverlap(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	page := s.conflict(b, "first of mine\n2\n3\n4\n5\n6\n7\n8\n9\n")
	page.wantStatus(http.StatusPreconditionFailed).wantText("does not overlap", "no conflicts", "first of mine", "ninth of theirs")
	s.send(b, page, page.field("text"), "do", "merge", "comment", "both").wantRedirect("/console/resource" + string(contested) + "?note=saved")
	if got := s.content(contested); got != "first of mine\n2\n3\n4\n5\n6\n7\n8\nninth of theirs\n" {
		t.Errorf("content is %q", got)
	}
	if got := s.get(contested); got.Version != 3 || got.Comment != "both" {
		t.Errorf("version %d, comment %q", got.Version, got.Comment)
	}
}

func TestConflict_AsksForEachBlock(t *testing.T) {
	const mine, rest = "first\n2\n3\n4\n5\n6\n7\n8\nninth of mine\n", "first\n2\n3\n4\n5\n6\n7\n8\n"
	for choice, want := range map[string]string{
		"mine": mine, "theirs": rest + "ninth of theirs\n", "both": rest + "ninth of theirs\nninth of mine\n",
	} {
		t.Run(choice, func(t *testing.T) {
			s := newSite(t)
			b := s.signedIn()
			page := s.conflict(b, mine)
			page.wantStatus(http.StatusPreconditionFailed).wantText("Conflict 1 of 1, at line 9", "ninth of mine", "ninth of theirs")
			page = s.send(b, page, page.field("text"), "do", "merge").wantStatus(http.StatusPreconditionFailed).wantText("Choose for 1 conflict")
			if got := s.content(contested); strings.Contains(got, "mine") {
				t.Fatalf("saved without a choice: %q", got)
			}
			s.send(b, page, page.field("text"), "do", "merge", "choice-1", choice).wantStatus(http.StatusSeeOther)
			if got := s.content(contested); got != want {
				t.Errorf("content is %q, want %q", got, want)
			}
		})
	}
}

func TestConflict_GoesOnInTheEditor(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	page := s.conflict(b, "1\n2\n3\n4\n5\n6\n7\n8\nninth of mine\n", "do", "edit-merged").wantStatus(http.StatusOK).wantText("Save as version 3")
	if got := page.field("text"); !strings.HasSuffix(got, "8\n<<<<<<< theirs\nninth of theirs\n=======\nninth of mine\n>>>>>>> mine\n") {
		t.Errorf("the merged text is %q", got)
	}
	s.send(b, page, "all of us\n").wantStatus(http.StatusSeeOther)
	if got := s.content(contested); got != "all of us\n" {
		t.Errorf("content is %q", got)
	}
}

// While somebody chooses, a third one saves: the merge begins again with that, and nothing is overwritten.
func TestConflict_AgainWhileChoosing(t *testing.T) {
	for _, do := range []string{"merge", "edit-merged"} {
		s := newSite(t)
		b := s.signedIn()
		page := s.conflict(b, "1\n2\n3\n4\n5\n6\n7\n8\nninth of mine\n")
		s.put(contested, "", "third\n")
		again := s.send(b, page, page.field("text"), "do", do, "choice-1", "mine").wantStatus(http.StatusPreconditionFailed).wantText("saved version 3", "third", "ninth of mine")
		if got := s.content(contested); got != "third\n" {
			t.Errorf("%s: content is %q", do, got)
		}
		_, err := s.service.Delete(t.Context(), s.admin, contested, registry.Precondition{})
		must(t, err)
		s.send(b, again, again.field("text"), "do", do, "choice-1", "mine").wantStatus(http.StatusPreconditionFailed).wantText("somebody deleted", "ninth of mine")
	}
}

// A base that is not of this resource, or not kept, is none: then every difference is a conflict, and nothing is taken by itself.
func TestConflict_WithoutBase(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(contested, "", "mine alone\nsame\n")
	other := s.get(contested).ETag()
	_, err := s.service.Delete(t.Context(), s.admin, contested, registry.Precondition{})
	must(t, err)
	s.put(contested, "", "same\ntheirs alone\n")
	for _, base := range []string{"", other, `"x"`, `"x.1"`, strings.Replace(s.get(contested).ETag(), ".1", ".77", 1)} {
		b.post("/console/edit"+string(contested), "etag", `"stale"`, "base", base, "newlines", "lf", "text", "mine alone\r\nsame\r\n").
			wantStatus(http.StatusPreconditionFailed).wantText("2 conflicts", "what both began from is not kept any more")
	}
}

// The line ends of forms are no changes, and the stored ones stay.
func TestConflict_KeepsLineEnds(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(contested, "", "1\r\n2\r\n3\r\n")
	form := b.get("/console/edit" + string(contested))
	s.put(contested, "", "1\r\n2\r\nthree\r\n")
	page := s.send(b, form, "one\n2\n3\n").wantStatus(http.StatusPreconditionFailed).wantText("no conflicts")
	s.send(b, page, strings.ReplaceAll(page.field("text"), "\r\n", "\n"), "do", "merge").wantStatus(http.StatusSeeOther)
	if got := s.content(contested); got != "one\r\n2\r\nthree\r\n" {
		t.Errorf("content is %q", got)
	}
}

// Too much for a page to merge is shown as before, and can be saved.
func TestConflict_TooMuchToMerge(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(contested, "", lines(12_000))
	form := b.get("/console/edit" + string(contested))
	s.put(contested, "", lines(12_000)+"end\n")
	s.send(b, form, "begin\n"+lines(12_000)).wantStatus(http.StatusPreconditionFailed).wantText("11,994 lines that nobody changed", "no conflicts")
	s.put(contested, "", strings.ReplaceAll(lines(12_000), "line", "theirs"))
	page := s.send(b, form, strings.ReplaceAll(lines(12_000), "line", "mine")).wantStatus(http.StatusPreconditionFailed).wantText("Take over what you want")
	s.send(b, page, page.field("text"), "do", "merge").wantStatus(http.StatusPreconditionFailed)
	s.send(b, page, page.field("text")).wantStatus(http.StatusSeeOther)
}
