// Command bench measures the load balancer beside nginx, HAProxy and Caddy: the same work, the same machine, one after the other. `make bench-lb`
// calls it in the root of the source tree. It needs Linux (it reads /proc) and the programs that `.ci/deps bench` installs.
//
//	bench [flags]             measure, print the tables, write them as a document, keep the raw figures as JSON
//	bench -from FILE          write the document again from raw figures
//	bench failures [flags]    kill and freeze members under load, and write what the clients saw into the document (`make bench-failures`)
//	bench registry [flags]    measure the registry beside etcd, and write that into the document (`make bench-registry`)
//	bench scale [flags]       measure the same operations in a small and in a large store, likewise (`make scale`)
//	bench -profile FILE       put the loads on elb alone, and write the CPU profile that the compiler optimises it by (`make pgo`)
//	bench member -addr A      be a member: the server behind the proxies
//	bench handshake -addr A   be a client that opens a TLS connection for each request
//	bench drill-member M      be a member of the failure drills
//	bench hello -addr A       be the least server that net/http makes
//
// The last four are processes that the others start. The first runs every scenario with every proxy in turn, round by round, so that what the machine
// does meanwhile falls on all of them; the proxy is started afresh for each run. What counts is CPU time per request of the proxy's processes,
// as a ratio to HAProxy in the same round: load, proxy and members share the machine's cores, which makes requests per second a poor figure.
//
// All it starts ends with it: each process is ended by its id, also on Ctrl-C and on failure, and the kernel ends them should bench itself be
// killed. Nothing listens on a fixed port, or beyond 127.0.0.1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // this is main
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "member" { // it holds nothing: a signal just ends it
		return exitStatus(runMember(args[1:], stderr), stderr)
	}
	if len(args) > 0 && args[0] == "hello" {
		return exitStatus(runHello(args[1:], stderr), stderr)
	}
	if len(args) > 0 && args[0] == "drill-member" {
		return exitStatus(runDrillMember(args[1:], stdout), stderr)
	}
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	context.AfterFunc(ctx, release) // a second Ctrl-C is not caught: this process ends, and the kernel ends its children

	if len(args) > 0 && args[0] == "handshake" {
		return exitStatus(runHandshakes(ctx, args[1:], stdout, stderr), stderr)
	}
	if len(args) > 0 && args[0] == "failures" {
		return exitStatus(runFailures(ctx, args[1:], stdout, stderr), stderr)
	}
	if len(args) > 0 && args[0] == "registry" {
		return exitStatus(runRegistry(ctx, args[1:], stdout, stderr), stderr)
	}
	if len(args) > 0 && args[0] == "scale" {
		return exitStatus(runScale(ctx, args[1:], stdout, stderr), stderr)
	}
	return exitStatus(runBench(ctx, args, stdout, stderr), stderr)
}

func exitStatus(err error, stderr io.Writer) int {
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// options are the flags of a measurement.
type options struct {
	elb       string // the program
	rounds    int
	seconds   int // of the measured window; wrk counts in whole seconds
	limit     time.Duration
	scenarios []scenario
	proxies   []proxy
	doc       string // where the document goes; empty: as complete says
	out       string // folder of the raw figures
	from      string // raw figures of an earlier run
	profile   string // where a profile of the load balancer goes; empty: none is taken
	strict    bool
}

const (
	publicDoc = "docs/performance.md"
	// publicRounds and publicSeconds are what a document needs that others are to read.
	publicRounds  = 5
	publicSeconds = 3
)

// complete tells whether nothing was left out, so that the result may stand in the project's documents.
func (o options) complete() bool {
	return o.rounds >= publicRounds && o.seconds >= publicSeconds && len(o.scenarios) == len(scenarios()) && len(o.proxies) == len(proxies(o.elb))
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	var someScenarios, someProxies string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.elb, "elb", "bin/elb", "the load balancer's program")
	flags.IntVar(&o.rounds, "rounds", publicRounds, "how often everything is measured")
	flags.IntVar(&o.seconds, "seconds", publicSeconds, "how long a measured window is")
	flags.DurationVar(&o.limit, "limit", 40*time.Minute, "no round is begun that would probably end later than this")
	flags.StringVar(&someScenarios, "scenarios", "", "measure these alone (names with spaces or commas between)")
	flags.StringVar(&someProxies, "proxies", "", "measure these alone, likewise")
	flags.StringVar(&o.doc, "doc", "", "where the document goes ("+publicDoc+" after a complete measurement, the folder of -out after others)")
	flags.StringVar(&o.out, "out", "artifacts/bench", "folder of the raw figures")
	flags.StringVar(&o.from, "from", "", "measure nothing: write the document from this file of raw figures")
	flags.StringVar(&o.profile, "profile", "", "measure nothing: profile elb under the loads, each for -seconds, and write what the compiler needs to this file")
	flags.BoolVar(&o.strict, "strict", false, "fail when a bar is missed")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.seconds < 1 {
		return o, errors.New("usage: bench [flags], with rounds and seconds of at least 1; -h lists the flags")
	}
	if o.profile != "" {
		if o.from != "" || someProxies != "" {
			return o, errors.New("-profile is about elb alone, and goes neither with -from nor with -proxies")
		}
		someProxies = subject
	}
	var err1, err2 error
	o.scenarios, err1 = choose(scenarios(), someScenarios, func(s scenario) string { return s.Name })
	o.proxies, err2 = choose(proxies(o.elb), someProxies, func(p proxy) string { return p.name })
	return o, errors.Join(err1, err2)
}

// choose gives those of all that are named, in the order of all; all when none is named.
func choose[T any](all []T, names string, nameOf func(T) string) ([]T, error) {
	wanted := map[string]bool{}
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' }) {
		wanted[name] = true
	}
	if len(wanted) == 0 {
		return all, nil
	}
	var chosen []T
	var known []string
	for _, one := range all {
		known = append(known, nameOf(one))
		if wanted[nameOf(one)] {
			chosen = append(chosen, one)
			delete(wanted, nameOf(one))
		}
	}
	for name := range wanted {
		return nil, fmt.Errorf("%s is none of %s", name, strings.Join(known, ", "))
	}
	return chosen, nil
}

// runBench measures, or takes what was measured, and reports.
func runBench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	if o.profile != "" {
		return profileAll(ctx, o, stdout)
	}
	var r results
	if o.from != "" {
		r, err = loadResults[results](o.from)
	} else {
		r, err = measureAll(ctx, o, stdout)
	}
	if err != nil && r.Rounds > 0 && o.from == "" { // what took minutes is kept
		raw, lost := saveResults(r, o.out)
		return errors.Join(err, lost, fmt.Errorf("%d whole rounds are in %s", r.Rounds, raw))
	}
	if err != nil {
		return err
	}
	return publish(r, o, stdout)
}
