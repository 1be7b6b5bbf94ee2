package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"syscall"
)

// Program is the command line of a daemon: a command, "run" when none is given, and the flag -config.
type Program struct {
	Name     string
	Usage    string // shown by help, and after a mistake
	Commands map[string]func(ctx context.Context, in Invocation) error
}

// Invocation is what a command was started with.
type Invocation struct {
	File    string // of -config; "" when not given
	Environ []string
	Stdout  io.Writer
}

// Main runs the command that args name and gives the exit status: 0, 1 after a failure (each fault on a line of stderr), 2 for a command line that it does
// not understand. The context of the command ends with SIGINT or SIGTERM; a second signal ends the process at once.
// The commands version and help are always there.
func (p Program) Main(args, environ []string, stdout, stderr io.Writer) int {
	name := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, p.Usage) }
	file := flags.String("config", "", "the configuration file")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "%s: unexpected argument %q\n%s", p.Name, flags.Arg(0), p.Usage)
		return 2
	}
	command, ok := p.Commands[name]
	switch {
	case name == "version":
		fmt.Fprintln(stdout, p.Name, Version())
		return 0
	case name == "help":
		fmt.Fprint(stdout, p.Usage)
		return 0
	case !ok:
		fmt.Fprintf(stderr, "%s: unknown command %q\n%s", p.Name, name, p.Usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := command(ctx, Invocation{*file, environ, stdout}); err != nil {
		for _, e := range Flatten(err) {
			fmt.Fprintf(stderr, "%s: %s\n", p.Name, e)
		}
		return 1
	}
	return 0
}
