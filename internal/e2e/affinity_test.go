package e2e_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// session is a client that keeps its cookies.
type session struct {
	cookie string
	moves  int
}

// home is the part of the cookie that stands for the member.
func (s *session) home(t *testing.T) string {
	t.Helper()
	_, token, _ := strings.Cut(s.cookie, "=")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 30 {
		t.Fatalf("cookie %q: %v", s.cookie, err)
	}
	return string(raw[5:14])
}

// ask sends a request of the session.
func (s *session) ask(t *testing.T, through *e2e.Client) error {
	t.Helper()
	var headers []string
	if s.cookie != "" {
		headers = []string{"Cookie", s.cookie}
	}
	a, err := through.Do(t.Context(), "GET", "/livez", nil, headers...)
	if err != nil {
		return err
	}
	if a.Status != 200 {
		return fmt.Errorf("status %d: %s", a.Status, a.Body)
	}
	if set := a.Header.Get("Set-Cookie"); set != "" {
		if s.cookie != "" {
			s.moves++
		}
		s.cookie, _, _ = strings.Cut(set, ";")
	}
	return nil
}

// TestAffinity_SessionsOverTwoELBs: a thousand sessions alternate over two load balancers that share a gossip key and nothing else. Each stays at its
// node; when one of five is killed, its sessions alone move, each once; a load balancer that restarts moves none; a cookie with any byte changed is none.
func TestAffinity_SessionsOverTwoELBs(t *testing.T) {
	slow(t)
	const count, nodes, clients = 1000, 5, 8
	key := filepath.Join(t.TempDir(), "gossip.key")
	if err := os.WriteFile(key, []byte(base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := "          affinity: cookie\ngossip_key_file: " + key + "\n" // the first line ends the block of the domain's nodes
	c := e2e.StartCluster(t, e2e.Options{Nodes: nodes, ELBKeys: keys, NodeEnv: []string{"REGISTRY_MEMBERSHIP_GOSSIP_KEY_FILE=" + key}})
	second := c.AnotherELB("elb2", keys)
	second.Start()
	c.AwaitActiveAt(second, nodes)
	through := []*e2e.Client{e2e.NewClient(c.ELB.HTTPPort).Host("localhost"), e2e.NewClient(second.HTTPPort).Host("localhost")}

	sessions := make([]session, count)
	rounds := func(n int) {
		t.Helper()
		for round := range n {
			e2e.InParallel(clients, func(client int) {
				for i := client; i < count; i += clients {
					if err := sessions[i].ask(t, through[(i+round)%len(through)]); err != nil {
						t.Errorf("session %d: %v", i, err)
					}
				}
			})
		}
	}
	moved := func() (all int) {
		t.Helper()
		for i := range sessions {
			if all += sessions[i].moves; sessions[i].moves > 1 {
				t.Errorf("session %d moved %d times", i, sessions[i].moves)
			}
		}
		return all
	}
	rounds(4)
	if n := moved(); n > 0 {
		t.Fatalf("%d sessions moved without a reason", n)
	}
	at := map[string]int{}
	for i := range sessions {
		at[sessions[i].home(t)]++
	}
	if len(at) != nodes {
		t.Fatalf("sessions are at %d nodes", len(at))
	}

	c.Nodes[2].Kill()
	rounds(4)
	lost := 0
	left := map[string]bool{}
	for i := range sessions {
		left[sessions[i].home(t)] = true
	}
	for home, n := range at {
		if !left[home] {
			lost += n
		}
	}
	if n := moved(); n != lost || n == 0 || n > count/nodes+count*2/100 || len(left) != nodes-1 {
		t.Errorf("%d sessions moved, to %d nodes; %d were at the one that was killed", n, len(left), lost)
	} else {
		t.Logf("%d of %d sessions were at the node that was killed, and moved, each once", n, count)
	}

	c.AwaitActive(nodes - 1) // so that nobody tells the one that restarts of the killed node
	c.AwaitActiveAt(second, nodes-1)
	c.ELB.Stop()
	c.ELB.Start()
	c.AwaitActive(nodes - 1)
	rounds(2)
	if n := moved(); n != lost {
		t.Errorf("%d sessions moved because a load balancer restarted", n-lost)
	}
	changeEachByte(t, c, sessions[0], through[0])
}

// changeEachByte sends a session's cookie with each of its letters changed, and looks whether the load balancer takes it for none.
func changeEachByte(t *testing.T, c *e2e.Cluster, s session, through *e2e.Client) {
	t.Helper()
	name, token, _ := strings.Cut(s.cookie, "=")
	for i := range token {
		other := "A"
		if token[i] == 'A' {
			other = "B"
		}
		forged := session{cookie: name + "=" + token[:i] + other + token[i+1:]}
		if err := forged.ask(t, through); err != nil || forged.moves != 1 {
			t.Errorf("with letter %d changed: %v, taken for %d good cookies", i, err, 1-forged.moves)
		}
	}
	e2e.Await(t, time.Minute, "the changed cookies are counted", func() error {
		results := e2e.MetricBy(t, e2e.Scrape(t, c.ELB.AdminPort), "elb_sticky_total", "result")
		if results["invalid"] != float64(len(token)) {
			return fmt.Errorf("%d were changed, and counted: %v", len(token), results)
		}
		return nil
	})
}
