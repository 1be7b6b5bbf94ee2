package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// search saves searches, of admin and of somebody else, and gives a page of hits.
func (s *site) search(b *browser) reply {
	s.t.Helper()
	const query = "more OR title updated:>2020-01-01"
	b.post("/console/save-search", "name", "The <b>best</b>", "q", query).wantStatus(http.StatusSeeOther)
	_, _, _, err := s.service.SaveSearch(s.t.Context(), registry.Actor{User: "ann"}, registry.SavedSearch{Name: "Ann's", Query: "x", Shared: true}, registry.Precondition{})
	must(s.t, err)
	return b.get("/console/search?q=" + url.QueryEscape(query))
}

func TestSearch_FindsSavesAndForgets(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(pay, "", "title: <script>Payments</script>\n")
	page := b.get("/console/search?q=payments").wantStatus(http.StatusOK).wantText("1 hit", "openapi.yaml", "<script>", "Payments")
	if n := strings.Count(page.body, "<mark>Payments</mark>"); n != 1 {
		t.Errorf("%d marks on the page", n)
	}
	b.get("/console/search?q=" + url.QueryEscape(`payments "no end`)).wantStatus(http.StatusBadRequest).wantText("character 10")
	b.post("/console/save-search", "name", "", "q", "payments").wantStatus(http.StatusBadRequest).wantText("name of the saved search is empty", "1 hit")
	b.post("/console/save-search", "name", "mine", "q", "payments", "shared", "1").wantRedirect("/console/search?note=search-saved&q=payments")
	b.get("/console/search").wantText("mine", "shared")
	b.post("/console/forget-search", "name", "mine", "q", "payments").wantRedirect("/console/search?note=search-forgotten&q=payments")
	b.post("/console/forget-search", "name", "mine").wantStatus(http.StatusNotFound)
	s.visitor().get("/console/search?q=payments").wantStatus(http.StatusSeeOther)
	b.header = http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}
	for _, page := range []string{"save-search", "forget-search"} {
		b.post("/console/"+page, "name", "x", "q", "x").wantStatus(http.StatusForbidden)
	}
}

// What somebody types into the box of the header is a path when there is such a thing, and else a search.
func TestJump_Searches(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(pay, "", "x")
	for typed, want := range map[string]string{
		"payments type:yaml":  "/console/search?q=payments+type%3Ayaml",
		"none":                "/console/search?q=none",
		"path:/a payments":    "/console/search?q=path%3A%2Fa+payments",
		`"a b"`:               "/console/search?q=%22a+b%22",
		string(pay)[1:]:       "/console/resource" + string(pay),
		" _system/governance": "/console/browse/_system/governance",
	} {
		b.get("/console/go?to=" + url.QueryEscape(typed)).wantRedirect(want)
	}
	b.get("/console/go?to=%2Fnone").wantStatus(http.StatusNotFound)
}
