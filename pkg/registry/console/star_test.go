package console_test

import (
	"net/http"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// starred gives paths stars of the visitor's and opens the list.
func (s *site) starred(b *browser, paths ...registry.Path) reply {
	s.t.Helper()
	for _, p := range paths {
		s.clock.advance(1e9)
		b.post("/console/star"+p.String(), "on", "1", "next", "/console/starred").wantRedirect("/console/starred")
	}
	return b.get("/console/starred")
}

func TestStar_StaysWithWhatItIsOn(t *testing.T) {
	s := newSite(t)
	const doc, moved = "/_system/governance/doc.txt", "/_system/governance/moved.txt"
	s.put(doc, "", "x")
	s.newUser("joe")
	admin, joe := s.signedIn(), s.signedInAs("joe")
	joe.get("/console/starred").wantStatus(http.StatusOK).wantText("Nothing starred yet")
	s.starred(joe, doc).wantText(doc)
	joe.get("/console/").wantText(doc)
	admin.get("/console/starred").wantNoText(doc)

	_, err := s.service.Move(t.Context(), s.admin, registry.MoveInput{From: doc, To: moved})
	must(t, err)
	joe.get("/console/starred").wantText(moved).wantNoText(doc)

	// Who may not read it any more does not hear where it is.
	admin.post("/console/permissions"+moved, "read:everyone", "deny").wantStatus(http.StatusSeeOther)
	joe.get("/console/starred").wantNoText(moved)
	joe.get("/console/").wantNoText(moved)
	joe.post("/console/star"+moved, "on", "1").wantStatus(http.StatusForbidden)
	admin.post("/console/permissions" + moved).wantStatus(http.StatusSeeOther)

	joe.post("/console/star"+moved, "next", "https://evil.example/").wantRedirect("/console/")
	joe.get("/console/starred").wantNoText(moved)

	// A mount that takes no changes takes stars.
	s.starred(joe, "/_system/archive").wantText("/_system/archive")
	// What only leads to mounts has no star.
	joe.post("/console/star/_system", "on", "1").wantStatus(http.StatusConflict)
	if joe.get("/console/browse/_system").hasForm("/console/star/_system") {
		t.Error("what only leads to mounts offers a star")
	}
}

// hasForm tells whether the page has a form that goes to an address.
func (r reply) hasForm(action string) bool {
	for n := range r.doc().Descendants() {
		if n.Data == "form" && attr(n, "action") == action {
			return true
		}
	}
	return false
}
