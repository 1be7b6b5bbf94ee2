package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/elbd"
)

func TestStream_AnswersWhateverTheSplit(t *testing.T) {
	requests := "GET /1k HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /sink HTTP/1.1\r\nHost: a\r\nContent-length: 10\r\n\r\n0123456789" +
		"GET /chunked HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\n\r\n"
	for size := 1; size <= len(requests); size++ {
		m := newMember(time.Now())
		s := &stream{}
		var out bytes.Buffer
		for rest := []byte(requests); len(rest) > 0; {
			n := copy(s.room(), rest[:min(size, len(rest))])
			s.filled += n
			rest = rest[n:]
			for {
				answer, ok := s.next(m)
				if !ok {
					t.Fatalf("pieces of %d: refused", size)
				}
				if answer == nil {
					break
				}
				out.Write(answer)
			}
		}
		want := string(m.answers["/1k"]) + string(m.answers["/sink"]) + string(m.answers["/chunked"]) +
			"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
		if out.String() != want {
			t.Fatalf("pieces of %d: %d bytes of answers, want %d", size, out.Len(), len(want))
		}
		if m.requests != 3 {
			t.Fatalf("pieces of %d: %d requests counted, want 3", size, m.requests)
		}
	}
}

func TestStream_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, bad := range []string{
		"POST /sink HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /sink HTTP/1.1\r\nContent-Length: -4\r\n\r\n",
		strings.Repeat("x", memberBuffer),
	} {
		s := &stream{}
		s.filled = copy(s.buf[:], bad)
		if _, ok := s.next(newMember(time.Now())); ok {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func TestHandshakeClient(t *testing.T) {
	var resumed atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	client := &handshakeClient{
		dialer: &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}, addr: server.Listener.Addr().String(),
		ask: []byte("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), wanted: 5,
	}
	for range 3 {
		if err := client.once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := resumed.Load(); n > 0 {
		t.Errorf("%d handshakes of 3 were short ones", n)
	}
	client.wanted = 6
	if err := client.once(t.Context()); err == nil {
		t.Error("an answer that is too short was taken")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	client.run(ended, time.Now().Add(time.Minute)) // returns
}

func TestHandshakes_SumUp(t *testing.T) {
	a := &handshakeClient{took: []time.Duration{time.Millisecond, 3 * time.Millisecond}}
	b := &handshakeClient{took: []time.Duration{2 * time.Millisecond}, errors: 2, first: errors.New("reset")}
	got := sumUp([]*handshakeClient{a, b}, 2*time.Second)
	if want := (handshakeReport{Requests: 3, Errors: 2, FirstSaid: "reset", Seconds: 2, P50Micros: 2000, P99Micros: 3000}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestChoose(t *testing.T) {
	name := func(s string) string { return s }
	all := []string{"a", "b", "c"}
	for names, want := range map[string]string{"": "[a b c]", "c a": "[a c]", "b,a": "[a b]", " ": "[a b c]"} {
		if got, err := choose(all, names, name); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v; want %s", names, got, err, want)
		}
	}
	if _, err := choose(all, "a d", name); err == nil || !strings.Contains(err.Error(), "d is none of a, b, c") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions(nil, io.Discard)
	if err != nil || !o.complete() {
		t.Errorf("without flags all is measured: %t, %v", o.complete(), err)
	}
	for _, args := range [][]string{{"-rounds", "4"}, {"-seconds", "1"}, {"-scenarios", "tls"}, {"-proxies", "elb haproxy"}} {
		if o, err := parseOptions(args, io.Discard); err != nil || o.complete() {
			t.Errorf("%v is called complete, or: %v", args, err)
		}
	}
	for _, args := range [][]string{{"-rounds", "0"}, {"more"}, {"-proxies", "apache"}} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if _, err := parseOptions([]string{"-nonsense"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("an unknown flag: %v", err)
	}
}

// TestConfigurations: each configuration can be made, and ours is one that elb takes, with what the comparison promises switched on.
func TestConfigurations(t *testing.T) {
	dir := t.TempDir()
	cert, err := writeCertificate(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(cert.both, cert.both); err != nil {
		t.Errorf("certificate: %v", err)
	}
	for _, p := range proxies("elb") {
		i := &instance{proxy: p, site: site{
			Dir: t.TempDir(), HTTP: 21001, HTTPS: 21002, Admin: 21003, Gossip: 21004, Members: []string{"127.0.0.1:21005", "127.0.0.1:21006"},
			Cert: cert.cert, Key: cert.key, Both: cert.both, Host: host, Cipher: cipher, Splice: p.splice,
		}}
		file, err := i.configure()
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(i.Members, "21001", "21002") {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: the configuration lacks %s", p.name, want)
			}
		}
		if got := strings.Contains(string(text), "splice-response"); got != p.splice {
			t.Errorf("%s: splicing is %t", p.name, got)
		}
		if p.name == subject {
			checkOwn(t, file)
		}
	}
}

func checkOwn(t *testing.T, file string) {
	t.Helper()
	c, _, err := elbd.LoadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := elbd.Default(); !c.AccessLog || c.Timeouts != d.Timeouts || c.Log != d.Log {
		t.Errorf("elb is not measured with its defaults: access log %t, timeouts %+v, log %+v", c.AccessLog, c.Timeouts, c.Log)
	}
}

func TestProcessTree_SeesItself(t *testing.T) {
	tree, err := processTree(os.Getpid())
	if err != nil || len(tree) == 0 || tree[0].pid != os.Getpid() {
		t.Fatalf("tree %v, %v", tree, err)
	}
	if memory, err := treeMemory(os.Getpid()); err != nil || memory < 1<<20 {
		t.Errorf("a test in Go takes %d bytes? %v", memory, err)
	}
	if _, err := processTree(1 << 30); err == nil {
		t.Error("a process was found that cannot be")
	}
}

func TestCountLines(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	for text, want := range map[string]int64{"": 0, "a": 0, "a\nb\n": 2, long + "\n" + long + "\nrest": 2} {
		if got, err := countLines(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%d bytes have %d lines, %v; want %d", len(text), got, err, want)
		}
	}
}
