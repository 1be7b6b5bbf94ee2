package httpapi_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// receiver takes what is sent to good.example, refuses what goes to bad.example, and is not to be reached elsewhere.
type receiver struct{}

func (receiver) CheckURL(address string) error {
	if !strings.HasPrefix(address, "https://") {
		return registry.Errorf(registry.CodeInvalid, "the address must begin with https://")
	}
	return nil
}

func (receiver) Send(_ context.Context, m registry.WebhookMessage) registry.WebhookAnswer {
	switch {
	case strings.Contains(m.URL, "good.example"):
		return registry.WebhookAnswer{Status: 204, Duration: 3 * time.Millisecond}
	case strings.Contains(m.URL, "bad.example"):
		return registry.WebhookAnswer{Status: 500, Body: []byte("no <b>"), Duration: 3 * time.Millisecond}
	}
	return registry.WebhookAnswer{Err: errors.New("no route")}
}

func TestWebhooks(t *testing.T) {
	d := newDoor(t)
	courier := d.service.NewCourier()
	deliver := func() {
		t.Helper()
		if _, err := courier.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		courier.Wait()
	}
	want(t, d.do(t, "GET", "/api/v1/webhooks", ""), 200, `{"webhooks":[]}`)
	for _, bad := range []string{
		`{}`, `{"name":"x"}`, `{"name":"x","url":"http://x"}`, `{"name":"x","url":"https://x","path":"/a/../b"}`, `{"name":"x","url":"https://x","actions":["dance"]}`,
		`{"name":"x","url":"https://x","secret":"whsec_mine"}`,
	} {
		want(t, d.do(t, "POST", "/api/v1/webhooks", bad, asJSON), 400, "")
	}
	want(t, d.do(t, "POST", "/api/v1/webhooks", `{"name":"x","url":"https://x","path":"/nowhere"}`, asJSON), 409, "no store is mounted")
	made := d.do(t, "POST", "/api/v1/webhooks", `{"name":"build","url":"https://good.example/","path":"/_system/config","actions":["update","create"]}`, asJSON, "Idempotency-Key: 1")
	want(t, made, 201, `"secret":"whsec_`)
	want(t, made, 201, `"actions":["create","update"]`)
	secret, _ := field(t, made, "secret").(string)
	want(t, d.do(t, "POST", "/api/v1/webhooks", `{"name":"build","url":"https://good.example/","path":"/_system/config","actions":["update","create"]}`, asJSON, "Idempotency-Key: 1"), 409, "already")
	id, _ := field(t, made, "id").(string)
	if at := made.Header().Get("Location"); at != "/api/v1/webhooks/"+id {
		t.Errorf("it is at %q", at)
	}
	hook := "/api/v1/webhooks/" + id
	untold := func(rec *httptest.ResponseRecorder) *httptest.ResponseRecorder {
		t.Helper()
		if strings.Contains(rec.Body.String(), secret) {
			t.Errorf("the secret is told again: %s", rec.Body)
		}
		return rec
	}
	want(t, untold(d.do(t, "GET", hook, "")), 200, `"owner":"admin"`)
	want(t, untold(d.do(t, "GET", "/api/v1/webhooks", "")), 200, id)
	want(t, untold(d.do(t, "GET", "/api/v1/activity/?action=webhook", "")), 200, `"subject":"build"`)
	stale := `If-Match: "x"`
	want(t, d.do(t, "PATCH", hook, `{"name":"ci"}`, asJSON, stale), 412, "")
	want(t, d.do(t, "DELETE", hook, "", stale), 412, "")
	want(t, d.do(t, "POST", "/api/v1/webhook-secret/"+id, "", stale), 412, "")
	want(t, untold(d.do(t, "PATCH", hook, `{"name":"ci"}`, asJSON, "If-Match: "+made.Header().Get("ETag"))), 200, `"name":"ci"`)

	d.put(t, "/_system/config/a", "1")
	deliver()
	log := "/api/v1/webhook-deliveries/" + id
	rec := untold(d.do(t, "GET", log, ""))
	want(t, rec, 200, `"state":"delivered"`)
	list, _ := field(t, rec, "deliveries").([]any)
	delivery, _ := list[0].(map[string]any)["id"].(string)
	want(t, d.do(t, "POST", "/api/v1/webhook-resend/"+id+"?delivery="+delivery, ""), 200, `"kind":"resent","state":"delivered"`)
	want(t, d.do(t, "POST", "/api/v1/webhook-resend/"+id+"?delivery="+noID, ""), 404, "no such delivery")
	want(t, d.do(t, "POST", "/api/v1/webhook-resend/"+id, ""), 400, "delivery")
	want(t, d.do(t, "POST", "/api/v1/webhook-ping/"+id, ""), 200, `"kind":"ping","state":"delivered"`)
	rec = d.do(t, "GET", log+"?limit=1", "")
	want(t, rec, 200, `"kind":"ping"`)
	next, _ := field(t, rec, "next").(string)
	want(t, d.do(t, "GET", log+"?limit=1&before="+next, ""), 200, `"kind":"resent"`)
	want(t, d.do(t, "GET", log+"?before=x", ""), 400, "")
	want(t, d.do(t, "POST", "/api/v1/webhook-secret/"+id, ""), 200, `"secret":"whsec_`)

	want(t, d.do(t, "PATCH", hook, `{"url":"https://bad.example/"}`, asJSON), 200, "")
	d.put(t, "/_system/config/a", "2")
	deliver()
	want(t, d.do(t, "GET", hook, ""), 200, `"failures":1`)
	want(t, d.do(t, "GET", log+"?limit=1", ""), 200, `"status":500,"answer":"no <b>"`)
	want(t, d.do(t, "PATCH", hook, `{"url":"https://gone.example/","enabled":false}`, asJSON), 200, `"enabled":false`)
	want(t, d.do(t, "POST", "/api/v1/webhook-ping/"+id, ""), 200, `"fault":"no route"`)

	// Who has the grant sees their own alone.
	want(t, d.do(t, "POST", "/api/v1/roles", `{"name":"hooks","grants":["manage_webhooks"]}`, asJSON), 201, "")
	d.addUser(t, "ann", "hooks")
	want(t, d.do(t, "GET", "/api/v1/webhooks", "", as("ann")), 200, `{"webhooks":[]}`)
	for _, c := range [][2]string{
		{"GET", hook},
		{"PATCH", hook},
		{"DELETE", hook},
		{"POST", "/api/v1/webhook-secret/" + id},
		{"POST", "/api/v1/webhook-ping/" + id},
		{"GET", log},
		{"POST", "/api/v1/webhook-resend/" + id + "?delivery=" + delivery},
	} {
		body := ""
		if c[0] == "PATCH" {
			body = `{"url":"https://ann.example/"}`
		}
		want(t, d.do(t, c[0], c[1], body, asJSON, as("ann")), 404, "no such webhook")
	}
	d.addUser(t, "joe")
	want(t, d.do(t, "POST", "/api/v1/webhooks", `{"name":"x","url":"https://x"}`, asJSON, as("joe")), 403, "manage_webhooks")
	want(t, d.do(t, "DELETE", hook, ""), 204, "")
	want(t, d.do(t, "GET", hook, ""), 404, "no such webhook")
}
