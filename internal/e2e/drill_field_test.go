package e2e_test

// What the failure drills are held on: members that gossip, as processes of their own, and two load balancers in front of them.

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// drillMemberVariable tells the test binary to be a member, and which.
const drillMemberVariable = "REGENT_E2E_DRILL_MEMBER"

// TestDrillMember is a member as a process of its own. It drains with SIGTERM.
func TestDrillMember(t *testing.T) {
	text := os.Getenv(drillMemberVariable)
	if text == "" {
		t.Skip("only a child of the drills")
	}
	m, err := drill.ParseMember(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	if err := m.Run(ctx, os.Stdout); err != nil {
		t.Error(err)
	}
}

// newDrillProc describes a member as a process of its own.
func newDrillProc(t *testing.T, m drill.Member) *e2e.Proc {
	t.Helper()
	return e2e.NewProc(t, m.Name, []string{drillMemberVariable + "=" + m.String()}, "", "-test.run=^TestDrillMember$", "-test.timeout=0")
}

const (
	fieldHost   = "app.test"
	fieldDomain = "app.domain"
	fieldELBs   = 2
	// fieldLimit bounds one request.
	fieldLimit = 20 * time.Second
)

// fieldMember is a member of the field.
type fieldMember struct {
	*e2e.Proc
	addr  string
	seeds []string // gossip addresses of the load balancers
	began int      // length of the log when it was started last
}

// start starts the member; who needs it awaits that the load balancers use it.
func (m *fieldMember) start() {
	if m.began > 0 || m.Running() {
		m.began = len(m.Log())
	}
	m.Start()
	m.began = max(m.began, 1)
}

// lines is what the member wrote since its start.
func (m *fieldMember) lines() string { return m.Log()[m.began-1:] }

// fieldELB is a load balancer of the field.
type fieldELB struct {
	*e2e.Proc
	addr  string
	admin *e2e.Client
}

// drillField is the whole of it.
type drillField struct {
	t       *testing.T
	elbs    []*fieldELB
	members []*fieldMember
}

// startDrillField starts so many members like the given one and both load balancers, and waits until they use all members. more gives the last lines of the
// configuration of the load balancer i: those of the domain, such as its balancer, with their indent, and others behind them.
func startDrillField(t *testing.T, members int, like drill.Member, more func(i int) string) *drillField {
	t.Helper()
	const each = 4 // ports of a load balancer
	ports, err := freeport.PickN(fieldELBs*each + 2*members)
	if err != nil {
		t.Fatal(err)
	}
	f := &drillField{t: t}
	dir := t.TempDir()
	var seeds []string
	for i := range fieldELBs {
		p, other := ports[each*i:], ports[each*((i+1)%fieldELBs):]
		seeds = append(seeds, loopback(p[3]))
		name := fmt.Sprintf("elb%d", i+1)
		file := filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf(`http_port: %d
https_port: -1
listen_host: 127.0.0.1
admin: 127.0.0.1:%d
local_member_port: %d
members: ["127.0.0.1:%d"]
state_dir: %s
log: {format: json, level: info}
access_log: false
drain_delay: 50ms
services:
  app:
    domains:
      %s:
        hosts: [%s]
        group_mgt_port: %d
%s`, p[0], p[1], p[2], other[2], filepath.Join(dir, name), fieldDomain, fieldHost, p[3], more(i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := &fieldELB{Proc: e2e.NewProc(t, name, nil, "elb", "-config", file), addr: loopback(p[0]), admin: e2e.NewClient(p[1])}
		b.Start()
		f.elbs = append(f.elbs, b)
	}
	for i := range members {
		p := ports[fieldELBs*each+2*i:]
		like.Name, like.Addr = fmt.Sprintf("member%d", i+1), loopback(p[0])
		like.Domain, like.GossipPort, like.Seeds = fieldDomain, p[1], seeds
		f.members = append(f.members, &fieldMember{Proc: newDrillProc(t, like), addr: like.Addr, seeds: seeds})
		f.members[i].start()
	}
	t.Cleanup(f.end)
	f.awaitUp(members)
	return f
}

// end ends all processes at once, before each ends by itself: the farewells of the members take seconds and are looked at elsewhere.
func (f *drillField) end() {
	e2e.InParallel(len(f.members), func(i int) {
		if f.members[i].Running() {
			f.members[i].Kill()
		}
	})
	e2e.InParallel(len(f.elbs), func(i int) {
		if f.elbs[i].Running() {
			f.elbs[i].Stop()
		}
	})
}

// noLines is for fields whose load balancers have the defaults.
func noLines(int) string { return "" }

// awaitUp waits until each load balancer holds exactly so many members to be well.
func (f *drillField) awaitUp(want int) {
	f.t.Helper()
	for _, b := range f.elbs {
		e2e.Await(f.t, time.Minute, fmt.Sprintf("%d members up at %s", want, b.Name), func() error {
			a, err := b.admin.Do(f.t.Context(), "GET", "/metrics", nil)
			switch {
			case err != nil:
				return err
			case !strings.Contains(string(a.Body), "\nelb_member_up{"):
				return fmt.Errorf("%s knows no member", b.Name)
			}
			if n := e2e.SumMetric(f.t, a.Body, "elb_member_up"); int(n) != want {
				return fmt.Errorf("%v are up", n)
			}
			return nil
		})
	}
}

// kind is requests of a method through a load balancer.
func (f *drillField) kind(b *fieldELB, method string, body []byte) drill.Kind {
	f.t.Helper()
	return workKind(f.t, b.addr, method, body)
}

// workKind is requests of a method through the load balancer at an address, each with its right answer.
func workKind(t *testing.T, addr, method string, body []byte) drill.Kind {
	t.Helper()
	client := &drill.Client{Addr: addr, Host: fieldHost, Limit: fieldLimit}
	t.Cleanup(client.CloseIdle)
	want := drill.Answer(method, "/work", len(body))
	return drill.Kind{Name: method, Do: func(ctx context.Context) error {
		return client.Expect(ctx, method, "/work", body, func(a drill.Reply) error {
			if string(a.Body) != want {
				return fmt.Errorf("the body is %.100q, want %q", a.Body, want)
			}
			return nil
		})
	}}
}

// load sends so many requests a second until it is stopped.
func (f *drillField) load(rate int, kinds ...drill.Kind) *drill.Loop {
	l := drill.Start(f.t.Context(), rate, kinds...)
	f.t.Cleanup(func() { l.Stop() })
	return l
}

// requests is how many each member has answered since its start.
func (f *drillField) requests() []int {
	f.t.Helper()
	var all []int
	for _, m := range f.members {
		client := &drill.Client{Addr: m.addr, Host: fieldHost, Limit: fieldLimit}
		a, err := client.Do(f.t.Context(), http.MethodGet, "/control/requests", nil)
		client.CloseIdle()
		if err != nil {
			f.t.Fatal(err)
		}
		n, err := strconv.Atoi(string(a.Body))
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// slow makes a member so many times as slow as it was at first.
func (f *drillField) slow(m *fieldMember, by int) {
	f.t.Helper()
	client := &drill.Client{Addr: m.addr, Host: fieldHost, Limit: fieldLimit}
	defer client.CloseIdle()
	if err := client.Expect(f.t.Context(), http.MethodPost, fmt.Sprintf("/control/slow?by=%d", by), nil, nil); err != nil {
		f.t.Fatal(err)
	}
}
