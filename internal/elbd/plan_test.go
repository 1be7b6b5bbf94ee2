package elbd

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const planBase = `http_port: 8280
state_dir: run/x
log: {format: json, level: info}
services:
  governance:
    domains:
      one.domain: {group_mgt_port: 4321, hosts: [one.test]}
      two.domain: {group_mgt_port: 4322, hosts: [two.test]}
      three.domain: {members: ["http://127.0.0.1:9001"], hosts: [three.test]}
`

// load reads a configuration that has no faults.
func load(t *testing.T, text string) (Config, []error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "elb.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, doc, err := LoadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := LoadConfig(writeBase(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, refusals(old, c, doc)
}

func writeBase(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "elb.yaml")
	if err := os.WriteFile(file, []byte(planBase), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, next string   // pieces of planBase, replaced
		keys      []string // with the line, that are refused
	}{
		"nothing":           {"", "", nil},
		"port":              {"http_port: 8280", "http_port: 8281\nhttps_port: -1", nil},
		"level":             {"level: info", "level: debug", nil},
		"format":            {"format: json", "format: text", []string{":3: log.format: "}},
		"state":             {"state_dir: run/x", "state_dir: run/y\ntls: {dev_ca_dir: run/x/ca}", []string{":2: state_dir: "}},
		"two keys":          {"state_dir: run/x", "state_dir: run/x\nadmin: 127.0.0.1:1\nlocal_member_port: 4001", []string{":4: local_member_port: ", ":3: admin: "}},
		"back to a default": {"state_dir: run/x", "tls: {dev_ca_dir: run/x/ca}", []string{": state_dir: "}},
		"group port":        {"4321", "4323", []string{":7: services.governance.domains.one.domain.group_mgt_port: cannot change from 4321 to 4323"}},
		"group port away":   {"group_mgt_port: 4321", `members: ["http://127.0.0.1:9002"]`, nil},
		"group port new":    {`members: ["http://127.0.0.1:9001"]`, "group_mgt_port: 4324", nil},
		"domain away":       {`      two.domain: {group_mgt_port: 4322, hosts: [two.test]}` + "\n", "", nil},
		"who is accepted": {
			"group_mgt_port: 4321", "group_mgt_port: 4321, accept_from: [127.0.0.1], accept_hosts: [a.test]",
			[]string{":7: services.governance.domains.one.domain.accept_from: ", ":7: services.governance.domains.one.domain.accept_hosts: "},
		},
		"accepted everywhere": {"http_port: 8280", "accept_from: [127.0.0.0/8]", []string{":1: accept_from: "}},
		"a group that is new": {`members: ["http://127.0.0.1:9001"]`, "group_mgt_port: 4324, accept_from: [127.0.0.1]", nil},
		"ports that move":     {"http_port: 8280", "http_port: 8243\nhttps_port: 8280", []string{":1: http_port: 8243 is https_port in", ":2: https_port: 8280 is http_port in"}},
		"a domain's port to another one": {
			"two.domain: {group_mgt_port: 4322", "new.domain: {group_mgt_port: 4322",
			[]string{":8: services.governance.domains.new.domain.group_mgt_port: 4322 is group_mgt_port of two.domain in"},
		},
		"a domain's port to clients": {
			planBase, strings.NewReplacer("8280", "4322", "two.domain: {group_mgt_port: 4322", "new.domain: {group_mgt_port: 8280").Replace(planBase),
			[]string{":1: http_port: 4322 is group_mgt_port of two.domain in", "new.domain.group_mgt_port: 8280 is http_port in"},
		},
		"health":             {"http_port: 8280", "health: {interval: 2s}", nil},
		"health of a domain": {"hosts: [one.test]", "hosts: [one.test], health: {path: /up}, affinity: cookie", nil},
		"tenants":            {"http_port: 8280", "tenants: {timeout: 1s}", nil},
		"timeouts and hosts": {"hosts: [one.test]", "hosts: [\"*.one.test\"], tenant_range: \"*\", balancer: two_choices", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(planBase, c.old) {
				t.Fatalf("%q is not there", c.old)
			}
			_, faults := load(t, strings.Replace(planBase, c.old, c.next, 1))
			if len(faults) != len(c.keys) {
				t.Fatalf("refused: %v", faults)
			}
			for i, f := range faults {
				if !strings.Contains(f.Error(), c.keys[i]) || !strings.Contains(f.Error(), "needs a restart") {
					t.Errorf("%v; want %s", f, c.keys[i])
				}
			}
		})
	}
}

func TestGroupChanges(t *testing.T) {
	t.Parallel()
	old, _ := load(t, planBase)
	next, _ := load(t, strings.NewReplacer(
		"      two.domain: {group_mgt_port: 4322, hosts: [two.test]}\n", "",
		`members: ["http://127.0.0.1:9001"]`, "group_mgt_port: 4324").Replace(planBase))
	join, leave := groupChanges(old, next)
	if !reflect.DeepEqual(join, []domainPort{{"governance", "three.domain", 4324}}) || !slices.Equal(leave, []string{"two.domain"}) {
		t.Errorf("join %v, leave %v", join, leave)
	}
	// A domain that moves to another service keeps its group.
	moved, _ := load(t, strings.Replace(planBase, "  governance:", "  other:", 1))
	if join, leave := groupChanges(old, moved); len(join)+len(leave) != 0 {
		t.Errorf("join %v, leave %v", join, leave)
	}
}

func TestEpochOf(t *testing.T) {
	t.Parallel()
	epoch := func(text string) string {
		c, _ := load(t, text)
		e, err := epochOf(c)
		if err != nil || len(e) != 8 {
			t.Fatalf("%q, %v", e, err)
		}
		return e
	}
	base := epoch(planBase)
	if other := epoch("# a comment\n" + strings.Replace(planBase, "http_port: 8280", "https_port: 8243", 1)); other != base {
		t.Errorf("the same configuration, written otherwise, is %s, not %s", other, base)
	}
	if other := epoch(strings.Replace(planBase, "one.test", "two.one.test", 1)); other == base {
		t.Error("another host makes no difference")
	}
}

func TestSharedEpoch(t *testing.T) {
	t.Parallel()
	epoch := func(text string) uint32 {
		c, _ := load(t, text)
		e, err := sharedEpoch(c)
		if err != nil || e == 0 {
			t.Fatalf("%d, %v", e, err)
		}
		return e
	}
	base := epoch(planBase)
	for what, text := range map[string]string{
		"addresses":       "node_name: elb2\nlocal_member_port: 4711\nmembers: [\"127.0.0.1:4000\"]\nadmin: 127.0.0.1:9281\nzone: west\n" + planBase,
		"logs":            "access_log: false\n" + strings.Replace(planBase, "level: info", "level: debug", 1),
		"a gossip port":   strings.Replace(planBase, "group_mgt_port: 4322", "group_mgt_port: 4333", 1),
		"a gossip policy": strings.Replace(planBase, "group_mgt_port: 4322", "group_mgt_port: 4322, accept_from: [127.0.0.1]", 1),
	} {
		if text == planBase || epoch(text) != base {
			t.Errorf("%s: another epoch", what)
		}
	}
	for what, text := range map[string]string{
		"a host":   strings.Replace(planBase, "one.test", "two.one.test", 1),
		"a member": strings.Replace(planBase, "http://127.0.0.1:9001", "http://127.0.0.1:9002", 1),
		"health":   "health: {fall: 3}\n" + planBase,
		"a time":   "timeouts: {connect: 1s}\n" + planBase,
	} {
		if text == planBase || epoch(text) == base {
			t.Errorf("%s: the same epoch", what)
		}
	}
	for _, key := range hostKeys() {
		if !slices.ContainsFunc(reflect.VisibleFields(reflect.TypeFor[Config]()), func(f reflect.StructField) bool { return keyOfField(f) == key }) {
			t.Errorf("there is no key %s", key)
		}
	}
}

// TestLiveKeys: what may change is there; what nobody decided on needs a restart, and the documentation says so.
func TestLiveKeys(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### Keys that need a restart\n")
	if !found {
		t.Fatal("the documentation has no such heading")
	}
	_, list, _ := strings.Cut(section, "cannot change then:\n\n")
	list, _, _ = strings.Cut(list, "\n\n")
	live := liveKeys()
	for f := range reflect.TypeFor[Config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		restart := !slices.Contains(live, name)
		if told := strings.Contains(list, "`"+name+"`"); told != restart {
			t.Errorf("%s needs a restart: %t; the documentation says %t", name, restart, told)
		}
		live = slices.DeleteFunc(live, func(key string) bool { return key == name })
	}
	if len(live) > 0 {
		t.Errorf("there are no keys %v", live)
	}
}
