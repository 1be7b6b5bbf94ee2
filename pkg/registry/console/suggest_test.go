package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestSuggest(t *testing.T) {
	s := newSite(t)
	const apis = "/_system/governance/apis"
	for _, name := range []string{"pay.wsdl", "pay/fees.json", "payroll.yaml", "orders.yaml", "p"} {
		s.put(registry.Path(apis+"/"+name), "", "about "+name)
	}
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	b.post("/console/permissions"+apis, "read:everyone", "deny").wantRedirect("/console/permissions" + apis + "?note=permissions-saved")

	suggested := func(b *browser, typed string) string {
		t.Helper()
		r := b.get("/console/suggest?q=" + url.QueryEscape(typed)).wantStatus(http.StatusOK)
		var list []struct{ Href, Text, Note string }
		if err := json.Unmarshal([]byte(r.body), &list); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, l := range list {
			texts = append(texts, l.Text)
			if !strings.HasPrefix(l.Href, "/console/") {
				t.Errorf("%s leads to %s", l.Text, l.Href)
			}
		}
		return strings.Join(texts, " ")
	}
	for typed, want := range map[string]string{
		apis + "/pay":       apis + "/pay/ " + apis + "/pay.wsdl " + apis + "/payroll.yaml",
		apis + "/p":         apis + "/p " + apis + "/pay/ " + apis + "/pay.wsdl " + apis + "/payroll.yaml",
		apis + "/x":         "",
		"/_system/gov":      "/_system/governance/",
		"/nothing/there/at": "",
		"/_system//x":       "",
		"":                  "",
		"(":                 "",
		"payroll":           "payroll.yaml",
		"payr":              "payroll.yaml",
		"pa":                "",
		"p*":                "",
	} {
		if got := suggested(b, typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	for _, typed := range []string{apis + "/pay", "payroll"} {
		if got := suggested(joe, typed); got != "" {
			t.Errorf("joe, %q: %q", typed, got)
		}
	}
	s.visitor().get("/console/suggest?q=pay").wantStatus(http.StatusSeeOther)
}
