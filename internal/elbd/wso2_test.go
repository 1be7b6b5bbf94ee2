package elbd

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

var update = flag.Bool("update", false, "write the golden files")

// wso2Env is the environment of the samples.
func wso2Env() []string { return []string{"ESB_HOST=esb.example.com", "ESB_PORT=4800"} }

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it):\n%s", file, diff)
	}
}

// elb runs a command and gives its status and what it wrote.
func elb(env []string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = Main(args, env, &out, &errs)
	return status, out.String(), errs.String()
}

// samples are the files of WSO2 in testdata, by name.
func samples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/wso2/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples: %v", len(files), err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".conf"))
	}
	return names
}

// isRefused tells whether a sample is one that check refuses.
func isRefused(name string) bool {
	return slices.Contains([]string{"braces", "faults", "fragment"}, name)
}

// TestWSO2_Samples: what check says of each sample, and what becomes of it. A file that check refuses is not imported.
func TestWSO2_Samples(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			file := "testdata/wso2/" + name + ".conf"
			status, stdout, stderr := elb(wso2Env(), "check", "-config", file)
			golden(t, "testdata/wso2/"+name+".check", fmt.Sprintf("%s%sstatus %d\n", stderr, stdout, status))
			bad := isRefused(name)
			if (status != 0) != bad || bad == (stdout == "ok\n") {
				t.Errorf("check gave %d, %q", status, stdout)
			}
			for line := range strings.Lines(stderr) {
				if !strings.HasPrefix(strings.TrimPrefix(line, "elb: warning: "), file) && !strings.HasPrefix(line, "elb: "+file) {
					t.Errorf("a message without the file: %s", line)
				}
			}
			args := []string{"config", "import", file}
			if axis2 := "testdata/wso2/" + name + ".axis2.xml"; exists(axis2) {
				args = append(args, axis2)
			}
			status, stdout, stderr = elb(wso2Env(), args...)
			if (status != 0) != bad {
				t.Errorf("import gave %d: %s", status, stderr)
			}
			if bad {
				if stdout != "" || !strings.Contains(stderr, file) {
					t.Errorf("import wrote %q, %q", stdout, stderr)
				}
				return
			}
			golden(t, "testdata/wso2/"+name+".yaml", stdout)
		})
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// tableOf is the table of a configuration, with one static member in each pool so that none is empty by accident.
func tableOf(t *testing.T, file string) (*lb.Table, []lb.PoolSpec) {
	t.Helper()
	c, doc, err := LoadConfig(file, wso2Env())
	if err != nil {
		t.Fatal(err)
	}
	specs, faults := c.pools(doc)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	routes, err := lb.NewRoutes(specs)
	if err != nil {
		t.Fatal(err)
	}
	return lb.NewTable(routes, nil), specs
}

// wso2Routes is where the requests of the samples go: host, tenant id (0: none) and "domain/sub-domain", "" for nowhere.
var wso2Routes = map[string][]struct {
	host   string
	tenant int
	want   string
}{
	"governance": {
		{"governance.example.com", 0, "wso2.governance.domain/mgt"},
		{"Governance.Example.COM:8243", 77, "wso2.governance.domain/mgt"},
		{"a.b.governance.example.com", 0, "wso2.governance.domain/mgt"},
		{"example.com", 0, ""},
	},
	"mgt-worker": {
		{"management.as.example.com", 0, "as.domain/mgt"},
		{"as.example.com", 0, "as.domain/worker"},
		{"other.as.example.com", 0, "as.domain/worker"},
		{"x.apps.example.com", 0, "as.domain/worker"},
		{"apps.example.com", 0, ""},
	},
	"tenants": {
		{"as.example.com", 0, "as3.domain/"},
		{"as.example.com", 1, "as1.domain/"},
		{"appserver.example.com", 100, "as1.domain/"},
		{"as.example.com", 101, "as2.domain/"},
		{"as.example.com", 201, "as3.domain/"},
		{"as.example.com", 1000000, "as2.domain/"},
		{"as.example.com", 1000001, "as3.domain/"},
		{"as.example.com", 3000000, "as4.domain/"},
		{"identity.example.com", 101, "identity1.domain/"},
		{"identity.example.com", 151, "identity2.domain/"},
	},
	"sub-domains": {
		{"mgt.esb.example.com", 0, "esb.domain/mgt"},
		{"esb.example.com", 0, "esb.domain/worker"},
		{"esb.example.com", 10, "esb.domain/vip"},
		{"gateway.example.com", 11, "esb.domain/nhttp"},
		{"gateway.example.com", 1, "esb.domain/vip"},
		{"plain.esb.example.com", 1, "esb.domain/"},
	},
	"precedence": {
		{"defaults.example.com", 0, ""},
		{"first.example.com", 0, "rest.domain/"},
		{"first.example.com", 5, "ranged.domain/"},
		{"first.example.com", 9, "ranged.domain/"},
		{"first.example.com", 10, "rest.domain/"},
		{"own.example.com", 5, "own.domain/"},
		{"blocks.example.com", 5, "blocks.domain/worker"},
		{"mgt.blocks.example.com", 5, "blocks.domain/mgt"},
		{"second.example.com", 5, "mgt.domain/mgt"},
		{"nowhere.example.com", 5, ""},
	},
	"obsolete": {
		{"esb.example.com", 0, "esb.domain/"},
		{"fixed.example.com", 0, "esb.domain/"},
	},
	"sloppy": {
		{"a.example.com", 0, "gov.domain/"},
		{"b.example.com", 7, "gov.domain/"},
		{"c.example.com", 0, "gov.domain/"},
		{"w.esb.example.com", 0, "esb.domain/worker"},
		{"m.esb.example.com", 0, "esb.domain/mgt"},
		{"esb.example.com", 0, ""},
		{"nowhere.example.com", 0, ""},
		{"store.example.com", 0, "store.domain/"},
	},
}

// TestWSO2_RoutesAsTheImportedFile: a sample and the elb.yaml made of it lead every host and tenant to the same pool, the one that WSO2 ELB chose.
func TestWSO2_RoutesAsTheImportedFile(t *testing.T) {
	for _, name := range samples(t) {
		if isRefused(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			conf, confSpecs := tableOf(t, "testdata/wso2/"+name+".conf")
			yaml, yamlSpecs := tableOf(t, "testdata/wso2/"+name+".yaml")
			if !reflect.DeepEqual(confSpecs, yamlSpecs) {
				t.Errorf("pools differ:\n%+v\n%+v", confSpecs, yamlSpecs)
			}
			if len(wso2Routes[name]) == 0 {
				t.Error("no routes are listed")
			}
			for _, c := range wso2Routes[name] {
				for kind, table := range map[string]*lb.Table{"conf": conf, "yaml": yaml} {
					got := ""
					if pool, _ := table.LookupTenant(c.host, c.tenant); pool != nil {
						got = pool.Domain + "/" + pool.SubDomain
					}
					if got != c.want {
						t.Errorf("%s: tenant %d at %s goes to %q, want %q", kind, c.tenant, c.host, got, c.want)
					}
				}
			}
			for _, s := range confSpecs {
				for _, h := range s.Hosts {
					h = strings.Replace(h, "*", "x", 1)
					for _, host := range []string{h, "a." + h, strings.ToUpper(h) + ":80", h[1:]} {
						for _, tenant := range []int{0, 1, 10, 100, 101, 1000000, 1 << 40} {
							a, ok1 := conf.LookupTenant(host, tenant)
							b, ok2 := yaml.LookupTenant(host, tenant)
							if ok1 != ok2 || (a == nil) != (b == nil) || a != nil && (a.Domain != b.Domain || a.SubDomain != b.SubDomain || a.Service != b.Service) {
								t.Errorf("tenant %d at %s: %+v and %+v", tenant, host, a, b)
							}
						}
					}
				}
			}
		})
	}
}

func TestIsWSO2(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		{"a.conf", "http_port: 1\n", true},
		{"A.CONF", "", true},
		{"elb.yaml", "services {\n", false},
		{"elb.yml", "services {\n", false},
		{"elb", "# services:\n\nservices {\n", true},
		{"elb", "services{", true},
		{"elb", "hosts a;\n", true},
		{"elb.conf.bak", "loadbalancer { # x\n", true},
		{"elb", "services: {s: {}}\n", false},
		{"elb", "services:\n", false},
		{"elb", "{services: {}}\n", false},
		{"elb", "x: [{a: b}]\n", false},
		{"elb", "", false},
	} {
		if got := isWSO2(c.file, []byte(c.text)); got != c.want {
			t.Errorf("%s with %q: %t", c.file, c.text, got)
		}
	}
}

func TestLoadConfig_TheEnvironmentLiesOverLoadBalancerConf(t *testing.T) {
	env := []string{"ELB_LOCAL_MEMBER_PORT=4004", "ELB_HTTP_PORT=4005", "ELB_SERVICES_APPSERVER_DOMAINS_AS2_DOMAIN_GROUP_MGT_PORT=4007"}
	c, doc, err := LoadConfig("testdata/wso2/tenants.conf", env)
	if err != nil {
		t.Fatal(err)
	}
	var ports []int
	for _, d := range []string{"as1.domain", "as2.domain", "as3.domain", "as4.domain"} {
		ports = append(ports, c.Services["appserver"].Domains[d].GroupMgtPort)
	}
	if !slices.Equal(ports, []int{4006, 4007, 4008, 4009}) {
		t.Errorf("group ports %v: they must be free ones above the member port, and what the environment says stays", ports)
	}
	if got := doc.Where("http_port"); got != "ELB_HTTP_PORT" {
		t.Errorf("http_port was set by %s", got)
	}
}

// Single cases that the samples do not have: what is said of a domain d in a service s.
func TestWSO2_Domain(t *testing.T) {
	env := []string{"ELB_STATE_DIR=x", "RANGE=1-5", "SUB=store", "EVIL=a\nb", "HOSTS=a.example,b.example"}
	for name, c := range map[string]struct {
		domain string
		want   string // the only message, or its beginning; "" for none
	}{
		"good":                      {"tenant_range *; group_mgt_port 4100; hosts ${HOSTS};", ""},
		"variables":                 {"tenant_range *; group_mgt_port 4100; sub_domain ${SUB}; hosts x.${SUB}.example;", ""},
		"variable that is not set":  {"tenant_range *; group_mgt_port 4100; hosts ${NOTHING}, a.example;", "3: services.s.domains.d.hosts: ${NOTHING} is not set in the environment and stays as it is"},
		"variable with a line end":  {"tenant_range *; group_mgt_port 4100; sub_domain ${EVIL}; hosts a.example;", "3: services.s.domains.d.sub_domain: ${EVIL} holds a character"},
		"no tenants":                {"tenant_range ; group_mgt_port 4100; hosts a.example;", "3: services.s.domains.d.tenant_range: names no tenants"},
		"some tenants":              {"tenant_range ${RANGE}; group_mgt_port 4100; hosts a.example;", `3: services.s.domains.d.hosts[0]: a.example has no domain with tenant_range "*"`},
		"no port":                   {"tenant_range *; group_mgt_port; hosts a.example;", `3: services.s.domains.d.group_mgt_port: "" is not a whole number`},
		"port too large":            {"tenant_range *; group_mgt_port 65536; hosts a.example;", "3: services.s.domains.d.group_mgt_port: is 65536; ports are from 1 to 65535"},
		"hosts in both sub-domains": {"tenant_range *; group_mgt_port 4100; hosts a.example; mgt { } worker { }", "3: services.s.domains.d.worker.hosts[0]: a.example leads to another sub-domain of d already (f.conf:3)"},
		"sub_domain for nobody":     {"tenant_range *; group_mgt_port 4100; sub_domain x; mgt { hosts a.example; }", "3: services.s.domains.d.sub_domain: is for nobody"},
		"block of another name":     {"tenant_range *; group_mgt_port 4100; hosts a.example; wroker { }", "3: services.s.domains.d.wroker: unknown key; did you mean worker?"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "services { s {\ndomains { d {\n" + c.domain + "\n} } } }\n"
			config := Default()
			r := config.readWSO2("f.conf", []byte(text), env)
			r.giveGroupPorts()
			config.complete()
			var said []string
			for _, w := range r.doc.Warnings() {
				said = append(said, w.Error())
			}
			if err := r.doc.Verdict(config.validate(r.doc)); err != nil {
				for _, e := range daemon.Flatten(err) {
					said = append(said, e.Error())
				}
			}
			// A variable that stays as it is makes a host that is none as well.
			if strings.Contains(c.domain, "NOTHING") && len(said) == 2 {
				said = said[:1]
			}
			if got := strings.Join(said, "\n"); c.want == "" && got != "" || c.want != "" && !strings.HasPrefix(got, "f.conf:"+c.want) || len(said) > 1 {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestReadFile_IsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "big.conf")
	if err := os.WriteFile(file, bytes.Repeat([]byte("#\n"), maxFileSize/2+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadConfig(file, nil); err == nil || !strings.Contains(err.Error(), "too many for a configuration") {
		t.Errorf("error %v", err)
	}
}

// What check accepts must come out of the import as a file that says the same; whatever the file is, nothing may panic.
func FuzzWSO2(f *testing.F) {
	files, err := filepath.Glob("testdata/wso2/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d samples: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		r := c.readWSO2("f.conf", []byte(text), wso2Env())
		r.giveGroupPorts()
		c.complete()
		specs, _ := c.pools(r.doc)
		if err := r.doc.Verdict(c.validate(r.doc)); err != nil {
			for _, e := range daemon.Flatten(err) {
				if !strings.HasPrefix(e.Error(), "f.conf") {
					t.Fatalf("a fault without its place: %v", e)
				}
			}
			return
		}
		if _, err := lb.NewRoutes(specs); err != nil {
			t.Fatalf("check accepts what cannot be routed: %v", err)
		}
		var out bytes.Buffer
		if err := writeYAML(&out, &c, r.doc, []string{"f.conf"}, nil); err != nil {
			t.Fatal(err)
		}
		again := Default()
		doc, err := daemon.ParseYAML("f.yaml", out.Bytes(), &again, EnvPrefix, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
		again.complete()
		if err := doc.Verdict(again.validate(doc)); err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
		if !reflect.DeepEqual(c, again) {
			t.Fatalf("%+v became %+v by\n%s", c, again, out.String())
		}
	})
}
