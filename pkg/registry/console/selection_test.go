package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

const shelf = registry.Path("/_system/governance/shelf")

// ticked is the form of a page that asks about entries: its fields as a browser sends them.
func (r reply) ticked() []string {
	var pairs []string
	for n := range r.doc().Descendants() {
		if n.Data == "input" && attr(n, "type") == "hidden" {
			pairs = append(pairs, attr(n, "name"), attr(n, "value"))
		}
	}
	return append(pairs, "sure", "1")
}

func (s *site) gone(p registry.Path) bool {
	_, err := s.service.Look(s.t.Context(), s.admin, p, registry.Freshness{})
	return registry.CodeOf(err) == registry.CodeNotFound
}

func TestSelection_DeletesAllOrNothing(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, name := range []string{"a", "b", "c"} {
		s.put(shelf+registry.Path("/"+name), "", name)
	}
	list := b.get("/console/browse"+string(shelf)).wantText("Delete…", "Move…", "Copy…", "Tag…")
	if strings.Count(list.body, `name="name"`) != 3 {
		t.Errorf("not every entry has a box: %s", list.body)
	}
	ask := b.post("/console/selection"+string(shelf), "do", "delete", "name", "a", "name", "b").wantStatus(http.StatusOK).wantText("Delete 2 entries?", "a", "b")
	ask.wantNoText("point")
	s.put(shelf+"/b", "", "changed meanwhile")
	again := b.post("/console/selection"+string(shelf), ask.ticked()...).wantStatus(http.StatusPreconditionFailed).wantText("Nothing was changed", "/b")
	if s.gone(shelf + "/a") {
		t.Fatal("one was deleted though another was not")
	}
	b.post("/console/selection"+string(shelf), again.ticked()...).wantRedirect("/console/browse" + string(shelf) + "?note=deleted-some")
	if !s.gone(shelf+"/a") || !s.gone(shelf+"/b") || s.gone(shelf+"/c") {
		t.Error("others are gone than were selected")
	}
}

func TestSelection_MovesCopiesAndTags(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, name := range []string{"a", "b", "c", "deep/d"} {
		s.put(shelf+registry.Path("/"+name), "", name)
	}
	post := func(pairs ...string) reply {
		t.Helper()
		return b.post("/console/selection"+string(shelf), append(pairs, "sure", "1")...)
	}
	post("do", "move", "name", "a", "name", "b", "to", "/_system/governance/new").wantRedirect("/console/browse/_system/governance/new?note=moved")
	if !s.gone(shelf+"/a") || s.content("/_system/governance/new/b") != "b" {
		t.Error("they were not moved")
	}
	// One name is taken there: nothing is copied.
	s.put(shelf+"/a", "", "a two")
	s.put(shelf+"/z", "", "z")
	post("do", "copy", "name", "z", "name", "a", "to", "/_system/governance/new").wantStatus(http.StatusConflict).wantText("Nothing was changed", "/_system/governance/new/a exists already")
	if !s.gone("/_system/governance/new/z") {
		t.Error("half was copied")
	}
	// A collection cannot be copied in one transaction: each entry is told of.
	post("do", "copy", "name", "deep", "name", "a", "name", "c", "to", "/_system/governance/new").wantStatus(http.StatusOK).
		wantText("Copied 2 of 3", "/_system/governance/new/a exists already")
	if s.content("/_system/governance/new/deep/d") != "deep/d" || s.content("/_system/governance/new/c") != "c" || s.content("/_system/governance/new/a") != "a" {
		t.Error("the copies are not what was there")
	}
	post("do", "tag", "name", "a", "name", "deep", "tags", " red, blue ").wantRedirect("/console/browse" + string(shelf) + "?note=tagged")
	post("do", "tag", "name", "a", "tags", "a<b>").wantStatus(http.StatusBadRequest).wantText("Nothing was changed")
	for _, p := range []registry.Path{shelf + "/a", shelf + "/deep"} {
		if list, err := s.service.Tags(t.Context(), s.admin, p, registry.Freshness{}); err != nil || len(list.Tags) != 2 {
			t.Errorf("%s has %v: %v", p, list.Tags, err)
		}
	}
	// Into another store, one after the other.
	post("do", "move", "name", "a", "name", "c", "to", "/_system/local/in").wantRedirect("/console/browse/_system/local/in?note=moved")
	if s.content("/_system/local/in/c") != "c" {
		t.Error("nothing arrived in the other store")
	}
}

func TestSelection_RefusesWhatItCannotDo(t *testing.T) {
	s := newSite(t)
	s.put(shelf+"/a", "", "a")
	s.put(shelf+"/kept", "", "kept")
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	many := []string{"do", "delete"}
	for i := range 101 {
		many = append(many, "name", fmt.Sprint(i))
	}
	address := "/console/selection" + string(shelf)
	b.post(address, many...).wantStatus(http.StatusBadRequest).wantText("101 entries were selected; at most 100")
	b.post(address, "do", "delete").wantStatus(http.StatusBadRequest).wantText("Nothing was selected")
	b.post(address, "do", "explode", "name", "a").wantStatus(http.StatusBadRequest)
	b.post(address, "do", "delete", "name", "a/../../config").wantStatus(http.StatusBadRequest)
	b.post(address, "do", "delete", "name", "deep/a").wantStatus(http.StatusBadRequest)
	b.post("/console/selection/_system", "do", "delete", "name", "governance").wantStatus(http.StatusConflict).wantText("mount point")
	// Who may not delete has no button, and no way.
	list := joe.get("/console/browse"+string(shelf)).wantText("Tag…", "Copy…")
	list.wantNoText("Delete…").wantNoText("Move…")
	joe.post(address, "do", "delete", "name", "a", "sure", "1").wantStatus(http.StatusForbidden)
	joe.post(address, "do", "move", "name", "a", "name", "kept", "sure", "1", "to", "/_system/config").wantStatus(http.StatusForbidden)
	// What may not be deleted is left alone, and named.
	b.post("/console/permissions"+string(shelf), "write:everyone", "allow", "delete:everyone", "allow").wantStatus(http.StatusSeeOther)
	b.post("/console/permissions"+string(shelf)+"/kept", "delete:everyone", "deny").wantStatus(http.StatusSeeOther)
	ask := joe.post(address, "do", "delete", "name", "a", "name", "kept").wantStatus(http.StatusOK).wantText("Delete 1 entry?", "Left alone", "You may not delete "+string(shelf)+"/kept")
	joe.post(address, ask.ticked()...).wantStatus(http.StatusSeeOther)
	if !s.gone(shelf+"/a") || s.content(shelf+"/kept") != "kept" {
		t.Error("something else was deleted than what may be")
	}
}

func TestDelete_TellsWhatPointsThere(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	ctx := t.Context()
	for _, p := range []registry.Path{shelf + "/api/in.yaml", shelf + "/api/deep/er.yaml", shelf + "/user.txt", "/_system/governance/secret/spy.txt"} {
		s.put(p, "", "x")
	}
	b.get("/console/delete" + string(shelf) + "/user.txt").wantNoText("from elsewhere").wantNoText("links").wantNoText("permissions of their own")
	associate := func(from registry.Path) {
		_, _, _, err := s.service.Associate(ctx, s.admin, from, registry.DependsType, string(shelf+"/api/deep/er.yaml"))
		must(t, err)
	}
	associate(shelf + "/user.txt")
	associate(shelf + "/api/in.yaml") // goes, too: not told
	associate("/_system/governance/secret/spy.txt")
	for from, to := range map[registry.Path]registry.Path{"/_system/config/way": shelf + "/api/in.yaml", shelf + "/api/inner": shelf + "/api", "/_system/config/other": "/_system/config"} {
		_, err := s.service.Link(ctx, s.admin, registry.LinkInput{Path: from, Target: to})
		must(t, err)
	}
	b.post("/console/permissions"+string(shelf)+"/api/deep", "read:everyone", "allow").wantStatus(http.StatusSeeOther)
	page := b.get("/console/delete"+string(shelf)+"/api").wantText("4 entries below it go", "1 of these has permissions", "2 associations lead here from elsewhere", "1 link leads here",
		"/user.txt", "spy.txt", "/_system/config/way")
	page.wantNoText("/_system/config/other")
	if !page.hasLink("/console/resource"+string(shelf)+"/user.txt") || page.hasLink("/console/resource"+string(shelf)+"/api/in.yaml") {
		t.Error("it names what goes, or not what stays")
	}
	b.post("/console/selection"+string(shelf), "do", "delete", "name", "api", "name", "user.txt").
		wantText("4 entries below them go", "1 association leads here", "spy.txt", "/_system/config/way").wantNoText("depends → " + string(shelf) + "/user.txt")

	// Who may not read where it comes from is not told of it.
	b.post("/console/permissions/_system/governance/secret", "read:everyone", "deny").wantStatus(http.StatusSeeOther)
	b.post("/console/permissions"+string(shelf), "delete:everyone", "allow").wantStatus(http.StatusSeeOther)
	s.newUser("joe")
	s.signedInAs("joe").get("/console/delete" + string(shelf) + "/api").wantText("1 association leads here").wantNoText("spy.txt").wantNoText("permissions of")
}

func TestDelete_LooksAtABoundedPart(t *testing.T) {
	s := newSite(t)
	steps := func(from, to int) {
		var list []registry.Step
		for i := from; i < to; i++ {
			list = append(list, registry.PutStep(registry.PutInput{Path: shelf + registry.Path(fmt.Sprintf("/n%04d", i))}, []byte("x")))
		}
		_, _, err := s.service.Batch(t.Context(), s.admin, list)
		must(t, err)
	}
	for i := 0; i < 2100; i += 100 {
		steps(i, i+100)
	}
	s.signedIn().get("/console/delete"+string(shelf)).wantText("More than", "as far as this page looks")
}
