package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// loneELB is a load balancer with static members: no registry, no gossip but its own. It is what the suites of bad input are aimed at.
type loneELB struct {
	*e2e.Proc
	httpAddr, httpsAddr string

	t     testing.TB
	file  string // elb.yaml
	pid   string
	admin *e2e.Client // one connection for the whole test, so that looking changes nothing
	roots *x509.CertPool
	base  gauges
}

// loneService is one entry of services in elb.yaml: a host name and its members, as host:port.
type loneService struct {
	host    string
	members []string
}

// startLoneELB writes elb.yaml, starts the load balancer and takes its measures once it is ready. more is further lines of the file.
func startLoneELB(t testing.TB, more string, services []loneService) *loneELB {
	t.Helper()
	ports, err := freeport.PickN(4)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	var text strings.Builder
	fmt.Fprintf(&text, "http_port: %d\nhttps_port: %d\nlisten_host: 127.0.0.1\nlocal_member_port: %d\nadmin: 127.0.0.1:%d\n", ports[0], ports[1], ports[2], ports[3])
	fmt.Fprintf(&text, "state_dir: %s\ntls: {dev_ca_dir: %s}\nlog: {format: json, level: info}\ndrain_delay: 50ms\n%sservices:\n", filepath.Join(dir, "elb"), ca, more)
	for i, s := range services {
		members, err := json.Marshal(withScheme(s.members))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "  s%d: {hosts: [%s], domains: {d%d.domain: {members: %s}}}\n", i, s.host, i, members)
	}
	file := filepath.Join(dir, "elb.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &loneELB{
		file: file, Proc: e2e.NewProc(t, "elb", nil, "elb", "-config", file), t: t, admin: e2e.NewClient(ports[3]),
		httpAddr: loopback(ports[0]), httpsAddr: loopback(ports[1]),
	}
	b.Start()
	e2e.Await(t, 60*time.Second, "elb ready", func() error {
		if !b.Running() {
			t.Fatal("elb ended")
		}
		_, err := b.look("/readyz")
		return err
	})
	pem, err := os.ReadFile(filepath.Join(ca, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b.roots = x509.NewCertPool()
	if !b.roots.AppendCertsFromPEM(pem) {
		t.Fatal("ca.pem holds no certificate")
	}
	b.collect()
	b.base = b.measure()
	return b
}

func withScheme(members []string) []string {
	var urls []string
	for _, m := range members {
		urls = append(urls, "http://"+m)
	}
	return urls
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// look reads a page of the admin listener.
func (b *loneELB) look(path string) ([]byte, error) {
	a, err := b.admin.Do(b.t.Context(), "GET", path, nil)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %s", path, a.Status, a.Body)
	}
	return a.Body, err
}

// dial opens a connection to the HTTP port.
func (b *loneELB) dial() (net.Conn, error) { return net.DialTimeout("tcp", b.httpAddr, 5*time.Second) }

// dialTLS opens a connection to the HTTPS port that speaks one protocol, "http/1.1" or "h2".
func (b *loneELB) dialTLS(protocol string) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", b.httpsAddr, b.tlsConfig(protocol))
}

func (b *loneELB) tlsConfig(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: b.roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, NextProtos: protocols}
}

// gauges are what must come back to where it was when all clients are gone.
type gauges struct {
	goroutines, descriptors, inFlight float64
	sockets                           int     // among the descriptors
	heap                              float64 // bytes
	cpu                               float64 // seconds; it only grows, and is here to be told
}

func (b *loneELB) measure() (g gauges) {
	b.t.Helper()
	text, err := b.look("/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	for name, into := range map[string]*float64{
		"go_goroutines": &g.goroutines, "process_open_fds": &g.descriptors, "elb_requests_in_flight": &g.inFlight,
		"go_memstats_heap_alloc_bytes": &g.heap, "process_cpu_seconds_total": &g.cpu,
	} {
		_, line, found := strings.Cut(string(text), "\n"+name+" ")
		value, _, _ := strings.Cut(line, "\n")
		if *into, err = strconv.ParseFloat(value, 64); err != nil {
			b.t.Fatalf("metric %s: there %t, %q", name, found, value)
		}
	}
	g.sockets = b.sockets()
	return g
}

// sockets counts the sockets that elb has open. It knows its process by the file on the command line.
func (b *loneELB) sockets() (n int) {
	b.t.Helper()
	if b.pid == "" {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			b.t.Fatal(err)
		}
		for _, l := range lines {
			if text, err := os.ReadFile(l); err == nil && strings.Contains(string(text), b.file) {
				b.pid = filepath.Base(filepath.Dir(l))
			}
		}
	}
	links, err := os.ReadDir("/proc/" + b.pid + "/fd")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, l := range links {
		if to, err := os.Readlink("/proc/" + b.pid + "/fd/" + l.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// resting counts the goroutines that wait for the next HTTP/2 request: they are kept for a while, which no test has to wait for.
func (b *loneELB) resting() (n float64) {
	b.t.Helper()
	profile, err := b.look("/debug/pprof/goroutine?debug=1")
	if err != nil {
		b.t.Fatal(err)
	}
	for group := range strings.SplitSeq(string(profile), "\n\n") { // "3 @ 0x…", then a line for each call
		if !strings.Contains(group, "lb.(*crew).work") || strings.Contains(group, "lb.(*h2Stream)") {
			continue
		}
		count, _, _ := strings.Cut(group, " @ ")
		same, err := strconv.Atoi(count[strings.LastIndexByte(count, '\n')+1:]) // the first has a title
		if err != nil {
			b.t.Fatalf("no count: %.100q", group)
		}
		n += float64(same)
	}
	return n
}

// collect runs the collector twice: the second time it takes what pools kept over the first.
func (b *loneELB) collect() {
	b.t.Helper()
	for range 2 {
		if _, err := b.look("/debug/pprof/heap?gc=1"); err != nil {
			b.t.Fatal(err)
		}
	}
}

// What may stay over the base, beside goroutines that rest: a few and a socket of gossip that come and go, the pipes that are kept for
// the next splice (64, of two descriptors each), and series of metrics.
const (
	spareGoroutines  = 8
	spareSockets     = 1
	spareDescriptors = spareSockets + 2*64
	spareHeap        = 16 << 20
)

// checkBase waits until nothing is left of what the clients did. Their connections must be closed by then.
func (b *loneELB) checkBase(limit time.Duration) {
	b.t.Helper()
	defer func() {
		if stacks, err := b.look("/debug/pprof/goroutine?debug=1"); err == nil && b.t.Failed() {
			b.t.Logf("what elb still does:\n%.20000s", stacks)
		}
	}()
	var now gauges
	e2e.Await(b.t, limit, "goroutines, descriptors and memory of elb back to base", func() error {
		if now = b.measure(); now.heap > b.base.heap+spareHeap {
			b.collect()
			now = b.measure()
		}
		now.goroutines -= b.resting()
		if now.goroutines > b.base.goroutines+spareGoroutines || now.descriptors > b.base.descriptors+spareDescriptors ||
			now.sockets > b.base.sockets+spareSockets || now.inFlight != 0 || now.heap > b.base.heap+spareHeap {
			return fmt.Errorf("it has %+v; at first it had %+v", now, b.base)
		}
		return nil
	})
	b.t.Logf("elb at first: %+v; in the end: %+v", b.base, now)
}
