package e2e_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// endLimit is how long a program may take to refuse a configuration, built with the race detector. A database that does not answer gets it whole.
const endLimit = 20 * time.Second

// refusal is a configuration that a program must refuse, in one line that names the place, the key and the cure.
type refusal struct {
	name    string
	program string
	yaml    string                         // {dir} is a folder, {port} a port in use, {free} a free one
	env     []string                       // with {…} likewise
	line    int                            // the line of the key; 0: the fault is in no one line
	words   []string                       // what the message must have
	prepare func(t *testing.T, dir string) // runs first
}

var refusals = []refusal{
	{
		name: "unknown key of a node", program: "registry",
		yaml: "offset: 1\nhost_nane: x\n", line: 2, words: []string{"host_nane", "unknown key", "did you mean host_name"},
	},
	{
		name: "unknown key of the load balancer", program: "elb",
		yaml: "http_port: 8280\nhttps_prt: 8243\n" + oneService, line: 2, words: []string{"https_prt", "unknown key", "did you mean https_port"},
	},
	{
		name: "wrong type", program: "registry",
		yaml: "state_dir: {dir}\n\noffset: first\n", line: 3, words: []string{"offset", `"first"`, "whole number"},
	},
	{
		name: "wrong type at the load balancer", program: "elb",
		yaml: "http_port: [8280]\n" + oneService, line: 1, words: []string{"http_port", "whole number"},
	},
	{
		name: "port in use by another process", program: "registry",
		yaml: "state_dir: {dir}\nhttp_port: {port}\nhttps_port: 0\nadmin: 127.0.0.1:0\nmembership: {local_member_port: 0}\n", line: 2,
		words: []string{"http_port", "{port}", "in use"},
	},
	{
		name: "port of the load balancer in use", program: "elb",
		yaml: "state_dir: {dir}\nadmin: 127.0.0.1:{free}\nhttps_port: {port}\nhttp_port: -1\nlocal_member_port: 0\n" + oneService, line: 3,
		words: []string{"https_port", "{port}", "in use"},
	},
	{
		name: "member port in use", program: "registry",
		yaml: "state_dir: {dir}\nhttp_port: 0\nhttps_port: 0\nadmin: 127.0.0.1:0\nmembership:\n  local_member_port: {port}\n", line: 6,
		words: []string{"local_member_port", "{port}", "in use"},
	},
	{
		name: "unreachable database", program: "registry",
		yaml: "state_dir: {dir}\nstores:\n  shared:\n    dsn: mysql:user:secret-word@tcp(127.0.0.1:{free})/x\n" + anyPorts, line: 4,
		words: []string{"stores.shared.dsn", "127.0.0.1:{free}"},
	},
	{
		name: "schema newer than the program", program: "registry", prepare: newerSchema,
		yaml: "state_dir: {dir}\nstores:\n  shared: {dsn: \"sqlite:{dir}/newer.db\"}\n" + anyPorts, line: 3,
		words: []string{"stores.shared.dsn", "newer"},
	},
	{
		name: "SQLite in a cluster over several hosts", program: "registry",
		yaml: "state_dir: {dir}\nstores:\n  shared: {dsn: \"sqlite:{dir}/x.db\"}\nmembership:\n  members: [\"127.0.0.1:4321\", \"192.0.2.7:4321\"]\n", line: 3,
		words: []string{"stores.shared.dsn", "SQLite", "192.0.2.7:4321", "mysql:"},
	},
	{
		name: "one host in two services", program: "elb",
		yaml: "state_dir: {dir}\nservices:\n  first:\n    hosts: [a.localhost]\n    domains: {one.domain: {members: [\"http://127.0.0.1:9001\"]}}\n" +
			"  second:\n    hosts: [b.localhost, A.localhost]\n    domains: {two.domain: {members: [\"http://127.0.0.1:9002\"]}}\n", line: 7,
		words: []string{"second", "hosts", "a.localhost", "first", ":4"},
	},
	{
		name: "missing certificate of a node", program: "registry",
		yaml: "state_dir: {dir}\ntls:\n  cert_file: {dir}/none.pem\n  key_file: {dir}/registry.yaml\n", line: 3,
		words: []string{"tls.cert_file", "{dir}/none.pem", "no such file"},
	},
	{
		name: "missing certificate of the load balancer", program: "elb",
		yaml: "state_dir: {dir}\ntls:\n  key_file: {dir}/elb.yaml\n  cert_file: {dir}/none.pem\n" + oneService, line: 4,
		words: []string{"tls.cert_file", "{dir}/none.pem", "no such file"},
	},
	{
		name: "wrong value in the environment", program: "registry",
		yaml: "state_dir: {dir}\n", env: []string{"REGISTRY_OFFSET=many"}, words: []string{"REGISTRY_OFFSET", "offset", `"many"`, "whole number"},
	},
}

// anyPorts keeps a node that gets as far as its ports from those of a cluster that runs on this machine.
const anyPorts = "http_port: 0\nhttps_port: 0\nadmin: 127.0.0.1:0\nmembership: {local_member_port: 0}\n"

const oneService = "services:\n  app:\n    hosts: [app.localhost]\n    domains: {app.domain: {members: [\"http://127.0.0.1:9001\"]}}\n"

func TestPrograms_RefuseBadConfigurationInOneLine(t *testing.T) {
	slow(t)
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) { r.check(t) })
	}
}

func (r refusal) check(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	free, err := freeport.Pick()
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{dir}", dir, "{port}", port, "{free}", strconv.Itoa(free)).Replace
	if r.prepare != nil {
		r.prepare(t, dir)
	}
	file := filepath.Join(dir, r.program+".yaml")
	if err := os.WriteFile(file, []byte(fill(r.yaml)), 0o600); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, e := range r.env {
		env = append(env, fill(e))
	}
	out := e2e.RunToEnd(t, endLimit, env, r.program, "-config", file)
	if out.Status == 0 || out.Status == 2 {
		t.Errorf("exit status %d; a bad configuration must give 1", out.Status)
	}
	lines := strings.Split(strings.TrimSpace(out.Stderr), "\n")
	if len(lines) != 1 {
		t.Errorf("it said %d lines, want one", len(lines))
	}
	said := lines[0]
	if r.line > 0 && !strings.Contains(said, fmt.Sprintf("%s:%d: ", file, r.line)) {
		t.Errorf("the message does not name %s:%d", file, r.line)
	}
	for _, w := range r.words {
		if !strings.Contains(said, fill(w)) {
			t.Errorf("the message lacks %q", fill(w))
		}
	}
	if strings.Contains(out.Stderr+out.Stdout, "secret-word") {
		t.Error("the message shows the password of the database")
	}
	if regexp.MustCompile(`goroutine \d+|panic`).MatchString(out.Stderr) {
		t.Error("it panicked")
	}
	t.Logf("after %v: %s", out.Took.Round(time.Millisecond), out.Stderr)
	if t.Failed() {
		t.Logf("its log:\n%s", out.Stdout)
	}
}

// newerSchema makes a store as this program does and notes a step in it that no program knows yet.
func newerSchema(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, "migrate.yaml")
	text := "state_dir: " + dir + "\nstores:\n  shared: {dsn: \"sqlite:" + dir + "/newer.db\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := e2e.RunToEnd(t, endLimit, nil, "registry", "migrate", "-config", file); out.Status != 0 {
		t.Fatalf("registry migrate: status %d: %s", out.Status, out.Stderr)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "newer.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var table string
	const find = `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'version_id' WHERE m.type = 'table'`
	if err := db.QueryRowContext(t.Context(), find).Scan(&table); err != nil {
		t.Fatalf("the table of applied steps: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
}
