package elbd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// importText imports one small service with the axis2.xml around the given elements.
func importText(t *testing.T, elements string) (status int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	conf, axis2 := filepath.Join(dir, "lb.conf"), filepath.Join(dir, "axis2.xml")
	service := "services { s { hosts s.example; domains { d { tenant_range *; group_mgt_port 4000; } } } }\n"
	for file, text := range map[string]string{conf: service, axis2: "<axisconfig>\n" + elements + "\n</axisconfig>\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr = elb(nil, "config", "import", conf, axis2)
	return status, strings.ReplaceAll(stdout, dir+"/", ""), strings.ReplaceAll(stderr, dir+"/", "")
}

// clustering is that element with the member port 5000, so that port 4000 is free for the domain.
func clustering(elements string) string {
	return "<clustering enable=\"true\"><parameter name=\"localMemberPort\">5000</parameter>\n" + elements + "\n</clustering>"
}

func TestImport_TakesTheGroupOfAxis2(t *testing.T) {
	for name, c := range map[string]struct {
		elements string
		want     []string
		never    string
	}{
		"port": {
			clustering(""),
			[]string{"local_member_port: 5000\n", "local_member_host: 127.0.0.1\n", "axis2.xml:2: clustering.localMemberHost: is not there: WSO2 ELB took its first address"},
			"gossip_key_file",
		},
		"address beyond loopback": {
			clustering(`<parameter name="localMemberHost">192.0.2.7</parameter>`),
			[]string{"local_member_host: 192.0.2.7\n", "gossip_key_file: gossip.key\n", "#   axis2.xml:3: local_member_host: gossip beyond loopback needs a key"},
			"insecure_gossip",
		},
		"no address":   {clustering(`<parameter name="localMemberHost"></parameter>`), []string{"#   axis2.xml:3: clustering.localMemberHost: is empty: WSO2 ELB took its first address", "local_member_host: 127.0.0.1\n"}, "gossip_key_file"},
		"other scheme": {clustering(`<parameter name="membershipScheme">multicast</parameter>` + "\n<members><member><hostName>10.0.0.1</hostName><port>4000</port></member></members>"), []string{"axis2.xml:3: clustering.membershipScheme: not supported", "axis2.xml:4: clustering.members[0]: not needed"}, "10.0.0.1"},
		"members": {
			clustering(`<parameter name="membershipScheme">wka</parameter><members><member><hostName>127.0.0.1</hostName><port>5000</port></member><member><hostName>elb2</hostName><port>5000</port></member><member><hostName>elb2</hostName><port>5000</port></member></members>`),
			[]string{"members: ['elb2:5000']\n"},
			"clustering.members",
		},
		"other domain": {clustering(`<parameter name="domain">my.lb.domain</parameter>`), []string{"axis2.xml:3: clustering.domain: not supported: the group of the ELBs is always wso2.carbon.lb.domain"}, ""},
		"secret":       {clustering(`<parameter name="groupPassword">hidden-word</parameter><parameter name="hidden">hidden-word</parameter>`), []string{"axis2.xml:3: clustering.groupPassword: ", "axis2.xml:3: clustering.hidden: is no parameter that is known"}, "hidden-word"},
		"switched off": {strings.Replace(clustering(""), "true", "false", 1), []string{"axis2.xml:2: clustering.enable: not needed"}, ""},
		"transports": {
			clustering("") + "\n<transportReceiver name=\"passthru-https\"><parameter name=\"port\">443</parameter></transportReceiver>\n<transportReceiver name=\"http\"/>\n<transportReceiver name=\"jms\"/>",
			[]string{"https_port: 443\n", "axis2.xml:6: transportReceiver.http: names no port; http_port stays 8280", "axis2.xml:7: transportReceiver.jms: not supported"},
			"http_port: 8280\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := importText(t, c.elements)
			if status != 0 || stderr != "" {
				t.Fatalf("status %d: %s", status, stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("lacks %q:\n%s", want, stdout)
				}
			}
			if c.never != "" && strings.Contains(stdout, c.never) {
				t.Errorf("has %q:\n%s", c.never, stdout)
			}
		})
	}
}

func TestImport_RefusesAFaultyAxis2(t *testing.T) {
	for name, c := range map[string]struct{ elements, want string }{
		"ports meet":      {"<clustering enable=\"true\"/>", "elb: lb.conf:1: services.s.domains.d.group_mgt_port: 4000 is the same port as local_member_port (lb.conf)"},
		"ports meet here": {"<clustering>\n<parameter name=\"localMemberPort\">4000</parameter></clustering>", "elb: lb.conf:1: services.s.domains.d.group_mgt_port: 4000 is the same port as local_member_port (axis2.xml:3)"},
		"no port":         {clustering(`<parameter name="localMemberPort">five</parameter>`), `elb: axis2.xml:3: clustering.localMemberPort: "five" is not a port from 1 to 65535`},
		"no address":      {clustering(`<parameter name="localMemberHost">http://x</parameter>`), `elb: axis2.xml:3: clustering.localMemberHost: "http://x" is no address`},
		"member":          {clustering(`<parameter name="membershipScheme">wka</parameter><members><member><hostName>x</hostName></member></members>`), "elb: axis2.xml:3: clustering.members[0]: needs a hostName and a port"},
		"receiver":        {clustering("") + `<transportReceiver name="http"><parameter name="port">${p}</parameter></transportReceiver>`, `elb: axis2.xml:4: transportReceiver.http.port: "${p}" is not a port`},
		"no XML":          {"<clustering>", "elb: axis2.xml:3: axisconfig.clustering: "},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := importText(t, c.elements)
			if status != 1 || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d, stdout %q, stderr %s", status, stdout, stderr)
			}
		})
	}
}
