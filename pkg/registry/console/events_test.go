package console_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// follow opens a stream; next reads its blocks up to one with data, or gives false at its end. The id is the last one that came.
func (b *browser) follow(address, last string) (next func() (event, data, id string, ok bool)) {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, b.s.url+address, nil)
	must(b.s.t, err)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := b.client.Do(req)
	must(b.s.t, err)
	b.s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		b.s.t.Fatalf("%s: %d %v", address, resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (event, data, id string, ok bool) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				event = value
			case "data":
				data = value
			case "":
				if data != "" {
					return event, data, id, true
				}
			}
		}
		return "", "", id, false
	}
}

// address is the stream that a page says to follow.
func (r reply) events() string {
	r.t.Helper()
	for n := range r.doc().Descendants() {
		if address := attr(n, "data-events"); address != "" {
			return address
		}
	}
	return ""
}

func wantEvent(t *testing.T, data, text, action string) {
	t.Helper()
	var got struct{ Text, Action string }
	must(t, json.Unmarshal([]byte(data), &got))
	if got.Text != text || got.Action != action {
		t.Errorf("told %+v, want %q (%s)", got, text, action)
	}
}

func TestEvents_TellWhatHappensSinceThePage(t *testing.T) {
	s := newSite(t)
	const folder, doc = "/_system/governance/live", "/_system/governance/live/doc.txt"
	s.put(doc, "", "one")
	s.put(folder+"/sub/deep.txt", "", "one")
	b := s.signedIn()
	onDoc, onFolder := b.get("/console/resource"+doc).events(), b.get("/console/browse"+folder).events()
	s.put(folder+"/sub/deep.txt", "", "two") // below, and so not on the list
	s.put(doc, "", "two")                    // between the page and its stream
	docs, list := b.follow(onDoc, ""), b.follow(onFolder, "")
	_, data, at, _ := docs()
	wantEvent(t, data, "admin changed this", "update")
	_, data, _, _ = list()
	wantEvent(t, data, "admin changed doc.txt", "update")
	_, _, err := s.service.AddComment(t.Context(), s.admin, doc, "well", 0)
	must(t, err)
	_, data, _, _ = docs()
	wantEvent(t, data, "admin commented on this", "comment")

	// Somebody who comes back, here or to another node, misses nothing and hears nothing twice.
	_, data, _, _ = b.follow(onDoc, at)()
	wantEvent(t, data, "admin commented on this", "comment")

	for _, address := range []string{"/console/resource" + doc + "?version=1", "/console/browse/_system", "/console/resource" + doc + "/none"} {
		if got := b.get(address).events(); got != "" {
			t.Errorf("%s follows %s", address, got)
		}
	}
	b.get("/console/events" + doc + "?from=x").wantStatus(http.StatusBadRequest)
}

func TestEvents_EndWithTheSessionAndTheNode(t *testing.T) {
	s := newSite(t)
	const doc = "/_system/governance/doc.txt"
	s.put(doc, "", "one")
	first, second := s.signedIn(), s.signedIn()
	address := first.get("/console/resource" + doc).events()
	ending, staying := first.follow(address, ""), second.follow(address, "")
	first.post("/console/sign-out").wantStatus(http.StatusSeeOther)
	if event, data, _, ok := ending(); !ok || event != "end" || data != string(registry.CodeUnauthenticated) {
		t.Errorf("signed out, and told %q %q %t", event, data, ok)
	}
	if _, _, _, ok := ending(); ok {
		t.Error("the stream goes on after its end")
	}
	s.put(doc, "", "two")
	_, data, _, _ := staying()
	wantEvent(t, data, "admin changed this", "update")

	// A node that is drained sends its readers away, and takes those who come to it all the same.
	s.service.ShedWatches()
	if event, data, _, ok := staying(); ok {
		t.Errorf("drained, and told %q %q", event, data)
	}
	again := second.follow(second.get("/console/resource"+doc).events(), "")
	s.put(doc, "", "three")
	_, data, _, _ = again()
	wantEvent(t, data, "admin changed this", "update")
}

func TestEvents_AreBoundedAndGuarded(t *testing.T) {
	// A thousand streams with the heartbeat of the other tests would ask for their readers 50,000 times a second.
	s := newSite(t, func(c *console.Config) { c.Heartbeat = time.Second })
	s.put("/_system/config/secret.txt", "", "x")
	s.put("/_system/config/open.txt", "", "x")
	s.newUser("joe")
	admin, joe := s.signedIn(), s.signedInAs("joe")
	next := joe.follow("/console/events/_system/config/open.txt?only=true", "")
	admin.post("/console/permissions/_system/config", "read:everyone", "deny").wantRedirect("/console/permissions/_system/config?note=permissions-saved")
	joe.get("/console/events/_system/config/secret.txt").wantStatus(http.StatusForbidden)
	s.put("/_system/config/open.txt", "", "y") // which joe may not read any more
	admin.post("/console/user", "name", "joe", "do", "sign-out").wantStatus(http.StatusSeeOther)
	if event, data, _, ok := next(); !ok || event != "end" {
		t.Errorf("told %q %q %t", event, data, ok)
	}
	for range registry.DefaultUserWatches {
		admin.follow("/console/events/_system/config", "")
	}
	refused := admin.get("/console/events/_system/config").wantStatus(http.StatusTooManyRequests)
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no word when to come again")
	}
}
