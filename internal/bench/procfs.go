package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc, which is the same on every Linux that Go runs on (proc(5), USER_HZ).
const tick = 10 * time.Millisecond

// process is what /proc/PID/stat tells of a process.
type process struct {
	pid, parent int
	own         time.Duration // user and system time of all its threads
	reaped      time.Duration // the same of its children that have ended and were waited for
	started     uint64        // ticks since boot: with pid it names a process for good
}

// readProcess fails when the process has ended.
func readProcess(pid int) (process, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseProcess(string(text))
}

// parseProcess reads a line of /proc/PID/stat. The name in it may hold anything, also brackets and spaces, so fields are counted from its end.
func parseProcess(line string) (process, error) {
	id, _, _ := strings.Cut(line, " ")
	_, rest, ok := cutLast(line, ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return process{}, fmt.Errorf("process line %q is too short", line)
	}
	var failed error
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		failed = errors.Join(failed, err)
		return n
	}
	p := process{
		pid: int(number(id)), parent: int(number(fields[1])),
		own:     time.Duration(number(fields[11])+number(fields[12])) * tick,
		reaped:  time.Duration(number(fields[13])+number(fields[14])) * tick,
		started: number(fields[19]),
	}
	return p, failed
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// processTree gives a process and all below it that run now.
func processTree(root int) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	var tree []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		if pid == root {
			tree = append(tree, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	if len(tree) == 0 {
		return nil, fmt.Errorf("process %d has ended", root)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree, nil
}

// treeTime is the CPU time that a process and all below it have used so far, those that have ended included.
func treeTime(root int) (time.Duration, error) {
	tree, err := processTree(root)
	var sum time.Duration
	for _, p := range tree {
		sum += p.own + p.reaped
	}
	return sum, err
}

// treeMemory is the memory of a process and all below it in bytes; what several of them share counts once (PSS).
func treeMemory(root int) (int64, error) {
	tree, err := processTree(root)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, p := range tree {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "smaps_rollup"))
		if err != nil {
			return 0, err
		}
		n, err := parsePSS(text)
		if err != nil {
			return 0, fmt.Errorf("process %d: %w", p.pid, err)
		}
		sum += n
	}
	return sum, nil
}

// parsePSS finds the sum in the text of /proc/PID/smaps_rollup, in bytes.
func parsePSS(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		if fields := strings.Fields(string(line)); len(fields) == 3 && fields[0] == "Pss:" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("no Pss line in smaps_rollup")
}

// machineTime is what the cores of the machine did since boot.
type machineTime struct {
	busy  time.Duration // for some process of this machine
	steal time.Duration // for another machine on the same hardware
}

func readMachine() (machineTime, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machineTime{}, err
	}
	return parseMachine(string(text))
}

// parseMachine reads the first line of /proc/stat: cpu user nice system idle iowait irq softirq steal …
func parseMachine(text string) (machineTime, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return machineTime{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var ticks []time.Duration
	for _, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return machineTime{}, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks = append(ticks, time.Duration(n)*tick)
	}
	return machineTime{busy: ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6], steal: ticks[7]}, nil
}

// killLeft ends those of the tree that still run. A process is compared with its start, so that a new one with the same id is spared.
func killLeft(tree []process) {
	for _, p := range slices.Backward(tree) {
		if now, err := readProcess(p.pid); err == nil && now.started == p.started {
			if left, err := os.FindProcess(p.pid); err == nil {
				_ = left.Kill() // it may have ended just now
			}
		}
	}
}
