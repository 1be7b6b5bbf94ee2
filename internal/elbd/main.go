package elbd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/regent-registry/regent/internal/daemon"
)

const usage = `elb is the elastic load balancer: it finds the members of its domains by gossip and spreads requests over them.

  elb -config FILE                          run it
  elb check -config FILE                    check the configuration and say what is wrong with it
  elb config import LOADBALANCER [AXIS2]    print the elb.yaml that says the same as a loadbalancer.conf
                                            and an axis2.xml of WSO2
  elb status [-admin ADDR] [-json]          show how a running one does: its pools, and who is not in use and why
  elb members [-admin ADDR] [-json]         show its members
  elb route-test [-config FILE | -admin ADDR] HOST PATH [COOKIE]
                                            explain where such a request goes, and why: at the running elb whose
                                            admin listener is at ADDR (127.0.0.1:9280), or by FILE alone
  elb keys                                  make a gossip key and print it
  elb version                               print the version
  elb help                                  print this

FILE is an elb.yaml, or a loadbalancer.conf of WSO2 as it is. Every key of elb.yaml can be set by an
environment variable, for example ELB_HTTP_PORT=8281. status and members ask the admin listener of the
configuration, or that at ADDR.
`

// Main is the elb command; it gives the exit status, as [daemon.Program.Main] does.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	t := &terminal{}
	return daemon.Program{
		Name:  "elb",
		Usage: usage,
		Commands: map[string]daemon.Command{
			"run":           {Run: run},
			"check":         {Run: check},
			"status":        {Run: t.status, Flags: t.flags},
			"members":       {Run: t.members, Flags: t.flags},
			"config import": {Run: importConfig, Least: 1, Most: 2},
			"route-test":    {Run: t.routeTest, Least: 2, Most: 3, Flags: t.adminFlag},
			"keys":          {Run: daemon.PrintGossipKey},
		},
	}.Main(args, environ, stdout, stderr)
}

func run(ctx context.Context, in daemon.Invocation) error {
	// Requests on kept-alive connections make no garbage, so half of what is alive is enough: a process with a thousand connections is a tenth smaller
	// than by Go's default. What does make garbage, TLS handshakes above all, costs a tenth less with a floor.
	defer in.TuneHeap(daemon.Heap{Growth: 50, Floor: 5 << 20})()
	// From the very first: a signal would end the process, and a file that changes while it is read would be missed.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	watch := daemon.NewFileWatch(in.File)
	c, doc, err := LoadConfig(in.File, in.Environ)
	if err != nil {
		return err
	}
	var level slog.LevelVar
	log, err := doc.NewLeveledLogger(in.Stdout, c.Log, &level)
	if err != nil {
		return err
	}
	return Run(ctx, c, doc, Process{
		Log: log, Level: &level, Out: in.Stdout,
		Load:   func() (Config, *daemon.Document, error) { return LoadConfig(in.File, in.Environ) },
		Reload: hangup, File: watch,
	})
}

// check tells the warnings on stderr, and then "ok" or, as its error, the faults. It writes no file.
func check(_ context.Context, in daemon.Invocation) error {
	_, doc, err := LoadConfig(in.File, in.Environ)
	if doc != nil {
		for _, w := range doc.Warnings() {
			fmt.Fprintf(in.Stderr, "elb: warning: %s\n", w)
		}
		for _, name := range doc.UnusedVariables() {
			fmt.Fprintf(in.Stderr, "elb: warning: %s: sets no key of the configuration\n", name)
		}
	}
	if err == nil {
		fmt.Fprintln(in.Stdout, "ok")
	}
	return err
}
