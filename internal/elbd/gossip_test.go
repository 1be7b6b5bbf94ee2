package elbd

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

func TestConfig_Policy(t *testing.T) {
	t.Parallel()
	c, err := loadText(t, `accept_from: [10.0.0.0/8, 192.0.2.7]
services:
  s:
    hosts: [a.example]
    domains:
      plain: {group_mgt_port: 1}
  z:
    hosts: [b.example]
    domains:
      own: {group_mgt_port: 2, accept_from: "172.16.1.9/16", accept_hosts: ["*.nodes.example"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		domain Domain
		from   string
		hosts  string
	}{
		"the group of the ELBs":          {Domain{}, "[10.0.0.0/8 192.0.2.7/32]", "[]"},
		"a domain without its own":       {c.Services["s"].Domains["plain"], "[10.0.0.0/8 192.0.2.7/32]", "[]"},
		"a domain with lists of its own": {c.Services["z"].Domains["own"], "[172.16.0.0/16]", "[*.nodes.example]"},
	} {
		p := c.policy(tc.domain)
		if fmt.Sprint(p.From) != tc.from || fmt.Sprint(p.Hosts) != tc.hosts {
			t.Errorf("%s: from %v, hosts %v; want %s, %s", name, p.From, p.Hosts, tc.from, tc.hosts)
		}
	}
}

// newKey makes a gossip key, as a line for a file and as bytes.
func newKey(t *testing.T) (line string, key []byte) {
	t.Helper()
	line = daemon.NewGossipKey()
	key, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		t.Fatal(err)
	}
	return line, key
}

// secure gives the configuration a key file with the given lines, and the domain a policy.
func (e *running) secure(policy string, lines ...string) (keyFile string) {
	e.t.Helper()
	keyFile = filepath.Join(filepath.Dir(e.file), "gossip.key")
	writeLines(e.t, keyFile, lines...)
	data, err := os.ReadFile(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	yaml := "gossip_key_file: " + keyFile + "\n" + strings.Replace(string(data), "        mgt:", policy+"        mgt:", 1)
	if err := os.WriteFile(e.file, []byte(yaml), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return keyFile
}

func writeLines(t *testing.T, file string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rejected reads a counter of refusals of the test's domain.
func (e *running) rejected(reason string) float64 {
	return e.counter("elb_gossip_rejected_total", "reason", reason)
}

// counter reads a metric of the test's domain with one more label.
func (e *running) counter(name, label, value string) float64 {
	e.t.Helper()
	_, _, body := e.get(e.admin, "/metrics", e.admin, "")
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^%s\{domain="wso2.governance.domain",%s="%s"\} (\S+)$`, name, label, value)).FindStringSubmatch(body)
	if line == nil {
		e.t.Fatalf("no metric %s with %s=%s", name, label, value)
	}
	n, err := strconv.ParseFloat(line[1], 64)
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

// traffic sends requests until it is stopped, and counts.
type traffic struct {
	mu     sync.Mutex
	sent   int
	failed []string
	by     map[string]int
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func (e *running) traffic() *traffic {
	ctx, stop := context.WithCancel(e.t.Context())
	f := &traffic{by: map[string]int{}, stop: stop}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	for range 2 {
		f.done.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					f.one(ctx, client, e.http)
				}
			}
		})
	}
	e.t.Cleanup(func() { stop(); f.done.Wait(); client.CloseIdleConnections() })
	return f
}

func (f *traffic) one(ctx context.Context, client *http.Client, addr string) {
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+addr+"/", nil)
	if err == nil {
		r.Host = "governance.localhost"
		var res *http.Response
		if res, err = client.Do(r); err == nil {
			var body []byte
			body, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err == nil && res.StatusCode != http.StatusOK {
				err = fmt.Errorf("%d %s", res.StatusCode, body)
			}
			f.mu.Lock()
			f.by[string(body)]++
			f.mu.Unlock()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent++
	if err != nil {
		f.failed = append(f.failed, err.Error())
	}
}

// end stops it and says what was wrong: any failure, or an answer of somebody else.
func (f *traffic) end(t *testing.T, members ...string) {
	t.Helper()
	f.stop()
	f.done.Wait()
	if len(f.failed) > 0 || f.sent < 50 {
		t.Errorf("%d of %d requests failed: %v", len(f.failed), f.sent, f.failed[:min(3, len(f.failed))])
	}
	for who, n := range f.by {
		if !slices.Contains(members, who) {
			t.Errorf("%d requests were answered by %q", n, who)
		}
	}
	t.Logf("%d requests, answered by %v", f.sent, f.by)
}

// gossipStatus is what the admin pages say of gossip.
func (e *running) gossipStatus() (keyIDs []string, refused []membership.Refused) {
	e.t.Helper()
	var members struct{ Refused []membership.Refused }
	var status struct {
		GossipKeys []string `json:"gossip_keys"`
	}
	_, _, body := e.get(e.admin, "/members", e.admin, "application/json")
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		e.t.Fatal(err)
	}
	_, _, body = e.get(e.admin, "/status", e.admin, "")
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		e.t.Fatal(err)
	}
	return status.GossipKeys, members.Refused
}

// TestRun_StrangersInGossip: while requests run, strangers of every kind try to get in. The members stay, no request fails or goes to a stranger, and
// each kind is counted.
func TestRun_StrangersInGossip(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	line, key := newKey(t)
	otherLine, otherKey := newKey(t)
	e.secure("        accept_from: [127.0.0.1]\n        accept_hosts: [\"*.nodes.example\"]\n", line)
	e.start()
	startNode(t, "one", e.groupPort, key)
	startNode(t, "two", e.groupPort, key)
	e.await("two members", func() bool { return len(e.members()) == 3 })
	table := e.members()
	f := e.traffic()

	startNode(t, "wrong key", e.groupPort, otherKey)
	startNode(t, "no key", e.groupPort)
	startNodeWith(t, "wrong label", e.groupPort, func(c *membership.Config) { c.Keys, c.Local.Domain = [][]byte{key}, "other.domain" })
	startNodeWith(t, "outside", e.groupPort, func(c *membership.Config) {
		c.Keys, c.BindHost, c.Local.Host = [][]byte{key}, "127.0.0.2", "127.0.0.2"
	})
	for name, host := range map[string]string{"metadata": "169.254.169.254", "named": "metadata.internal", "elsewhere": "203.0.113.7"} {
		startNodeWith(t, name, e.groupPort, func(c *membership.Config) { c.Keys, c.Local.RemoteHost = [][]byte{key}, host })
	}
	packet, err := (&net.Dialer{}).DialContext(t.Context(), "udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(e.groupPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	for _, p := range [][]byte{make([]byte, 60_000), {244, 0}} {
		if _, err := packet.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	for _, reason := range []string{"key", "label", "cidr", "policy", "oversized", "malformed"} {
		e.await("refusals for "+reason, func() bool { return e.rejected(reason) > 0 })
	}
	e.await("all that have the key are shown as refused", func() bool { _, refused := e.gossipStatus(); return len(refused) == 4 })
	_, refused := e.gossipStatus()
	reasons := map[string]string{"outside": "cidr", "metadata": "policy", "named": "policy", "elsewhere": "cidr"}
	for _, r := range refused {
		if reasons[r.Name] != r.Reason || r.Domain != "wso2.governance.domain" || r.Detail == "" || r.ID == "" {
			t.Errorf("refused %+v, want reason %q", r, reasons[r.Name])
		}
	}
	_, _, page := e.get(e.admin, "/members", e.admin, "text/html")
	if !strings.Contains(page, "Members that are refused") || !strings.Contains(page, "metadata service of a cloud") {
		t.Error("the page does not show who is refused")
	}
	e.await("a few hundred requests meanwhile", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.sent >= 300
	})
	if now := e.members(); len(now) != len(table) {
		t.Errorf("the table was %v and is %v", table, now)
	}
	f.end(t, "one", "two")
	_, _, metrics := e.get(e.admin, "/metrics", e.admin, "")
	for _, text := range []string{e.log.String(), page, metrics} {
		for _, k := range []string{line, otherLine, string(key), fmt.Sprintf("%x", key)} {
			if strings.Contains(text, k) {
				t.Error("a key is shown")
			}
		}
	}
	e.stop()
}

// TestRun_KeyRotation changes the key of a running group, step by step, while requests run: nobody is lost, and who has the old key alone is out at
// the end.
func TestRun_KeyRotation(t *testing.T) {
	t.Parallel()
	e := newELB(t, "http://127.0.0.1:1")
	oldLine, oldKey := newKey(t)
	newLine, newOne := newKey(t)
	file := e.secure("", oldLine)
	e.start()
	nodes := []*node{startNode(t, "one", e.groupPort, oldKey), startNode(t, "two", e.groupPort, oldKey)}
	e.await("two members", func() bool { return len(e.members()) == 3 })
	f := e.traffic()
	for _, step := range []struct {
		lines []string
		keys  [][]byte
	}{
		{[]string{"# " + oldLine, newLine[:7]}, nil}, // a file that is no good changes nothing
		{[]string{oldLine, newLine}, [][]byte{oldKey, newOne}},
		{[]string{newLine, oldLine}, [][]byte{newOne, oldKey}},
		{[]string{newLine}, [][]byte{newOne}},
	} {
		writeLines(t, file, step.lines...)
		if step.keys == nil {
			e.await("the fault is told", func() bool { return strings.Contains(e.log.String(), "the old keys stay") })
			continue
		}
		want := []string{}
		for _, k := range step.keys {
			want = append(want, membership.KeyID(k))
		}
		e.await("the keys of the file", func() bool { ids, _ := e.gossipStatus(); return slices.Equal(ids, want) })
		for _, n := range nodes {
			if err := n.group.SetKeys(step.keys); err != nil {
				t.Fatal(err)
			}
		}
		// News go both ways with these keys.
		for _, s := range []membership.State{membership.StateDraining, membership.StateActive} {
			if err := nodes[0].group.SetState(s); err != nil {
				t.Fatal(err)
			}
			e.await("node one is "+s.String(), func() bool {
				return slices.ContainsFunc(e.members(), func(m lb.MemberStatus) bool { return m.Name == "one" && m.State == s.String() })
			})
		}
	}
	f.end(t, "one", "two")
	for _, event := range []string{"lost", "left"} {
		if n := e.counter("elb_gossip_events_total", "event", event); n != 0 {
			t.Errorf("%v members %s", n, event)
		}
	}
	before := e.rejected("key")
	startNode(t, "late", e.groupPort, oldKey)
	e.await("the old key is refused", func() bool { return e.rejected("key") > before })
	if n := len(e.members()); n != 3 {
		t.Errorf("%d members", n)
	}
	for _, k := range []string{oldLine, newLine, newLine[:7]} {
		if strings.Contains(e.log.String(), k) {
			t.Error("a key is in the log")
		}
	}
	e.stop()
}
