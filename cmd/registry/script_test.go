package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regent-registry/regent/internal/freeport"
	"github.com/regent-registry/regent/internal/registryd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"registry": func() { os.Exit(run(os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) { testscript.Run(t, testscript.Params{Dir: "testdata/script"}) }

const adminPassword = "correct horse"

// TestClientScripts runs the verbs of the client against a real node on SQLite. The scripts share it; each keeps to a collection of its own.
func TestClientScripts(t *testing.T) {
	url, ca := startNode(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(adminPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("scripts", func(t *testing.T) { // ends before the node does
		testscript.Run(t, testscript.Params{
			Dir: "testdata/client",
			Setup: func(env *testscript.Env) error {
				dead, err := freeport.Pick()
				if err != nil {
					return err
				}
				env.Setenv("HOME", env.WorkDir)
				env.Setenv("GORACE", "atexit_sleep_ms=0") // a second at the end of each verb, with the race detector
				env.Setenv("NODE", url["http"])
				env.Setenv("NODE_TLS", url["https"])
				env.Setenv("DEAD", "http://127.0.0.1:"+strconv.Itoa(dead))
				env.Setenv("CA", ca)
				env.Setenv("PASSWORD_FILE", password)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "stash": stash},
		})
	})
}

// status runs the registry and checks its exit status: status 3 registry stat /none.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status NUMBER PROGRAM ARGUMENTS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		if _, failed := fmt.Sscanf(err.Error(), "exit status %d", &got); failed != nil {
			ts.Fatalf("%v", err)
		}
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// stash puts the first line of a file into a variable: stash TAG stdout.
func stash(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stash NAME FILE")
	}
	line, _, _ := bytes.Cut([]byte(ts.ReadFile(args[1])), []byte("\n"))
	ts.Setenv(args[0], string(line))
}

// startNode starts a node in this process and waits until it is ready. It gives its addresses by scheme, and the file of the CA of its certificate.
func startNode(t *testing.T) (url map[string]string, ca string) {
	t.Helper()
	folder := t.TempDir()
	ports, err := freeport.PickN(4)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "registry.yaml")
	text := fmt.Sprintf(`
http_port: %d
https_port: %d
admin: 127.0.0.1:%d
state_dir: %[5]s/state
drain_delay: 0s
admin_password: %[6]s
membership: {local_member_port: %[4]d}
stores: {shared: {dsn: "sqlite:%[5]s/shared.db"}, local: {dsn: "sqlite:%[5]s/local.db"}}
mounts:
  - {path: /_system/local, store: local}
  - {path: /_system/config, store: shared}
  - {path: /_system/governance, store: shared}
`, ports[0], ports[1], ports[2], ports[3], folder, adminPassword)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, doc, err := registryd.LoadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	log := slog.New(&awaiting{Handler: slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}), message: "node is ready", seen: ready})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- registryd.Run(ctx, config, doc, registryd.Process{Log: log, Out: t.Output()}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the node: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the node ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the node is not ready after a minute")
	}
	return map[string]string{
		"http": fmt.Sprintf("http://127.0.0.1:%d", ports[0]), "https": fmt.Sprintf("https://127.0.0.1:%d", ports[1]),
	}, filepath.Join(folder, "state", "ca", "ca.pem")
}

// awaiting is a log that tells when a message comes.
type awaiting struct {
	slog.Handler
	message string
	seen    chan struct{}
	once    sync.Once
}

func (a *awaiting) Enabled(context.Context, slog.Level) bool { return true }

func (a *awaiting) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == a.message {
		a.once.Do(func() { close(a.seen) })
	}
	if !a.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return a.Handler.Handle(ctx, r)
}
