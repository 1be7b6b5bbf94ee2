package registryd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// openStores opens every store and brings its schema up to date.
func (n *node) openStores(ctx context.Context) error {
	for _, name := range sortedKeys(n.config.Stores) {
		s, err := openStore(ctx, n.config, n.doc, name, n.log, n.metrics, n.book.work(name))
		if err != nil {
			return err
		}
		n.stores[name] = s
		if err := n.fit(ctx, name); err != nil {
			return err
		}
		if err := s.Migrate(ctx); err != nil {
			return n.doc.Fault("stores."+name+".dsn", "%s", err)
		}
	}
	return nil
}

func openStore(ctx context.Context, c Config, doc *daemon.Document, name string, log *slog.Logger, metrics prometheus.Registerer, work sqlstore.Work) (*sqlstore.Store, error) {
	config := c.storeConfig(name)
	config.Logger, config.Registerer, config.Work = log, metrics, work
	s, err := sqlstore.Open(ctx, config)
	if err != nil {
		return nil, doc.Fault("stores."+name+".dsn", "%s", err)
	}
	return s, nil
}

func (c *Config) storeConfig(name string) sqlstore.Config {
	return sqlstore.Config{Name: name, DSN: c.Stores[name].DSN.Reveal(), CommitGroup: c.Stores[name].CommitGroup, KeepLog: c.ActivityRetention}
}

func (n *node) closeStores() {
	for name, s := range n.stores {
		if err := s.Close(); err != nil {
			n.log.Error("store did not close", "store", name, "error", err)
		}
	}
}

// buildService mounts the stores and makes the use cases and the administrator.
func (n *node) buildService(ctx context.Context) error {
	mounts, err := n.mounts(ctx)
	if err != nil {
		return err
	}
	home := n.stores[n.config.UserStore]
	n.service = registry.NewService(registry.Config{
		Mounts: mounts, Authorizer: registry.NewAccess(mounts, home), Directory: home, Limits: registry.Limits{Content: n.config.MaxContentSize, UserWatches: n.config.MaxWatches}, Accesses: home,
		Saved: home, TransferTimeout: n.config.TransferTimeout, Doctor: n.doctor, Webhooks: n.webhooks(home), Orders: home, Backups: n.backups(),
	})
	if err := n.service.EnsureMounts(ctx); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	n.auth = auth.New(auth.Config{
		Accounts: home, SessionLifetime: n.config.SessionLifetime, Sessions: n.config.MaxSessions, Anonymous: n.config.AnonymousAccess, Guesses: n.config.Passwords.Guesses, Removed: n.forgetStars,
		Passwords: auth.PasswordRules{MinLength: n.config.Passwords.MinLength, MinClasses: n.config.Passwords.MinClasses},
	})
	if err := n.ensureAdmin(ctx); err != nil {
		return err
	}
	n.doors, err = n.handler()
	return err
}

// mounts makes the mount table. What a mount covers of the one around it is what its overwrite allows.
func (n *node) mounts(ctx context.Context) (*registry.Mounts, error) {
	var all []registry.Mount
	for i, m := range n.config.Mounts {
		path, err := registry.ParsePath(m.Path)
		if err != nil {
			return nil, n.doc.Fault(mountKey(i, "path"), "%s", err)
		}
		target, err := registry.ParsePath(m.TargetPath)
		if err != nil {
			return nil, n.doc.Fault(mountKey(i, "target_path"), "%s", err)
		}
		all = append(all, registry.Mount{Path: path, Store: n.stores[m.Store], Target: target, ReadOnly: m.ReadOnly})
	}
	table, err := registry.NewMounts(all...)
	if err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	for i, m := range all {
		if err := n.checkCovered(ctx, table, i, m); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// storeLimit is how long a store has to answer.
const storeLimit = 2 * time.Second

// askStores asks stores side by side, each with a time limit of its own: one that is slow says nothing of the others.
func askStores[T any](ctx context.Context, names []string, ask func(ctx context.Context, name string) (T, error)) (answers map[string]T, faults map[string]error) {
	answers, faults = map[string]T{}, map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, storeLimit)
			defer cancel()
			a, err := ask(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults[name] = err
				return
			}
			answers[name] = a
		})
	}
	all.Wait()
	return answers, faults
}

// migrate brings the schemas up to date and says what they are.
func migrate(ctx context.Context, in daemon.Invocation) error {
	c, doc, log, err := load(in)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(c.Stores) {
		s, err := openStore(ctx, c, doc, name, log, nil, nil)
		if err != nil {
			return err
		}
		err = s.Migrate(ctx)
		if err := errors.Join(err, s.Close()); err != nil {
			return doc.Fault("stores."+name+".dsn", "%s", err)
		}
		fmt.Fprintf(in.Stdout, "store %s: schema is up to date\n", name)
	}
	return nil
}
