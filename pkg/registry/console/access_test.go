package console_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

// newUser makes a user with the password of all.
func (s *site) newUser(name string, roles ...string) {
	s.t.Helper()
	form := []string{"name", name, "password", adminPassword}
	for _, role := range roles {
		form = append(form, "role", role)
	}
	s.signedIn().post("/console/users", form...).wantRedirect("/console/users?note=user-created")
}

// links are the addresses that the page leads to.
func (r reply) links() string {
	var all []string
	for n := range r.doc().Descendants() {
		if n.Type == html.ElementNode && (attr(n, "href") != "" || attr(n, "action") != "") {
			all = append(all, attr(n, "href")+attr(n, "action"))
		}
	}
	return strings.Join(all, "\n")
}

// What a user may not do has neither a button nor, at its address, a page.
func TestAccess_OffersOnlyWhatOneMay(t *testing.T) {
	s := newSite(t)
	const doc = "/_system/governance/doc.txt"
	s.put(doc, "", "x")
	s.put("/_system/config/hidden.txt", "", "x")
	s.newUser("joe")
	admin, joe := s.signedIn(), s.signedInAs("joe")
	admin.post("/console/permissions/_system/config", "read:everyone", "deny").wantRedirect("/console/permissions/_system/config?note=permissions-saved")

	for _, address := range []string{"/console/resource" + doc, "/console/browse/_system/governance", "/console/details" + doc, "/console/properties" + doc, "/console/versions" + doc} {
		all, some := admin.get(address).wantStatus(http.StatusOK).links(), joe.get(address).wantStatus(http.StatusOK).links()
		for _, change := range []string{"edit", "upload", "delete", "describe", "property", "new-text", "new-collection", "permissions", "restore"} {
			if strings.Contains(some, "/console/"+change+"/") {
				t.Errorf("%s offers joe %s", address, change)
			}
		}
		for _, page := range []string{"/console/cluster", "/console/server", "/console/users", "/console/roles", "/console/browse/_system/config"} {
			if strings.Contains(some, page) {
				t.Errorf("%s leads joe to %s", address, page)
			}
			if !strings.Contains(all, page) {
				t.Errorf("%s leads the administrator not to %s", address, page)
			}
		}
	}
	for _, address := range []string{
		"/console/edit" + doc, "/console/upload/_system/governance", "/console/delete" + doc, "/console/describe" + doc, "/console/property" + doc,
		"/console/new-text/_system/governance", "/console/new-collection/_system/governance", "/console/restore" + doc + "?version=1",
		"/console/permissions" + doc, "/console/users", "/console/user?name=admin", "/console/roles", "/console/cluster", "/console/server", "/console/logs", "/console/logs-text", "/console/metrics", "/console/jobs",
		"/console/browse/_system/config", "/console/resource/_system/config/hidden.txt", "/console/download/_system/config/hidden.txt", "/console/resource/_system/config/none.txt",
	} {
		joe.get(address).wantStatus(http.StatusForbidden).wantText("Not allowed")
	}
	for address, form := range map[string][]string{
		"/console/edit" + doc: {"text", "mine", "newlines", "lf"}, "/console/delete" + doc: nil, "/console/permissions" + doc: {"write:everyone", "allow"},
		"/console/users": {"name", "eve", "password", adminPassword}, "/console/user": {"name", "joe", "do", "save", "role", "admin"}, "/console/roles": {"do", "create", "name", "x"},
		"/console/log-level": {"node", "node-1", "level", "debug"}, "/console/drain": {"member", "01A", "do", "drain"}, "/console/run-job": {"job", "retention"},
	} {
		joe.post(address, form...).wantStatus(http.StatusForbidden)
	}
	if got := s.content(doc); got != "x" {
		t.Errorf("the content is %q", got)
	}
	joe.get("/console/browse/_system").wantStatus(http.StatusOK).wantNoText("config")
}

func TestPermissions_MatrixAndWhy(t *testing.T) {
	s := newSite(t)
	s.put("/_system/governance/a/doc.txt", "", "x")
	b := s.signedIn()
	b.post("/console/roles", "do", "create", "name", "dev:x").wantStatus(http.StatusBadRequest).wantText("is not allowed")
	b.post("/console/roles", "do", "create", "name", "dev").wantRedirect("/console/roles?note=role-created")
	s.newUser("ann", "dev")
	page := b.get("/console/permissions/_system/governance/a").wantStatus(http.StatusOK).wantText("allowed", "by /")
	tag := page.field("etag")
	b.post("/console/permissions/_system/governance/a", "etag", tag, "read:dev", "allow", "write:dev", "deny", "delete:dev", "").wantRedirect("/console/permissions/_system/governance/a?note=permissions-saved")
	b.post("/console/permissions/_system/governance/a", "etag", tag, "read:dev", "deny").wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	b.post("/console/permissions/_system/governance/a", "read:nobody", "allow").wantStatus(http.StatusBadRequest).wantText("no role")
	b.get("/console/permissions/_system/governance/a/doc.txt?user=ann&right=write").wantText("Refused the role dev is denied to write at /_system/governance/a")
	b.get("/console/permissions/_system/governance/a/doc.txt?user=ann&right=read").wantText("Allowed the role")
	b.get("/console/permissions/_system/governance/a/doc.txt?user=nobody&right=read").wantStatus(http.StatusNotFound).wantText("There is no user nobody")
}

func TestAccount_PasswordTokensSessions(t *testing.T) {
	s := newSite(t)
	s.newUser("ann")
	first, second := s.signedInAs("ann"), s.signedInAs("ann")
	first.get("/console/account").wantStatus(http.StatusOK).wantText("this one")
	first.post("/console/account/profile", "full_name", "Ann <i>", "email", "x").wantStatus(http.StatusBadRequest).wantText("is not an address")
	first.post("/console/account/profile", "full_name", "Ann <i>", "email", "ann@example.org").wantRedirect("/console/account?note=profile-saved")
	first.post("/console/account/password", "old", adminPassword, "new", "another horse", "again", "other").wantStatus(http.StatusBadRequest).wantText("differ")
	first.post("/console/account/password", "old", "wrong", "new", "another horse", "again", "another horse").wantStatus(http.StatusForbidden).wantText("old password is wrong")
	made := first.post("/console/account/token", "name", "ci", "right", "read", "paths", "/_system/governance\n\n/_system/config\n", "days", "30")
	made.wantStatus(http.StatusOK).wantText("rgt_")
	if again := first.get("/console/account"); strings.Count(again.body, "rgt_") != 1 {
		t.Error("the secret is shown again")
	}
	first.post("/console/account/token", "name", "ci", "right", "read", "days", "400").wantStatus(http.StatusBadRequest).wantText("from 1 to 366")
	first.post("/console/account/revoke-token", "id", "zz").wantStatus(http.StatusBadRequest)
	first.post("/console/account/password", "old", adminPassword, "new", "another horse", "again", "another horse").wantRedirect("/console/account?note=password-changed")
	first.get("/console/account").wantStatus(http.StatusOK)
	second.get("/console/account").wantRedirect("/console/sign-in?next=%2Fconsole%2Faccount")
	// A form with passwords that comes when nobody is signed in any more does not come back with them.
	expired := second.post("/console/account/password", "old", "a secret of old", "new", "a secret new", "again", "a secret new")
	expired.wantStatus(http.StatusUnauthorized)
	if strings.Contains(expired.body, "a secret") {
		t.Error("the page has the passwords in it")
	}
}

func TestUsers_ChangesAndTheLastAdministrator(t *testing.T) {
	s := newSite(t)
	s.newUser("ann")
	b, ann := s.signedIn(), s.signedInAs("ann")
	b.post("/console/users", "name", "ann", "password", adminPassword).wantStatus(http.StatusConflict).wantText("exists already")
	b.post("/console/user", "name", "admin", "do", "delete").wantStatus(http.StatusConflict).wantText("last administrator")
	b.post("/console/user", "name", "ann", "do", "save", "role", "admin").wantRedirect("/console/user?name=ann&note=user-saved")
	ann.get("/console/users").wantStatus(http.StatusOK)
	b.post("/console/user", "name", "ann", "do", "sign-out").wantRedirect("/console/user?name=ann&note=user-saved")
	ann.get("/console/users").wantRedirect("/console/sign-in?next=%2Fconsole%2Fusers")
	b.post("/console/user", "name", "ann", "do", "delete").wantRedirect("/console/users?note=user-deleted")
	b.get("/console/user?name=ann").wantStatus(http.StatusNotFound)
	if _, err := s.auth.Account(t.Context(), s.admin, "ann"); registry.CodeOf(err) != registry.CodeNotFound {
		t.Error(err)
	}
}
