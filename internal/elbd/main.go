package elbd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/regent-registry/regent/internal/daemon"
)

const usage = `elb is the elastic load balancer: it finds the members of its domains by gossip and spreads requests over them.

  elb -config FILE         run it
  elb check -config FILE   check the configuration and say what is wrong with it
  elb version              print the version
  elb help                 print this

Every key of the configuration can be set by an environment variable, for example ELB_HTTP_PORT=8281.
`

// Main is the elb command; it gives the exit status: 0, 1 after a failure, 2 for a command line that it does not understand.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	command := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("elb", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	file := flags.String("config", "", "the configuration file")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "elb: unexpected argument %q\n%s", flags.Arg(0), usage)
		return 2
	}
	var err error
	switch command {
	case "run":
		err = runUntilSignal(*file, environ, stdout)
	case "check":
		if _, _, err = LoadConfig(*file, environ); err == nil {
			fmt.Fprintln(stdout, "ok")
		}
	case "version":
		fmt.Fprintln(stdout, "elb", daemon.Version())
	case "help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "elb: unknown command %q\n%s", command, usage)
		return 2
	}
	if err != nil {
		for _, e := range daemon.Flatten(err) {
			fmt.Fprintln(stderr, "elb:", e)
		}
		return 1
	}
	return 0
}

func runUntilSignal(file string, environ []string, stdout io.Writer) error {
	c, doc, err := LoadConfig(file, environ)
	if err != nil {
		return err
	}
	log, err := daemon.NewLogger(stdout, c.Log)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal has its usual effect
	return Run(ctx, c, doc, log)
}
