package main

import (
	"strings"
	"testing"
	"time"
)

const wrkText = `Running 3s test @ http://127.0.0.1:21234/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms    4.92ms  45.72ms   96.49%
    Req/Sec    47.66k    14.13k   60.69k    90.91%
  Latency Distribution
     50%  103.00us
     75%  162.00us
     90%  665.00us
     99%   32.77ms
  52119 requests in 1.10s, 56.86MB read
Requests/sec:  47354.95
Transfer/sec:     51.66MB
`

func TestParseWrk(t *testing.T) {
	r, err := parseWrk(wrkText, 1024)
	if err != nil {
		t.Fatal(err)
	}
	want := loadResult{requests: 52119, seconds: 1.1, p50: 103 * time.Microsecond, p99: 32770 * time.Microsecond}
	if r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

// TestParseWrk_Seconds: wrk writes units of one letter with a space after them.
func TestParseWrk_Seconds(t *testing.T) {
	r, err := parseWrk(strings.NewReplacer("103.00us", "190.50ms", "32.77ms\n", "1.03s \n").Replace(wrkText), 1024)
	if err != nil || r.p50 != 190500*time.Microsecond || r.p99 != 1030*time.Millisecond {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestParseWrk_Faults(t *testing.T) {
	cases := map[string]struct {
		text   string
		answer int
		want   string
	}{
		"statuses":      {wrkText + "  Non-2xx or 3xx responses: 7\n", 1024, "Non-2xx or 3xx responses: 7"},
		"sockets":       {wrkText + "  Socket errors: connect 0, read 3, write 0, timeout 0\n", 1024, "Socket errors: connect 0, read 3"},
		"short answers": {wrkText, 1200, "too few for 52119 answers"},
	}
	for name, c := range cases {
		if r, err := parseWrk(c.text, c.answer); err != nil || !strings.Contains(r.fault, c.want) {
			t.Errorf("%s: fault %q, error %v; want %q", name, r.fault, err, c.want)
		}
	}
	for _, text := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused", strings.Replace(wrkText, "99%", "98%", 1)} {
		if _, err := parseWrk(text, 1024); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestParseWrk_Units(t *testing.T) {
	for unit, enough := range map[string]int{"": 0, "K": 1, "M": 1000, "G": 1_000_000} {
		text := strings.Replace(wrkText, "56.86MB", "60.00"+unit+"B", 1)
		if r, err := parseWrk(text, enough); err != nil || r.fault != "" {
			t.Errorf("60 %sB: error %v, fault %q", unit, err, r.fault)
		}
	}
}

const h2loadText = `starting benchmark...
spawning thread #0: 16 total client(s). Timing-based test with 0s of warm-up time and 3s of main duration for measurements.
TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 3.00s, 30082.33 req/s, 31.87MB/s
requests: 90247 total, 90311 started, 90247 done, 90247 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 90250 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 95.61MB (100255317) total, 3.10MB (3248892) headers (space savings 78.00%), 88.13MB (92412928) data
                     min         max         mean         sd        +/- sd
time for request:      112us     11.01ms      1.84ms       700us    80.00%
`

func TestParseH2load(t *testing.T) {
	r, err := parseH2load(h2loadText)
	if err != nil {
		t.Fatal(err)
	}
	if want := (loadResult{requests: 90247, seconds: 3}); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestParseH2load_Faults(t *testing.T) {
	for _, change := range [][2]string{
		{"0 failed", "1 failed"},
		{"0 errored", "2 errored"},
		{"0 timeout", "3 timeout"},
		{"0 3xx", "10 3xx"},
		{"0 5xx", "1 5xx"},
		{"Application protocol: h2", "Application protocol: http/1.1"},
	} {
		if r, err := parseH2load(strings.Replace(h2loadText, change[0], change[1], 1)); err != nil || r.fault == "" {
			t.Errorf("%s: fault %q, error %v; want a fault", change[1], r.fault, err)
		}
	}
	if _, err := parseH2load("starting benchmark...\n"); err == nil {
		t.Error("no error for an output without a summary")
	}
}

func TestParseH2loadLog(t *testing.T) {
	log := "1795361765135268\t200\t426\n1795361765135273\t200\t450\n1795361765135300\t200\t9000\n"
	p50, p99, err := parseH2loadLog(strings.NewReader(log))
	if err != nil || p50 != 450*time.Microsecond || p99 != 9*time.Millisecond {
		t.Errorf("got %v, %v, %v", p50, p99, err)
	}
	for _, bad := range []string{"1\t200\n", "1\t200\tx\n"} {
		if _, _, err := parseH2loadLog(strings.NewReader(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseHandshake(t *testing.T) {
	r, err := parseHandshake([]byte(`{"requests":6000,"errors":0,"seconds":3.01,"p50_us":4010.4,"p99_us":15000}`))
	want := loadResult{requests: 6000, seconds: 3.01, p50: 4010400 * time.Nanosecond, p99: 15 * time.Millisecond}
	if err != nil || r != want {
		t.Errorf("got %+v, %v; want %+v", r, err, want)
	}
	r, err = parseHandshake([]byte(`{"requests":6000,"errors":2,"first_error":"reset","seconds":3}`))
	if err != nil || !strings.Contains(r.fault, "2 errors") || !strings.Contains(r.fault, "reset") {
		t.Errorf("fault %q, error %v", r.fault, err)
	}
}

func TestParseProcess(t *testing.T) {
	line := "1234 (a (very) odd) name) S 77 1234 1234 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 5 0 987654 1 2 3"
	p, err := parseProcess(line)
	want := process{pid: 1234, parent: 77, own: 2 * time.Second, reaped: 500 * time.Millisecond, started: 987654}
	if err != nil || p != want {
		t.Errorf("got %+v, %v; want %+v", p, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", strings.Replace(line, "150", "-1", 1)} {
		if _, err := parseProcess(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParsePSS(t *testing.T) {
	text := "00400000-7fff0000 ---p 00000000 00:00 0    [rollup]\nRss:    5000 kB\nPss:    1234 kB\nPss_Dirty:  900 kB\n"
	if n, err := parsePSS([]byte(text)); err != nil || n != 1234<<10 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := parsePSS([]byte("Rss: 1 kB\n")); err == nil {
		t.Error("no error for a text without Pss")
	}
}

func TestParseMachine(t *testing.T) {
	m, err := parseMachine("cpu  100 10 50 9999 5 1 4 20 30 0\ncpu0 1 2 3\n")
	want := machineTime{busy: 1650 * time.Millisecond, steal: 200 * time.Millisecond}
	if err != nil || m != want {
		t.Errorf("got %+v, %v; want %+v", m, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "cpu a 2 3 4 5 6 7 8 9\n"} {
		if _, err := parseMachine(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
