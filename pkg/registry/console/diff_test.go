package console_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestDiff_ShowsMoreAndInline(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(pay, "", lines(200))
	s.put(pay, "", strings.Replace(lines(200), "line 100\n", "row 100\n", 1))
	s.put(pay, "", strings.Replace(lines(200), "line 100\n", "row 100\nnew\n", 1))
	const at = "/console/diff" + string(pay)
	side := b.get(at+"?from=1&version=3").wantStatus(http.StatusOK).wantText("96 equal lines", "line 97", "97 equal lines", "From version 1 to version 3").wantNoText("line 96 ")
	if !strings.Contains(side.body, "<mark>line</mark> 100") || !strings.Contains(side.body, "<mark>row</mark> 100") {
		t.Error("the changed word is not marked")
	}
	for _, link := range []string{"?context=25&from=1&version=3#change-1", "?context=1048576&from=1&version=3#change-1", "?from=1&version=3&view=inline", "?from=3&version=1"} {
		if !side.hasLink(at + link) {
			t.Errorf("no link to %s", link)
		}
	}
	// What it compares can be put back from here; the current version cannot, nor by who may not write.
	const back = "/console/restore" + string(pay) + "?version="
	if !side.hasLink(back+"1") || side.hasLink(back+"3") {
		t.Error("it does not lead to restoring the older version, or to restoring the current one")
	}
	if got := b.get(back + "1").wantText("See what would change").field("comment"); got != "As in version 1" {
		t.Errorf("the comment to begin with is %q", got)
	}
	s.newUser("joe")
	if s.signedInAs("joe").get(at + "?from=1&version=3").hasLink(back + "1") {
		t.Error("who may not write is shown the way to restoring")
	}
	b.get(at + "?from=2&version=2").wantText("one and the same version")
	s.put(pay+".new", "", "one")
	b.get("/console/diff" + string(pay) + ".new").wantText("There is only one version yet")
	b.get(at+"?from=1&version=3&context=25").wantText("74 equal lines", "line 75").wantNoText("line 74 ")
	inline := b.get(at+"?from=1&version=3&view=inline&context=1048576").wantText("line 1 ", "line 200").wantNoText("equal lines")
	if !inline.hasLink(at + "?context=1048576&from=1&version=3") {
		t.Error("no link back to side by side")
	}
	for _, wrong := range []string{"?context=-1", "?context=x", "?from=9"} {
		if got := b.get(at + wrong).StatusCode; got != http.StatusBadRequest && got != http.StatusNotFound {
			t.Errorf("%s: status %d", wrong, got)
		}
	}
}

// A page has an end, however much differs.
func TestDiff_Cut(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", strings.Repeat("a\n", 100_000))
	s.put(pay, "", strings.Repeat("b\n", 100_000))
	page := s.signedIn().get("/console/diff" + string(pay)).wantStatus(http.StatusOK).wantText("more than a page shows")
	if n := strings.Count(page.body, "<tr"); n > 10_100 {
		t.Errorf("%d rows", n)
	}
}
