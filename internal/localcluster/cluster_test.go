package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	w := newConsole(&out, []string{"elb"}).writer("elb").(*lineWriter)
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
		fmt.Fprint(w, `{"members":[{"state":"active"},{"state":"joining"},{"state":"active"},{"state":"draining"}]}`)
	}))
	defer server.Close()
	n, err := activeMembers(t.Context(), server.Client(), strings.TrimPrefix(server.URL, "http://"))
	if err != nil || n != 2 {
		t.Errorf("%d, %v; want 2", n, err)
	}
}

func TestCluster_SaysWhereThePasswordIs(t *testing.T) {
	state := t.TempDir()
	c := newCluster(options{state: state}, &bytes.Buffer{})
	if got := c.whereThePasswordIs(); !strings.Contains(got, "first start") {
		t.Errorf("without a file: %q", got)
	}
	c.environ = []string{"REGISTRY_ADMIN_PASSWORD=x"}
	if got := c.whereThePasswordIs(); !strings.Contains(got, "REGISTRY_ADMIN_PASSWORD") {
		t.Errorf("with the variable: %q", got)
	}
	file := filepath.Join(state, "node2", "admin-password")
	for _, f := range []string{file, filepath.Join(state, "mysql", "node1", "admin-password")} {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.whereThePasswordIs(); got != "in "+file {
		t.Errorf("with a file: %q", got)
	}
	c.mysql = true
	if got := c.whereThePasswordIs(); got != "in "+filepath.Join(state, "mysql", "node1", "admin-password") {
		t.Errorf("with a file of the other database: %q", got)
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
	status := run([]string{"-bin", t.TempDir(), "-configs", "../../configs/local", "-state", t.TempDir()}, nil, &stdout, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "make build") {
		t.Errorf("status %d, said %q", status, &stderr)
	}
}
