package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/registryd"
)

// programVariable tells the test binary which program it is.
const programVariable = "REGENT_E2E_PROGRAM"

// stopGrace is how long a daemon may take to stop; it is longer than its own limits.
const stopGrace = 60 * time.Second

// Become runs the program that the environment asks for and tells its exit status; ok is false in an ordinary test run.
func Become() (status int, ok bool) {
	program := os.Getenv(programVariable)
	switch program {
	case "":
		return 0, false
	case "elb":
		return elbd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr), true
	case "registry":
		return registryd.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr), true
	}
	fmt.Fprintf(os.Stderr, "%s is %q; it must be elb or registry\n", programVariable, program)
	return 2, true
}

// Proc is a daemon as a process of its own, which can be started again after it ended. One goroutine uses it.
type Proc struct {
	Name    string
	t       testing.TB
	command []string // program, then arguments
	env     []string
	log     string // file; all starts go to it
	process *child.Process
}

// NewProc describes a process; Start starts it. When the test ends it is stopped, and its log is looked through.
func NewProc(t testing.TB, name string, env []string, command ...string) *Proc {
	t.Helper()
	p := &Proc{Name: name, t: t, command: command, env: env, log: filepath.Join(artifactDir(t), name+".log")}
	t.Cleanup(p.close)
	return p
}

// artifactDir is where a test keeps what people look at later; it bears the test's name, which t.ArtifactDir alone does not always do.
func artifactDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.ArtifactDir(), strings.NewReplacer("/", "__", " ", "_").Replace(t.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Start starts the process; what it is ready for is the caller's to await.
func (p *Proc) Start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	if p.process, err = child.Start(p.cmd(log, log)); err != nil {
		p.t.Fatalf("%s: %v", p.Name, err)
	}
}

func (p *Proc) cmd(stdout, stderr io.Writer) *exec.Cmd {
	cmd := exec.Command(os.Args[0], p.command[1:]...)
	cmd.Env = append(cleanEnviron(), programVariable+"="+p.command[0])
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd
}

// cleanEnviron is our environment without what would configure the programs or the test binary.
func cleanEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "REGISTRY_") || strings.HasPrefix(e, "ELB_") || strings.HasPrefix(e, "REGENT_")
	})
}

// Running tells whether the process runs.
func (p *Proc) Running() bool { return p.process != nil && p.process.Running() }

// Stop asks the process to stop and fails the test unless it ends in an orderly way.
func (p *Proc) Stop() {
	p.t.Helper()
	if err := p.process.Stop(stopGrace); err != nil {
		p.t.Errorf("%s: stop: %v", p.Name, err)
	}
}

// Kill ends the process at once, as kill -9 does.
func (p *Proc) Kill() { p.process.Kill() }

// Freeze stops the process where it is (SIGSTOP) until Thaw: its sockets stay open and nothing answers.
func (p *Proc) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Proc) Thaw() { p.signal(syscall.SIGCONT) }

// Hangup asks the process to read its configuration again (SIGHUP).
func (p *Proc) Hangup() { p.signal(syscall.SIGHUP) }

func (p *Proc) signal(s os.Signal) {
	p.t.Helper()
	if err := p.process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v: %v", p.Name, s, err)
	}
}

// Log is all that the process has said so far, over all its starts.
func (p *Proc) Log() string {
	p.t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// end stops the process if it runs; one that does not stop in an orderly way fails the test.
func (p *Proc) end() {
	if !p.Running() {
		return
	}
	_ = p.process.Signal(syscall.SIGCONT) // a frozen process cannot stop
	if err := p.process.Stop(stopGrace); err != nil {
		p.t.Errorf("%s: at the end of the test: %v", p.Name, err)
	}
}

// close ends the process and fails the test for what no log may hold.
func (p *Proc) close() {
	p.end()
	text, err := os.ReadFile(p.log)
	if err != nil {
		return // it was never started
	}
	for _, bad := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: ", "handler panicked"} {
		if bytes.Contains(text, []byte(bad)) {
			p.t.Errorf("%s: its log has %q", p.Name, bad)
		}
	}
	if p.t.Failed() {
		p.t.Logf("the end of the log of %s, all of which is %s:\n%s", p.Name, p.log, tellingLines(text))
	}
}

// tellingLines gives, of the last 40 lines of a log, those that are no mere information, and the last five: few enough that a test's own words stay in sight.
func tellingLines(text []byte) string {
	lines := strings.Split(lastLines(text, 40), "\n")
	older := lines[:max(0, len(lines)-5)]
	newest := lines[len(older):]
	older = slices.DeleteFunc(slices.Clone(older), func(line string) bool { return strings.Contains(line, `"level":"INFO"`) })
	return strings.Join(append(older, newest...), "\n")
}

// lastLines gives the last n lines of a text, without their colours.
func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Outcome is how a program that should end by itself did.
type Outcome struct {
	Status int
	Stdout string
	Stderr string
	Took   time.Duration
}

// RunToEnd runs a program that should end within limit; one that does not is killed and fails the test.
func RunToEnd(t testing.TB, limit time.Duration, env []string, command ...string) Outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := &Proc{Name: command[0], t: t, command: command, env: env}
	cmd := p.cmd(&stdout, &stderr)
	began := time.Now()
	process, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-process.Done():
	case <-time.After(limit):
		process.Kill()
		t.Errorf("%s did not end within %v\nstdout: %s\nstderr: %s", strings.Join(command, " "), limit, &stdout, &stderr)
	}
	return Outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(began)}
}

// Await polls until check gives nil. After limit the test fails with what check said last.
func Await(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		case <-tick.C:
		}
	}
}
