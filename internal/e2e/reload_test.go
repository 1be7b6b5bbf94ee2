package e2e_test

// A load balancer that gets another configuration, other ports or another certificate while clients are at work.

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// reloaded is a load balancer whose configuration changes, in front of a witness.
type reloaded struct {
	*loneELB
	t     *testing.T
	first string // the configuration that it was started with
	ok    int    // reloads that succeeded
	close []func()
}

func startReloaded(t *testing.T, more string) *reloaded {
	t.Helper()
	m := startWitness(t)
	b := startLoneELB(t, "access_log: false\n"+more, []loneService{{"good.test", []string{m.addr}}})
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	return &reloaded{loneELB: b, t: t, first: string(text)}
}

// write replaces the configuration as careful programs do: whole, or not at all.
func (r *reloaded) write(text string) {
	r.t.Helper()
	replaceFile(r.t, r.file, text)
}

func replaceFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// configStatus is what /status says of the configuration.
type configStatus struct {
	Epoch  string   `json:"epoch"`
	Faults []string `json:"faults"`
}

func (r *reloaded) config() configStatus {
	r.t.Helper()
	text, err := r.look("/status")
	if err != nil {
		r.t.Fatal(err)
	}
	var s struct{ Config configStatus }
	if err := json.Unmarshal(text, &s); err != nil {
		r.t.Fatal(err)
	}
	return s.Config
}

// count is how many reloads had a result.
func (r *reloaded) count(result string) int {
	r.t.Helper()
	text, err := r.look("/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	return int(e2e.MetricBy(r.t, text, "elb_config_reloads_total", "result")[result])
}

// use writes a configuration, asks for it by a signal and waits until it is in use.
func (r *reloaded) use(text string) {
	r.t.Helper()
	r.write(text)
	r.Hangup()
	r.ok++
	r.awaitReloads("ok", r.ok)
	if s := r.config(); len(s.Faults) > 0 {
		r.t.Fatalf("faults %v", s.Faults)
	}
}

func (r *reloaded) awaitReloads(result string, n int) {
	r.t.Helper()
	e2e.Await(r.t, 30*time.Second, fmt.Sprintf("%d reloads %s", n, result), func() error {
		if got := r.count(result); got != n {
			return fmt.Errorf("%d: %v", got, r.config().Faults)
		}
		return nil
	})
}

// client is a client of its own connections, and counts them.
func (r *reloaded) client(addr string, secure *tls.Config) (get func(context.Context) error, conns *atomic.Int64) {
	r.t.Helper()
	transport := &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: secure != nil, DisableCompression: true}
	r.t.Cleanup(transport.CloseIdleConnections)
	r.close = append(r.close, transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	scheme := "http://"
	if secure != nil {
		scheme = "https://"
	}
	conns = &atomic.Int64{}
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if !i.Reused {
			conns.Add(1)
		}
	}}
	var n atomic.Int64
	return func(ctx context.Context) error {
		token := fmt.Sprintf("x%d", n.Add(1))
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, scheme+addr+"/"+token, http.NoBody)
		if err != nil {
			return err
		}
		req.Host = "good.test"
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != http.StatusOK || string(body) != goodBody(token)) {
			err = fmt.Errorf("%d %q", res.StatusCode, body)
		}
		return err
	}, conns
}

// socket opens a websocket.
func (r *reloaded) socket(token string) *websocket.Conn {
	r.t.Helper()
	config, err := websocket.NewConfig("ws://good.test/ws/"+token, "http://good.test/")
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := r.dial()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		r.t.Fatal(err)
	}
	return ws
}

// echo sees that a websocket is open.
func echo(ws *websocket.Conn) error {
	got := make([]byte, 5)
	err := ws.SetDeadline(time.Now().Add(10 * time.Second))
	if err == nil {
		_, err = ws.Write([]byte("hello"))
	}
	if err == nil {
		_, err = io.ReadFull(ws, got)
	}
	if err == nil && string(got) != "hello" {
		err = fmt.Errorf("the echo is %q", got)
	}
	return err
}

// variant is one of several configurations that differ in nearly all that can change, in turn.
func (r *reloaded) variant(i, groupPort int) string {
	text := r.first
	if i%2 == 1 {
		text = strings.Replace(text, "services:\n", "timeouts: {connect: 1500ms, response_header: 30s, idle: 100s, member_idle: 10s}\n"+
			"trusted_proxies: [\"10.0.0.0/8\"]\ndrain_timeout: 20s\nservices:\n", 1)
	}
	if i%3 == 1 {
		text += fmt.Sprintf("  more%d: {hosts: [more.test], domains: {more.domain: {group_mgt_port: %d}}}\n", i, groupPort)
	}
	if i%4 == 2 {
		text = strings.Replace(text, "{hosts: [good.test]", "{hosts: [good.test, \"*.good.test\"]", 1)
		text = strings.Replace(text, "d0.domain: {members", "d0.domain: {balancer: two_choices, members", 1)
	}
	if i%5 == 3 {
		text = strings.Replace(text, "level: info", "level: debug", 1)
	}
	return text
}

// TestReload_UnderLoad: no request fails, no websocket closes, no HTTP/2 connection ends, and nothing is left over.
func TestReload_UnderLoad(t *testing.T) {
	slow(t)
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	r := startReloaded(t, "")
	plain, _ := r.client(r.httpAddr, nil)
	secure, secureConns := r.client(r.httpsAddr, r.tlsConfig())
	if err := errors.Join(plain(t.Context()), secure(t.Context())); err != nil {
		t.Fatal(err)
	}
	var sockets []*websocket.Conn
	for i := range 10 {
		sockets = append(sockets, r.socket(fmt.Sprintf("w%d", i)))
	}
	load := e2e.StartLoad(t, 6, 2*time.Millisecond, 10*time.Minute, func(ctx context.Context, tally *e2e.Tally, client int) {
		if client < 4 {
			tally.Timed(ctx, "GET HTTP/1", plain)
		} else {
			tally.Timed(ctx, "GET HTTP/2", secure)
		}
	})
	reloads := e2e.Scale(500, 50)
	for i := range reloads {
		r.use(r.variant(i+1, ports[0]))
	}
	r.use(r.first)
	tally := load.Stop()
	t.Logf("%d reloads: %s", r.ok, tally)
	if tally.Failed() > 0 || tally.Count("GET HTTP/1") < reloads || tally.Count("GET HTTP/2") < reloads {
		t.Errorf("failed: %d", tally.Failed())
	}
	if n := secureConns.Load(); n != 1 {
		t.Errorf("HTTP/2 took %d connections", n)
	}
	for i, ws := range sockets {
		if err := echo(ws); err != nil {
			t.Errorf("websocket %d: %v", i, err)
		}
		ws.Close()
	}
	if n := strings.Count(r.Log(), `"msg":"configuration reloaded"`); n != r.ok {
		t.Errorf("the log tells of %d reloads", n)
	}
	for _, done := range r.close {
		done()
	}
	r.checkBase(60 * time.Second)
}

// TestReload_SignalsAtAnyTime: signals that come faster than configurations can be read, while the file is written over in pieces, and while the load
// balancer stops. No request fails, what was written last is in use in the end, and the stop is an orderly one.
func TestReload_SignalsAtAnyTime(t *testing.T) {
	slow(t)
	ports, err := freeport.PickN(1)
	if err != nil {
		t.Fatal(err)
	}
	r := startReloaded(t, "")
	plain, _ := r.client(r.httpAddr, nil)
	secure, secureConns := r.client(r.httpsAddr, r.tlsConfig())
	load := e2e.StartLoad(t, 4, 2*time.Millisecond, 10*time.Minute, func(ctx context.Context, tally *e2e.Tally, client int) {
		if client < 2 {
			tally.Timed(ctx, "GET HTTP/1", plain)
		} else {
			tally.Timed(ctx, "GET HTTP/2", secure)
		}
	})
	signals := e2e.Scale(3000, 300)
	for i := range signals {
		text := r.variant(i, ports[0])
		if i%4 == 3 {
			text = text[:len(text)*(i%10)/10]
		}
		if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Hangup()
		<-time.After(2 * time.Millisecond)
	}
	r.write(strings.NewReplacer("hosts: [good.test]", "hosts: [good.test, last.test]", "drain_delay: 50ms", "drain_delay: 2s").Replace(r.first))
	r.Hangup()
	e2e.Await(t, 30*time.Second, "the last configuration", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.httpAddr+"/x", http.NoBody)
		if err != nil {
			return err
		}
		req.Host = "last.test"
		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if faults := r.config().Faults; res.StatusCode != http.StatusOK || len(faults) > 0 {
			return fmt.Errorf("%s, %v", res.Status, faults)
		}
		return nil
	})
	tally := load.Stop()
	good, bad := r.count("ok"), r.count("error")
	t.Logf("%d signals, %d reloads, %d of them refused: %s", signals, good+bad, bad, tally)
	if tally.Failed() > 0 || secureConns.Load() != 1 || good < 2 || bad < 2 {
		t.Errorf("failed: %d; HTTP/2 took %d connections", tally.Failed(), secureConns.Load())
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.Stop()
	}()
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; <-time.After(10 * time.Millisecond) {
		r.Hangup()
	}
	<-stopped
}

// TestReload_BadFile: a configuration with faults, or with changes that need a restart, changes nothing; the log, a metric and /status tell all
// of it. The file alone, without a signal, brings the next good one.
func TestReload_BadFile(t *testing.T) {
	slow(t)
	t.Parallel()
	r := startReloaded(t, "")
	get, _ := r.client(r.httpAddr, nil)
	before := r.config().Epoch
	for i, c := range []struct {
		text  string
		wants []string
	}{
		{strings.Replace(r.first, "drain_delay: 50ms", "drain_delay: -1s\nhtpp_port: 1", 1), []string{"drain_delay: is -1s", "htpp_port: unknown key; did you mean http_port?"}},
		{"services: [\n", []string{"elb.yaml:"}},
		{
			strings.Replace(r.first, "state_dir: ", "node_name: other\nstate_dir: /nowhere", 1),
			[]string{"state_dir: cannot change while the ELB runs; it needs a restart", "node_name: cannot change"},
		},
		{strings.Replace(r.first, "format: json", "format: text", 1), []string{"log.format: cannot change from json to text"}},
		{strings.Replace(r.first, "tls: {", "tls: {cert_file: /nowhere.pem, key_file: /nowhere.key, ", 1), []string{"tls.cert_file: cannot read", "tls.key_file: cannot read"}},
	} {
		r.write(c.text)
		r.Hangup()
		r.awaitReloads("error", i+1)
		s := r.config()
		if s.Epoch != before || len(s.Faults) != len(c.wants) {
			t.Errorf("%d: epoch %s, before %s; faults %q", i, s.Epoch, before, s.Faults)
		}
		all := strings.Join(s.Faults, "\n")
		for _, want := range c.wants {
			if !strings.Contains(all, want) {
				t.Errorf("%d: the faults have no %q: %s", i, want, all)
			}
		}
		if err := get(t.Context()); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if text, err := r.look("/metrics"); err != nil || e2e.SumMetric(t, text, "elb_config_last_reload_success") != 0 {
			t.Errorf("%d: the metric does not tell of the failure: %v", i, err)
		}
	}
	if n := strings.Count(r.Log(), "configuration could not be reloaded; the old one stays"); n != 5 {
		t.Errorf("the log tells of %d failures", n)
	}
	r.write(strings.Replace(r.first, "drain_delay: 50ms", "drain_delay: 51ms", 1))
	r.awaitReloads("ok", 1)
	if s := r.config(); s.Epoch == before || len(s.Faults) > 0 {
		t.Errorf("%+v", s)
	}
	text, err := r.look("/metrics")
	if err != nil || e2e.SumMetric(t, text, "elb_config_last_reload_success") != 1 || fmt.Sprintf("%08x", int64(e2e.SumMetric(t, text, "elb_config_epoch"))) != r.config().Epoch {
		t.Errorf("metrics: %v\n%s", err, text)
	}
	e2e.LintMetrics(t, "elb", text)
}

// TestReload_PortChange: what came to the old port goes on there until it ends by itself; the old port takes no more.
func TestReload_PortChange(t *testing.T) {
	slow(t)
	t.Parallel()
	ports, err := freeport.PickN(2)
	if err != nil {
		t.Fatal(err)
	}
	r := startReloaded(t, "")
	ws := r.socket("w")
	secure, conns := r.client(r.httpsAddr, r.tlsConfig())
	kept, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	in := bufio.NewReader(kept)
	ask := func(token string) (*http.Response, error) {
		_, err := fmt.Fprintf(kept, "GET /%s HTTP/1.1\r\nHost: good.test\r\n\r\n", token)
		if err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(in, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		return res, err
	}
	res, err := ask("a")
	if err = errors.Join(err, secure(t.Context())); err != nil || res.Close {
		t.Fatalf("%v, %v", res, err)
	}
	_, oldHTTP, _ := net.SplitHostPort(r.httpAddr)
	_, oldHTTPS, _ := net.SplitHostPort(r.httpsAddr)
	next := strings.NewReplacer("http_port: "+oldHTTP, fmt.Sprintf("http_port: %d", ports[0]), "https_port: "+oldHTTPS, fmt.Sprintf("https_port: %d", ports[1])).Replace(r.first)
	r.use(next)
	get, _ := r.client(loopback(ports[0]), nil)
	getSecure, _ := r.client(loopback(ports[1]), r.tlsConfig())
	if err := errors.Join(get(t.Context()), getSecure(t.Context())); err != nil {
		t.Errorf("new ports: %v", err)
	}
	for _, addr := range []string{r.httpAddr, r.httpsAddr} {
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			conn.Close()
			t.Errorf("%s still listens", addr)
		}
	}
	if res, err = ask("b"); err != nil || res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("the old connection: %v, %v", res, err)
	}
	if err := secure(t.Context()); err == nil || conns.Load() != 1 {
		t.Errorf("HTTP/2 on the old port: %v, %d connections", err, conns.Load())
	}
	// A port that is in use changes nothing; nor does one that is still ours.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r.write(strings.Replace(next, fmt.Sprintf("https_port: %d", ports[1]), fmt.Sprintf("https_port: %d", taken.Addr().(*net.TCPAddr).Port), 1))
	r.Hangup()
	r.awaitReloads("error", 1)
	r.write(strings.NewReplacer(fmt.Sprintf("http_port: %d", ports[0]), fmt.Sprintf("http_port: %d", ports[1]),
		fmt.Sprintf("https_port: %d", ports[1]), fmt.Sprintf("https_port: %d", ports[0])).Replace(next))
	r.Hangup()
	r.awaitReloads("error", 2)
	if err := errors.Join(get(t.Context()), getSecure(t.Context()), echo(ws)); err != nil {
		t.Error(err)
	}
	// Off, and back at the first port.
	r.use(strings.Replace(r.first, "https_port: "+oldHTTPS, "https_port: -1", 1))
	back, _ := r.client(r.httpAddr, nil)
	if err := errors.Join(back(t.Context()), echo(ws)); err != nil {
		t.Error(err)
	}
	if conn, err := net.DialTimeout("tcp", loopback(ports[1]), time.Second); err == nil {
		conn.Close()
		t.Error("https still listens")
	}
	// A websocket of a port that is no more is bounded by the stop as all others are.
	r.use(strings.Replace(r.first, "drain_delay: 50ms", "drain_delay: 50ms\ndrain_timeout: 500ms", 1))
	began := time.Now()
	r.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// pairFiles are a certificate and key of a test.
type pairFiles struct{ cert, key string }

func (p pairFiles) write(t *testing.T, serial int64, ends time.Time, names ...string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, p.key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	replaceFile(t, p.cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// served is the serial of the certificate that clients get for a name.
func (r *reloaded) served(name string) int64 {
	r.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", r.httpsAddr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestReload_Certificates: replaced files are taken up by themselves, a bad pair is not, and each name gets its certificate.
func TestReload_Certificates(t *testing.T) {
	slow(t)
	t.Parallel()
	dir := t.TempDir()
	one := pairFiles{filepath.Join(dir, "one.pem"), filepath.Join(dir, "one.key")}
	two := pairFiles{filepath.Join(dir, "two.pem"), filepath.Join(dir, "two.key")}
	end := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	one.write(t, 1, end, "good.test", "one.test")
	two.write(t, 2, end, "two.test")
	r := startReloaded(t, "")
	secure, conns := r.client(r.httpsAddr, r.tlsConfig())
	if err := secure(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.use(strings.Replace(r.first, "tls: {", fmt.Sprintf("tls: {cert_file: %s, key_file: %s, certificates: [{cert_file: %s, key_file: %s}], ", one.cert, one.key, two.cert, two.key), 1))
	for name, want := range map[string]int64{"one.test": 1, "two.test": 2, "none.test": 1, "": 1} {
		if got := r.served(name); got != want {
			t.Errorf("%q got certificate %d, not %d", name, got, want)
		}
	}
	notAfter := func(file string) time.Time {
		text, err := r.look("/metrics")
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(int64(e2e.MetricBy(t, text, "elb_tls_cert_not_after_seconds", "file")[file]), 0)
	}
	if got := notAfter(two.cert); !got.Equal(end) {
		t.Errorf("not after %v, want %v", got, end)
	}
	two.write(t, 3, end.Add(time.Hour), "two.test")
	e2e.Await(t, 20*time.Second, "the renewed certificate", func() error {
		if got := r.served("two.test"); got != 3 {
			return fmt.Errorf("certificate %d", got)
		}
		return nil
	})
	if got := notAfter(two.cert); !got.Equal(end.Add(time.Hour)) {
		t.Errorf("not after %v, want %v", got, end.Add(time.Hour))
	}
	replaceFile(t, one.cert, "no certificate")
	e2e.Await(t, 20*time.Second, "a warning", func() error {
		if !strings.Contains(r.Log(), "certificate files could not be reloaded; the old certificate stays") {
			return errors.New("none yet")
		}
		return nil
	})
	if got := r.served("one.test"); got != 1 {
		t.Errorf("certificate %d", got)
	}
	one.write(t, 4, end, "one.test")
	r.Hangup()
	r.ok++
	r.awaitReloads("ok", r.ok)
	if got := r.served("one.test"); got != 4 {
		t.Errorf("certificate %d after a signal", got)
	}
	if err := secure(t.Context()); err != nil || conns.Load() != 1 {
		t.Errorf("the connection of before: %v, %d connections", err, conns.Load())
	}
}

// TestReload_AccessLogFile: logrotate moves the file away and sends SIGHUP; nothing is lost.
func TestReload_AccessLogFile(t *testing.T) {
	slow(t)
	t.Parallel()
	r := startReloaded(t, "")
	get, _ := r.client(r.httpAddr, nil)
	file := filepath.Join(t.TempDir(), "access.log")
	logged := strings.Replace(r.first, "access_log: false", "access_log: true\naccess_log_file: "+file, 1)
	r.use(logged)
	ask := func(n int) {
		t.Helper()
		for range n {
			if err := get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	lines := func(name string) int {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), `"msg":"request"`)
	}
	ask(5)
	e2e.Await(t, 10*time.Second, "records", func() error {
		if n := lines(file); n != 5 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	ask(3)
	r.Hangup()
	r.ok++
	r.awaitReloads("ok", r.ok)
	ask(4)
	e2e.Await(t, 10*time.Second, "records", func() error {
		if old, n := lines(file+".1"), lines(file); old+n != 12 || n < 4 {
			return fmt.Errorf("%d and %d", old, n)
		}
		return nil
	})
	r.use(r.first)
	ask(2)
	r.use(logged)
	ask(1)
	e2e.Await(t, 10*time.Second, "a record after those of before", func() error {
		if old, n := lines(file+".1"), lines(file); old+n < 13 {
			return fmt.Errorf("%d and %d", old, n)
		}
		return nil
	})
	if old, n := lines(file+".1"), lines(file); old+n != 13 {
		t.Errorf("%d and %d records, those of when the log was off among them", old, n)
	}
}

// TestStop_KeepAliveClientsMove: while a stopping load balancer still accepts, it ends each connection with an answer that says so. When the port
// closes no client is about to use one, so that not even a POST fails, but for those on connections that the kernel had and elb had not accepted yet.
func TestStop_KeepAliveClientsMove(t *testing.T) {
	slow(t)
	t.Parallel()
	r := startReloaded(t, "")
	r.use(strings.Replace(r.first, "drain_delay: 50ms", "drain_delay: 1s", 1))
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	const clients = 4
	var closing, lost atomic.Int64
	load := e2e.StartLoad(t, clients, 2*time.Millisecond, time.Minute, func(ctx context.Context, tally *e2e.Tally, n int) {
		tally.Timed(ctx, "POST", func(ctx context.Context) error {
			fresh := true // also while there is none
			trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { fresh = !i.Reused }}
			req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, "http://"+r.httpAddr+fmt.Sprintf("/p%d", n), strings.NewReader("x"))
			if err != nil {
				return err
			}
			req.Host = "good.test"
			res, err := client.Do(req)
			if errors.Is(err, syscall.ECONNREFUSED) {
				<-time.After(5 * time.Millisecond)
				return nil // the port is closed: a client goes elsewhere
			}
			if fresh && errors.Is(err, syscall.ECONNRESET) {
				lost.Add(1)
				return nil
			}
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.Close {
				closing.Add(1)
			}
			_, err = io.Copy(io.Discard, res.Body)
			if err == nil && res.StatusCode != http.StatusOK {
				err = errors.New(res.Status)
			}
			return err
		})
	})
	e2e.Await(t, 20*time.Second, "requests", func() error {
		if n := load.Count("POST"); n < 50 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if n := closing.Load(); n > 0 {
		t.Errorf("%d connections ended before the stop", n)
	}
	r.Stop()
	tally := load.Stop()
	t.Logf("%d answers ended their connections; %s", closing.Load(), tally)
	if tally.Failed() > 0 || closing.Load() < 50 || lost.Load() > clients {
		t.Errorf("requests failed, or clients were not told; %d connections were not accepted", lost.Load())
	}
}
