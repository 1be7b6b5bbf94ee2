package registryd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/internal/registrycli"
)

const usage = `registry is a node of the governance registry, and a client of one.

A node:

  registry -config FILE           run the node
  registry check -config FILE     check the configuration and say what is wrong with it
  registry doctor -config FILE    examine what a node would stand on: databases, clocks, disks, certificates; status 1 when it would not start
  registry migrate -config FILE   bring the schema of the stores up to date, without running the node
  registry transfers -config FILE [ID]
                                  list the moves to other stores that are not at their end, or give one up
  registry backup -config FILE [-store NAME] TO
                                  write a backup of a store to a file, straight from the database, while nodes go on
  registry restore-backup -config FILE [-store NAME] FROM
                                  fill an empty store, of whatever kind, from a backup
  registry texts [FILE]           print the texts of the console, which a translation begins with; or check the translation in a file
  registry keys                   make a gossip key and print it
  registry version                print the version
  registry help                   print this

Every key of the configuration can be set by an environment variable, for example
REGISTRY_STORES_SHARED_DSN=mysql:user:password@tcp(127.0.0.1:3306)/wso2governance

A client (registry help VERB tells its flags):
`

// Main is the registry command; it gives the exit status, as [daemon.Program.Main] does.
func Main(args, environ []string, stdout, stderr io.Writer) int {
	var store storeFlag
	return daemon.Program{
		Name:  "registry",
		Usage: usage + registrycli.Usage(),
		Commands: map[string]daemon.Command{
			"run": {Run: func(ctx context.Context, in daemon.Invocation) error {
				c, doc, err := loadConfig(in)
				if err != nil {
					return err
				}
				log, journal, err := doc.NewJournaledLogger(in.Stdout, c.Log)
				if err != nil {
					return err
				}
				// With full caches a node holds more than the floor, so that it costs memory only where little is held.
				defer in.TuneHeap(daemon.Heap{Growth: 100, Floor: 128 << 20})()
				return Run(ctx, c, doc, Process{Log: log, Journal: journal, Out: in.Stdout})
			}},
			"check": {Run: func(_ context.Context, in daemon.Invocation) error {
				_, _, _, err := load(in)
				if err == nil {
					fmt.Fprintln(in.Stdout, "ok")
				}
				return err
			}},
			"doctor":    {Run: examine},
			"migrate":   {Run: migrate},
			"transfers": {Run: transfers, Most: 1},

			"backup":         {Run: store.backUp, Flags: store.define, Least: 1, Most: 1},
			"restore-backup": {Run: store.restore, Flags: store.define, Least: 1, Most: 1},

			"texts": {Run: tellTexts, Most: 1},
			"keys":  {Run: daemon.PrintGossipKey},
		},
	}.Main(args, environ, stdout, stderr)
}

// load reads the configuration and makes the logger that it asks for.
func load(in daemon.Invocation) (Config, *daemon.Document, *slog.Logger, error) {
	c, doc, err := loadConfig(in)
	if err != nil {
		return Config{}, nil, nil, err
	}
	log, err := doc.NewLogger(in.Stdout, c.Log)
	return c, doc, log, err
}

// loadConfig reads the configuration.
func loadConfig(in daemon.Invocation) (Config, *daemon.Document, error) {
	// The client's variables begin like those of the configuration; they are no misspelt keys.
	environ := slices.DeleteFunc(slices.Clone(in.Environ), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(registrycli.Variables(), name)
	})
	return LoadConfig(in.File, environ)
}
