package elbd

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/freeport"
)

// TestRun_LoadBalancerConf: the file itself and what the import makes of it run the same: members join at the group management port and get the
// requests of their sub-domain's hosts.
func TestRun_LoadBalancerConf(t *testing.T) {
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf, yaml := filepath.Join(dir, "loadbalancer.conf"), filepath.Join(dir, "elb.yaml")
	text := fmt.Sprintf(`loadbalancer { instances 1; }
services {
    governance {
        hosts Governance.localhost;
        domains {
            wso2.governance.domain {
                tenant_range *;
                group_mgt_port %d;
                mgt { hosts Governance.localhost, mgt.localhost; }
                worker { hosts worker.localhost; }
            }
        }
    }
`, ports[0])
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := elb(nil, "config", "import", conf)
	if status != 0 {
		t.Fatal(stderr)
	}
	if err := os.WriteFile(yaml, []byte(stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{conf, yaml} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			e := &running{
				t: t, file: file, groupPort: ports[0],
				env: []string{
					"ELB_HTTP_PORT=0", "ELB_HTTPS_PORT=0", "ELB_LISTEN_HOST=127.0.0.1", "ELB_LOCAL_MEMBER_PORT=0", "ELB_ADMIN=127.0.0.1:0",
					"ELB_STATE_DIR=" + t.TempDir(), "ELB_DRAIN_DELAY=10ms",
				},
				httpClient: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
			}
			e.start()
			startNode(t, "one", e.groupPort)
			e.await("the member", func() bool { return len(e.members()) == 1 })
			e.await("ready", func() bool { status, _, _ := e.get(e.admin, "/readyz", e.admin, ""); return status == 200 })
			for _, c := range []struct {
				host   string
				status int
			}{
				{"governance.localhost", 200},
				{"x.GOVERNANCE.localhost:8280", 200},
				{"mgt.localhost", 200},
				{"worker.localhost", 503},
				{"localhost", 404},
				{"other.example", 404},
			} {
				status, _, body := e.get(e.http, "/t/example.org/console/", c.host, "")
				if status != c.status || status == 200 && !strings.Contains(body, "one") {
					t.Errorf("%s: %d %q, want %d", c.host, status, body, c.status)
				}
			}
			e.reload(strings.ReplaceAll(e.text(), "mgt.localhost", "more.localhost"), reloadDone)
			for host, want := range map[string]int{"mgt.localhost": 404, "more.localhost": 200} {
				if status, _, _ := e.get(e.http, "/", host, ""); status != want {
					t.Errorf("after a reload %s: %d, want %d", host, status, want)
				}
			}
			e.stop()
		})
	}
}
