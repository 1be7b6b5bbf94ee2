package registryd

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// storeFlag names the store that a backup is of.
type storeFlag struct{ name string }

func (f *storeFlag) define(flags *flag.FlagSet) {
	flags.StringVar(&f.name, "store", "", "the store; that with the users when not given")
}

// open opens the store, whose name in the configuration the flag has.
func (f *storeFlag) open(ctx context.Context, in daemon.Invocation) (*sqlstore.Store, error) {
	c, doc, log, err := load(in)
	if err != nil {
		return nil, err
	}
	name := f.name
	if name == "" {
		name = c.UserStore
	}
	if _, ok := c.Stores[name]; !ok {
		return nil, fmt.Errorf("-store: no store is named %q; there are %v", name, sortedKeys(c.Stores))
	}
	return openStore(ctx, c, doc, name, log, nil, nil)
}

// backUp writes a backup of a store to a file, straight from the database; nodes go on meanwhile. The file is there under its name only when it is whole.
func (f *storeFlag) backUp(ctx context.Context, in daemon.Invocation) (err error) {
	s, err := f.open(ctx, in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Check(ctx); err != nil {
		return err
	}
	target := in.Args[0]
	file, err := os.CreateTemp(filepath.Dir(target), ".backup-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // it has its name by then, or is no backup
	out := bufio.NewWriterSize(file, 1<<20)
	sum, err := s.Backup(ctx, out, registry.BackupNote{By: "registry backup", Program: daemon.Version()})
	if err := errors.Join(err, out.Flush(), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), target); err != nil {
		return err
	}
	tell(in.Stdout, "backed up", sum)
	return nil
}

// restore fills an empty store from a backup.
func (f *storeFlag) restore(ctx context.Context, in daemon.Invocation) (err error) {
	file, err := os.Open(in.Args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	s, err := f.open(ctx, in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	sum, err := s.RestoreBackup(ctx, file)
	if err != nil {
		return err
	}
	tell(in.Stdout, "restored", sum)
	return nil
}

func tell(out io.Writer, what string, s registry.BackupSummary) {
	fmt.Fprintf(out, "%s the store %s as it was at %s, position %d of the change log: resources %d, versions %d, contents %d, users %d, roles %d, operations %d\n",
		what, s.Store, s.At.Format("2006-01-02T15:04:05Z07:00"), s.Seq, s.Resources, s.Versions, s.Contents, s.Users, s.Roles, s.Operations)
}

// backups are the stores that the console can back up: those that all nodes have in common.
func (n *node) backups() []registry.Backuper {
	var list []registry.Backuper
	for _, name := range sortedKeys(n.config.sharedStores()) {
		list = append(list, n.stores[name])
	}
	return list
}
