package elbd

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/internal/freeport"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
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

// text is the configuration as the file has it.
func (e *running) text() string {
	e.t.Helper()
	text, err := os.ReadFile(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
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
	full := e.text()
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(full, fmt.Sprintf("group_mgt_port: %d", e.groupPort), fmt.Sprintf(`members: ["%s"]`, static.URL), 1)
	e.start()
	startNode(t, "one", e.groupPort)
	e.await("the member", func() bool { return len(e.members()) == 2 })
	since := e.members()[1].Since
	e.await("ready", func() bool { status, _, _ := e.get(e.admin, "/readyz", e.admin, ""); return status == 200 })
	if _, _, body := e.get(e.http, "/", "governance.localhost", ""); body != "one" {
		t.Fatalf("%q", body)
	}

	// What does not change stays.
	e.reload(strings.Replace(full, "hosts: [governance.localhost]", "hosts: [governance.localhost, more.localhost]", 1), reloadDone)
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
	if e.metric(`elb_gossip_members{domain="wso2.governance.domain"`) {
		t.Error("the group has metrics still")
	}
	if m := e.members(); len(m) != 2 || !m[0].Static || !m[1].Static {
		t.Errorf("members %+v", m)
	}

	// It comes back at another port, and with it the member that it knew.
	changed := strings.Replace(full, fmt.Sprintf("group_mgt_port: %d", e.groupPort), fmt.Sprintf("group_mgt_port: %d", ports[0]), 1)
	e.reload(changed, reloadDone)
	startNode(t, "two", ports[0])
	e.await("both members", func() bool {
		m := e.members()
		return len(m) == 3 && m[1].Standing == lb.StandingUp && m[2].Standing == lb.StandingUp
	})
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
	full := e.text()
	ports, err := freeport.PickN(2)
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	text := strings.Replace(full, "http_port: 0", fmt.Sprintf("http_port: %d", ports[0]), 1) +
		fmt.Sprintf("  a: {hosts: [a.test], domains: {a.domain: {group_mgt_port: %d}}}\n  b: {hosts: [b.test], domains: {b.domain: {group_mgt_port: %s}}}\n",
			ports[1], e.admin[strings.LastIndexByte(e.admin, ':')+1:])
	e.reload(text, reloadRefused)
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

const reloadRefused = `"msg":"configuration could not be reloaded; the old one stays"`

// TestRun_ReloadThatFailsReopensTheLog: logrotate has moved the file away, whatever is wrong with the configuration; it will be compressed and deleted.
func TestRun_ReloadThatFailsReopensTheLog(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	log := filepath.Join(t.TempDir(), "access.log")
	text := e.text()
	full := "access_log_file: " + log + "\n" + text
	if err := os.WriteFile(e.file, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	e.start()
	logged := func(what string) {
		t.Helper()
		e.get(e.http, "/"+what, "unknown.test", "")
		e.await("a record in the file", func() bool {
			text, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(text), "/"+what)
		})
	}
	logged("before")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	e.reload(full+"wrong: key\n", reloadRefused)
	logged("after")
	e.stop()
}

// TestRun_ReloadOnARenamedHost: the name that the ELB took from its host stays until a restart; it is no change of the configuration.
func TestRun_ReloadOnARenamedHost(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	e.hostName = "renamed.test"
	full := e.text()
	e.start()
	e.reload(full, reloadDone)
	e.reload("node_name: renamed.test\n"+full, reloadRefused)
	e.stop()
}

// TestRun_ReloadWhenItsFilesAreThere: a configuration that was refused for a file that it names comes into use when that file is good, without another
// signal; one that is at fault itself is not tried again.
func TestRun_ReloadWhenItsFilesAreThere(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	full := e.text()
	list := filepath.Join(t.TempDir(), "tenants")
	e.start()
	e.reload(full+"tenants: {file: "+list+"}\n", reloadRefused)
	writeLines(t, list, "a.test 7")
	e.await("the configuration in use", func() bool { return strings.Contains(e.log.String(), reloadDone) })
	if n := strings.Count(e.log.String(), reloadRefused); n != 1 {
		t.Errorf("the log tells of %d refusals", n)
	}
	var s struct{ Config configStatus }
	_, _, body := e.get(e.admin, "/status", e.admin, "")
	if err := json.Unmarshal([]byte(body), &s); err != nil || len(s.Config.Faults) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
	e.stop()
}

// TestRun_ReloadOfAFileThatChangedDuringTheStart: what was written after the file was read, and before the ELB was ready, comes into use.
func TestRun_ReloadOfAFileThatChangedDuringTheStart(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	full := e.text()
	e.watch = daemon.NewFileWatch(e.file)
	writeLines(t, e.file, full+"zone: later")
	e.start()
	e.await("the configuration in use", func() bool { return strings.Contains(e.log.String(), reloadDone) })
	e.stop()
}

// TestRun_ReloadGivesPortsUpAtOnce: when the log says that a configuration is in use, ports that it has no more are free, for others or for the next reload.
func TestRun_ReloadGivesPortsUpAtOnce(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	full := e.text()
	ports, err := freeport.PickN(2)
	if err != nil {
		t.Fatal(err)
	}
	var given atomic.Int64 // up by the next reload
	e.heard = func(record string) {
		port := given.Load()
		if port == 0 || !strings.Contains(record, reloadDone) {
			return
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Error(err)
			return
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	e.start()
	for i := range 10 {
		e.reload(strings.Replace(full, "http_port: 0", fmt.Sprintf("http_port: %d", ports[i%2]), 1), reloadDone)
		given.Store(int64(ports[i%2]))
	}
	e.stop()
}

// TestRun_ReloadAffinityAndTenants: sessions are kept from the reload on that wants it, and through those after it; tenants are told apart by the
// list that the configuration names.
func TestRun_ReloadAffinityAndTenants(t *testing.T) {
	named := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	everybody, some := named("everybody"), named("some")
	e := newELB(t, everybody)
	full := e.text()
	e.start()
	if _, set := e.ask("/", ""); set != "" {
		t.Errorf("a cookie without affinity: %s", set)
	}
	sticky := strings.Replace(full, `"]}`, `"], affinity: cookie}`, 1)
	e.reload(sticky, reloadDone)
	_, cookie := e.ask("/", "")
	if cookie == "" {
		t.Fatal("no cookie with affinity")
	}
	if _, set := e.ask("/", cookie); set != "" {
		t.Errorf("the cookie was replaced by %s", set)
	}
	e.reload(sticky+"# again\n", reloadDone)
	if _, set := e.ask("/", cookie); set != "" {
		t.Errorf("after another reload the cookie was replaced by %s", set)
	}

	list := func(name, text string) string {
		file := filepath.Join(t.TempDir(), name)
		writeLines(t, file, text)
		return file
	}
	two := sticky + fmt.Sprintf("      some.domain: {members: [%q], tenant_range: 7}\ntenants:\n  file: ", some)
	one, other := list("one", "a.test 7"), list("other", "a.test 8")
	for _, step := range []struct{ text, want string }{{two + one + "\n", "some"}, {two + other + "\n", "everybody"}, {sticky, "everybody"}, {two + one + "\n", "some"}} {
		e.reload(step.text, reloadDone)
		if body, _ := e.ask("/t/a.test/", ""); body != step.want {
			t.Errorf("the tenant is served by %q, want %q, with\n%s", body, step.want, step.text)
		}
	}
	e.reload(two+one+"x\n", reloadRefused)
	if body, _ := e.ask("/t/a.test/", ""); body != "some" {
		t.Errorf("after a reload that failed the tenant is served by %q", body)
	}
	e.stop()
}

// TestRun_ReloadAfterAChangeOfKeys: the group of a new domain has the gossip keys of now, not those of the start, and follows them like the others.
func TestRun_ReloadAfterAChangeOfKeys(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	oldLine, oldKey := newKey(t)
	newLine, newOne := newKey(t)
	lastLine, lastKey := newKey(t)
	file := e.secure("", oldLine)
	full := e.text()
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	keys := func(want ...[]byte) {
		t.Helper()
		ids := []string{}
		for _, k := range want {
			ids = append(ids, membership.KeyID(k))
		}
		e.await("the keys of the file", func() bool { got, _ := e.gossipStatus(); return slices.Equal(got, ids) })
	}
	keys(oldKey)
	writeLines(t, file, newLine)
	keys(newOne)
	e.reload(full+fmt.Sprintf("  new: {hosts: [new.test], domains: {new.domain: {group_mgt_port: %d}}}\n", ports[0]), reloadDone)
	join := func(name string, key []byte) *node {
		return startNodeWith(t, name, ports[0], func(c *membership.Config) {
			c.Local.Domain, c.Local.SubDomain, c.Keys = "new.domain", "", [][]byte{key}
		})
	}
	joined := func(name string) {
		t.Helper()
		e.await(name, func() bool {
			return slices.ContainsFunc(e.members(), func(m lb.MemberStatus) bool { return m.Name == name })
		})
	}
	join("one", newOne)
	joined("one")
	writeLines(t, file, lastLine)
	keys(lastKey)
	join("two", lastKey)
	joined("two")
	e.stop()
}

// TestBalancer_AccessLogByLevel: events are kept whatever the level of the log is; records of requests are not.
func TestBalancer_AccessLogByLevel(t *testing.T) {
	t.Parallel()
	events := &eventLog{}
	for name, c := range map[string]struct {
		level   slog.Level
		dynamic string // of the configuration, when the level can change
		want    bool
	}{
		"fixed, told":      {slog.LevelInfo, "", true},
		"fixed, quiet":     {slog.LevelWarn, "", false},
		"becomes told":     {slog.LevelWarn, "info", true},
		"becomes quiet":    {slog.LevelInfo, "warn", false},
		"stays as it was":  {slog.LevelError, "error", false},
		"debug tells, too": {slog.LevelInfo, "debug", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			level := &slog.LevelVar{}
			level.Set(c.level)
			log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: level}))
			b := &balancer{process: Process{Log: log}, log: slog.New(events.handler(log.Handler())), metrics: prometheus.NewRegistry(), outlet: &outlet{standard: io.Discard}}
			config := Default()
			if c.dynamic != "" {
				b.process.Level, config.Log.Level = level, c.dynamic
			}
			access, err := b.accessLog(config)
			if err != nil || (access != nil) != c.want {
				t.Fatalf("%v, %v; want one: %t", access, err, c.want)
			}
			if access != nil {
				if err := access.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
