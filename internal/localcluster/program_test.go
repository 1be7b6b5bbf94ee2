package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a program without a process: end ends it, and refuse keeps it from starting.
type scripted struct {
	mu     sync.Mutex
	done   chan struct{}
	err    error
	refuse error
	starts int // those that were refused as well
}

func (s *scripted) Restart(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts++
	if s.refuse == nil {
		s.done = make(chan struct{})
	}
	return s.refuse
}

func (s *scripted) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

func (s *scripted) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *scripted) Stop() error {
	s.end(nil)
	return nil
}

func (s *scripted) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	close(s.done)
}

func (s *scripted) setRefusal(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts
}

// TestCluster_StartsAgainWhatEnds runs in a bubble of its own time; Wait lets keepUp do all that is due.
func TestCluster_StartsAgainWhatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := newCluster(options{}, &out)
		elb, node := &scripted{}, &scripted{}
		if err := errors.Join(c.start(t.Context(), "elb", elb), c.start(t.Context(), "node2", node)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- c.keepUp(ctx) }()

		killed, missing := errors.New("signal: killed"), errors.New("no such file")
		starts := 1
		for _, step := range []struct {
			end    bool  // it ends, in place of having been refused
			refuse error // what the next start meets
			alive  time.Duration
			pause  time.Duration
		}{
			{end: true, pause: 5 * time.Second},
			{end: true, pause: 10 * time.Second, refuse: missing},
			{pause: 20 * time.Second},
			{end: true, pause: 40 * time.Second},
			{end: true, pause: time.Minute},
			{end: true, pause: time.Minute},
			{end: true, alive: 2 * time.Minute, pause: 5 * time.Second},
		} {
			time.Sleep(step.alive)
			node.setRefusal(step.refuse)
			if step.end {
				node.end(killed)
			}
			time.Sleep(step.pause - time.Nanosecond)
			synctest.Wait()
			if got := node.count(); got != starts {
				t.Fatalf("%d starts before the pause of %v was over, want %d", got, step.pause, starts)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if starts++; node.count() != starts {
				t.Fatalf("%d starts after the pause of %v, want %d", node.count(), step.pause, starts)
			}
		}

		node.end(nil)
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if elb.count() != 1 || !c.parts[0].running() {
			t.Errorf("elb was started %d times", elb.count())
		}
		if err := c.stop(); err != nil || c.parts[0].running() {
			t.Errorf("stop: %v", err)
		}
		synctest.Wait()
		for _, want := range []string{
			"node2 ended: signal: killed; starting it again in 5s\n", "node2 started again\n",
			"node2: no such file; starting it again in 20s\n", "node2 ended by itself; starting it again in 10s\n",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in\n%s", want, &out)
			}
		}
	})
}

// TestRun_AnEndBeforeItIsUpIsTheEndOfAll runs scripts in place of the programs: the load balancer stays, and the nodes cannot start.
func TestRun_AnEndBeforeItIsUpIsTheEndOfAll(t *testing.T) {
	bin := t.TempDir()
	for name, text := range map[string]string{
		"elb":      "trap 'exit 0' TERM; while :; do sleep 0.05; done",
		"registry": "echo starting; echo registry: the port is in use; exit 1",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	args := []string{"-bin", bin, "-configs", "../../configs/local", "-state", t.TempDir()}
	status := run(args, []string{"ELB_ADMIN=127.0.0.1:0", "PATH=" + os.Getenv("PATH")}, &stdout, &stderr)
	said := stderr.String()
	if status != 1 || !strings.Contains(said, "ended: exit status 1; its last line: registry: the port is in use\n") {
		t.Errorf("status %d, said %q", status, said)
	}
	if strings.Contains(stdout.String(), "is up") || strings.Contains(stdout.String(), "again in") {
		t.Errorf("printed\n%s", &stdout)
	}
}
