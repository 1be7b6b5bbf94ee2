// Command localcluster runs the local cluster in the foreground: one load balancer and three registry nodes, from the files in configs/local,
// with their logs prefixed by the process's name. `make run` and `make run-mysql` call it in the root of the source tree.
//
// It is done starting when the load balancer knows three active members; then it prints where the console is. From then on a program that ends is
// named and started again after a pause, and the others go on. Before that, it takes the rest with it, and the exit status is 1. Ctrl-C or SIGTERM
// stops the nodes, the load balancer and the database, in this order, each with a bound; a second Ctrl-C ends everything at once.
//
// A lock on the folder of the state sees to it that one cluster at a time runs in it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// options are the flags and what of the environment matters here.
type options struct {
	mysql     bool
	bin       string
	configs   string
	state     string
	storeDSN  string // REGISTRY_STORE_DSN: a MySQL of the user's own
	environ   []string
	adminUser string
}

func run(args, environ []string, stdout, stderr io.Writer) int {
	// The programs know no key of that name, and would warn about it.
	o := options{environ: without(environ, storeDSN), storeDSN: lookup(environ, storeDSN), adminUser: "admin"}
	flags := flag.NewFlagSet("localcluster", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.mysql, "mysql", false, "keep the shared store in MySQL: at REGISTRY_STORE_DSN, or in a private MariaDB")
	flags.StringVar(&o.bin, "bin", "bin", "folder of the programs elb and registry")
	flags.StringVar(&o.configs, "configs", "configs/local", "folder of elb.yaml and node1.yaml to node3.yaml")
	flags.StringVar(&o.state, "state", "run", "folder of the state, as the configuration files name it")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if user := lookup(environ, "REGISTRY_ADMIN_USER"); user != "" {
		o.adminUser = user
	}

	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer release()
	context.AfterFunc(ctx, release) // the next Ctrl-C is not caught: this process ends, and the kernel ends its children

	lock, err := lockState(o.state)
	if err != nil {
		fmt.Fprintln(stderr, "localcluster:", err)
		return 1
	}
	defer lock.Close()
	c := newCluster(o, stdout)
	err = c.run(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // somebody stopped it, which is how it should end
	}
	if err = errors.Join(err, c.stop()); err != nil {
		fmt.Fprintln(stderr, "localcluster:", err)
		return 1
	}
	return 0
}
