package child_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/child"
)

const patience = 20 * time.Second

// TestMain lets the test binary stand in for a parent that dies: with CHILD_TEST_PARENT it starts a child, prints its process id and waits.
func TestMain(m *testing.M) {
	if os.Getenv("CHILD_TEST_PARENT") == "" {
		os.Exit(m.Run())
	}
	p, err := child.Start(exec.Command("sleep", "60"))
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString(strconv.Itoa(p.PID()) + "\n")
	<-p.Done()
}

func TestProcess_EndsByItself(t *testing.T) {
	var out bytes.Buffer
	cmd := exec.Command("sh", "-c", "echo hello; exit 3")
	cmd.Stdout = &out
	p, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, p)
	if got := out.String(); got != "hello\n" {
		t.Errorf("output %q, want hello", got)
	}
	if got := cmd.ProcessState.ExitCode(); got != 3 || p.Err() == nil {
		t.Errorf("exit code %d, error %v; want 3 and an error", got, p.Err())
	}
	if p.Running() {
		t.Error("still running after Done")
	}
}

func TestProcess_StartFailureIsReturned(t *testing.T) {
	if _, err := child.Start(exec.Command("/nonexistent/program")); err == nil {
		t.Fatal("no error for a program that does not exist")
	}
}

func TestProcess_StopIsOrderly(t *testing.T) {
	p := startShell(t, `trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done`)
	if err := p.Stop(patience); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := p.Stop(patience); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestProcess_StopKillsWhatIgnoresIt(t *testing.T) {
	p := startShell(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	err := p.Stop(100 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error %v; want one that says it was killed", err)
	}
	if p.Running() {
		t.Error("still running")
	}
}

func TestProcess_DiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "CHILD_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 32)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	awaitGone(t, pid)
}

// startShell runs a script and waits for its first output line.
func startShell(t *testing.T, script string) *child.Process {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", script)
	cmd.Stdout = w
	p, err := child.Start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if _, err := r.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	return p
}

func awaitEnd(t *testing.T, p *child.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the process did not end")
	}
}

// awaitGone polls: a process that is not ours to wait for gives no event.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		zombie := err == nil && strings.Contains(string(stat), ") Z ")
		if err != nil || zombie || syscall.Kill(pid, 0) != nil {
			return
		}
		select {
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d outlived its parent", pid)
		case <-tick.C:
		}
	}
}
