package elbd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// The affinity of a pool is that of its block, else that of its domain, else none; a word is as good as a block.
func TestLoadConfig_Affinity(t *testing.T) {
	c, err := loadText(t, `services:
  s:
    hosts: [s.example]
    domains:
      word: {members: ["http://127.0.0.1:1"], hosts: [w.example], affinity: cookie}
      none: {members: ["http://127.0.0.1:1"], hosts: [n.example]}
      parted:
        group_mgt_port: 1
        affinity: {mode: application, session_cookies: [A, B], session_timeout: 90m, cookie: R, drain_window: 1s}
        mgt: {hosts: [m.example]}
        worker: {hosts: [o.example], affinity: none}
      set: {members: ["http://127.0.0.1:1"], affinity: cookie}
`, "ELB_SERVICES_S_DOMAINS_SET_AFFINITY_SESSION_TIMEOUT=1m")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]lb.AffinitySpec{
		"word/":         {Mode: lb.AffinityCookie},
		"none/":         {},
		"parted/mgt":    {Mode: lb.AffinityApplication, SessionCookies: []string{"A", "B"}, SessionTimeout: 90 * time.Minute, Cookie: "R", DrainWindow: time.Second},
		"parted/worker": {Mode: lb.AffinityNone},
		"set/":          {Mode: lb.AffinityCookie, SessionTimeout: time.Minute},
	}
	specs, faults := c.pools(&daemon.Document{})
	if len(specs) != len(want) || len(faults) > 0 {
		t.Errorf("%d pools, %v", len(specs), faults)
	}
	for _, s := range specs {
		wanted := want[s.Domain+"/"+s.SubDomain]
		if !reflect.DeepEqual(s.Affinity, wanted) {
			t.Errorf("%s/%s: %+v, want %+v", s.Domain, s.SubDomain, s.Affinity, wanted)
		}
	}
	if _, err := lb.NewRoutes(specs); err != nil {
		t.Error(err)
	}
}

// Domains at the same host, told apart by tenants, have cookies of their own.
func TestLoadConfig_AffinityCookiesOfTenants(t *testing.T) {
	c, err := loadText(t, `services:
  s:
    hosts: [a.example]
    domains:
      all: {group_mgt_port: 1, affinity: cookie}
      some: {group_mgt_port: 2, tenant_range: 1-9, affinity: application}
      more: {group_mgt_port: 3, tenant_range: 10-19, affinity: {mode: application, cookie: R}}
      rest: {group_mgt_port: 4, tenant_range: 20-29}
      other: {group_mgt_port: 5, hosts: [b.example], affinity: cookie}
`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	specs, _ := c.pools(&daemon.Document{})
	for _, s := range specs {
		got[s.Domain] = s.Affinity.Cookie
	}
	want := map[string]string{"all": "elb_route_all", "some": "elb_route_some", "more": "R", "rest": "", "other": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Each fault names its line and key, once.
func TestLoadConfig_AffinityFaults(t *testing.T) {
	const before = "services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt: {hosts: [a]}\n        worker: {hosts: [b]}\n        affinity:"
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"word":          {before + " sticky\n", []string{`:8: services.s.domains.d.affinity.mode: "sticky" is no affinity; write none, cookie or application`}},
		"no mode":       {before + " {cookie: R}\n", []string{":8: services.s.domains.d.affinity.mode: is missing"}},
		"unknown key":   {before + " {mode: cookie, coockie: R}\n", []string{":8: services.s.domains.d.affinity.coockie: unknown key; did you mean cookie?"}},
		"wrong mode":    {before + " {mode: cookie, session_cookies: A}\n", []string{":8: services.s.domains.d.affinity.session_cookies: are for the mode application only"}},
		"bad cookie":    {before + "\n          mode: cookie\n          cookie: a b\n", []string{`:10: services.s.domains.d.affinity.cookie: "a b" cannot be the name of a cookie`}},
		"bad session":   {before + "\n          mode: application\n          session_cookies: [A, \"=\"]\n", []string{`:10: services.s.domains.d.affinity.session_cookies: "=" cannot be the name of a cookie`}},
		"same cookie":   {before + "\n          mode: application\n          cookie: JSESSIONID\n", []string{":10: services.s.domains.d.affinity.cookie: JSESSIONID is both"}},
		"short timeout": {before + "\n          mode: cookie\n          session_timeout: 1ms\n", []string{":10: services.s.domains.d.affinity.session_timeout: is 1ms; a session's timeout is 0s"}},
		"negative":      {before + "\n          mode: cookie\n          session_timeout: -1s\n          drain_window: -1s\n", []string{":10: services.s.domains.d.affinity.session_timeout: is -1s", ":11: services.s.domains.d.affinity.drain_window: is -1s; it must not be negative"}},
		"key file":      {before + " cookie\naffinity_key_file: /nonexistent\n", []string{":9: affinity_key_file: open /nonexistent", "elb keys"}},
		"two domains of tenants at a host": {
			"services:\n  s:\n    hosts: [a.example]\n    domains:\n      d: {group_mgt_port: 1, affinity: {mode: cookie, cookie: R}}\n      e: {group_mgt_port: 2, tenant_range: 1-9, affinity: {mode: application, cookie: R}}\n",
			[]string{":6: services.s.domains.e.affinity.cookie: R is the cookie of domain d at host a.example already (", "elb.yaml:5)"},
		},
		"a domain that names no cookie": {
			"services:\n  s:\n    hosts: [a.example]\n    domains:\n      d: {group_mgt_port: 1, affinity: cookie}\n      e f: {group_mgt_port: 2, tenant_range: 1-9, affinity: application}\n",
			[]string{`:6: services.s.domains.e f.affinity.cookie: is missing: "elb_route_e f" cannot be the name of a cookie`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(t, c.yaml)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if n := strings.Count(err.Error(), want); n != 1 {
					t.Errorf("%d times %q in\n%v", n, want, err)
				}
			}
			if n := strings.Count(err.Error(), "\n"); n >= len(c.want) && name != "key file" {
				t.Errorf("more faults than these:\n%v", err)
			}
		})
	}
}

func TestAffinityKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, key byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{key}, 16))), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	specs := []lb.PoolSpec{{Affinity: lb.AffinitySpec{Mode: lb.AffinityNone}}, {Affinity: lb.AffinitySpec{Mode: lb.AffinityCookie}}}
	var log bytes.Buffer
	keys := func(c Config, specs []lb.PoolSpec) []byte {
		t.Helper()
		c.StateDir = dir
		b := &balancer{config: c, doc: &daemon.Document{}, log: slog.New(slog.NewTextHandler(&log, nil))}
		got, err := b.affinityKeys(b.doc, specs)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Join(got, nil)
	}
	own, gossip := write("own", 'o'), write("gossip", 'g')
	if got := keys(Config{}, specs[:1]); len(got) > 0 {
		t.Errorf("a key without need: %q", got)
	}
	if got := keys(Config{AffinityKeyFile: own, GossipKeyFile: gossip}, specs); string(got) != strings.Repeat("o", 16) {
		t.Errorf("%q", got)
	}
	if got := keys(Config{GossipKeyFile: gossip}, specs); string(got) != strings.Repeat("g", 16) {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "affinity.key")); err == nil || log.Len() > 0 {
		t.Errorf("a key was made without need: %v, %s", err, &log)
	}
	made := keys(Config{}, specs)
	info, err := os.Stat(filepath.Join(dir, "affinity.key"))
	if err != nil || info.Mode() != 0o600 || len(made) != 32 {
		t.Errorf("%v, %v, %d bytes", info, err, len(made))
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "affinity_key_file") {
		t.Errorf("no warning: %s", &log)
	}
	if again := keys(Config{}, specs); !bytes.Equal(again, made) {
		t.Error("the second start has another key")
	}
	if err := os.WriteFile(filepath.Join(dir, "affinity.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := &balancer{config: Config{StateDir: dir}, doc: &daemon.Document{}, log: slog.New(slog.DiscardHandler)}
	if _, err := b.affinityKeys(b.doc, specs); err == nil {
		t.Error("an empty key file was taken")
	}
}

// A load balancer that starts anew honours its cookies, and another one with the same key does.
func TestRun_AffinitySurvivesARestart(t *testing.T) {
	var addrs []string
	for i := range 3 {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, i) }))
		defer s.Close()
		addrs = append(addrs, s.URL)
	}
	e := newELB(t, strings.Join(addrs, `", "`))
	text, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.file, bytes.Replace(text, []byte(`"]}`), []byte(`"], affinity: cookie}`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	e.start()
	home, cookie := e.ask("/", "")
	e.stop()
	for range 2 {
		e.start()
		for range 3 {
			if body, set := e.ask("/", cookie); body != home || set != "" {
				t.Errorf("%s, not %s; new cookie %q", body, home, set)
			}
		}
		e.stop()
	}
}
