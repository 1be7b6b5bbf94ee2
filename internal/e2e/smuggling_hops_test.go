package e2e_test

// Other people's proxies as a hop before or behind the load balancer: nginx and HAProxy, as Debian has them.

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// secondHop is a proxy of somebody else.
type secondHop struct {
	name    string // as REGISTRY_TEST_REQUIRE has it, but for case
	program string
	args    func(dir string) []string
	config  func(dir string, listen, to, patience int) string
}

var nginx = secondHop{
	name: "Nginx", program: "nginx",
	args: func(dir string) []string {
		return []string{"-p", dir, "-c", filepath.Join(dir, "config"), "-e", "stderr"}
	},
	// It passes bodies on as they come, and upgrades, and keeps connections to the one behind it, as it does where people use it.
	config: func(dir string, listen, to, patience int) string {
		return fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr error;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  client_max_body_size 0;
  large_client_header_buffers 8 80k;
  client_header_timeout %[4]ds; client_body_timeout %[4]ds; keepalive_timeout %[4]ds; lingering_timeout 1s;
  map $http_upgrade $upgrade_or_not { default upgrade; '' ''; }
  upstream next { server 127.0.0.1:%[3]d max_fails=0; keepalive 8; }
  server {
    listen 127.0.0.1:%[2]d;
    location / {
      proxy_pass http://next;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_ignore_client_abort on;
      proxy_next_upstream off;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $upgrade_or_not;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Front-Id $request_id;
      proxy_set_header X-Front-Port $remote_port;
      proxy_set_header X-Front-Request "$request_method $request_uri";
    }
  }
}
`, dir, listen, to, patience)
	},
}

var haproxy = secondHop{
	name: "HAProxy", program: "haproxy",
	args: func(dir string) []string { return []string{"-db", "-f", filepath.Join(dir, "config")} },
	config: func(_ string, listen, to, patience int) string {
		return fmt.Sprintf(`global
  maxconn 512
  tune.bufsize 98304
  tune.http.maxhdr 512
defaults
  mode http
  timeout connect 5s
  timeout server 20s
  timeout client %[1]ds
  timeout http-request %[1]ds
  timeout http-keep-alive %[1]ds
  http-reuse always
frontend hop
  bind 127.0.0.1:%[2]d
  http-request set-header X-Front-Id %%[uuid()]
  http-request set-header X-Front-Port %%[src_port]
  http-request set-header X-Front-Request "%%[method] %%[url]"
  default_backend next
backend next
  server next 127.0.0.1:%[3]d
`, patience, listen, to)
	},
}

// requireProgram finds a program of the system. Where it is missing the test is skipped, or fails when REGISTRY_TEST_REQUIRE has its name.
func requireProgram(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	if strings.Contains(os.Getenv("REGISTRY_TEST_REQUIRE"), name) {
		t.Fatalf("%s is not installed: .ci/deps hops", name)
	}
	t.Skipf("%s is not installed: .ci/deps hops", name)
	return ""
}

// start runs the hop until the test ends, before a server on loopback, and gives the port that it listens on. It waits for bytes of its client for
// patience seconds.
func (h secondHop) start(t testing.TB, to, patience int) (port int, process *child.Process) {
	t.Helper()
	program := requireProgram(t, h.program)
	port, err := freeport.Pick()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(h.config(dir, port, to, patience)), 0o600); err != nil {
		t.Fatal(err)
	}
	process = startProgram(t, h.program, program, h.args(dir)...)
	e2e.Await(t, 20*time.Second, h.name+" listens", func() error {
		conn, err := net.DialTimeout("tcp", loopback(port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return port, process
}

// startProgram runs a program of the system until the test ends. What it says is shown when the test fails.
func startProgram(t testing.TB, name, path string, args ...string) *child.Process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	process, err := child.Start(cmd)
	log.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Kill()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%.4000s", name, text)
		}
	})
	return process
}

// awaitEnd waits until a program has ended by itself, and gives how.
func awaitEnd(t testing.TB, p *child.Process, limit time.Duration) error {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(limit):
		t.Errorf("not ended within %v", limit)
		p.Kill()
	}
	return p.Err()
}
