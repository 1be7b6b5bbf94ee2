package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/freeport"
)

// failMembers is how many members there are; the load is reckoned by it.
const failMembers = 3

// runDrillMember is a member of the drills as a process of its own.
func runDrillMember(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: bench drill-member DESCRIPTION")
	}
	m, err := drill.ParseMember(args[0])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return m.Run(ctx, stdout)
}

// drillMember is a member that can be killed, frozen and started again.
type drillMember struct {
	drill.Member
	process *child.Process
	self    string // this program
	lines   string // file of what it writes
}

func (m *drillMember) start(ctx context.Context) error {
	out, err := os.OpenFile(m.lines, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(m.self, "drill-member", m.String()) //nolint:gosec,noctx // this program; close ends it
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if m.process, err = child.Start(cmd); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if _, err := m.requests(limit); err == nil {
			return nil
		}
		if err := pause(limit, 5*time.Millisecond); err != nil || !m.process.Running() {
			return errors.Join(errors.New("a member of the drill does not answer"), err)
		}
	}
}

// kill ends the member at once, and tells how many POSTs it had begun and not answered.
func (m *drillMember) kill() (held int, err error) {
	m.process.Kill()
	lines, err := os.ReadFile(m.lines)
	return drill.Unanswered(string(lines)), err
}

// requests is how many the member has answered since its start.
func (m *drillMember) requests(ctx context.Context) (int64, error) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := get(ctx, client, "http://"+m.Addr+"/control/requests")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(a.body), 10, 64)
}

// rig is a proxy with the members behind it; of elb there are two, and the load goes to the first.
type rig struct {
	dir     string
	members []*drillMember
	proxies []*instance
}

// openRig starts everything and returns when all members are in use. The rig is to be closed, also after an error.
func openRig(ctx context.Context, p proxy) (*rig, error) {
	r := &rig{}
	var err error
	if r.dir, err = os.MkdirTemp("", "drill-"); err != nil {
		return r, err
	}
	ports, err := freeport.PickN(2*failMembers + 8)
	if err != nil {
		return r, err
	}
	fronts, ports := ports[:8], ports[8:]
	if err := r.startMembers(ctx, p.name == subject, ports, []int{fronts[3], fronts[7]}); err != nil {
		return r, err
	}
	s := site{HTTP: fronts[0], Admin: fronts[1], Gossip: fronts[2], Group: fronts[3], Host: host}
	for _, m := range r.members {
		s.Members = append(s.Members, m.Addr)
	}
	if err := r.launch(ctx, p, s); err != nil {
		return r, err
	}
	if p.name == subject {
		s.HTTP, s.Admin, s.Gossip, s.Group, s.Peer = fronts[4], fronts[5], fronts[6], fronts[7], fronts[2]
		if err := r.launch(ctx, p, s); err != nil {
			return r, err
		}
	}
	return r, r.awaitAllInUse(ctx)
}

func (r *rig) startMembers(ctx context.Context, gossip bool, ports, groups []int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := range failMembers {
		m := &drillMember{self: self, lines: filepath.Join(r.dir, fmt.Sprintf("member%d", i)), Member: drill.Member{
			Name: fmt.Sprintf("m%d", i), Addr: local(ports[2*i]), Workers: failWorkers, Service: failService,
		}}
		if gossip {
			m.Domain, m.GossipPort, m.Seeds = "bench.domain", ports[2*i+1], []string{local(groups[0]), local(groups[1])}
		}
		r.members = append(r.members, m)
		if err := m.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (r *rig) launch(ctx context.Context, p proxy, s site) error {
	var err error
	if s.Dir, err = os.MkdirTemp(r.dir, p.name+"-"); err != nil {
		return err
	}
	i, err := launch(ctx, p, s)
	if err == nil {
		r.proxies = append(r.proxies, i)
	}
	return err
}

// close ends everything and removes the folder.
func (r *rig) close() {
	for _, i := range r.proxies {
		i.stop()
	}
	for _, m := range r.members {
		if m.process != nil {
			m.process.Kill() // it holds nothing
		}
	}
	_ = os.RemoveAll(r.dir) // in the system's temporary folder, at worst
}

// load begins to send requests to the first proxy, those of kindPost first.
func (r *rig) load(ctx context.Context) *drill.Loop {
	client := &drill.Client{Addr: r.proxies[0].addr(false), Host: host, Limit: failLimit}
	ask := func(method string, body []byte) drill.Kind {
		want := drill.Answer(method, "/work", len(body))
		return drill.Kind{Name: method, Do: func(ctx context.Context) error {
			return client.Expect(ctx, method, "/work", body, func(a drill.Reply) error {
				if string(a.Body) != want {
					return fmt.Errorf("the body is %.100q", a.Body)
				}
				return nil
			})
		}}
	}
	kinds := []drill.Kind{ask(http.MethodPost, make([]byte, failBody))}
	for range failPosts - 1 {
		kinds = append(kinds, ask(http.MethodGet, nil))
	}
	return drill.Start(ctx, failRate, kinds...)
}

// awaitAllInUse sends requests to each proxy until all members have got some.
func (r *rig) awaitAllInUse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, useLimit)
	defer cancel()
	for _, i := range r.proxies {
		client := &drill.Client{Addr: i.addr(false), Host: host, Limit: failLimit}
		defer client.CloseIdle()
		for used := map[string]bool{}; len(used) < failMembers; {
			a, err := client.Do(ctx, http.MethodGet, "/work", nil)
			if err != nil {
				return err
			}
			if name := a.Header.Get("Member"); name != "" {
				used[name] = true
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return fmt.Errorf("it does not use all members: %v: %w", used, err)
			}
		}
	}
	return nil
}

// awaitUse waits until the load reaches a member again, and tells how long that took.
func (r *rig) awaitUse(ctx context.Context, m *drillMember) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, useLimit)
	defer cancel()
	var first int64 = -1
	for {
		n, err := m.requests(ctx)
		if err == nil && first < 0 {
			first = n // answers to what it held all the time do not count for much
		}
		if err == nil && n > first+failWorkers {
			return time.Since(began), nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, fmt.Errorf("%s gets no requests again: %w", m.Name, err)
		}
	}
}

// lag is how long after the first elb the second one found out that a member was not to be used. Both say so in their logs.
func (r *rig) lag(member string, after time.Time) (time.Duration, bool, error) {
	if len(r.proxies) < 2 {
		return 0, false, nil
	}
	var at [2]time.Time
	for i, p := range r.proxies {
		log, err := os.ReadFile(p.output.Name())
		if err != nil {
			return 0, false, err
		}
		var ok bool
		if at[i], ok = drill.LeftOut(string(log), member, after); !ok {
			return 0, false, fmt.Errorf("the log of elb %d does not say that it left %s out", i+1, member)
		}
	}
	return max(0, at[1].Sub(at[0])), true, nil
}
