package registryd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// transfers lists the moves to other stores that are not at their end, or gives up the one that the argument names: for the case that no node has the other store any
// more, so that none can tell whether it arrived there.
func transfers(ctx context.Context, in daemon.Invocation) error {
	c, doc, log, err := load(in)
	if err != nil {
		return err
	}
	stores := map[string]*sqlstore.Store{}
	defer func() {
		for _, s := range stores {
			_ = s.Close() // all that it did is done
		}
	}()
	for _, name := range sortedKeys(c.Stores) {
		s, err := openStore(ctx, c, doc, name, log, nil, nil)
		if err != nil {
			return err
		}
		stores[name] = s
		if err := s.Check(ctx); err != nil {
			return doc.Fault("stores."+name+".dsn", "%s", err)
		}
	}
	if len(in.Args) == 0 {
		return listTransfers(ctx, stores, in.Stdout)
	}
	return giveUp(ctx, stores, in.Args[0], in.Stdout)
}

func listTransfers(ctx context.Context, stores map[string]*sqlstore.Store, out io.Writer) error {
	for _, name := range sortedKeys(stores) {
		list, err := stores[name].Transfers(ctx, false)
		if err != nil {
			return err
		}
		for _, t := range list {
			fmt.Fprintf(out, "%s: %s in the store %s to %s in the store %s, by %s, since %s\n", t.ID, t.Path, name, t.To, t.Store, t.By, t.At.Format(time.RFC3339))
		}
	}
	return nil
}

func giveUp(ctx context.Context, stores map[string]*sqlstore.Store, id string, out io.Writer) error {
	homes := map[registry.ID]string{}
	for name, s := range stores {
		home, err := s.Identity(ctx)
		if err != nil {
			return err
		}
		homes[home] = name
	}
	for _, name := range sortedKeys(stores) {
		list, err := stores[name].Transfers(ctx, false)
		if err != nil {
			return err
		}
		for _, t := range list {
			if t.ID.String() != id {
				continue
			}
			if there, ok := homes[t.Home]; ok {
				return fmt.Errorf("it goes to the store %s, which is here: a node with this configuration ends the move by itself", there)
			}
			if err := stores[name].EndTransfer(ctx, registry.Op{Actor: registry.Actor{User: "system"}, At: time.Now()}, t.ID, false); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s in the store %s can be changed again\n", t.Path, name)
			return nil
		}
	}
	return errors.New("no move has the id " + id)
}
