package elbd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// loadText writes a configuration with a state folder of its own and loads it.
func loadText(t *testing.T, yaml string, env ...string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "elb.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := LoadConfig(file, env)
	return c, err
}

const seed = `http_port: 8280
https_port: 8243
local_member_host: 127.0.0.1
local_member_port: 5000
services:
  governance:
    domains:
      wso2.governance.domain:
        tenant_range: "*"
        group_mgt_port: 4321
        mgt:
          hosts: [governance.localhost, localhost]
  legacy:
    hosts: [legacy.localhost]
    domains:
      legacy.domain:
        members: ["http://127.0.0.1:9001"]
`

func TestLoadConfig_Seed(t *testing.T) {
	c, err := loadText(t, seed, "ELB_HTTP_PORT=8281", "ELB_TIMEOUTS_RESPONSE_HEADER=5s", "ELB_TRUSTED_PROXIES=10.0.0.0/8,::1")
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPPort != 8281 || c.Timeouts.ResponseHeader != 5*time.Second || len(c.TrustedProxies) != 2 || c.TLS.DevCADir != "run/elb/ca" || c.NodeName == "" {
		t.Errorf("%+v", c)
	}
	specs, faults := c.pools(&daemon.Document{})
	if len(faults) > 0 || len(specs) != 2 {
		t.Fatalf("%+v, %v", specs, faults)
	}
	gov, legacy := specs[0], specs[1]
	if gov.Domain != "wso2.governance.domain" || gov.SubDomain != "mgt" || !slices.Equal(gov.Hosts, []string{"governance.localhost", "localhost"}) || !gov.Tenants.All() {
		t.Errorf("%+v", gov)
	}
	if legacy.SubDomain != "" || !slices.Equal(legacy.Hosts, []string{"legacy.localhost"}) || len(legacy.Static) != 1 || legacy.Static[0].HTTPPort != 9001 {
		t.Errorf("%+v", legacy)
	}
	if hosts := c.certificateHosts(); !slices.Contains(hosts, "governance.localhost") || !slices.Contains(hosts, "legacy.localhost") || !slices.Contains(hosts, "127.0.0.1") {
		t.Errorf("certificate for %v", hosts)
	}
}

func TestLoadConfig_StaticMembersOfTheDomainGoToItsOnlyBlock(t *testing.T) {
	c, err := loadText(t, "services: {s: {domains: {d: {members: [\"http://127.0.0.1:1\"], worker: {hosts: [w.example], members: [\"http://127.0.0.1:2\"]}}}}}")
	if err != nil {
		t.Fatal(err)
	}
	specs, _ := c.pools(&daemon.Document{})
	if len(specs) != 1 || specs[0].SubDomain != "worker" || len(specs[0].Static) != 2 {
		t.Errorf("%+v", specs)
	}
}

// Each fault must name its line and key; all of a file come together.
func TestLoadConfig_Faults(t *testing.T) {
	one := "services: {s: {hosts: [s.example], domains: {d: {members: [\"http://127.0.0.1:1\"]}}}}\n"
	for name, c := range map[string]struct {
		yaml string
		want []string // beginning with what follows the file name
	}{
		"unknown key":    {one + "http_prt: 1\n", []string{":2: http_prt: unknown key; did you mean http_port?"}},
		"no service":     {"http_port: 1\n", []string{": services: no service is configured"}},
		"no domain":      {"services:\n  s:\n    hosts: [a]\n", []string{":2: services.s.domains: names no domain"}},
		"unknown block":  {"services:\n  s:\n    domains:\n      d:\n        store: {hosts: [a]}\n", []string{":5: services.s.domains.d.store: unknown key"}},
		"port too large": {one + "https_port: 70000\n", []string{":2: https_port: is 70000; ports are from 0 to 65535"}},
		"both ports off": {one + "http_port: -1\nhttps_port: -1\n", []string{":2: http_port: http_port and https_port are both off"}},
		"same port":      {one + "http_port: 8243\n", []string{": https_port: 8243 is the same port as http_port"}},
		"admin":          {one + "admin: here\n", []string{`:2: admin: "here" is not of the form host:port`}},
		"no group port":  {"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        tenant_range: \"*\"\n", []string{":5: services.s.domains.d.group_mgt_port: is missing"}},
		"group port = local member port": {
			"local_member_port: 5000\nservices:\n  s:\n    hosts: [a]\n    domains:\n      d: {group_mgt_port: 5000}\n",
			[]string{":6: services.s.domains.d.group_mgt_port: 5000 is the same port as local_member_port (", "elb.yaml:1)"},
		},
		"group port twice": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {group_mgt_port: 4321}\n  z:\n    hosts: [b]\n    domains:\n      e: {group_mgt_port: 4321}\n",
			[]string{":9: services.z.domains.e.group_mgt_port: 4321 is the same port as services.s.domains.d.group_mgt_port (", "elb.yaml:5)"},
		},
		"tenant range": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {group_mgt_port: 1, tenant_range: 5-1}\n",
			[]string{`:5: services.s.domains.d.tenant_range: "5-1" is no tenant range`},
		},
		"host in two services": {
			"services:\n  first:\n    hosts:\n      - x.example\n    domains: {d: {group_mgt_port: 1}}\n  second:\n    hosts:\n      - y.example\n      - X.example\n    domains: {e: {group_mgt_port: 2}}\n",
			[]string{":9: services.second.hosts[1]: x.example belongs to service first already (", "elb.yaml:4)"},
		},
		"host in two sub-domains": {
			"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt: {hosts: [a.example]}\n        worker: {hosts: [a.example]}\n",
			[]string{":7: services.s.domains.d.worker.hosts[0]: a.example leads to another sub-domain of d already (", "elb.yaml:6)"},
		},
		"overlapping tenants": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {group_mgt_port: 1}\n      e: {group_mgt_port: 2}\n",
			[]string{":6: services.s.domains.e.tenant_range: * overlaps with * of domain d (", "elb.yaml:5): at host a"},
		},
		"overlapping tenants at two hosts": {
			"services:\n  s:\n    hosts: [a, b]\n    domains:\n      d:\n        group_mgt_port: 1\n        tenant_range: 1-100\n      e:\n        group_mgt_port: 2\n        tenant_range: 90-*\n      f: {group_mgt_port: 3}\n",
			[]string{":10: services.s.domains.e.tenant_range: 90-* overlaps with 1-100 of domain d (", "elb.yaml:7): at host a"},
		},
		"overlapping tenants of sub-domains": {
			"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt: {hosts: [a], tenant_range: 1-9}\n        sub_domains:\n          x: {hosts: [a], tenant_range: 9}\n          y: {hosts: [a]}\n",
			[]string{":8: services.s.domains.d.sub_domains.x.hosts[0]: a leads to another sub-domain of d already (", "elb.yaml:6)"},
		},
		"mgt among the others": {
			"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        sub_domains: {mgt: {hosts: [a]}}\n",
			[]string{`:6: services.s.domains.d.sub_domains.mgt: is no place for "mgt"`},
		},
		"no domain for all": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {group_mgt_port: 1, tenant_range: 1-100}\n",
			[]string{`:3: services.s.hosts[0]: a has no domain with tenant_range "*"`},
		},
		"bad host":           {"services:\n  s:\n    hosts: [a, \"b:80\"]\n    domains: {d: {group_mgt_port: 1}}\n", []string{`:3: services.s.hosts[1]: "b:80": write the host without a port`}},
		"block without host": {"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt: {}\n", []string{":6: services.s.domains.d.mgt.hosts: no host leads to domain d"}},
		"hosts that lead nowhere": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt: {hosts: [b]}\n",
			[]string{":3: services.s.hosts: lead nowhere"},
		},
		"static member": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {members: [\"http://127.0.0.1:9001\", \"127.0.0.1:9002\"]}\n",
			[]string{`:5: services.s.domains.d.members[1]: "127.0.0.1:9002"`},
		},
		"static members of two blocks": {
			"services:\n  s:\n    domains:\n      d:\n        members: [\"http://127.0.0.1:9001\"]\n        mgt: {hosts: [a]}\n        worker: {hosts: [b]}\n",
			[]string{":5: services.s.domains.d.members: the domain has two sub-domains"},
		},
		"domain twice": {
			"services:\n  s:\n    hosts: [a]\n    domains: {d: {group_mgt_port: 1}}\n  z:\n    hosts: [b]\n    domains: {d: {group_mgt_port: 2}}\n",
			[]string{":7: services.z.domains.d: the domain is configured already (", "elb.yaml:4)"},
		},
		"balancer word": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        balancer: least_conn\n",
			[]string{`:7: services.s.domains.d.balancer.policy: "least_conn" is no balancer; write round_robin, least_inflight, two_choices or hash`},
		},
		"balancer list": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        balancer: [hash]\n",
			[]string{":7: services.s.domains.d.balancer: must be a block of keys, not a list"},
		},
		"balancer block": {
			"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        mgt:\n          hosts: [a]\n          balancer:\n            policy: hash\n            load_bound: 1\n            slow_start: -1s\n",
			[]string{
				":8: services.s.domains.d.mgt.balancer.key: is missing: hash needs one",
				":10: services.s.domains.d.mgt.balancer.load_bound: is 1; it must be above 1",
				":11: services.s.domains.d.mgt.balancer.slow_start: is -1s; it must not be negative",
			},
		},
		"balancer key": {
			"services:\n  s:\n    domains:\n      d:\n        group_mgt_port: 1\n        balancer: {policy: hash, key: body}\n        mgt: {hosts: [a]}\n        worker: {hosts: [b]}\n",
			[]string{`:6: services.s.domains.d.balancer.key: "body" is no key; write header NAME, cookie NAME, path or client`},
		},
		"balancer unknown key": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        balancer: {policy: two_choices, key: path, load_bound: 2, load_bond: 3}\n",
			[]string{":7: services.s.domains.d.balancer.load_bond: unknown key; did you mean load_bound?"},
		},
		"balancer key without hash": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        balancer: {slow_start: 1s, key: path, load_bound: 2}\n",
			[]string{":7: services.s.domains.d.balancer.key: is for the policy hash only", ":7: services.s.domains.d.balancer.load_bound: is for"},
		},
		"static weight": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d: {members: [\"http://127.0.0.1:1 weight=many\", \"http://127.0.0.1:2 wieght=1\"]}\n",
			[]string{":5: services.s.domains.d.members[0]: ", "weight many is not a number from 0 to 1000", ":5: services.s.domains.d.members[1]: ", "wieght=1 is not known"},
		},
		"own domain":    {"services:\n  s:\n    hosts: [a]\n    domains: {wso2.carbon.lb.domain: {group_mgt_port: 1}}\n", []string{":4: services.s.domains.wso2.carbon.lb.domain: is the domain of the ELBs"}},
		"gossip beyond": {one + "local_member_host: 192.0.2.1\n", []string{":2: local_member_host: 192.0.2.1 is not a loopback address", "gossip_key_file"}},
		"key file":      {one + "gossip_key_file: /nonexistent\n", []string{":2: gossip_key_file: open /nonexistent", "elb keys"}},
		"accept from":   {one + "accept_from: [10.0.0.0/8, 10.0.0.0/33]\n", []string{`:2: accept_from[1]: "10.0.0.0/33" is neither an IP address nor a CIDR range`}},
		"accept from of a domain": {
			"services:\n  s:\n    hosts: [a]\n    domains:\n      d:\n        group_mgt_port: 1\n        accept_from:\n          - here\n        accept_hosts: [\"*.ok.example\", \"10.0.0.1\"]\n",
			[]string{`:8: services.s.domains.d.accept_from[0]: "here" is neither`, `:9: services.s.domains.d.accept_hosts[1]: "10.0.0.1" is an address, not a host name`},
		},
		"peer":           {one + "members: [elb2]\n", []string{`:2: members[0]: "elb2" is not of the form host:port`}},
		"timeout":        {one + "timeouts:\n  connect: 0s\n", []string{":3: timeouts.connect: is 0s; it must be at least 1ms"}},
		"timeout type":   {one + "timeouts:\n  connect: 2\n", []string{`:3: timeouts.connect: "2" is not a duration`}},
		"trusted proxy":  {one + "trusted_proxies: [10.0.0.0/8, everybody]\n", []string{`:2: trusted_proxies[1]: "everybody" is neither`}},
		"log level":      {one + "log: {level: loud}\n", []string{`:2: log.level: "loud"`}},
		"no certificate": {one + "tls: {cert_file: /nonexistent.pem, key_file: /nonexistent.key}\n", []string{":2: tls.cert_file: ", "/nonexistent.pem"}},
		"several": {
			"http_port: -5\nservices:\n  s:\n    hosts: [\"a b\"]\n    domains:\n      d: {group_mgt_port: 0, tenant_range: x}\n",
			[]string{":1: http_port", `:4: services.s.hosts[0]: "a b" is no host name`, ":6: services.s.domains.d.group_mgt_port: is missing", ":6: services.s.domains.d.tenant_range"},
		},
		"keys and values": {
			"htp_port: 1\nhttps_port: many\nadmin: x\nservices:\n  s:\n    host: [a]\n    domains:\n      d: {tenant_range: 0, group_port: 3}\n",
			[]string{":1: htp_port: unknown key", ":2: https_port: ", ":3: admin: ", ":6: services.s.host: unknown key; did you mean hosts?", ":8: services.s.domains.d.group_port: unknown key", ":8: services.s.domains.d.tenant_range: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadText(t, c.yaml)
			if err == nil {
				t.Fatal("no fault")
			}
			for _, want := range c.want {
				if strings.HasPrefix(want, ":") {
					want = "elb.yaml" + want
				}
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q:\n%v", want, err)
				}
			}
			for _, f := range daemon.Flatten(err) {
				if strings.Contains(f.Error(), "\n") {
					t.Errorf("a fault has several lines: %q", f)
				}
			}
		})
	}
}

func TestLoadConfig_SubDomainsOfOtherNames(t *testing.T) {
	c, err := loadText(t, `services:
  s:
    domains:
      d:
        group_mgt_port: 1
        mgt: {hosts: [m.example]}
        sub_domains:
          store: {hosts: [s.example], tenant_range: 1-5}
          publisher: {hosts: [s.example], members: ["http://127.0.0.1:1"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	specs, _ := c.pools(&daemon.Document{})
	routes, err := lb.NewRoutes(specs)
	if err != nil {
		t.Fatal(err)
	}
	table := lb.NewTable(routes, nil)
	for _, want := range []struct {
		host   string
		tenant int
		sub    string
	}{{"m.example", 1, "mgt"}, {"s.example", 5, "store"}, {"s.example", 6, "publisher"}, {"s.example", 0, "publisher"}} {
		if pool, _ := table.LookupTenant(want.host, want.tenant); pool == nil || pool.SubDomain != want.sub {
			t.Errorf("tenant %d at %s goes to %+v, want %s", want.tenant, want.host, pool, want.sub)
		}
	}
}

// The balancer of a pool is that of its block, else that of its domain, else round robin; a word is as good as a block.
func TestLoadConfig_Balancers(t *testing.T) {
	c, err := loadText(t, `zone: west
services:
  s:
    hosts: [s.example]
    domains:
      word: {members: ["http://127.0.0.1:1"], hosts: [w.example], balancer: least_inflight}
      none: {members: ["http://127.0.0.1:1"], hosts: [n.example]}
      parted:
        group_mgt_port: 1
        balancer: {policy: hash, key: cookie SESSION, load_bound: 2, slow_start: 30s}
        mgt: {hosts: [m.example]}
        worker: {hosts: [o.example], balancer: {slow_start: 5s}}
      set: {members: ["http://127.0.0.1:1"], balancer: round_robin}
`, "ELB_SERVICES_S_DOMAINS_SET_BALANCER_POLICY=two_choices")
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := lb.ParseHashKey("cookie SESSION")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]lb.BalancerSpec{
		"word/":         {Policy: lb.PolicyLeastInFlight, Zone: "west"},
		"none/":         {Zone: "west"},
		"parted/mgt":    {Policy: lb.PolicyHash, Key: cookie, LoadBound: 2, SlowStart: 30 * time.Second, Zone: "west"},
		"parted/worker": {SlowStart: 5 * time.Second, Zone: "west"},
		"set/":          {Policy: lb.PolicyTwoChoices, Zone: "west"},
	}
	specs, _ := c.pools(&daemon.Document{})
	if len(specs) != len(want) {
		t.Errorf("%d pools", len(specs))
	}
	for _, s := range specs {
		if got := s.Balancer; got != want[s.Domain+"/"+s.SubDomain] {
			t.Errorf("%s/%s: %+v, want %+v", s.Domain, s.SubDomain, got, want[s.Domain+"/"+s.SubDomain])
		}
	}
	if _, err := lb.NewRoutes(specs); err != nil {
		t.Error(err)
	}
}

// A block that two pools share is blamed once.
func TestLoadConfig_TellsTheFaultOfASharedBalancerOnce(t *testing.T) {
	_, err := loadText(t, "services: {s: {domains: {d: {group_mgt_port: 1, balancer: x, mgt: {hosts: [a]}, worker: {hosts: [b]}}}}}")
	if n := strings.Count(err.Error(), "is no balancer"); n != 1 {
		t.Errorf("%d times in %v", n, err)
	}
}

func TestPeerFile(t *testing.T) {
	dir := t.TempDir()
	f := newPeerFile(dir, "../evil/domain")
	if addrs, err := f.load(); err != nil || len(addrs) != 0 {
		t.Fatalf("%v, %v", addrs, err)
	}
	if filepath.Dir(f.path) != dir {
		t.Errorf("%s is outside the folder", f.path)
	}
	if err := os.WriteFile(f.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.load(); err == nil {
		t.Error("a broken file gives no error")
	}
}
