package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDisplay_TimesInTheReadersZone(t *testing.T) {
	s := newSite(t)
	s.put("/_system/governance/doc.txt", "", "x") // 12:01 UTC on 2026-11-22
	s.clock.advance(40 * 24 * time.Hour)
	const address = "/console/versions/_system/governance/doc.txt"
	b := s.signedIn()
	shows := func(title, text string) {
		t.Helper()
		if body := b.get(address).body; !strings.Contains(body, `<time datetime="2026-11-22T12:01:00Z" title="`+title+`">`+text+`</time>`) {
			t.Errorf("no time %q %q in %s", title, text, body)
		}
	}
	shows("2026-11-22 12:01:00 UTC", "2026-11-22")
	b.post("/console/zone", "zone", "Pacific/Auckland").wantStatus(http.StatusNoContent)
	shows("2026-11-23 01:01:00 NZDT (Pacific/Auckland)", "2026-11-23")

	for _, bad := range []string{"Nowhere/Here", "../../etc/passwd", "Local", strings.Repeat("x", 100), "<b>"} {
		if c := b.post("/console/zone", "zone", bad).wantStatus(http.StatusNoContent).Cookies(); len(c) != 0 {
			t.Errorf("%q set %v", bad, c)
		}
		b.post("/console/account/display", "zone", bad).wantStatus(http.StatusBadRequest).wantText("There is no time zone")
	}
	chosen := b.post("/console/account/display", "zone", " Europe/Berlin ", "keys", "1").wantRedirect("/console/account?note=display-saved")
	for _, c := range chosen.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %s", c)
		}
	}
	shows("2026-11-22 13:01:00 CET (Europe/Berlin)", "2026-11-22")
	b.post("/console/zone", "zone", "Pacific/Auckland").wantStatus(http.StatusNoContent) // the browser does not go before what was chosen
	shows("2026-11-22 13:01:00 CET (Europe/Berlin)", "2026-11-22")
	if csv := b.get("/console/activity-csv/").wantStatus(http.StatusOK).body; !strings.Contains(csv, "2026-11-22T12:01:00") {
		t.Errorf("the export has not UTC: %s", csv)
	}
	b.post("/console/account/display", "zone", "").wantStatus(http.StatusSeeOther)
	shows("2026-11-22 12:01:00 UTC", "2026-11-22")

	// A cookie that somebody wrote by hand is no fault.
	b.header.Set("Cookie", "regent_zone=%00; regent_keys=x")
	s.visitor().get("/console/sign-in").wantStatus(http.StatusOK)
}

func TestDisplay_KeysCanBeTurnedOff(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	off := func() bool { return strings.Contains(b.get("/console/").body, `data-keys="off"`) }
	if off() {
		t.Error("keys are off from the beginning")
	}
	b.post("/console/account/display", "zone", "").wantStatus(http.StatusSeeOther)
	if !off() {
		t.Error("keys are on")
	}
	b.get("/console/shortcuts").wantStatus(http.StatusOK).wantText("turned off")
	b.post("/console/account/display", "keys", "1").wantStatus(http.StatusSeeOther)
	if off() {
		t.Error("keys are still off")
	}
}
