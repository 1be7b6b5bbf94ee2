package elbd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/internal/freeport"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// running is an ELB in this process, on free ports.
type running struct {
	t          *testing.T
	file       string
	env        []string
	groupPort  int
	watch      *daemon.FileWatch
	hostName   string // that reloads find; the true one when empty
	log        *lines
	heard      func(record string) // of log
	cancel     context.CancelFunc
	hangup     chan os.Signal
	done       chan error
	http, tls  string // addresses
	admin      string
	httpClient *http.Client
}

// lines collects JSON log records.
type lines struct {
	heard func(record string) // called by whoever logs, before it goes on; may be nil

	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	if l.heard != nil {
		l.heard(string(p))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// addr is the address that a listener's record names, "" if it has not come yet.
func (l *lines) addr(listener string) string {
	for line := range strings.SplitSeq(l.String(), "\n") {
		var r struct{ Msg, Listener, Addr string }
		if json.Unmarshal([]byte(line), &r) == nil && r.Msg == "listening" && r.Listener == listener {
			return r.Addr
		}
	}
	return ""
}

func newELB(t *testing.T, staticMember string) *running {
	t.Helper()
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	yaml := fmt.Sprintf(`http_port: 0
https_port: 0
listen_host: 127.0.0.1
local_member_port: 0
admin: 127.0.0.1:0
state_dir: %s
drain_delay: 50ms
services:
  governance:
    domains:
      wso2.governance.domain:
        group_mgt_port: %d
        mgt: {hosts: [governance.localhost]}
  legacy:
    hosts: [legacy.localhost]
    domains:
      legacy.domain: {members: ["%s"]}
`, dir, ports[0], staticMember)
	file := filepath.Join(dir, "elb.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return &running{t: t, file: file, groupPort: ports[0], httpClient: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (e *running) start() {
	e.t.Helper()
	c, doc, err := LoadConfig(e.file, e.env)
	if err != nil {
		e.t.Fatal(err)
	}
	e.log = &lines{heard: e.heard}
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(e.t.Context())
	e.done = make(chan error, 1)
	logger := slog.New(slog.NewJSONHandler(e.log, nil))
	go func() { e.done <- Run(ctx, c, doc, e.process(logger)) }()
	e.await("listening", func() bool {
		e.http, e.tls, e.admin = e.log.addr("http"), e.log.addr("https"), e.log.addr("admin")
		return e.http != "" && e.tls != "" && e.admin != ""
	})
}

// process reads the file again on e.hangup.
func (e *running) process(log *slog.Logger) Process {
	e.hangup = make(chan os.Signal, 1)
	return Process{
		Log: log, Out: io.Discard, Reload: e.hangup, File: e.watch,
		Load: func() (Config, *daemon.Document, error) {
			c, doc, err := LoadConfig(e.file, e.env)
			if e.hostName != "" && err == nil && !doc.IsSet("node_name") {
				c.NodeName = e.hostName
			}
			return c, doc, err
		},
	}
}

func (e *running) stop() {
	e.t.Helper()
	e.cancel()
	select {
	case err := <-e.done:
		if err != nil {
			e.t.Fatalf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		e.t.Fatal("it does not stop")
	}
}

func (e *running) await(what string, cond func() bool) {
	e.t.Helper()
	deadline := time.After(15 * time.Second)
	for !cond() {
		select {
		case err := <-e.done:
			e.t.Fatalf("waiting for %s, it ended with %v\n%s", what, err, e.log)
		case <-deadline:
			e.t.Fatalf("waited too long for %s\n%s", what, e.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// get asks one of the listeners.
func (e *running) get(addr, path, host, accept string) (int, http.Header, string) {
	e.t.Helper()
	return e.send(http.MethodGet, addr, path, http.Header{"Host": {host}, "Accept": {accept}})
}

// ask is a request of a client that keeps cookies; set is the cookie that the answer brings, without its attributes.
func (e *running) ask(path, cookie string) (body, set string) {
	e.t.Helper()
	_, header, body := e.send(http.MethodGet, e.http, path, http.Header{"Host": {"legacy.localhost"}, "Cookie": {cookie}})
	set, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
	return body, set
}

// send sends a request to one of the listeners. A Host in the header is the request's.
func (e *running) send(method, addr, path string, header http.Header) (int, http.Header, string) {
	e.t.Helper()
	r, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+addr+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	r.Host = header.Get("Host")
	res, err := e.httpClient.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

func (e *running) members() []lb.MemberStatus {
	e.t.Helper()
	status, _, body := e.get(e.admin, "/members", e.admin, "application/json")
	var list struct {
		Members []lb.MemberStatus `json:"members"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
		e.t.Fatalf("%d %q: %v", status, body, err)
	}
	return list.Members
}

// node is an application member that answers with its name.
type node struct {
	name  string
	group *membership.Group
}

func startNode(t *testing.T, name string, groupPort int, keys ...[]byte) *node {
	t.Helper()
	return startNodeWith(t, name, groupPort, func(c *membership.Config) { c.Keys = keys })
}

// startNodeWith is startNode with another configuration of its membership.
func startNodeWith(t *testing.T, name string, groupPort int, change func(*membership.Config)) *node {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	c := membership.Config{
		Local: membership.Member{
			Name: name, Domain: "wso2.governance.domain", SubDomain: "mgt", Host: "127.0.0.1",
			HTTPPort: portOfURL(t, s.URL), State: membership.StateActive,
		},
		Seeds: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(groupPort))},
	}
	change(&c)
	g, err := membership.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = g.Leave(ctx)
	})
	return &node{name, g}
}

func portOfURL(t *testing.T, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestRun_FindsMembersAndServesThem(t *testing.T) {
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "static") }))
	defer static.Close()
	e := newELB(t, static.URL)
	e.start()
	one, two := startNode(t, "one", e.groupPort), startNode(t, "two", e.groupPort)
	e.await("two members that passed a check", func() bool {
		up := 0
		for _, m := range e.members() {
			if !m.Static && m.Standing == lb.StandingUp {
				up++
			}
		}
		return up == 2
	})
	e.await("ready", func() bool { status, _, _ := e.get(e.admin, "/readyz", e.admin, ""); return status == 200 })

	seen := map[string]int{}
	for range 10 {
		status, _, body := e.get(e.http, "/", "governance.localhost", "")
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		seen[body]++
	}
	if seen["one"] != 5 || seen["two"] != 5 {
		t.Errorf("round robin gave %v", seen)
	}
	if status, _, body := e.get(e.http, "/", "legacy.localhost", ""); status != 200 || body != "static" {
		t.Errorf("static member: %d %q", status, body)
	}
	for _, message := range []string{"Member joined", "Added member", "Application member joined application cluster"} {
		if n := strings.Count(e.log.String(), `"msg":"`+message+`"`); n != 2 {
			t.Errorf("%q stands %d times in the log", message, n)
		}
	}
	e.checkAdmin(one)

	// A restart knows its members at once, though it is they who have its address.
	e.stop()
	e.start()
	e.await("members after a restart", func() bool { return len(e.members()) == 3 })
	if err := two.group.SetState(membership.StateDraining); err != nil {
		t.Fatal(err)
	}
	e.await("draining", func() bool {
		for _, m := range e.members() {
			if m.Name == "two" {
				return m.State == "draining"
			}
		}
		return false
	})
	for range 4 {
		if _, _, body := e.get(e.http, "/", "governance.localhost", ""); body != "one" {
			t.Errorf("%q answered while it drains", body)
		}
	}
	e.stop()
}

// The commonest misconfiguration: a member whose sub-domain nobody asks for is named in the log, once, and on the pages.
func TestRun_NamesMembersWithoutAPool(t *testing.T) {
	e := newELB(t, "http://127.0.0.1:1")
	e.start()
	stray := startNodeWith(t, "stray", e.groupPort, func(c *membership.Config) { c.Local.SubDomain = "mtg" })
	startNode(t, "good", e.groupPort)
	e.await("both members", func() bool { return len(e.members()) == 3 })
	_, _, body := e.get(e.admin, "/status", e.admin, "")
	var s struct {
		Unrouted []lb.MemberStatus `json:"unrouted_members"`
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Unrouted) != 1 || s.Unrouted[0].ID != stray.group.Local().ID || s.Unrouted[0].SubDomain != "mtg" || !strings.Contains(s.Unrouted[0].Why, "no block") {
		t.Errorf("%s", body)
	}
	e.stop()
	if n := strings.Count(e.log.String(), "Member announces a sub-domain that has no pool"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
}

func (e *running) checkAdmin(one *node) {
	t := e.t
	t.Helper()
	m := e.members()[2]
	if e.members()[1].Name == "one" {
		m = e.members()[1]
	}
	local := one.group.Local()
	if m.ID != local.ID || m.Domain != local.Domain || m.SubDomain != "mgt" || m.State != "active" || m.MemberPort != local.Port || m.HTTPPort != local.HTTPPort || m.Host != "127.0.0.1" || m.Since.IsZero() {
		t.Errorf("member %+v", m)
	}
	status, header, page := e.get(e.admin, "/members", e.admin, "text/html,*/*")
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(page, local.ID) {
		t.Errorf("%d %s %s", status, header.Get("Content-Type"), page)
	}
	status, _, body := e.get(e.admin, "/status", e.admin, "")
	if status != 200 || !strings.Contains(body, `"state": "ready"`) || !strings.Contains(body, e.file) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ = e.get(e.admin, "/members", "evil.example", ""); status != 403 {
		t.Errorf("the admin listener answers %d under a foreign host", status)
	}
	_, _, body = e.get(e.admin, "/metrics", e.admin, "")
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "elb_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if !strings.Contains(body, `elb_members{domain="wso2.governance.domain",state="active",sub_domain="mgt"} 2`) {
		t.Error("elb_members does not show the members")
	}
}

func TestRun_StopLetsRequestsFinish(t *testing.T) {
	arrived, finish := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	defer slow.Close()
	e := newELB(t, slow.URL)
	e.start()
	answer := make(chan string, 1)
	go func() {
		_, _, body := e.get(e.http, "/", "legacy.localhost", "")
		answer <- body
	}()
	<-arrived
	e.cancel()
	e.await("not ready", func() bool {
		status, _, body := e.get(e.admin, "/readyz", e.admin, "")
		return status == 503 && body == "draining\n"
	})
	e.await("closed listener", func() bool {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", e.http)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(finish)
	if body := <-answer; body != "done" {
		t.Errorf("the running request got %q", body)
	}
	e.stop()
}

func TestRun_PortInUse(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for key, line := range map[string]string{"http_port": "1", "https_port": "2", "local_member_port": "4", "admin": "5"} {
		t.Run(key, func(t *testing.T) {
			e := newELB(t, "http://127.0.0.1:1")
			data, err := os.ReadFile(e.file)
			if err != nil {
				t.Fatal(err)
			}
			yaml := strings.Replace(string(data), key+": 0", key+": "+port, 1)
			if key == "admin" {
				yaml = strings.Replace(yaml, "admin: 127.0.0.1:0", "admin: 127.0.0.1:"+port, 1)
			}
			if err := os.WriteFile(e.file, []byte(yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			c, doc, err := LoadConfig(e.file, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("it does not notice"))
			defer cancel()
			err = Run(ctx, c, doc, Process{Log: slog.New(slog.DiscardHandler), Out: io.Discard})
			if err == nil || !strings.Contains(err.Error(), e.file+":"+line+": "+key+": ") || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), "in use") {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("several lines: %v", err)
			}
		})
	}
}
