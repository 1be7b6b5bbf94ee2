package e2e_test

// Slow clients by the hundred or thousand: slowhttptest's three attacks (Sergey Shekyan; the first is Slowloris, RSnake 2009).

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// slowAttack is one mode of slowhttptest.
type slowAttack struct {
	name string
	args []string
	path string
}

var slowAttacks = []slowAttack{
	// A head that never ends, one field at a time.
	{"Headers", []string{"-H", "-x", "24", "-t", "GET"}, "/"},
	// A body of which a few bytes come now and then.
	{"Body", []string{"-B", "-s", "60000", "-x", "24", "-t", "POST"}, "/"},
	// An answer that is taken out of a small window, a few bytes at a time.
	{"Read", []string{"-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "1", "-t", "GET"}, "/large"},
}

// largeAnswer is more than the buffers of the sockets on the way hold.
const largeAnswer = 8 << 20

// TestAttack_SlowClients runs each attack against a load balancer of its own. A good client must not notice, and when the attack is over nothing of it
// may be left.
func TestAttack_SlowClients(t *testing.T) {
	slow(t)
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), largeAnswer/16)
	member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := []byte("good\n")
		if r.URL.Path == "/large" {
			answer = large
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer) // a client that leaves before the end is what this is about
	}))
	t.Cleanup(member.Close)
	for _, a := range slowAttacks {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.run(t, strings.TrimPrefix(member.URL, "http://"))
		})
	}
}

func (a slowAttack) run(t *testing.T, member string) {
	t.Helper()
	program := requireProgram(t, "slowhttptest")
	connections, seconds := e2e.Scale(1000, 150), e2e.Scale(30, 6)
	elb := startLoneELB(t, "access_log: false\ntimeouts: {member_idle: 1s}\n", []loneService{{"127.0.0.1", []string{member}}})
	client := &http.Client{Timeout: exchangeLimit, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	load := e2e.StartLoad(t, 4, 20*time.Millisecond, time.Minute, func(ctx context.Context, tally *e2e.Tally, _ int) {
		tally.Timed(ctx, "good GET", func(ctx context.Context) error { return goodGet(ctx, client, "http://"+elb.httpAddr+"/good") })
	})
	report := filepath.Join(t.TempDir(), "slow")
	args := append([]string{
		"-c", strconv.Itoa(connections), "-r", strconv.Itoa(connections / 2), "-l", strconv.Itoa(seconds), "-i", "1", "-p", "5",
		"-g", "-o", report, "-u", "http://" + elb.httpAddr + a.path,
	}, a.args...)
	process := startProgram(t, "slowhttptest", program, args...)
	if err := awaitEnd(t, process, time.Duration(seconds)*time.Second+30*time.Second); err != nil {
		t.Errorf("slowhttptest: %v", err)
	}
	tally := load.Stop()
	t.Logf("%d connections for %d s: %v", connections, seconds, tally)
	if tally.Failed() > 0 || tally.Count("good GET") < 10*seconds {
		t.Errorf("the good client: %v", tally)
	}
	checkSlowReport(t, report+".csv", connections)
	client.CloseIdleConnections()
	elb.checkBase(30 * time.Second)
}

func goodGet(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != http.StatusOK || string(body) != "good\n") {
		err = fmt.Errorf("status %d: %.200s", response.StatusCode, body)
	}
	return err
}

// checkSlowReport looks at slowhttptest's own record, a line for each second: all connections were made, and its probe always got an answer.
func checkSlowReport(t *testing.T, file string, connections int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%v in %v", err, rows)
	}
	made := 0
	for _, row := range rows[1:] {
		second := map[string]int{}
		for i, name := range rows[0] {
			if second[name], err = strconv.Atoi(row[i]); err != nil {
				t.Fatalf("%q: %v", row, err)
			}
		}
		made = max(made, second["Connected"]+second["Closed"])
		if second["Service Available"] == 0 {
			t.Errorf("after %d s slowhttptest found no service", second["Seconds"])
		}
	}
	if made < connections {
		t.Errorf("slowhttptest made %d connections of %d: %v", made, connections, rows)
	}
}
