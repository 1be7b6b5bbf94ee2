package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// startTwin starts a load balancer of the same configuration beside another one, which it names as its well-known address.
func startTwin(t *testing.T, of *loneELB, name string) *loneELB {
	t.Helper()
	text, err := os.ReadFile(of.file)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := freeport.PickN(4)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	memberPort := ""
	keys := []string{"http_port", "https_port", "local_member_port", "admin"}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		key, value, _ := strings.Cut(line, ": ")
		switch at := slices.Index(keys, key); {
		case key == "admin":
			lines[i] = "admin: " + loopback(ports[at])
		case at >= 0:
			lines[i] = fmt.Sprintf("%s: %d", key, ports[at])
		case key == "state_dir":
			lines[i] = "state_dir: " + filepath.Join(dir, name)
		case key == "node_name":
			lines[i] = "node_name: " + name
		}
		if key == "local_member_port" {
			memberPort = value
		}
	}
	file := filepath.Join(dir, name+".yaml")
	twin := "members: [\"127.0.0.1:" + memberPort + "\"]\n" + strings.Join(lines, "\n")
	if err := os.WriteFile(file, []byte(twin), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &loneELB{
		file: file, Proc: e2e.NewProc(t, name, nil, "elb", "-config", file), t: t, admin: e2e.NewClient(ports[3]),
		httpAddr: loopback(ports[0]), httpsAddr: loopback(ports[1]),
	}
	b.Start()
	e2e.Await(t, 60*time.Second, name+" ready", func() error {
		_, err := b.look("/readyz")
		return err
	})
	return b
}

// peerStatus is what these tests want to know of /status.
type peerStatus struct {
	Balancers []struct{ Name, Config, Epoch string }
	Pools     []struct {
		Members []struct {
			ID, Condition string
			Verdicts      []struct{ ELB, Condition string }
		}
	}
}

func (b *loneELB) peerStatus() (s peerStatus, err error) {
	text, err := b.look("/status")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	return s, err
}

// elsewhere waits until a load balancer shows the verdict of another one on a member.
func (b *loneELB) elsewhere(t *testing.T, id, want string) time.Duration {
	t.Helper()
	began := time.Now()
	e2e.Await(t, 20*time.Second, b.Name+" shows "+want, func() error {
		s, err := b.peerStatus()
		if err != nil {
			return err
		}
		for _, m := range s.Pools[0].Members {
			if m.ID == id && len(m.Verdicts) == 1 && m.Verdicts[0].ELB+" "+m.Verdicts[0].Condition == want {
				return nil
			}
		}
		return fmt.Errorf("%+v", s.Pools[0].Members)
	})
	return time.Since(began)
}

// outOfUse is when a load balancer first said after a moment that a member is ejected or down; zero if it has not.
func (b *loneELB) outOfUse(id string, after time.Time) time.Time {
	at, _ := drill.LeftOut(b.Log(), id, after)
	return at
}

// One load balancer has the traffic and finds a killed member by it; the other one has none, and checks its members every four seconds. What the first
// one tells it has it look at once.
func TestELBs_OneTellsTheOther(t *testing.T) {
	slow(t)
	s := newSickbedOf(t, "node_name: elb1\naccess_log: false\nhealth: {path: /healthz, interval: 4s}\n")
	second := startTwin(t, s.elb, "elb2")
	both := []*loneELB{s.elb, second}
	for _, b := range both {
		s.awaitUpAt(t, b, 3)
		e2e.Await(t, 20*time.Second, b.Name+" sees the other", func() error {
			text, err := b.look("/metrics")
			if err == nil && e2e.MetricBy(t, text, "elb_peers", "config")["same"] != 1 {
				err = fmt.Errorf("it does not")
			}
			return err
		})
	}
	s.start(t)
	pause(time.Second)
	rounds := e2e.Scale(20, 3)
	var gaps []time.Duration
	for i := range rounds {
		victim := i % len(s.members)
		id := "http://" + s.addrs[victim]
		began := time.Now()
		s.members[victim].Kill()
		var times [2]time.Time
		e2e.Await(t, 20*time.Second, "both have found out", func() error {
			for j, b := range both {
				if times[j] = b.outOfUse(id, began); times[j].IsZero() {
					return fmt.Errorf("%s has not", b.Name)
				}
			}
			return nil
		})
		gaps = append(gaps, times[1].Sub(times[0]).Abs())
		if i == 0 {
			t.Logf("the other's verdict is shown after %v and %v more", s.elb.elsewhere(t, id, "elb2 down"), second.elsewhere(t, id, "elb1 down"))
		}
		s.members[victim].Start()
		for _, b := range both {
			s.awaitUpAt(t, b, 3)
		}
		pause(200 * time.Millisecond)
	}
	s.load.Stop()
	slices.Sort(gaps)
	t.Logf("%d kills; from the first's verdict to the second's: median %v, longest %v", rounds, gaps[len(gaps)/2], gaps[len(gaps)-1])
	if longest := gaps[len(gaps)-1]; longest > 300*time.Millisecond {
		t.Errorf("it took %v: %v", longest, gaps)
	}
	done, failed, slowest, told := s.gets()
	t.Logf("%d GETs, %d failed, slowest %v", done, failed, slowest)
	if failed > 0 {
		t.Errorf("GETs failed:\n%s", told)
	}
	text, err := second.look("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	e2e.LintMetrics(t, "elb2", text)
	if n := e2e.MetricBy(t, text, "elb_hints_received_total", "result"); int(n["checked"]) < rounds {
		t.Errorf("hints: %v", n)
	}
}

// A member that only one load balancer cannot reach stays in use at the other: what one says decides nothing there, and both pages show the split.
func TestELBs_OneCannotReachAMember(t *testing.T) {
	slow(t)
	s := newSickbedOf(t, "node_name: elb1\naccess_log: false\nhealth: {path: /healthz}\n")
	second := startTwin(t, s.elb, "elb2")
	s.awaitUpAt(t, second, 3)
	id := "http://" + s.addrs[0]
	s.elb.elsewhere(t, id, "elb2 up")
	downs := strings.Count(s.elb.Log(), "member is down") // those of the start, when a member may have been slower than the load balancer
	// The second one has the member at the same name, and asks it for a path that it does not have: to it the member is not ready.
	text, err := os.ReadFile(second.file)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`path: /healthz`).ReplaceAll(text, []byte("path: /healthz, status: \"500\""))
	if err := os.WriteFile(second.file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	second.Hangup()
	s.awaitUpAt(t, second, 0)
	t.Logf("the first shows it after %v more", s.elb.elsewhere(t, id, "elb2 down"))
	second.elsewhere(t, id, "elb1 up")
	e2e.Await(t, 10*time.Second, "the other configuration is shown", func() error {
		st, err := s.elb.peerStatus()
		if err == nil && (len(st.Balancers) != 2 || st.Balancers[1].Name != "elb2" || st.Balancers[1].Config != "other" || st.Balancers[0].Epoch == st.Balancers[1].Epoch) {
			err = fmt.Errorf("%+v", st.Balancers)
		}
		return err
	})
	pause(2 * time.Second)
	s.awaitUpAt(t, s.elb, 3)
	metrics, err := s.elb.look("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if n := e2e.MetricBy(t, metrics, "elb_hints_received_total", "result"); n["checked"] < 3 {
		t.Errorf("hints: %v", n)
	}
	if n := strings.Count(s.elb.Log(), "member is down"); n != downs {
		t.Errorf("a hint alone took a member down: %d, %d before", n, downs)
	}
	second.Stop()
	e2e.Await(t, 10*time.Second, "what the second said is forgotten", func() error {
		st, err := s.elb.peerStatus()
		if err == nil && (len(st.Balancers) != 1 || len(st.Pools[0].Members[0].Verdicts) != 0) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
}

// A node that is asked to stop says so to all load balancers at once, and gets no further request from any of them.
func TestELBs_DrainIsKnownToBoth(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{RealDrain: true})
	second := c.AnotherELB("elb2", "")
	second.Start()
	c.AwaitActiveAt(second, 3)
	for _, b := range []*e2e.Balancer{c.ELB, second} { // neither names the other: they meet in the group of the domain
		e2e.Await(t, 20*time.Second, b.Name+" sees the other", func() error {
			if n := e2e.MetricBy(t, e2e.Scrape(t, b.AdminPort), "elb_peers", "config"); n["same"] != 1 {
				return fmt.Errorf("%v", n)
			}
			return nil
		})
	}
	balancers := []*e2e.Balancer{c.ELB, second}
	load := e2e.StartLoad(t, 6, 5*time.Millisecond, time.Minute, func(ctx context.Context, tally *e2e.Tally, i int) {
		tally.Timed(ctx, "GET", func(ctx context.Context) error {
			a, err := clientOf(balancers[i%2]).Do(ctx, "GET", "/api/v1/content/", nil)
			if err == nil && a.Status >= http.StatusInternalServerError {
				err = fmt.Errorf("status %d", a.Status)
			}
			return err
		})
	})
	awaitCount(t, load, "GET", 100)
	began := time.Now()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.Nodes[1].Stop()
	}()
	took := make([]time.Duration, len(balancers))
	e2e.InParallel(len(balancers), func(i int) {
		took[i] = awaitDraining(t, balancers[i], began)
	})
	pause(500*time.Millisecond - time.Since(began))
	before := doorRequests(t, c.Nodes[1])
	pause(time.Second)
	if after := doorRequests(t, c.Nodes[1]); after != before || before == 0 {
		t.Errorf("%v requests reached the node later than 500 ms after it was told to stop, %v before", after-before, before)
	}
	<-stopped
	load.Stop()
	t.Logf("the load balancers knew of it after %v; %s", took, load.Tally)
	if load.Failed() > 0 || slices.Max(took) > 500*time.Millisecond {
		t.Errorf("after %v; %s", took, load.Tally)
	}
}

func clientOf(b *e2e.Balancer) *e2e.Client {
	return e2e.NewClient(b.HTTPPort).Host("governance.localhost")
}

// awaitDraining waits until a load balancer says that one of its members drains, and tells how long after a moment that was.
func awaitDraining(t *testing.T, b *e2e.Balancer, after time.Time) time.Duration {
	t.Helper()
	admin := e2e.NewClient(b.AdminPort)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		a, err := admin.Do(t.Context(), "GET", "/members", nil, "Accept", "application/json")
		if err == nil && strings.Contains(string(a.Body), `"condition": "draining"`) {
			return time.Since(after)
		}
		<-tick.C
	}
	t.Errorf("%s does not see it", b.Name)
	return time.Since(after)
}
