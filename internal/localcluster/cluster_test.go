package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestConsole_PrefixesWholeLines(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out, []string{"elb", "node1"})
	elb, node := c.writer("elb"), c.writer("node1")
	fmt.Fprint(elb, "first half, ")
	fmt.Fprint(node, "one\ntwo\n")
	fmt.Fprint(elb, "second half\n")
	c.say("done")
	want := "node1 | one\nnode1 | two\nelb   | first half, second half\ndone\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
}

func TestConsole_BoundsALineThatDoesNotEnd(t *testing.T) {
	var out bytes.Buffer
	w := newConsole(&out, []string{"elb"}).writer("elb")
	for range 40 {
		fmt.Fprint(w, strings.Repeat("x", 4096))
	}
	if len(w.rest) > maxLine {
		t.Errorf("%d bytes are kept of a line, the limit is %d", len(w.rest), maxLine)
	}
	if got := strings.Count(out.String(), "x") + len(w.rest); got != 40*4096 {
		t.Errorf("%d bytes came through, want %d", got, 40*4096)
	}
}

func TestActiveMembers_CountsOnlyActiveOnes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/members" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("asked for %s, %s", r.URL, r.Header)
		}
		fmt.Fprint(w, `{"members":[{"state":"active","host":"127.0.0.1","http_port":9764},{"state":"joining"},{"state":"active"},{"state":"draining"}]}`)
	}))
	defer server.Close()
	found, err := activeMembers(t.Context(), server.Client(), strings.TrimPrefix(server.URL, "http://"))
	if err != nil || len(found) != 2 || found[0].addr() != "127.0.0.1:9764" {
		t.Errorf("%v, %v; want two", found, err)
	}
}

func TestRun_UnknownFlagIsStatus2(t *testing.T) {
	var stderr bytes.Buffer
	if status := run([]string{"-nonsense"}, nil, &bytes.Buffer{}, &stderr); status != 2 || stderr.Len() == 0 {
		t.Errorf("status %d, said %q", status, &stderr)
	}
}

func TestRun_MissingProgramsNameTheCure(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"-bin", t.TempDir(), "-configs", "../../configs/local", "-state", t.TempDir()}
	status := run(args, []string{"ELB_ADMIN=127.0.0.1:0"}, &stdout, &stderr) // a cluster may run on this machine
	if status != 1 || !strings.Contains(stderr.String(), "make build") {
		t.Errorf("status %d, said %q", status, &stderr)
	}
}

func TestRun_OneClusterInAFolder(t *testing.T) {
	state := t.TempDir()
	lock, err := lockState(state)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-bin", t.TempDir(), "-configs", "../../configs/local", "-state", state}
	var stdout, stderr bytes.Buffer
	status := run(args, nil, &stdout, &stderr)
	if want := fmt.Sprintf("already (pid %d); stop it first", os.Getpid()); status != 1 || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
		t.Errorf("status %d, said %q and %q; want %q alone", status, &stdout, &stderr, want)
	}
	lock.Close()
	again, err := lockState(state)
	if err != nil {
		t.Fatalf("the lock outlives its holder: %v", err)
	}
	again.Close()
}

func TestUnused_TellsOfAnotherCluster(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := unused(addr); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("an address in use: %v", err)
	}
	l.Close()
	if err := unused(addr); err != nil {
		t.Errorf("a free address: %v", err)
	}
}

func TestCluster_NodesGetTheStoreAndFoldersOfTheirOwn(t *testing.T) {
	var out bytes.Buffer
	c := newCluster(options{mysql: true, state: "run", storeDSN: "mysql:u:secret@tcp(h:1)/db", environ: []string{"A=1"}}, &out)
	shared, err := c.nodeEnvironment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	environ := c.environmentOf("node2", shared)
	for name, want := range map[string]string{
		"A": "1", "REGISTRY_STORES_SHARED_DSN": "mysql:u:secret@tcp(h:1)/db",
		"REGISTRY_STATE_DIR": "run/mysql/node2", "REGISTRY_STORES_LOCAL_DSN": "sqlite:run/mysql/node2/local.db",
	} {
		if got := lookup(environ, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if want := "REGISTRY_STORE_DSN is given to the nodes as REGISTRY_STORES_SHARED_DSN\n"; out.String() != want {
		t.Errorf("said %q, want %q", &out, want)
	}
	if got := without([]string{"REGISTRY_STORE_DSN=x", "REGISTRY_STORE_DSN_FILE=y"}, storeDSN); !slices.Equal(got, []string{"REGISTRY_STORE_DSN_FILE=y"}) {
		t.Errorf("without the variable: %q", got)
	}
}
