package registryd

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

const usage = `registry is a node of the governance registry.

  registry -config FILE           run the node
  registry check -config FILE     check the configuration and say what is wrong with it
  registry migrate -config FILE   bring the schema of the stores up to date, without running the node
  registry version                print the version

Every key of the configuration can be set by an environment variable, for example
REGISTRY_STORES_SHARED_DSN=mysql:user:password@tcp(127.0.0.1:3306)/wso2governance
`

// Main is the registry command; it gives the exit status: 0, 1 after a failure, 2 for a command line that it does not understand.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	command := "run"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
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
		fmt.Fprintf(stderr, "registry: unexpected argument %q\n%s", flags.Arg(0), usage)
		return 2
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var err error
	switch command {
	case "run":
		err = run(ctx, *file, environ, stdout)
	case "check":
		if _, _, err = LoadConfig(*file, environ); err == nil {
			fmt.Fprintln(stdout, "ok")
		}
	case "migrate":
		err = migrate(ctx, *file, environ, stdout)
	case "version":
		fmt.Fprintln(stdout, "registry", daemon.Version())
	case "help":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "registry: unknown command %q\n%s", command, usage)
		return 2
	}
	if err != nil {
		for _, e := range daemon.Flatten(err) {
			fmt.Fprintln(stderr, "registry:", e)
		}
		return 1
	}
	return 0
}

func run(ctx context.Context, file string, environ []string, stdout io.Writer) error {
	c, doc, err := LoadConfig(file, environ)
	if err != nil {
		return err
	}
	log, err := daemon.NewLogger(stdout, c.Log)
	if err != nil {
		return err
	}
	return Run(ctx, c, doc, log, stdout)
}
