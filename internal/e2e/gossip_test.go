package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// keyedCluster is a cluster that gossips with a key, each process with a key file of its own, and takes in members on 127.0.0.1 alone.
type keyedCluster struct {
	*Cluster
	files     []string // of the load balancer, then of the nodes
	admin     []int    // their admin ports
	strangers []*membership.Group
}

// gossipKey makes a key, as a line of a file and as bytes.
func gossipKey(t testing.TB) (line string, key []byte) {
	t.Helper()
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(key), key
}

func startKeyedCluster(t *testing.T, line string) *keyedCluster {
	t.Helper()
	c := &keyedCluster{Cluster: NewCluster(t, Options{})}
	c.files, c.admin = []string{filepath.Join(c.dir, "elb.key")}, []int{c.ELB.AdminPort}
	c.ELB.env = append(c.ELB.env, "ELB_GOSSIP_KEY_FILE="+c.files[0], "ELB_ACCEPT_FROM=127.0.0.1")
	for _, n := range c.Nodes {
		file := filepath.Join(c.dir, n.Name+".key")
		c.files, c.admin = append(c.files, file), append(c.admin, n.AdminPort)
		n.env = append(n.env, "REGISTRY_MEMBERSHIP_GOSSIP_KEY_FILE="+file, "REGISTRY_MEMBERSHIP_ACCEPT_FROM=127.0.0.1")
	}
	for i := range c.files {
		c.writeKeys(i, line)
	}
	c.ELB.Start()
	for _, n := range c.Nodes {
		n.Start()
	}
	c.AwaitReady()
	return c
}

func (c *keyedCluster) writeKeys(i int, lines ...string) {
	c.t.Helper()
	if err := os.WriteFile(c.files[i], []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// awaitKeys waits until the process i says that it uses these keys.
func (c *keyedCluster) awaitKeys(i int, keys ...[]byte) {
	c.t.Helper()
	var want []string
	for _, k := range keys {
		want = append(want, membership.KeyID(k))
	}
	Await(c.t, 20*time.Second, "keys "+strings.Join(want, ", "), func() error {
		a, err := NewClient(c.admin[i]).Do(c.t.Context(), "GET", "/status", nil)
		if err != nil {
			return err
		}
		var s struct {
			GossipKeys []string `json:"gossip_keys"`
		}
		if err := json.Unmarshal(a.Body, &s); err != nil {
			return err
		}
		if !slices.Equal(s.GossipKeys, want) {
			return fmt.Errorf("it has %v", s.GossipKeys)
		}
		return nil
	})
}

// rejections are the load balancer's refusals by reason.
func (c *keyedCluster) rejections() map[string]float64 {
	c.t.Helper()
	return MetricBy(c.t, Scrape(c.t, c.ELB.AdminPort), "elb_gossip_rejected_total", "reason")
}

// requests starts clients that ask through the load balancer.
func (c *keyedCluster) requests() *Load {
	elb := c.ThroughELB()
	return StartLoad(c.t, 4, 5*time.Millisecond, 6*time.Minute, func(ctx context.Context, tally *Tally, _ int) {
		tally.Timed(ctx, "GET", func(ctx context.Context) error {
			a, err := elb.Do(ctx, "GET", "/readyz", nil)
			if err == nil && a.Status != 200 {
				err = fmt.Errorf("status %d: %s", a.Status, firstBytes(a.Body))
			}
			return err
		})
	})
}

// stranger joins the group of the load balancer from this process, as far as it is let.
func (c *keyedCluster) stranger(name string, change func(*membership.Config)) {
	c.t.Helper()
	config := membership.Config{
		Local: membership.Member{
			Name: name, Domain: domain, SubDomain: "mgt", Host: "127.0.0.1", HTTPPort: c.ELB.AdminPort, State: membership.StateActive,
		},
		Seeds: []string{address(c.ELB.GroupPort)},
	}
	change(&config)
	g, err := membership.Open(c.t.Context(), config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.strangers = append(c.strangers, g)
}

// dismiss ends the strangers: those that have the old key would do what they can with it in the middle of a rotation.
func (c *keyedCluster) dismiss() {
	InParallel(len(c.strangers), func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.strangers[i].Leave(ctx)
	})
	c.strangers = nil
}

// TestGossip_StrangersAndRotation: real processes with requests through them. Strangers of every kind change nothing but the counters; then the key is
// changed, one process after the other, and nobody is lost.
func TestGossip_StrangersAndRotation(t *testing.T) {
	oldLine, oldKey := gossipKey(t)
	newLine, newKey := gossipKey(t)
	_, otherKey := gossipKey(t)
	c := startKeyedCluster(t, oldLine)
	before, err := c.Members()
	if err != nil {
		t.Fatal(err)
	}
	for reason, n := range c.rejections() {
		if n != 0 {
			t.Errorf("%v refused as %s before anybody attacked", n, reason)
		}
	}
	load := c.requests()
	t.Cleanup(c.dismiss)
	c.attack(otherKey, oldKey)
	Await(t, 20*time.Second, "each kind of refusal", func() error {
		counts := c.rejections()
		for _, reason := range []string{"key", "label", "cidr", "policy", "oversized", "malformed"} {
			if counts[reason] == 0 {
				return fmt.Errorf("none for %s: %v", reason, counts)
			}
		}
		return nil
	})
	after, err := c.Members()
	if err != nil || !slices.EqualFunc(before, after, func(a, b Member) bool { return a.ID == b.ID && a.State == b.State && a.Since.Equal(b.Since) }) {
		t.Errorf("the table was %+v\nand is %+v (%v)", before, after, err)
	}

	c.dismiss()

	for _, step := range []struct {
		lines []string
		keys  [][]byte
	}{
		{[]string{oldLine, newLine}, [][]byte{oldKey, newKey}},
		{[]string{newLine, oldLine}, [][]byte{newKey, oldKey}},
		{[]string{newLine}, [][]byte{newKey}},
	} {
		for i := range c.files {
			c.writeKeys(i, step.lines...)
			c.awaitKeys(i, step.keys...)
		}
	}
	c.AwaitActive(3)
	tally := load.Stop()
	t.Log(tally)
	if tally.Failed() > 0 || tally.Count("GET") < 500 {
		t.Errorf("requests: %s", tally)
	}
	if n := MetricBy(t, Scrape(t, c.ELB.AdminPort), "elb_gossip_events_total", "event"); n["lost"]+n["left"] != 0 || n["joined"] != 3 {
		t.Errorf("events at the load balancer: %v", n)
	}
	for _, n := range c.Nodes {
		if events := MetricBy(t, Scrape(t, n.AdminPort), "membership_events_total", "event"); events["lost"]+events["left"] != 0 {
			t.Errorf("events at %s: %v", n.Name, events)
		}
	}
}

// attack sends what each kind of stranger would.
func (c *keyedCluster) attack(otherKey, key []byte) {
	t := c.t
	t.Helper()
	c.stranger("wrong-key", func(m *membership.Config) { m.Keys = [][]byte{otherKey} })
	c.stranger("no-key", func(*membership.Config) {})
	c.stranger("wrong-label", func(m *membership.Config) { m.Keys, m.Local.Domain = [][]byte{key}, "other.domain" })
	c.stranger("metadata", func(m *membership.Config) { m.Keys, m.Local.RemoteHost = [][]byte{key}, "169.254.169.254" })
	c.stranger("outside", func(m *membership.Config) {
		m.Keys, m.BindHost, m.Local.Host = [][]byte{key}, "127.0.0.2", "127.0.0.2"
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "udp", address(c.ELB.GroupPort))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, packet := range [][]byte{make([]byte, 60_000), {244, 0}} {
		if _, err := conn.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
}
