package elbd

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/regent-registry/regent/internal/daemon"
)

const usage = `elb is the elastic load balancer: it finds the members of its domains by gossip and spreads requests over them.

  elb -config FILE         run it
  elb check -config FILE   check the configuration and say what is wrong with it
  elb keys                 make a gossip key and print it
  elb version              print the version
  elb help                 print this

Every key of the configuration can be set by an environment variable, for example ELB_HTTP_PORT=8281.
`

// Main is the elb command; it gives the exit status, as [daemon.Program.Main] does.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	return daemon.Program{
		Name:  "elb",
		Usage: usage,
		Commands: map[string]func(context.Context, daemon.Invocation) error{
			"run": func(ctx context.Context, in daemon.Invocation) error {
				c, doc, log, err := load(in)
				if err != nil {
					return err
				}
				return Run(ctx, c, doc, log, in.Stdout)
			},
			"check": func(_ context.Context, in daemon.Invocation) error {
				_, _, _, err := load(in)
				if err == nil {
					fmt.Fprintln(in.Stdout, "ok")
				}
				return err
			},
			"keys": func(_ context.Context, in daemon.Invocation) error {
				fmt.Fprintln(in.Stdout, daemon.NewGossipKey())
				return nil
			},
		},
	}.Main(args, environ, stdout, stderr)
}

// load reads the configuration and makes the logger that it asks for.
func load(in daemon.Invocation) (Config, *daemon.Document, *slog.Logger, error) {
	c, doc, err := LoadConfig(in.File, in.Environ)
	if err != nil {
		return Config{}, nil, nil, err
	}
	log, err := doc.NewLogger(in.Stdout, c.Log)
	return c, doc, log, err
}
