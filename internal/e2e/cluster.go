package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/freeport"
)

const (
	// startLimit is how long a whole cluster may take to be up: with the race detector, on two busy cores.
	startLimit = 60 * time.Second

	domain    = "wso2.governance.domain"
	adminUser = "admin"

	// AdminPassword is the administrator's, unless a cluster was told to make a random one.
	AdminPassword = "correct horse battery staple"
)

// Options tell what a cluster is like.
type Options struct {
	Nodes    int      // 3 when zero
	Database Database // SQLite when zero
	NodeKeys string   // more lines for the nodes' configuration
	NodeEnv  []string // more of the nodes' environment
	ELBKeys  string   // more lines for the load balancer's
	// RealDrain keeps the default drain delays; without it they are short, which saves seconds at each stop and may cost a request.
	RealDrain bool
	// RandomPassword leaves the administrator's password to the first start, as in a fresh installation.
	RandomPassword bool
}

// Cluster is one load balancer and its nodes. One goroutine uses its methods, but for the clients it gives.
type Cluster struct {
	ELB      *Balancer
	Nodes    []*Node
	Database Database

	t   testing.TB
	dir string
}

// Balancer is the load balancer's process and where it listens.
type Balancer struct {
	*Proc
	HTTPPort, HTTPSPort, AdminPort, GroupPort int
	memberPort                                int
}

// Node is a registry process and where it listens.
type Node struct {
	*Proc
	HTTPPort, HTTPSPort, AdminPort, MemberPort int
	StateDir                                   string
}

// NewCluster writes the configuration of a cluster; nothing runs yet.
func NewCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Database.DSN == "" {
		o.Database = SQLite(t)
	}
	ports, err := freeport.PickN(5 + 4*o.Nodes)
	if err != nil {
		t.Fatal(err)
	}
	if !o.RealDrain {
		o.NodeKeys += "drain_delay: 50ms\n"
		o.ELBKeys += "drain_delay: 50ms\n"
	}
	c := &Cluster{t: t, dir: t.TempDir(), Database: o.Database}
	c.ELB = c.balancer("elb", ports, o.ELBKeys)
	for i := range o.Nodes {
		p := ports[5+4*i:]
		name := fmt.Sprintf("node%d", i+1)
		n := &Node{HTTPPort: p[0], HTTPSPort: p[1], AdminPort: p[2], MemberPort: p[3], StateDir: filepath.Join(c.dir, name)}
		file := c.write(name+".yaml", c.nodeYAML(name, n)+o.NodeKeys)
		env := o.NodeEnv
		if !o.RandomPassword {
			env = append([]string{"REGISTRY_ADMIN_PASSWORD=" + AdminPassword}, env...)
		}
		n.Proc = NewProc(t, name, env, "registry", "-config", file)
		c.Nodes = append(c.Nodes, n)
	}
	t.Cleanup(c.stopAll)
	return c
}

// balancer writes the configuration of a load balancer on the first five of these ports.
func (c *Cluster) balancer(name string, ports []int, keys string) *Balancer {
	c.t.Helper()
	b := &Balancer{HTTPPort: ports[0], HTTPSPort: ports[1], AdminPort: ports[2], GroupPort: ports[3], memberPort: ports[4]}
	file := c.write(name+".yaml", c.balancerYAML(name, b)+keys)
	b.Proc = NewProc(c.t, name, nil, "elb", "-config", file)
	return b
}

// ReloadELB gives the load balancer's service other hosts, as a line of its configuration, and returns when they are in use.
func (c *Cluster) ReloadELB(hosts string) {
	c.t.Helper()
	file := filepath.Join(c.dir, "elb.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)hosts: \[.*\]$`).ReplaceAll(text, []byte(hosts))
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		c.t.Fatal(err)
	}
	reloads := func() float64 {
		a, err := NewClient(c.ELB.AdminPort).Do(c.t.Context(), "GET", "/metrics", nil)
		if err != nil {
			c.t.Fatal(err)
		}
		return MetricBy(c.t, a.Body, "elb_config_reloads_total", "result")["ok"]
	}
	before := reloads()
	c.ELB.Hangup()
	Await(c.t, startLimit, "another configuration of the load balancer", func() error {
		if n := reloads(); n != before+1 {
			return fmt.Errorf("%v reloads succeeded, %v before", n, before)
		}
		return nil
	})
}

// AnotherELB writes the configuration of one more load balancer; it does not run yet. It remembers the first node, as if it had run before, and so
// finds all others; keys are more lines for its configuration.
func (c *Cluster) AnotherELB(name, keys string) *Balancer {
	c.t.Helper()
	ports, err := freeport.PickN(5)
	if err != nil {
		c.t.Fatal(err)
	}
	state := filepath.Join(c.dir, name)
	if err := os.MkdirAll(state, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.write(filepath.Join(name, "peers-"+domain+".json"), fmt.Sprintf("[%q]", address(c.Nodes[0].MemberPort)))
	return c.balancer(name, ports, keys)
}

// stopAll stops at once what runs at the end of a test, the load balancer last.
func (c *Cluster) stopAll() {
	InParallel(len(c.Nodes), func(i int) { c.Nodes[i].end() })
	c.ELB.end()
}

// StartCluster writes and starts a cluster and returns when the load balancer knows all nodes as active members.
func StartCluster(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := NewCluster(t, o)
	c.ELB.Start()
	for _, n := range c.Nodes {
		n.Start()
	}
	c.AwaitReady()
	return c
}

func (c *Cluster) write(name, text string) string {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

func (c *Cluster) balancerYAML(name string, b *Balancer) string {
	return fmt.Sprintf(`http_port: %d
https_port: %d
listen_host: 127.0.0.1
local_member_host: 127.0.0.1
local_member_port: %d
admin: 127.0.0.1:%d
state_dir: %s
tls: {dev_ca_dir: %s}
log: {format: json, level: info}
access_log: false
services:
  governance:
    domains:
      %s:
        tenant_range: "*"
        group_mgt_port: %d
        mgt:
          hosts: [governance.localhost, localhost]
`, b.HTTPPort, b.HTTPSPort, b.memberPort, b.AdminPort, filepath.Join(c.dir, name), filepath.Join(c.dir, "ca"), domain, b.GroupPort)
}

func (c *Cluster) nodeYAML(name string, n *Node) string {
	return fmt.Sprintf(`node_name: %s
http_port: %d
https_port: %d
admin: 127.0.0.1:%d
host_name: governance.localhost
mgt_host_name: governance.localhost
http_proxy_port: %d
https_proxy_port: %d
state_dir: %s
tls: {dev_ca_dir: %s}
log: {format: json, level: info}
membership:
  domain: %s
  sub_domain: mgt
  local_member_host: 127.0.0.1
  local_member_port: %d
  members: ["127.0.0.1:%d"]
stores:
  local: {dsn: "sqlite:%s"}
  shared: {dsn: %q}
mounts:
  - {path: /_system/local, store: local}
  - {path: /_system/config, store: shared, overwrite: true}
  - {path: /_system/governance, store: shared, overwrite: true}
`, name, n.HTTPPort, n.HTTPSPort, n.AdminPort, c.ELB.HTTPPort, c.ELB.HTTPSPort, n.StateDir, filepath.Join(c.dir, "ca"),
		domain, n.MemberPort, c.ELB.GroupPort, filepath.Join(n.StateDir, "local.db"), c.Database.DSN)
}

// AwaitReady waits until every node says it is ready and the load balancer has all of them as active members.
func (c *Cluster) AwaitReady() {
	c.t.Helper()
	for _, n := range c.Nodes {
		c.AwaitNode(n)
	}
	c.AwaitActive(len(c.Nodes))
}

// AwaitNode waits until a node says that it is ready.
func (c *Cluster) AwaitNode(n *Node) {
	c.t.Helper()
	Await(c.t, startLimit, n.Name+" ready", func() error {
		if !n.Running() {
			c.t.Fatalf("%s ended: %v", n.Name, n.process.Err())
		}
		return expectStatus(c.t, n.AdminPort, "/readyz", 200)
	})
}

// AwaitActive waits until the load balancer has exactly want active members.
func (c *Cluster) AwaitActive(want int) {
	c.t.Helper()
	c.AwaitActiveAt(c.ELB, want)
}

// AwaitActiveAt waits until a load balancer has exactly want active members.
func (c *Cluster) AwaitActiveAt(b *Balancer, want int) {
	c.t.Helper()
	Await(c.t, startLimit, fmt.Sprintf("%d active members at %s", want, b.Name), func() error {
		if !b.Running() {
			c.t.Fatalf("%s ended: %v", b.Name, b.process.Err())
		}
		members, err := c.members(b)
		if err != nil {
			return err
		}
		active := 0
		for _, m := range members {
			if m.State == "active" {
				active++
			}
		}
		if active != want || len(members) != want {
			return fmt.Errorf("%d of %d members are active: %+v", active, len(members), members)
		}
		return nil
	})
}

// Member is one entry of the load balancer's /members.
type Member struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Domain     string    `json:"domain"`
	SubDomain  string    `json:"sub_domain"`
	Host       string    `json:"host"`
	MemberPort int       `json:"member_port"`
	HTTPPort   int       `json:"http_port"`
	HTTPSPort  int       `json:"https_port"`
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
}

// Members asks the load balancer for its members.
func (c *Cluster) Members() ([]Member, error) { return c.members(c.ELB) }

func (c *Cluster) members(b *Balancer) ([]Member, error) {
	a, err := NewClient(b.AdminPort).Do(c.t.Context(), "GET", "/members", nil, "Accept", "application/json")
	if err != nil {
		return nil, err
	}
	var body struct{ Members []Member }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return nil, fmt.Errorf("/members: %w: %s", err, a.Body)
	}
	return body.Members, nil
}

// ThroughELB is a client of the load balancer's HTTP port, signed in as the administrator.
func (c *Cluster) ThroughELB() *Client {
	return NewClient(c.ELB.HTTPPort).As(adminUser, AdminPassword).Host("governance.localhost")
}

// ThroughTLS is the same on the HTTPS port, which it verifies with the cluster's development CA.
func (c *Cluster) ThroughTLS() *Client {
	c.t.Helper()
	ca, err := os.ReadFile(filepath.Join(c.dir, "ca", "ca.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	client, err := NewClient(c.ELB.HTTPSPort).As(adminUser, AdminPassword).TLS("governance.localhost", ca)
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// Direct is a client of node i's own HTTP port, signed in as the administrator.
func (c *Cluster) Direct(i int) *Client {
	return NewClient(c.Nodes[i].HTTPPort).As(adminUser, AdminPassword)
}

func expectStatus(t testing.TB, port int, path string, want int) error {
	a, err := NewClient(port).Do(t.Context(), "GET", path, nil)
	if err != nil {
		return err
	}
	if a.Status != want {
		return fmt.Errorf("%s: status %d, want %d: %s", path, a.Status, want, strings.TrimSpace(string(a.Body)))
	}
	return nil
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
