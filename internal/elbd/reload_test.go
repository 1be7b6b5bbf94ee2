package elbd

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/regent-registry/regent/internal/freeport"
)

// reload writes a configuration, asks for it and waits for what became of it.
func (e *running) reload(text, message string) {
	e.t.Helper()
	if err := os.WriteFile(e.file, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	before := strings.Count(e.log.String(), message)
	e.hangup <- syscall.SIGHUP
	e.await(message, func() bool { return strings.Count(e.log.String(), message) > before })
}

const reloadDone = `"msg":"configuration reloaded"`

func (e *running) metric(series string) bool {
	e.t.Helper()
	_, _, body := e.get(e.admin, "/metrics", e.admin, "")
	return strings.Contains(body, series)
}

// TestRun_ReloadDomains: a domain that is new gets its group and its members, one that is gone leaves nothing behind, and can come back.
func TestRun_ReloadDomains(t *testing.T) {
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "static") }))
	defer static.Close()
	e := newELB(t, static.URL)
	full, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(full), fmt.Sprintf("group_mgt_port: %d", e.groupPort), fmt.Sprintf(`members: ["%s"]`, static.URL), 1)
	e.start()
	startNode(t, "one", e.groupPort)
	e.await("the member", func() bool { return len(e.members()) == 2 })
	since := e.members()[1].Since
	e.await("ready", func() bool { status, _, _ := e.get(e.admin, "/readyz", e.admin, ""); return status == 200 })
	if _, _, body := e.get(e.http, "/", "governance.localhost", ""); body != "one" {
		t.Fatalf("%q", body)
	}

	// What does not change stays.
	e.reload(strings.Replace(string(full), "hosts: [governance.localhost]", "hosts: [governance.localhost, more.localhost]", 1), reloadDone)
	if _, _, body := e.get(e.http, "/", "more.localhost", ""); body != "one" {
		t.Errorf("the new host: %q", body)
	}
	if m := e.members(); len(m) != 2 || !m[1].Since.Equal(since) {
		t.Errorf("members %+v", m)
	}
	if n := strings.Count(e.log.String(), `"msg":"Member joined"`); n != 1 {
		t.Errorf("the member joined %d times", n)
	}

	// The group is left.
	e.reload(without, reloadDone)
	e.await("the group left", func() bool { return strings.Contains(e.log.String(), `"msg":"left group"`) })
	if _, _, body := e.get(e.http, "/", "governance.localhost", ""); body != "static" {
		t.Errorf("%q", body)
	}
	if e.metric(`membership_members{domain="wso2.governance.domain"`) {
		t.Error("the group has metrics still")
	}
	if m := e.members(); len(m) != 2 || !m[0].Static || !m[1].Static {
		t.Errorf("members %+v", m)
	}

	// It comes back at another port, and with it the member that it knew.
	changed := strings.Replace(string(full), fmt.Sprintf("group_mgt_port: %d", e.groupPort), fmt.Sprintf("group_mgt_port: %d", ports[0]), 1)
	e.reload(changed, reloadDone)
	startNode(t, "two", ports[0])
	e.await("both members", func() bool { return len(e.members()) == 3 })
	_, _, body := e.get(e.http, "/", "governance.localhost", "")
	_, _, next := e.get(e.http, "/", "governance.localhost", "")
	if body+next != "onetwo" && body+next != "twoone" {
		t.Errorf("%q, %q", body, next)
	}

	// A service that goes takes its series along.
	if !e.metric(`elb_requests_total{code="200",domain="wso2.governance.domain"`) {
		t.Error("no series of requests")
	}
	only, _, _ := strings.Cut(changed, "  governance:")
	e.reload(only+fmt.Sprintf("  legacy: {hosts: [legacy.localhost], domains: {legacy.domain: {members: [%q]}}}\n", static.URL), reloadDone)
	e.await("the group left", func() bool { return strings.Count(e.log.String(), `"msg":"left group"`) == 2 })
	if e.metric(`domain="wso2.governance.domain"`) {
		t.Error("a domain that is gone has series still")
	}
	if status, _, _ := e.get(e.http, "/", "governance.localhost", ""); status != 404 {
		t.Errorf("status %d for a host that is gone", status)
	}
	e.stop()
}

// TestRun_ReloadThatFailsLeavesNothing: what was taken before the fault showed is given back.
func TestRun_ReloadThatFailsLeavesNothing(t *testing.T) {
	e := newELB(t, "http://127.0.0.1:1")
	full, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freeport.PickN(2)
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	text := strings.Replace(string(full), "http_port: 0", fmt.Sprintf("http_port: %d", ports[0]), 1) +
		fmt.Sprintf("  a: {hosts: [a.test], domains: {a.domain: {group_mgt_port: %d}}}\n  b: {hosts: [b.test], domains: {b.domain: {group_mgt_port: %s}}}\n",
			ports[1], e.admin[strings.LastIndexByte(e.admin, ':')+1:])
	e.reload(text, `"msg":"configuration could not be reloaded; the old one stays"`)
	var s struct{ Config configStatus }
	_, _, body := e.get(e.admin, "/status", e.admin, "")
	if err := json.Unmarshal([]byte(body), &s); err != nil || len(s.Config.Faults) != 1 || !strings.Contains(s.Config.Faults[0], "services.b.domains.b.domain.group_mgt_port") || s.Config.TriedAt == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	if e.metric(`domain="a.domain"`) {
		t.Error("the group of a.domain is there")
	}
	// All that the failed one had taken is free.
	e.reload(strings.Replace(text, "b.domain: {group_mgt_port", `b.domain: {members: ["http://127.0.0.1:1"]}}}`+"\n#", 1), reloadDone)
	if status, _, _ := e.get(fmt.Sprintf("127.0.0.1:%d", ports[0]), "/", "unknown.test", ""); status != 404 {
		t.Errorf("status %d", status)
	}
	e.stop()
}
