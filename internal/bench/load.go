package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/child"
)

// loadGrace is how much longer than its window a load may take before it is ended.
const loadGrace = 30 * time.Second

// loadResult is what a load generator tells.
type loadResult struct {
	requests int64
	seconds  float64
	p50, p99 time.Duration
	fault    string // why the run does not count; empty when all requests succeeded
}

// load is a running load generator. One goroutine uses it.
type load struct {
	scenario scenario
	cmd      *exec.Cmd
	process  *child.Process
	stdout   bytes.Buffer
	stderr   bytes.Buffer
	log      string // of h2load: a line for each request
}

// startLoad starts the scenario's load on addr.
func (w *workspace) startLoad(s scenario, addr string, seconds int) (*load, error) {
	l := &load{scenario: s}
	var args []string
	program := string(s.Tool)
	switch s.Tool {
	case toolWrk:
		script, err := w.writeScript(s)
		if err != nil {
			return nil, err
		}
		args = wrkArgs(s, addr, script, seconds)
	case toolH2load:
		l.log = filepath.Join(w.dir, "h2load.log")
		args = h2loadArgs(s, addr, l.log, seconds)
	case toolHandshake:
		program = w.self
		args = []string{
			"handshake", "-addr", addr, "-path", s.Path, "-answer", strconv.Itoa(s.Answer),
			"-clients", strconv.Itoa(s.Conns), "-seconds", strconv.Itoa(seconds),
		}
	}
	path, err := lookUp(program)
	if err != nil {
		return nil, err
	}
	l.cmd = exec.Command(path, args...) //nolint:gosec,noctx // a program of our own list; finish ends it
	l.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	l.cmd.Stdout, l.cmd.Stderr = &l.stdout, &l.stderr
	l.process, err = child.Start(l.cmd)
	return l, err
}

func wrkArgs(s scenario, addr, script string, seconds int) []string {
	scheme := "http"
	if s.TLS {
		scheme = "https"
	}
	args := []string{
		"-t1", "-c" + strconv.Itoa(s.Conns), "-d" + strconv.Itoa(seconds) + "s", "--timeout", "10s", "--latency", "-H", "Host: " + host,
	}
	if script != "" {
		args = append(args, "-s", script)
	}
	return append(args, scheme+"://"+addr+s.Path)
}

func h2loadArgs(s scenario, addr, log string, seconds int) []string {
	_, port, _ := strings.Cut(addr, ":")
	return []string{
		"-t1", "-c" + strconv.Itoa(s.Conns), "-m" + strconv.Itoa(s.Streams), "-D" + strconv.Itoa(seconds), "--log-file=" + log,
		"--connect-to=" + addr, "https://" + host + ":" + port + s.Path,
	}
}

// writeScript writes what wrk needs to send a body, and gives the path; an empty one for a GET.
func (w *workspace) writeScript(s scenario) (string, error) {
	if s.Post == 0 {
		return "", nil
	}
	const script = `wrk.method = "POST"
wrk.body = string.rep("b", %d)
wrk.headers["Content-Type"] = "application/octet-stream"
`
	file := filepath.Join(w.dir, s.Name+".lua")
	return file, os.WriteFile(file, fmt.Appendf(nil, script, s.Post), 0o600)
}

// finish waits for the end of the load and gives its result. It ends the load when ctx ends.
func (l *load) finish(ctx context.Context, seconds int) (loadResult, error) {
	if l.log != "" {
		defer os.Remove(l.log)
	}
	late := time.NewTimer(time.Duration(seconds)*time.Second + loadGrace)
	defer late.Stop()
	select {
	case <-l.process.Done():
	case <-ctx.Done():
		l.process.Kill()
		return loadResult{}, ctx.Err()
	case <-late.C:
		l.process.Kill()
		return loadResult{}, fmt.Errorf("%s did not end", l.scenario.Tool)
	}
	if err := l.process.Err(); err != nil {
		return loadResult{}, fmt.Errorf("%s: %w: %s", l.scenario.Tool, err, bytes.TrimSpace(l.stderr.Bytes()))
	}
	r, err := l.parse()
	if err != nil {
		return r, fmt.Errorf("%s: %w; it said: %s", l.scenario.Tool, err, bytes.TrimSpace(l.stdout.Bytes()))
	}
	if r.requests == 0 && r.fault == "" {
		r.fault = "no request was answered"
	}
	return r, nil
}

func (l *load) parse() (loadResult, error) {
	switch l.scenario.Tool {
	case toolWrk:
		return parseWrk(l.stdout.String(), l.scenario.Answer)
	case toolH2load:
		r, err1 := parseH2load(l.stdout.String())
		log, err2 := os.Open(l.log)
		if err := errors.Join(err1, err2); err != nil {
			return r, err
		}
		defer log.Close()
		var err error
		r.p50, r.p99, err = parseH2loadLog(log)
		return r, err
	case toolHandshake:
		return parseHandshake(l.stdout.Bytes())
	}
	return loadResult{}, fmt.Errorf("unknown tool %q", l.scenario.Tool)
}

// cpu is the time that the ended load has used.
func (l *load) cpu() time.Duration {
	return l.cmd.ProcessState.UserTime() + l.cmd.ProcessState.SystemTime()
}

func micros(us float64) time.Duration {
	return time.Duration(math.Round(us * float64(time.Microsecond)))
}
