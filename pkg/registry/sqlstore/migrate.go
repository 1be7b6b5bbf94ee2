package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// migrateTimeout bounds Migrate with the wait for other processes that migrate.
	migrateTimeout = 5 * time.Minute
	migratePoll    = 200 * time.Millisecond
	migrateTries   = 600
)

// Migrate brings the tables to the form that this program knows. Any number of processes may call it at once on one database: they take turns, and those
// who come late find nothing to do. A database that a newer program has migrated already is CodeConflict and stays as it is.
func (s *Store) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	return s.migrating(ctx, func(db *sql.DB, p *goose.Provider) error {
		unlock, err := s.lockSchema(ctx, db)
		if err != nil {
			return fmt.Errorf("wait for the migration lock: %w", err)
		}
		err = s.migrate(ctx, p)
		return errors.Join(err, unlock())
	})
}

func (s *Store) migrate(ctx context.Context, p *goose.Provider) error {
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return s.newer(current, target)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return err
	}
	for _, r := range results {
		s.log.Info("applied migration", "file", r.Source.Path, "version", r.Source.Version, "duration", r.Duration)
	}
	return nil
}

// Check tells whether the tables have exactly the form that this program knows; the error is CodeConflict when they are newer, CodeUnavailable
// when they are older or missing. It changes nothing.
func (s *Store) Check(ctx context.Context) error {
	applied, err := s.applied(ctx)
	if err != nil {
		return s.fail("read the version of the tables", err)
	}
	known := migrationNumbers(s.backend.dialect.migrations())
	switch current, target := newest(applied), newest(known); {
	case current > target:
		return s.newer(current, target)
	case current < target || len(missingBelow(known, applied, current)) > 0:
		return registry.Errorf(registry.CodeUnavailable, "store %s: the tables have version %d and this program needs %d; migrate the database first",
			s.name, current, target)
	}
	return nil
}

func (s *Store) newer(current, target int64) error {
	return registry.Errorf(registry.CodeConflict, "store %s: the tables have version %d, this program knows them up to %d; "+
		"run a newer version of the program", s.name, current, target)
}

// migrating runs f with connections of its own: goose holds one while the lock needs another.
func (s *Store) migrating(ctx context.Context, f func(*sql.DB, *goose.Provider) error) (err error) {
	db, err := s.backend.open(poolSchema, 3)
	if err != nil {
		return s.fail("migrate", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PingContext(ctx); err != nil {
		return s.unreachable(err)
	}
	d := s.backend.dialect
	p, err := goose.NewProvider(d.goose, db, d.migrations(), goose.WithDisableGlobalRegistry(true), goose.WithSlog(s.log))
	if err != nil {
		return fmt.Errorf("store %s: read the migrations: %w", s.name, err)
	}
	return s.fail("migrate", f(db, p))
}

// lockSchema keeps other processes from migrating until the returned function is called. goose has an option for this, but looks for pending
// steps before it takes the lock, and so may meet a version table that another process has made and not filled yet.
func (s *Store) lockSchema(ctx context.Context, db *sql.DB) (func() error, error) {
	if turn := s.backend.turn; turn != nil {
		if err := turn.take(ctx); err != nil {
			return nil, err
		}
		return func() error { turn.give(); return nil }, nil
	}
	// A row, not GET_LOCK, which each Galera node grants on its own.
	l, err := lock.NewMySQLTableLocker(lock.WithTableLockTimeout(migratePoll, migrateTries), lock.WithTableLogger(slog.New(quiet{s.log.Handler()})))
	if err != nil {
		return nil, err
	}
	if err := l.Lock(ctx, db); err != nil {
		return nil, err
	}
	return func() error { return l.Unlock(ctx, db) }, nil
}

// quiet lowers every record to the debug level. The migration lock warns of each race that it loses and then wins; what matters it returns.
type quiet struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (q quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle implements [slog.Handler].
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}
