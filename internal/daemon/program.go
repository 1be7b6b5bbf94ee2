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

// Program is the command line of a daemon: a command, "run" when none is given, the flag -config, and what the command takes besides.
type Program struct {
	Name     string
	Usage    string             // shown by help, and after a mistake
	Commands map[string]Command // by name: one word, or two with a blank between
}

// Command is what a program can do.
type Command struct {
	Run func(ctx context.Context, in Invocation) error
	// Flags defines the flags that the command has besides; nil = none.
	Flags func(flags *flag.FlagSet)
	// Least and Most are how many arguments may follow the flags.
	Least, Most int
}

// Invocation is what a command was started with.
type Invocation struct {
	File           string // of -config; "" when not given
	Args           []string
	Environ        []string
	Stdout, Stderr io.Writer
}

// Main runs the command that args name and gives the exit status: 0, 1 after a failure (each fault on a line of stderr), 2 for a command line that it does
// not understand. The context of the command ends with SIGINT or SIGTERM; a second signal ends the process at once.
// The commands version and help are always there.
func (p Program) Main(args, environ []string, stdout, stderr io.Writer) int {
	name := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
		if len(args) > 0 {
			if _, ok := p.Commands[name+" "+args[0]]; ok {
				name, args = name+" "+args[0], args[1:]
			}
		}
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, p.Usage) }
	file := flags.String("config", "", "the configuration file")
	command, ok := p.Commands[name]
	if command.Flags != nil {
		command.Flags(flags)
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	switch n := flags.NArg(); {
	case !ok && name != "version" && name != "help":
		fmt.Fprintf(stderr, "%s: unknown command %q\n%s", p.Name, name, p.Usage)
		return 2
	case n > command.Most:
		fmt.Fprintf(stderr, "%s: unexpected argument %q\n%s", p.Name, flags.Arg(command.Most), p.Usage)
		return 2
	case n < command.Least:
		fmt.Fprintf(stderr, "%s: %s needs more arguments\n%s", p.Name, name, p.Usage)
		return 2
	case name == "version":
		fmt.Fprintln(stdout, p.Name, Version())
		return 0
	case name == "help":
		fmt.Fprint(stdout, p.Usage)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	in := Invocation{File: *file, Args: flags.Args(), Environ: environ, Stdout: stdout, Stderr: stderr}
	if err := command.Run(ctx, in); err != nil {
		for _, e := range Flatten(err) {
			fmt.Fprintf(stderr, "%s: %s\n", p.Name, e)
		}
		return 1
	}
	return 0
}
