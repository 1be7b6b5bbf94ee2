package console_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// receiver takes what is sent to good.example, and refuses what goes elsewhere.
type receiver struct{}

func (receiver) CheckURL(address string) error {
	if !strings.HasPrefix(address, "https://") {
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must begin with https://")
	}
	return nil
}

func (receiver) Send(_ context.Context, m registry.WebhookMessage) registry.WebhookAnswer {
	if strings.Contains(m.URL, "good.example") {
		return registry.WebhookAnswer{Status: 204, Duration: 3 * time.Millisecond}
	}
	return registry.WebhookAnswer{Status: 500, Body: []byte("<script>alert(1)</script>"), Duration: 40 * time.Millisecond}
}

// hooks makes a webhook with a log, whose id it gives, and a visitor who may make webhooks and has none.
func (s *site) hooks(t *testing.T) (string, *browser) {
	t.Helper()
	b := s.signedIn()
	b.post("/console/webhooks", "name", "build <b>", "url", "https://good.example/hook", "path", "/_system/config", "action", "create", "action", "update").wantStatus(200)
	id := s.hookID(b)
	courier := s.service.NewCourier()
	deliver := func() {
		t.Helper()
		_, err := courier.Round(t.Context())
		must(t, err)
		courier.Wait()
	}
	s.put("/_system/config/told.txt", "", "1")
	deliver()
	b.post("/console/webhook", "id", id, "do", "test").wantRedirect("/console/webhook?id=" + id + "&note=webhook-tested")
	etag := b.get("/console/webhook?id=" + id).field("etag")
	b.post("/console/webhook", "id", id, "etag", etag, "do", "save", "name", "build <b>", "url", "https://bad.example/hook", "path", "/_system/config", "enabled", "1",
		"action", "update", "action", "create").wantRedirect("/console/webhook?id=" + id + "&note=webhook-saved")
	s.put("/_system/config/told.txt", "", "2")
	deliver()
	b.post("/console/roles", "name", "senders", "grant", "manage_webhooks", "do", "create").wantRedirect("/console/roles?note=role-created")
	s.newUser("ann", "senders")
	return id, s.signedInAs("ann")
}

// hookID is the id of the first webhook in the list.
func (s *site) hookID(b *browser) string {
	s.t.Helper()
	found := regexp.MustCompile(`/console/webhook\?id=([0-9a-f]{32})`).FindStringSubmatch(b.get("/console/webhooks").body)
	if found == nil {
		s.t.Fatal("the list has no webhook")
	}
	return found[1]
}

func TestWebhooks_Flow(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	b.get("/console/webhooks").wantText("There is no webhook yet")
	b.post("/console/webhooks", "name", "x", "url", "https://good.example/", "path", "nowhere/../x").wantStatus(400)
	refused := b.post("/console/webhooks", "name", "typed", "url", "ftp://x", "path", "/_system/config", "action", "create").wantStatus(400).wantText("must begin with https://")
	if refused.field("name") != "typed" || refused.field("url") != "ftp://x" {
		t.Error("what was typed is lost")
	}
	made := b.post("/console/webhooks", "name", "build", "url", "https://good.example/", "path", "/_system/config").wantStatus(200)
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`).FindString(made.text())
	if secret == "" {
		t.Fatal("the secret is not shown")
	}
	id := s.hookID(b)
	page := "/console/webhook?id=" + id
	for _, address := range []string{"/console/webhooks", page, "/console/activity/"} {
		b.get(address).wantStatus(200).wantNoText(secret)
	}
	b.post("/console/webhook", "id", id, "do", "test").wantRedirect(page + "&note=webhook-tested")
	shown := b.get(page).wantText("delivered", "test", "204")
	delivery := shown.field("delivery")
	b.post("/console/webhook", "id", id, "do", "resend", "delivery", delivery).wantRedirect(page + "&note=webhook-resent")
	b.post("/console/webhook", "id", id, "do", "resend", "delivery", strings.Repeat("0", 32)).wantStatus(404)
	stale := b.get(page).field("etag")
	other := b.post("/console/webhook", "id", id, "do", "secret", "etag", stale).wantStatus(200)
	if now := regexp.MustCompile(`whsec_[A-Za-z0-9+/]{43}=`).FindString(other.text()); now == "" || now == secret {
		t.Errorf("the new secret is %q", now)
	}
	b.post("/console/webhook", "id", id, "etag", stale, "do", "save", "name", "late", "url", "https://bad.example/", "path", "/_system/config").wantStatus(412)
	b.post("/console/webhook", "id", id, "etag", stale, "do", "delete").wantStatus(412)
	etag := b.get(page).field("etag")
	b.post("/console/webhook", "id", id, "etag", etag, "do", "save", "name", "off", "url", "https://bad.example/", "path", "/_system/config").wantRedirect(page + "&note=webhook-saved")
	b.get(page).wantText("disabled", "off")
	failed := b.post("/console/webhook", "id", id, "do", "test").wantStatus(409).wantText("It was not delivered", "alert(1)")
	if strings.Contains(failed.body, "<script>alert") {
		t.Error("the answer of a receiver is markup")
	}
	b.post("/console/webhook", "id", id, "do", "dance").wantStatus(400)
	b.get("/console/webhook?id=x").wantStatus(400)
	b.get(page + "&before=x").wantStatus(400)

	// Whoever may not, and whoever may but not this one.
	s.newUser("joe")
	joe := s.signedInAs("joe")
	if strings.Contains(joe.get("/console/").links(), "/console/webhooks") {
		t.Error("joe is led to webhooks")
	}
	joe.get("/console/webhooks").wantStatus(403)
	joe.get(page).wantStatus(403)
	joe.post("/console/webhooks", "name", "x", "url", "https://good.example/", "path", "/_system/config").wantStatus(403)
	joe.post("/console/webhook", "id", id, "do", "delete").wantStatus(403)
	b.post("/console/roles", "name", "senders", "grant", "manage_webhooks", "do", "create").wantRedirect("/console/roles?note=role-created")
	s.newUser("ann", "senders")
	ann := s.signedInAs("ann")
	ann.get("/console/webhooks").wantStatus(200).wantText("There is no webhook yet")
	ann.get(page).wantStatus(404)
	ann.post("/console/webhook", "id", id, "do", "delete").wantStatus(404)

	etag = b.get(page).field("etag")
	b.post("/console/webhook", "id", id, "etag", etag, "do", "delete").wantRedirect("/console/webhooks?note=webhook-removed")
	b.get(page).wantStatus(404)
}
