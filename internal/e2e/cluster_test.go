package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

const openapi = `openapi: 3.1.0
info: {title: Payments, version: 1.0.0}
paths: {}
`

// TestCluster_FirstHour is what a new user does: start the cluster, look who is there, store a document, change it, read it everywhere, look at the
// metrics, stop, start again.
func TestCluster_FirstHour(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		checkMembers(t, c)
		checkJoinLog(t, c)
		storeThroughBalancer(t, c)
		checkMetrics(t, c)

		for _, n := range c.Nodes {
			n.Stop()
		}
		c.AwaitActive(0)
		c.ELB.Stop()
		c.ELB.Start()
		for _, n := range c.Nodes {
			n.Start()
		}
		c.AwaitReady()
		a, err := c.ThroughELB().Get(t.Context(), "/_system/governance/apis/pay/openapi.yaml?version=1")
		if err != nil || string(a.Body) != openapi {
			t.Errorf("after a restart of everything: %v, %q", err, a.Body)
		}
	})
}

func checkMembers(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	members, err := c.Members()
	if err != nil {
		t.Fatal(err)
	}
	ports := map[int]bool{}
	for _, m := range members {
		ports[m.HTTPPort] = true
		if m.Domain != "wso2.governance.domain" || m.SubDomain != "mgt" || m.State != "active" || m.ID == "" || m.Since.IsZero() || m.Host != "127.0.0.1" {
			t.Errorf("member %+v", m)
		}
	}
	for _, n := range c.Nodes {
		if !ports[n.HTTPPort] {
			t.Errorf("%s with HTTP port %d is not among the members", n.Name, n.HTTPPort)
		}
	}
	page, err := e2e.NewClient(c.ELB.AdminPort).Do(t.Context(), "GET", "/members", nil, "Accept", "text/html")
	if err != nil || page.Status != 200 || !bytes.Contains(page.Body, []byte("<table")) || !bytes.Contains(page.Body, []byte("node2")) {
		t.Errorf("the page of members: %v, status %d:\n%s", err, page.Status, page.Body)
	}
}

// checkJoinLog looks for the three messages that the load balancer logs for each node, as the original does.
func checkJoinLog(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	for _, n := range c.Nodes {
		for _, message := range []string{"Member joined", "Added member", "Application member"} {
			if !hasRecord(c.ELB.Log(), message, n) {
				t.Errorf("the load balancer's log has no %q for %s (HTTP %d, member port %d)", message, n.Name, n.HTTPPort, n.MemberPort)
			}
		}
	}
}

// hasRecord looks for a log record whose message begins with the words and which names the node.
func hasRecord(log, words string, n *e2e.Node) bool {
	for line := range strings.Lines(log) {
		var r struct{ Msg string }
		if json.Unmarshal([]byte(line), &r) != nil || !strings.HasPrefix(r.Msg, words) {
			continue
		}
		for _, name := range []string{n.Name, fmt.Sprint(n.HTTPPort), fmt.Sprint(n.MemberPort)} {
			if strings.Contains(line, name) {
				return true
			}
		}
	}
	return false
}

// storeThroughBalancer is the README's example: two versions of a document, put through the load balancer, read from each node at once.
func storeThroughBalancer(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	const path = "/_system/governance/apis/pay/openapi.yaml"
	const url = "/resource/1.0.0/artifact" + path
	elb := c.ThroughELB()
	put := func(client *e2e.Client, body string, want int) {
		t.Helper()
		a, err := client.Do(t.Context(), "PUT", url, []byte(body), "Content-Type", "application/yaml")
		if err != nil || a.Status != want {
			t.Fatalf("put: %v, status %d, want %d: %s", err, a.Status, want, a.Body)
		}
	}
	readEverywhere := func(body string, version int64) {
		t.Helper()
		for i, n := range c.Nodes {
			a, err := c.Direct(i).Do(t.Context(), "GET", url, nil)
			if err != nil || a.Status != 200 || string(a.Body) != body {
				t.Errorf("%s: %v, status %d, %q, want %q", n.Name, err, a.Status, a.Body, body)
			}
			if b, err := c.Direct(i).Get(t.Context(), path); err != nil || b.Version() != version {
				t.Errorf("%s: %v, version %d, want %d", n.Name, err, b.Version(), version)
			}
		}
	}
	put(elb, openapi, 201)
	readEverywhere(openapi, 1)
	changed := strings.Replace(openapi, "1.0.0", "1.1.0", 1)
	put(elb, changed, 204)
	readEverywhere(changed, 2)

	changed = strings.Replace(openapi, "1.0.0", "1.2.0", 1)
	put(c.ThroughTLS(), changed, 204)
	readEverywhere(changed, 3)

	for _, host := range []string{"governance.localhost", "localhost", fmt.Sprintf("localhost:%d", c.ELB.HTTPPort), "GOVERNANCE.localhost"} {
		if a, err := elb.Host(host).Do(t.Context(), "GET", url, nil); err != nil || a.Status != 200 || string(a.Body) != changed {
			t.Errorf("Host %s: %v, status %d", host, err, a.Status)
		}
	}
	if a, err := elb.Host("unknown.example").Do(t.Context(), "GET", url, nil); err != nil || a.Status != 404 {
		t.Errorf("unknown host: %v, status %d, want 404", err, a.Status)
	}
	if a, err := elb.As("admin", "wrong").Do(t.Context(), "GET", url, nil); err != nil || a.Status != 401 {
		t.Errorf("wrong password: %v, status %d, want 401", err, a.Status)
	}
}

func checkMetrics(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	e2e.LintMetrics(t, "elb", e2e.Scrape(t, c.ELB.AdminPort))
	for _, n := range c.Nodes {
		text := e2e.Scrape(t, n.AdminPort)
		e2e.LintMetrics(t, n.Name, text)
		if doorRequests(t, n) == 0 {
			t.Errorf("%s counted no request", n.Name)
		}
	}
}

func TestCluster_FirstPasswordIsRandomKeptAndGoodOnEveryNode(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{RandomPassword: true})
	var found []string
	for _, n := range c.Nodes {
		file := filepath.Join(n.StateDir, "admin-password")
		info, err := os.Stat(file)
		if err != nil {
			continue
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", file, info.Mode())
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, strings.TrimSpace(string(text)))
		if n := strings.Count(n.Log(), strings.TrimSpace(string(text))); n != 1 {
			t.Errorf("the password was printed %d times, want once", n)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d nodes keep a password, want 1", len(found))
	}
	for i, n := range c.Nodes {
		if a, err := c.Direct(i).As("admin", found[0]).Do(t.Context(), "GET", "/api/v1/whoami", nil); err != nil || a.Status != 200 {
			t.Errorf("%s: %v, status %d: %s", n.Name, err, a.Status, a.Body)
		}
	}
}

func TestCluster_RedirectsStayOnTheBalancersPorts(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	for name, client := range map[string]*e2e.Client{"http": c.ThroughELB(), "https": c.ThroughTLS()} {
		for _, path := range []string{"/", "/carbon/", "/console/"} {
			a, err := client.As("", "").Do(t.Context(), "GET", path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status == 200 {
				continue
			}
			if a.Status < 300 || a.Status > 399 {
				t.Errorf("%s %s: status %d", name, path, a.Status)
			}
			to := a.Header.Get("Location")
			for _, port := range []int{c.Nodes[0].HTTPPort, c.Nodes[0].HTTPSPort} {
				if to == "" || strings.Contains(to, fmt.Sprint(port)) {
					t.Errorf("%s %s redirects to %q, which names the node or nothing", name, path, to)
				}
			}
		}
	}
}
