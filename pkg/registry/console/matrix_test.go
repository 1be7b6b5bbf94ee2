package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// rights is what a user may do at p, by the first letters.
func (s *site) rights(user string, p registry.Path) string {
	s.t.Helper()
	var may strings.Builder
	for right := registry.RightRead; right <= registry.RightAuthorize; right++ {
		x, err := s.service.Explain(s.t.Context(), s.admin, p, user, right)
		must(s.t, err)
		if x.Allowed {
			may.WriteString(right.String()[:1])
		}
	}
	return may.String()
}

func TestPermissions_GivesAccessToOneTeam(t *testing.T) {
	s := newSite(t)
	const here, below, beside = "/_system/governance/pay", "/_system/governance/pay/api.yaml", "/_system/governance/other.txt"
	s.put(below, "", "x")
	s.put(beside, "", "x")
	b := s.signedIn()
	for _, role := range []string{"payments", "sales", "chiefs"} {
		b.post("/console/roles", "do", "create", "name", role).wantStatus(http.StatusSeeOther)
	}
	s.newUser("pat", "payments")
	s.newUser("sam", "sales")
	s.newUser("cho", "chiefs")
	b.post("/console/permissions/_system/governance", "read:everyone", "allow", "write:sales", "allow", "delete:sales", "allow", "read:chiefs", "allow", "authorize:chiefs", "allow").wantStatus(http.StatusSeeOther)

	tag := b.get("/console/permissions" + here).wantText("Give access").field("etag")
	b.post("/console/permissions"+here, "do", "grant", "etag", tag, "role", "nobody", "level", "write", "others", "read").wantStatus(http.StatusBadRequest).wantText("no role")
	b.post("/console/permissions"+here, "do", "grant", "etag", tag, "role", "payments", "level", "own", "others", "read").wantStatus(http.StatusBadRequest)
	b.post("/console/permissions"+here, "do", "grant", "etag", tag, "role", "payments", "level", "write", "others", "read").wantStatus(http.StatusSeeOther)
	for user, want := range map[string]string{"pat": "rw", "sam": "r", "cho": "ra"} {
		if got := s.rights(user, below); got != want {
			t.Errorf("%s may %q, want %q", user, got, want)
		}
	}
	if got := s.rights("sam", beside); got != "rwd" {
		t.Errorf("beside it sam may %q", got)
	}
	b.post("/console/permissions"+here, "do", "grant", "etag", tag, "role", "payments", "level", "delete", "others", "none").
		wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	tag = b.get("/console/permissions" + here).field("etag")
	b.post("/console/permissions"+here, "do", "grant", "etag", tag, "role", "payments", "level", "delete", "others", "none").wantStatus(http.StatusSeeOther)
	for user, want := range map[string]string{"pat": "rwd", "sam": "", "cho": "a", "admin": "rwda"} {
		if got := s.rights(user, below); got != want {
			t.Errorf("%s may %q, want %q", user, got, want)
		}
	}
	b.get("/console/permissions"+here+"?user=sam").wantStatus(http.StatusOK).wantText("Refused", "the role everyone is denied to read at "+here)
	b.get("/console/permissions-of?to=" + below).wantRedirect("/console/permissions" + below)
	b.get("/console/permissions-of?to=/none").wantStatus(http.StatusNotFound)
	s.signedInAs("pat").get("/console/permissions-of?to=" + below).wantRedirect("/console/permissions" + below) // which refuses pat
	s.signedInAs("pat").get("/console/permissions" + below).wantStatus(http.StatusForbidden)
}

// A registry with very many roles and users has pages that one can use.
func TestPermissions_ManyRolesAndUsers(t *testing.T) {
	many := 5000
	if testing.Short() {
		many = 500
	}
	all, shown := many+3, many+2 // built-in ones; the matrix has no row for admin
	last := fmt.Sprintf("team-%04d", many-1)
	s := newSite(t)
	const here = "/_system/governance/pay"
	s.put(here+"/x", "", "x")
	admin := s.admin
	admin.Grants = registry.GrantUsers
	var wait sync.WaitGroup
	faults := make(chan error, 2*many)
	for worker := range 50 {
		wait.Go(func() {
			for i := worker; i < many; i += 50 {
				name := fmt.Sprintf("team-%04d", i)
				if _, err := s.auth.CreateRole(t.Context(), admin, auth.RoleInput{Name: &name}); err != nil {
					faults <- err
				}
			}
		})
	}
	wait.Wait()
	close(faults)
	for err := range faults {
		t.Fatal(err)
	}
	b := s.signedIn()
	page := func(address string, texts ...string) reply {
		t.Helper()
		before := s.sent()
		r := b.get(address).wantStatus(http.StatusOK).wantText(texts...)
		if sent := s.sent() - before; sent > 10 || len(r.body) > 150_000 {
			t.Errorf("%s took %d statements and has %d bytes", address, sent, len(r.body))
		}
		return r
	}
	page("/console/roles", fmt.Sprintf("1–20 of %d", all))
	page("/console/roles?q="+last[:8], last, fmt.Sprintf("10 roles of %d", all))
	page("/console/roles?from=99999", last)
	page("/console/users")
	page("/console/user?name=admin", "More roles")
	page("/console/permissions"+here, fmt.Sprintf("with entries here or above, of %d", shown)).wantNoText("team-0001")
	page("/console/permissions"+here+"?all=1", "everyone", fmt.Sprintf("of %d", shown))
	page("/console/permissions"+here+"?all=1&from=99999", last)
	tag := page("/console/permissions"+here+"?q=team-04", "team-0407", fmt.Sprintf("100 roles of %d", shown)).field("etag")

	// A page of the matrix leaves the other roles alone.
	s.newUser("pat", "team-0007", "team-0407")
	b.post("/console/permissions"+here, "etag", tag, "part", "team-0007", "read:team-0007", "allow", "write:team-0007", "allow").wantStatus(http.StatusSeeOther)
	tag = page("/console/permissions" + here + "?q=team-04").field("etag")
	b.post("/console/permissions"+here, "etag", tag, "q", "team-04", "part", "team-0407", "part", "team-0408", "delete:team-0407", "allow", "authorize:team-0300", "allow").
		wantRedirect("/console/permissions" + here + "?note=permissions-saved&q=team-04")
	if got := s.rights("pat", here); got != "rwd" {
		t.Errorf("pat may %q", got)
	}
	if got := page("/console/permissions" + here).text(); !strings.Contains(got, "team-0007") || strings.Contains(got, "team-0300") {
		t.Errorf("entries for team-0007 and none for team-0300 expected: %s", got)
	}
	stale := b.post("/console/permissions"+here, "etag", tag, "part", "team-0007", "read:team-0007", "deny")
	stale.wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	b.post("/console/user", "name", "pat", "do", "save", "role", "team-0007", "more_roles", "team-0008\n\nteam-0009").wantStatus(http.StatusSeeOther)
	page("/console/user?name=pat", "team-0008", "team-0009").wantNoText("team-0407")
	page("/console/users?begins=pat", "pat").wantNoText("admin@")
	page("/console/users?begins=zz", "No user")
}
