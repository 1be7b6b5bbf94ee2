package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// fill puts resources into a collection, a hundred in a transaction.
func (s *site) fill(p registry.Path, n int) {
	s.t.Helper()
	for start := 0; start < n; start += 100 {
		var steps []registry.Step
		for i := start; i < min(start+100, n); i++ {
			steps = append(steps, registry.PutStep(registry.PutInput{Path: p + registry.Path(fmt.Sprintf("/r%05d.txt", i))}, []byte("x")))
		}
		_, _, err := s.service.Batch(s.t.Context(), s.admin, steps)
		must(s.t, err)
	}
}

func (s *site) collection(p registry.Path) {
	s.t.Helper()
	_, err := s.service.CreateCollection(s.t.Context(), s.admin, registry.CollectionInput{Path: p})
	must(s.t, err)
}

// branches are the collections that a part of the tree shows.
func (r reply) branches() []string {
	var list []string
	for n := range r.doc().Descendants() {
		if p, ok := strings.CutPrefix(attr(n, "data-tree"), "/console/tree"); ok {
			list = append(list, p)
		}
	}
	return list
}

// However much a collection holds, its page has as many entries and takes as many statements as that of a small one.
func TestBrowse_CostDoesNotGrow(t *testing.T) {
	s := newSite(t)
	const small, large = shelf + "/a/b/c/d/e/f/small", shelf + "/a/b/c/d/e/f/large"
	s.fill(small, 150)
	s.fill(large, 4000)
	s.fill(shelf+"/a", 3000)
	b := s.signedIn()
	s.newUser("joe")
	cost := func(b *browser, address string) (int64, string) {
		t.Helper()
		b.get(address).wantStatus(http.StatusOK) // fills what is kept in memory
		before := s.sent()
		body := b.get(address).wantStatus(http.StatusOK).body
		return s.sent() - before, body
	}
	for _, who := range []*browser{b, s.signedInAs("joe")} {
		few, _ := cost(who, "/console/browse"+string(small))
		many, body := cost(who, "/console/browse"+string(large))
		if many > few || many > 25 {
			t.Errorf("a small collection takes %d statements, a large one %d", few, many)
		}
		if rows := strings.Count(body, `<th scope="row">`); rows != 100 {
			t.Errorf("the page has %d entries", rows)
		}
		if len(body) > 120_000 {
			t.Errorf("the page has %d bytes", len(body))
		}
		if sent, _ := cost(who, "/console/tree"+string(large)); sent > 10 {
			t.Errorf("a branch takes %d statements", sent)
		}
		if sent, _ := cost(who, "/console/pick"+string(large)); sent > 20 {
			t.Errorf("the picker takes %d statements", sent)
		}
	}
}

func TestTree_ShowsTheWayAndWhatIsBeside(t *testing.T) {
	s := newSite(t)
	for _, p := range []registry.Path{shelf + "/a/deep/er", shelf + "/b", shelf + "/hidden/x", "/_system/config/c"} {
		s.collection(p)
	}
	s.put(shelf+"/file.txt", "", "x")
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	b.post("/console/permissions"+string(shelf)+"/hidden", "read:everyone", "deny").wantStatus(http.StatusSeeOther)
	page := b.get("/console/browse" + string(shelf) + "/a")
	want := []string{
		"/", "/_system", "/_system/archive", "/_system/config", "/_system/governance", string(shelf), string(shelf) + "/a", string(shelf) + "/a/deep", string(shelf) + "/b",
		string(shelf) + "/hidden", "/_system/local",
	}
	if got := page.branches(); !slices.Equal(got, want) {
		t.Errorf("the tree has\n%q, want\n%q", got, want)
	}
	if got := joe.get("/console/browse" + string(shelf) + "/a").branches(); !slices.Equal(got, slices.DeleteFunc(want, func(p string) bool { return strings.HasSuffix(p, "hidden") })) {
		t.Errorf("joe's tree has %q", got)
	}
	if got := joe.get("/console/tree" + string(shelf)).wantStatus(http.StatusOK).branches(); !slices.Equal(got, []string{string(shelf) + "/a", string(shelf) + "/b"}) {
		t.Errorf("joe's branch has %q", got)
	}
	joe.get("/console/tree" + string(shelf) + "/hidden").wantStatus(http.StatusForbidden)
	b.get("/console/tree" + string(shelf) + "/file.txt").wantStatus(http.StatusConflict)
	b.get("/console/tree" + string(shelf) + "?cursor=%00").wantStatus(http.StatusBadRequest)

	// Who may read a collection and not what is above it sees the way there, and nothing else.
	b.post("/console/permissions/_system/governance", "read:everyone", "deny").wantStatus(http.StatusSeeOther)
	b.post("/console/permissions"+string(shelf)+"/a", "read:everyone", "allow").wantStatus(http.StatusSeeOther)
	if got := joe.get("/console/browse" + string(shelf) + "/a").wantStatus(http.StatusOK).branches(); slices.Contains(got, string(shelf)+"/b") || !slices.Contains(got, string(shelf)+"/a/deep") {
		t.Errorf("joe's tree has %q", got)
	}
}

func TestTree_GoesOnPageByPage(t *testing.T) {
	s := newSite(t)
	s.fill(shelf, 1200)
	s.collection(shelf + "/zz/last")
	b := s.signedIn()
	more := func(r reply) string {
		for n := range r.doc().Descendants() {
			if address := attr(n, "data-tree-more"); address != "" {
				return address
			}
		}
		return ""
	}
	page := b.get("/console/browse" + string(shelf) + "/zz") // the current one is shown though it comes after the first page
	if got := page.branches(); !slices.Contains(got, string(shelf)+"/zz") {
		t.Errorf("the tree has %q", got)
	}
	first := b.get(more(page))
	found := first.branches()
	for next := more(first); next != ""; {
		r := b.get(next).wantStatus(http.StatusOK)
		found, next = append(found, r.branches()...), more(r)
	}
	if !slices.Equal(found, []string{string(shelf) + "/zz"}) {
		t.Errorf("the rest of the branch has %q", found)
	}
}

func TestPicker_LeadsBackToItsForm(t *testing.T) {
	s := newSite(t)
	s.put(shelf+"/a.txt", "", "x")
	s.collection(shelf + "/sub/below")
	s.put(shelf+"/sub/b.txt", "", "x")
	b := s.signedIn()
	page := b.post("/console/move"+string(shelf)+"/a.txt", "etag", `"kept"`, "new_path", "/x", "pick", string(shelf)+"/sub").wantStatus(http.StatusOK)
	if got := page.field("new_path"); got != string(shelf)+"/sub/a.txt" || page.field("etag") == "" {
		t.Errorf("the form has %q", got)
	}
	page.wantText("below").wantNoText("b.txt")
	if s.gone(shelf + "/a.txt") {
		t.Error("looking for a place moved it")
	}
	link := b.post("/console/new-link"+string(shelf), "name", "way", "target", "", "pick", string(shelf)+"/sub/b.txt").wantStatus(http.StatusOK).wantText("below", "b.txt")
	if link.field("target") != string(shelf)+"/sub/b.txt" || link.field("name") != "way" {
		t.Error("the form lost what was in it")
	}
	b.get("/console/pick" + string(shelf) + "/sub").wantText("below").wantNoText("b.txt")
	b.get("/console/pick"+string(shelf)+"/sub?all=1").wantText("below", "b.txt")
	s.fill(shelf+"/many", 700)
	s.collection(shelf + "/many/z")
	first := b.get("/console/pick" + string(shelf) + "/many").wantText("Nothing to choose among the first entries.")
	next := b.post("/console/move"+string(shelf)+"/a.txt", "new_path", "/x", "picked", string(shelf)+"/many", "pick_after", first.field("pick_after")).wantStatus(http.StatusOK)
	if !strings.Contains(next.body, `value="`+string(shelf)+`/many/z"`) {
		t.Errorf("it does not go on: %s", next.text())
	}
	b.post("/console/move"+string(shelf)+"/a.txt", "pick", "a//b").wantStatus(http.StatusBadRequest)
}
