package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/child"
)

// driverGrace is how much longer than its work the driver may take.
const driverGrace = 60 * time.Second

// driverResult is what the driver tells of a window.
type driverResult struct {
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
}

// driver is a running load.
type driver struct {
	process *child.Process
	in      io.WriteCloser
	lines   chan string
	stderr  bytes.Buffer
}

// kindOf is how the driver speaks with a rig.
func kindOf(r rigName) string {
	switch r {
	case rigEtcd:
		return "etcd"
	case rigGateway:
		return "gateway"
	case rigMariaDB:
		return "mysql"
	case rigHello:
		return "hello"
	case rigNode, rigCluster, rigUngrouped:
	}
	return "registry"
}

// startDriver starts a load on addr, which belongs to the rig.
func (b *regBench) startDriver(r *regRig, op, addr string) (*driver, error) {
	path, err := lookUp(b.driver)
	if err != nil {
		return nil, err
	}
	kind := kindOf(r.name)
	if op == "fill" && kind == "gateway" {
		kind = "etcd"
	}
	args := []string{
		"-kind", kind, "-op", op, "-addr", addr, "-clients", strconv.Itoa(b.clients), "-keys", strconv.Itoa(b.keys),
		"-warm", b.warm.String(), "-window", b.window.String(),
	}
	if kind == "registry" {
		args = append(args, "-user", regUser+":"+regPassword)
	}
	d := &driver{lines: make(chan string, 8)}
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // our own program; end ends it
	cmd.Stderr = &d.stderr
	if d.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, pipe := io.Pipe()
	cmd.Stdout = pipe
	if d.process, err = child.Start(cmd); err != nil {
		return nil, err
	}
	go func() {
		<-d.process.Done()
		_ = pipe.Close()
	}()
	go func() {
		defer close(d.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			d.lines <- s.Text()
		}
	}()
	return d, nil
}

// line waits for the driver's next line.
func (d *driver) line(ctx context.Context, limit time.Duration) (string, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case s, ok := <-d.lines:
		if !ok {
			<-d.process.Done()
			return "", fmt.Errorf("the driver ended: %w: %s", endOf(d.process.Err()), strings.TrimSpace(d.stderr.String()))
		}
		return s, nil
	case <-timer.C:
		return "", errors.New("the driver does not end")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// endOf is how a process ended, in words also where that is no error.
func endOf(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// once runs an operation over all keys.
func (b *regBench) once(ctx context.Context, r *regRig, op, addr string) error {
	d, err := b.startDriver(r, op, addr)
	if err != nil {
		return err
	}
	defer d.process.Kill()
	timer := time.NewTimer(driverGrace)
	defer timer.Stop()
	select {
	case <-d.process.Done():
		if err := d.process.Err(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", op, r.name, err, strings.TrimSpace(d.stderr.String()))
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("%s %s takes longer than %v", op, r.name, driverGrace)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill puts the resources into a rig, and lets each of its nodes read them all.
func (b *regBench) fill(ctx context.Context, r *regRig) error {
	if r.name == rigHello {
		return nil
	}
	at := r.addr
	if len(r.direct) > 0 {
		at = r.direct[0]
	}
	if err := b.once(ctx, r, "fill", at); err != nil {
		return err
	}
	for _, node := range r.direct {
		if err := b.once(ctx, r, "prime", node); err != nil {
			return err
		}
	}
	return nil
}

// regSample is what everything has used so far.
type regSample struct {
	at         time.Time
	machine    machineTime
	rig, ours  time.Duration
	database   time.Duration // MariaDB, where it is a part of the rig
	statements float64
}

// sample reads the clocks. ours is everything that the bench has started, and itself.
func (b *regBench) sample(ctx context.Context, r *regRig, d *driver) (s regSample, err error) {
	if s.statements, err = b.statements(ctx, r); err != nil {
		return s, err
	}
	s.at = time.Now()
	if s.rig, err = b.cpu(r); err != nil {
		return s, err
	}
	if r.database {
		if s.database, err = treeTime(b.db.PID()); err != nil {
			return s, err
		}
		s.rig += s.database
	}
	if s.machine, err = readMachine(); err != nil {
		return s, err
	}
	pids := []int{d.process.PID(), b.db.PID()}
	for _, other := range b.rigs {
		for _, p := range other.processes {
			pids = append(pids, p.PID())
		}
	}
	for _, pid := range pids {
		t, err := treeTime(pid)
		if err != nil {
			return s, err
		}
		s.ours += t
	}
	self, err := readProcess(os.Getpid())
	s.ours += self.own
	return s, err
}

// runWindow measures one cell on a rig that is filled.
func (b *regBench) runWindow(ctx context.Context, r *regRig, op string, rec *regRecord) error {
	d, err := b.startDriver(r, op, r.addr)
	if err != nil {
		return err
	}
	defer d.process.Kill()
	if _, err := d.line(ctx, driverGrace); err != nil {
		return err
	}
	before, err := b.sample(ctx, r, d)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(d.in, "go\n"); err != nil {
		return err
	}
	text, err := d.line(ctx, b.window+driverGrace)
	if err != nil {
		return err
	}
	after, err := b.sample(ctx, r, d) // the driver lives until its input ends
	if err != nil {
		return err
	}
	var result driverResult
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		return fmt.Errorf("the driver said %q: %w", text, err)
	}
	n := float64(result.Requests)
	rec.Requests, rec.Rate, rec.P50, rec.P99 = result.Requests, n/result.Seconds, result.P50, result.P99
	rec.CPU = float64(after.rig-before.rig) / float64(time.Microsecond) / n
	rec.Database = float64(after.database-before.database) / float64(time.Microsecond) / n
	rec.Statements = (after.statements - before.statements) / n
	others := after.machine.busy - before.machine.busy + after.machine.steal - before.machine.steal - (after.ours - before.ours)
	rec.Noise = max(0, float64(others)/float64(after.at.Sub(before.at)*time.Duration(runtime.NumCPU()))*100)
	if rec.CPU <= 0 {
		return errors.New("the servers used no CPU time: the window is too short")
	}
	return nil
}
