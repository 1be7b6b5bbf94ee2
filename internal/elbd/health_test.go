package elbd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
)

// A domain's health block changes the keys that it names; the others are those of the block at the top, or the defaults.
func TestLoadConfig_Health(t *testing.T) {
	const file = `health: {timeout: 200ms, path: /up}
services:
  s:
    domains:
      plain.domain: {hosts: [a], members: ["http://127.0.0.1:1"]}
      own.domain:
        members: ["http://127.0.0.1:1"]
        hosts: [b]
        health: {path: "", interval: 5s, status: 200-399, max_errors: 0}
      off.domain: {hosts: [c], members: ["http://127.0.0.1:1"], health: {interval: 0s}}
`
	name := filepath.Join(t.TempDir(), "elb.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, doc, err := LoadConfig(name, []string{"ELB_HEALTH_RISE=3", "ELB_SERVICES_S_DOMAINS_OWN_DOMAIN_HEALTH_FALL=7"})
	if err != nil {
		t.Fatal(err)
	}
	plain := lb.DefaultHealth()
	plain.Timeout, plain.Path, plain.Rise = 200*time.Millisecond, "/up", 3
	own, off := plain, plain
	own.Path, own.Interval, own.Status, own.MaxErrors, own.Fall = "", 5*time.Second, lb.StatusRange{From: 200, To: 399}, 0, 7
	off.Interval = 0
	want := map[string]lb.HealthSpec{"plain.domain": plain, "own.domain": own, "off.domain": off}
	specs, faults := c.pools(doc)
	if len(faults) > 0 || len(specs) != len(want) {
		t.Fatalf("%d pools, %v", len(specs), faults)
	}
	for _, s := range specs {
		if s.Health != want[s.Domain] {
			t.Errorf("%s: %+v, want %+v", s.Domain, s.Health, want[s.Domain])
		}
	}
	if _, err := lb.NewRoutes(specs); err != nil {
		t.Error(err)
	}
}

func TestLoadConfig_HealthFaults(t *testing.T) {
	const one = "services: {s: {hosts: [s.example], domains: {d: {members: [\"http://127.0.0.1:1\"]}}}}\n"
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key": {one + "health: {intervall: 1s}\n", []string{":2: health.intervall: unknown key; did you mean interval?"}},
		"all at once": {
			one + "health:\n  interval: 1ms\n  timeout: 0s\n  fall: 0\n  rise: -1\n  path: readyz\n  status: ok\n  max_timeouts: -1\n  max_errors: -2\n",
			[]string{
				":3: health.interval: is 1ms; it must be at least 10ms, or 0 for no checks", ":4: health.timeout: is 0s; it must be from 1ms",
				":5: health.fall: is 0; it must be at least 1", ":6: health.rise: is -1", `:7: health.path: "readyz" does not begin with a slash`,
				`:8: health.status: "ok" is no status code`, ":9: health.max_timeouts: is -1", ":10: health.max_errors: is -2",
			},
		},
		"negative interval": {one + "health: {interval: -1s}\n", []string{":2: health.interval: is -1s"}},
		"long timeout":      {one + "health: {timeout: 3s}\n", []string{":2: health.timeout: is 3s; it must be from 1ms to the interval (1s)"}},
		"space in the path": {one + "health: {path: \"/a b\"}\n", []string{`:2: health.path: "/a b" holds a character that must be written as %20`}},
		"domain": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        health:\n          status: 99\n          interval: 100ms\n",
			[]string{`:8: services.s.domains.d.health.status: "99" is no status code`, ":7: services.s.domains.d.health.timeout: is 500ms; it must be from 1ms to the interval (100ms)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(t, c.yaml)
			if err == nil {
				t.Fatal("no fault was found")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got:\n%v\nwant %s", err, want)
				}
			}
			if n := strings.Count(err.Error(), "health."); n != len(c.want) {
				t.Errorf("%d faults, want %d:\n%v", n, len(c.want), err)
			}
		})
	}
}

// The page of members says of one that is down since when and why, and so does its JSON.
func TestMembersPage_TellsWhoIsDown(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nobody listens there any more
	e := newELB(t, "http://"+l.Addr().String())
	e.start()
	defer e.stop()
	e.await("the verdict", func() bool { return len(e.members()) == 1 && e.members()[0].Standing == lb.StandingDown })
	m := e.members()[0]
	if m.StandingSince.IsZero() || !strings.Contains(m.Reason, "connection refused") || m.LastCheck == nil || m.LastCheck.Result != "refused" {
		t.Errorf("%+v", m)
	}
	_, _, page := e.get(e.admin, "/members", e.admin, "text/html")
	if !strings.Contains(page, `<b class="mark bad">down</b> <span class="since" title="since 20`) || !strings.Contains(page, "connection refused") {
		t.Error(page)
	}
}
