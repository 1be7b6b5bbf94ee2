package main

import (
	"bufio"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine is where a measurement was made.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	System string `json:"system"`
	Go     string `json:"go"` // that this program, and with it elb, is built with
}

func thisMachine() machine {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // what cannot be read stays empty
	return machine{
		CPU: field("/proc/cpuinfo", "model name", ":"), Cores: runtime.NumCPU(), Memory: field("/proc/meminfo", "MemTotal", ":"),
		Kernel: strings.TrimSpace(string(kernel)), System: strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`), Go: runtime.Version(),
	}
}

// field gives the value of the first line of a file with that name; "" when there is none.
func field(file, name, sep string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), sep); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// version is what a program says it is.
type version struct {
	Program string `json:"program"`
	Said    string `json:"said"`
}

// versions asks programs, each once, and fails when one of them is missing.
func versions(ctx context.Context, list []proxy) ([]version, error) {
	var all []version
	seen := map[string]bool{}
	for _, p := range list {
		if seen[p.program] {
			continue
		}
		seen[p.program] = true
		v, err := versionOf(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func versionOf(ctx context.Context, p proxy) (version, error) {
	path, err := lookUp(p.program)
	if err != nil {
		return version{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, p.version...).CombinedOutput() //nolint:gosec // a program of our own list
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	if line == "" {
		return version{}, fmt.Errorf("%s does not tell its version: %w", p.program, err) // some tell it and exit with a status that is not 0
	}
	return version{p.name, strings.Join(strings.Fields(line), " ")}, nil
}

// loadPrograms are those that make the load of `bench`.
func loadPrograms() []proxy {
	return []proxy{
		{name: "wrk", program: "wrk", version: []string{"-v"}},
		{name: "h2load", program: "h2load", version: []string{"--version"}},
	}
}

// guided tells whether the compiler had a profile when it made a program in Go.
func guided(program string) (bool, error) {
	path, err := lookUp(program)
	if err != nil {
		return false, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return false, err
	}
	for _, s := range info.Settings {
		if s.Key == "-pgo" {
			return s.Value != "", nil
		}
	}
	return false, nil
}
