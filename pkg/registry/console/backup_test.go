package console_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/backup"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

func TestBackup_IsDownloadedByAdministratorsAlone(t *testing.T) {
	s := newSite(t)
	s.put("/_system/config/doc.txt", "", "kept")
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	b.post("/console/roles", "name", "most", "grant", "view_server", "grant", "manage_users", "grant", "manage_webhooks", "do", "create").wantRedirect("/console/roles?note=role-created")
	s.newUser("ann", "most")
	ann := s.signedInAs("ann")
	for _, who := range []*browser{joe, ann} {
		who.get("/console/backup").wantStatus(http.StatusForbidden)
		who.post("/console/backup", "store", "shared").wantStatus(http.StatusForbidden)
		if strings.Contains(who.get("/console/").links(), "/console/backup") {
			t.Error("somebody is led to the backup who may not make one")
		}
	}
	if !strings.Contains(b.get("/console/").links(), "/console/backup") {
		t.Error("the administrator is not led to the backup")
	}
	b.post("/console/backup", "store", "local").wantStatus(http.StatusNotFound)
	r := b.post("/console/backup", "store", "shared").wantStatus(http.StatusOK)
	if got := r.Header.Get("Content-Disposition"); got != "attachment; filename=registry-shared-20261122T120100Z.tar.gz" || r.Header.Get("Content-Type") != "application/gzip" {
		t.Errorf("%q, %q", got, r.Header.Get("Content-Type"))
	}
	m, _, err := backup.Read(strings.NewReader(r.body), nil, nil)
	must(t, err)
	if m.By != adminName || m.Store != "shared" || m.Program != "1.2.3" {
		t.Errorf("%+v", m)
	}
	again, err := sqlstore.Open(t.Context(), sqlstore.Config{Name: "again", DSN: "sqlite:" + filepath.Join(t.TempDir(), "again.db")})
	must(t, err)
	defer again.Close()
	must(t, again.Migrate(t.Context()))
	sum, err := again.RestoreBackup(t.Context(), strings.NewReader(r.body))
	if err != nil || sum.Users != 3 {
		t.Errorf("%+v, %v", sum, err)
	}
}
