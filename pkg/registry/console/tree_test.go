package console_test

import (
	"net/http"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestMove_AndCopy(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(pay, "", "one")
	id := s.get(pay).ID
	form := b.get("/console/move" + string(pay)).wantStatus(http.StatusOK)
	if got := form.field("new_path"); got != string(pay) {
		t.Errorf("the form begins with %q", got)
	}
	const to registry.Path = "/_system/governance/new/pay.yaml"
	b.post("/console/move"+string(pay), "etag", `"stale"`, "new_path", string(to)).wantStatus(http.StatusPreconditionFailed)
	b.post("/console/move"+string(pay), "etag", form.field("etag"), "new_path", string(to), "do", "move").wantRedirect("/console/resource" + string(to) + "?note=moved")
	if s.get(to).ID != id {
		t.Error("something else is at the new place")
	}
	b.post("/console/move"+string(to), "etag", s.get(to).ETag(), "new_path", string(pay), "do", "copy").wantRedirect("/console/resource" + string(pay) + "?note=copied")
	if s.get(pay).ID == id || s.content(pay) != "one" {
		t.Error("there is no copy")
	}
	b.post("/console/move/_system/governance/new", "new_path", "/_system/governance/new/below").wantStatus(http.StatusConflict).wantText("nothing can be put into itself")
	b.header = http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	for _, page := range []string{"move", "new-link", "undelete", "purge"} {
		b.post("/console/"+page+string(pay), "new_path", "/x").wantStatus(http.StatusForbidden)
	}
}

func TestTrash_PutsBackAndPurges(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, text := range []string{"one", "two"} {
		s.put(pay, "", text)
		b.post("/console/delete"+string(pay), "etag", s.get(pay).ETag()).wantStatus(http.StatusSeeOther)
	}
	list := b.get("/console/trash/_system/governance").wantStatus(http.StatusOK).wantText(string(pay), adminName)
	id := list.field("id") // the newest
	b.post("/console/undelete/_system/governance", "id", id, "new_path", list.field("new_path")).wantRedirect("/console/resource" + string(pay) + "?note=undeleted")
	if got := s.content(pay); got != "two" {
		t.Errorf("put back %q", got)
	}
	older := b.get("/console/trash/_system/governance").field("id")
	b.post("/console/undelete/_system/governance", "id", older, "new_path", string(pay)).wantStatus(http.StatusConflict).wantText("exists already")
	b.post("/console/undelete/_system/governance", "id", older, "new_path", "/a//b").wantStatus(http.StatusBadRequest).wantText("empty name")
	b.post("/console/undelete/_system/governance", "id", "x", "new_path", string(pay)).wantStatus(http.StatusBadRequest)
	b.post("/console/purge/_system/governance", "id", older).wantRedirect("/console/trash/_system/governance?note=purged")
	b.get("/console/trash/_system/governance?note=purged").wantText("Deleted for good.", "The trash is empty")
	b.post("/console/purge/_system/governance", "id", older).wantStatus(http.StatusNotFound)
}

func TestLink_LeadsAndGoes(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(pay, "", "one")
	b.post("/console/new-link/_system/config", "name", "pay", "target", string(pay)).wantRedirect("/console/browse/_system/config?note=created")
	b.post("/console/new-link/_system/config", "name", "apis", "target", string(pay.Parent())).wantStatus(http.StatusSeeOther)
	b.post("/console/new-link/_system/config", "name", "pay", "target", "/x").wantStatus(http.StatusPreconditionFailed).wantText("exists already")
	b.post("/console/new-link/_system/config", "name", "bad", "target", "a//b").wantStatus(http.StatusBadRequest).wantText("empty name")
	b.get("/console/browse/_system/config").wantText("leads to " + string(pay))
	b.get("/console/resource/_system/config/pay").wantText("one", string(pay))
	b.get("/console/resource/_system/config/apis").wantRedirect("/console/browse/_system/config/apis")
	b.get("/console/browse/_system/config/apis").wantText("openapi.yaml")

	page := b.get("/console/delete/_system/config/pay").wantText("This takes the link", "stays")
	b.post("/console/delete/_system/config/pay", "etag", page.field("etag")).wantStatus(http.StatusSeeOther)
	if got := s.content(pay); got != "one" {
		t.Errorf("the target holds %q", got)
	}
	b.get("/console/resource/_system/config/pay").wantStatus(http.StatusNotFound)
}
