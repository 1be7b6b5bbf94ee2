package e2e_test

// Programs that people use over HTTP/2: curl, nghttp, h2load; and openssl for what Go's TLS cannot be brought to do.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// programLimit is for programs that ask for thousands of answers: two busy cores may need long for that.
const programLimit = time.Minute

// runProgram runs a program of the system to its end, within answerLimit, and gives what it said.
func runProgram(t *testing.T, stdin string, name string, args ...string) (stdout string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, requireProgram(t, name), args...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &log
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s %q: %w: %s", name, args, err, lastOf(log.String(), 500))
	}
	return out.String(), err
}

func lastOf(text string, n int) string { return text[max(0, len(text)-n):] }

// TestHTTP2_Programs lets other people's HTTP/2 clients fetch and send.
func TestHTTP2_Programs(t *testing.T) {
	slow(t)
	t.Parallel()
	m := startH2Member(t)
	elb := startLoneELB(t, "access_log: false\ntimeouts: {idle: 5s, member_idle: 2s, connect: 10s, read_header: 2s, body: 2s}\n", []loneService{{"127.0.0.1", []string{m.addr}}})
	url := "https://" + elb.httpsAddr
	dir := t.TempDir()
	content := randomBytes(5 << 20)
	file := func(n int) (name, sum string) {
		name = filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(name, content[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		return name, fmt.Sprintf("%d %s te=\"\"", n, hashOf(content[:n]))
	}
	upload, sum := file(len(content))
	const slowly = 1200 << 10 // four seconds at 300 KiB/s, which is longer than any deadline
	long, longSum := file(slowly)

	t.Run("curl", func(t *testing.T) {
		requireProgram(t, "curl")
		var all sync.WaitGroup
		for name, c := range map[string]struct {
			want string
			args []string
		}{
			"download":                 {string(randomBytes(20 << 20)), []string{url + "/random/curl/20971520/length"}},
			"download in pieces":       {string(randomBytes(5 << 20)), []string{url + "/random/curl/5242880/chunked"}},
			"upload":                   {sum, []string{"-T", upload, "-X", "POST", url + "/hash/curl"}},
			"upload of unknown length": {sum, []string{"-T", "-", "-X", "POST", url + "/hash/curl"}},
			"upload after 100":         {sum, []string{"-T", upload, "-X", "POST", "-H", "Expect: 100-continue", "--expect100-timeout", "10", url + "/hash/curl"}},
			"slow upload":              {longSum, []string{"--limit-rate", "300k", "-T", long, "-X", "POST", url + "/hash/curl"}},
			"slow download":            {string(randomBytes(slowly)), []string{"--limit-rate", "300k", fmt.Sprintf("%s/random/curl/%d/length", url, slowly)}},
			"several at once":          {strings.Repeat(goodBody("curl"), 20), append([]string{"-Z"}, strings.Fields(strings.Repeat(url+"/curl ", 20))...)},
			"HEAD":                     {"2 200", []string{"-I", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", url + "/status/curl/200"}},
			"the version":              {goodBody("curl") + "2 200", []string{"-w", "%{http_version} %{http_code}", url + "/curl"}},
		} {
			stdin := ""
			if strings.HasSuffix(name, "unknown length") {
				stdin = string(content)
			}
			all.Go(func() {
				got, err := runProgram(t, stdin, "curl", append([]string{"--http2", "-sS", "-k", "-f"}, c.args...)...)
				if err != nil || got != c.want {
					t.Errorf("%s: %d bytes, %.80q; want %d, %.80q; %v", name, len(got), got, len(c.want), c.want, err)
				}
			})
		}
		all.Wait()
	})
	t.Run("nghttp", func(t *testing.T) {
		got, err := runProgram(t, "", "nghttp", "--no-verify-peer", "-d", upload, "-H", "te: trailers", "--trailer", "x-sum: abc", url+"/hash/nghttp")
		if want := strings.Replace(sum, `te=""`, `te="trailers"`, 1); err != nil || got != want {
			t.Errorf("%.200q, want %q: %v", got, want, err)
		}
	})
	t.Run("h2load", func(t *testing.T) {
		n := e2e.Scale(100_000, 4000)
		for _, path := range []string{"/h2load", "/random/h2load/30000/chunked"} {
			got, err := runProgram(t, "", "h2load", "-n", fmt.Sprint(n), "-c", "4", "-m", "128", url+path)
			if err != nil || !strings.Contains(got, fmt.Sprintf("%d succeeded, 0 failed, 0 errored, 0 timeout", n)) {
				t.Errorf("%s: %s: %v", path, got, err)
			}
		}
		got, err := runProgram(t, "", "h2load", "-n", "500", "-c", "4", "-m", "20", "-d", upload, url+"/early/h2load/403")
		if err != nil || !strings.Contains(got, "0 errored, 0 timeout") {
			t.Errorf("early answers: %s: %v", got, err)
		}
	})
	t.Run("openssl: renegotiation", func(t *testing.T) { // refused or ignored: RFC 9113 section 9.2.1
		// s_client takes R at the beginning of a line for the order to renegotiate.
		got, err := runProgram(t, "R\nR\n", "openssl", "s_client", "-connect", elb.httpsAddr, "-tls1_2", "-alpn", "h2", "-ign_eof")
		if !strings.Contains(got, "ALPN protocol: h2") || err != nil && strings.Contains(err.Error(), "signal: killed") {
			t.Errorf("%s: %v", lastOf(got, 2000), err)
		}
	})
	elb.checkBase(answerLimit)
}
