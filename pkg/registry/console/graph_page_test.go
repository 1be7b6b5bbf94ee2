package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// "Which services break if I delete this schema" has its answer in the head of one page.
func TestGraph_SaysWhatBreaks(t *testing.T) {
	s := newSite(t)
	const in = "/_system/governance/trunk"
	s.put(in+"/x", "", "x")
	for _, name := range []string{"/schemas/money.xsd", "/wsdls/billing.wsdl", "/services/Billing", "/services/Shop"} {
		s.put(in+registry.Path(name), "", "x")
	}
	for _, pair := range [][2]string{
		{"/wsdls/billing.wsdl", "/schemas/money.xsd"}, {"/services/Billing", "/wsdls/billing.wsdl"}, {"/services/Shop", "/services/Billing"}, {"/schemas/money.xsd", "/services/Shop"},
	} {
		_, _, _, err := s.service.Associate(t.Context(), s.admin, in+registry.Path(pair[0]), "depends", in+pair[1])
		must(t, err)
	}
	_, _, _, err := s.service.Associate(t.Context(), s.admin, in+"/services/Shop", "docs", "https://docs.example.org/shop")
	must(t, err)
	b := s.signedIn()

	page := b.get("/console/impact"+in+"/schemas/money.xsd").wantStatus(http.StatusOK).
		wantText("3 resources depend on it", "Deleting it breaks 1 directly, and the others through them.", "2 services", "1 WSDL")
	checkNothingInline(t, page.doc())
	checkWellFormed(t, page.body)
	checkAccess(t, page.doc())
	checkHeadings(t, page.doc())
	if n := strings.Count(page.body, `<g class="box`); n != 4 {
		t.Errorf("the picture has %d boxes", n)
	}
	if n := strings.Count(page.body, `<g class="edge`); n != 4 || strings.Count(page.body, `<g class="edge back"`) != 1 {
		t.Errorf("the picture has %d lines", n)
	}
	for _, link := range []string{
		"/console/impact" + in + "/services/Billing", "/console/dependencies" + in + "/schemas/money.xsd", "/console/impact" + in + "/schemas/money.xsd?type=%2A",
		"/console/impact" + in + "/schemas/money.xsd?depth=2", "/console/resource" + in + "/schemas/money.xsd",
	} {
		if !page.hasLink(link) {
			t.Errorf("there is no link to %s", link)
		}
	}
	checkGolden(t, "graph-cycle.html", golden("graph-cycle", page.body))

	// Who is about to delete it is told the same, and not only of what points there directly.
	b.get("/console/delete"+in+"/schemas/money.xsd").
		wantText("3 resources depend on it: 2 services, 1 WSDL", "Deleting it breaks 1 directly", "/services/Shop · through Billing", "It goes to the trash of "+in+"/schemas").
		wantNoText("from elsewhere")
	b.get("/console/delete" + in + "/x").wantNoText("breaks")
	if !b.get("/console/resource" + in + "/schemas/money.xsd").hasLink("/console/impact" + in + "/schemas/money.xsd") {
		t.Error("the page of a resource does not lead to what depends on it")
	}

	b.get("/console/impact"+in+"/schemas/money.xsd?depth=1").wantText("More than 1 resource depends on it", "There is more further away")
	b.get("/console/dependencies"+in+"/services/Shop?type=*").wantText("It depends on 4 resources", "1 outside address", "docs")
	b.get("/console/dependencies"+in+"/services/Shop?type=docs").wantText("“docs”", "It depends on 1 resource")
	b.get("/console/impact"+in+"/x").wantText("Nothing depends on it", "it can be deleted without breaking a dependency")
	for _, depth := range []string{"0", "-1", "x", "101", "1e9"} {
		b.get("/console/impact" + in + "/x?depth=" + depth).wantStatus(http.StatusBadRequest)
	}
	s.newUser("ann")
	b.post("/console/permissions"+in+"/services", "read:everyone", "deny").wantRedirect("/console/permissions" + in + "/services?note=permissions-saved")
	seen := s.signedInAs("ann").get("/console/impact"+in+"/schemas/money.xsd").wantText("1 resource depends on it", "1 WSDL")
	if strings.Contains(seen.body, "Billing") || strings.Contains(seen.body, "Shop") {
		t.Error("the picture shows what its reader may not see")
	}
}
