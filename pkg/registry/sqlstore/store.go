package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

var _ registry.Store = (*Store)(nil)

// Store is one database. All methods are safe for concurrent use. Close it when done.
type Store struct {
	name      string
	tenant    tenant
	backend   *backend
	log       *slog.Logger
	metrics   *metrics
	now       func() time.Time
	work      Work
	chunk     int           // bytes of a piece of a large content
	snapshots chan struct{} // those that are read for long, each with a connection
	group     int           // the most changes of one transaction
	paths     pathQueries
	keepLog   time.Duration // 0: for ever

	read  *pool // reads outside the committer
	write *pool // the committer's one connection
	bulk  *pool // pieces of contents: the pool for reads, or on SQLite the committer's, since only it may write

	indexer  *indexer
	searches chan struct{} // has an entry for each search that runs

	mem       *memory
	head      headCheck
	moved     signal       // fires when this process commits a change or learns of one
	witnessed atomic.Int64 // the position of the log that this process's last transaction saw or made
	queue     chan *job
	buffers   sync.Pool // *[]byte of chunk bytes

	life    context.Context // ends with Close
	end     context.CancelFunc
	closing sync.Once
	owned   sync.WaitGroup
	idle    chan struct{} // closed when the committer has ended
}

// Open connects to the database. It does not touch tables: call [Store.Migrate] or [Store.Check] before anything else. An address that cannot
// be read is CodeInvalid, a database that cannot be reached CodeUnavailable, with its host and port.
func Open(ctx context.Context, c Config) (*Store, error) {
	s, err := connected(ctx, c)
	if err != nil {
		return nil, err
	}
	s.owned.Go(s.commitLoop)
	s.owned.Go(s.sweepLoop)
	s.owned.Go(s.indexLoop)
	return s, nil
}

// connected makes a store that answers, and does nothing by itself yet.
func connected(ctx context.Context, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	b, err := c.backend()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Name, c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("store %s: metrics: %w", c.Name, err)
	}
	life, end := context.WithCancel(context.Background())
	s := &Store{
		name: c.Name, backend: b, log: c.Logger.With("store", c.Name), metrics: m, now: c.Now, work: c.Work, chunk: c.ContentChunk, group: c.CommitGroup,
		paths: newPathQueries(), keepLog: c.KeepLog, tenant: c.tenant, mem: newMemory(c.CacheBytes, c.tenant.root), queue: make(chan *job, queueLength), snapshots: make(chan struct{}, max(1, c.PoolSize/4)),
		searches: make(chan struct{}, searchesAtOnce),
		life:     life, end: end, idle: make(chan struct{}),
	}
	s.head.query, s.head.spawn = s.check, s.owned.Go
	s.buffers.New = func() any { b := make([]byte, s.chunk); return &b }
	if err := s.connect(ctx, c); err != nil {
		end()
		return nil, errors.Join(err, s.disconnect())
	}
	return s, nil
}

// connect opens the pools and waits until the database answers.
func (s *Store) connect(ctx context.Context, c Config) error {
	d := s.backend.dialect
	// The writer goes first: it makes a SQLite file and sets its journal mode, in the write turn since two processes at once would fail.
	db, err := s.backend.open(poolWrite, 1)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.name, err)
	}
	s.write = newPool(db, d, s.metrics, s.backend.turn)
	s.write.texts = d.texts
	if err := s.reach(ctx, c.ConnectWait); err != nil {
		return err
	}
	db, err = s.backend.open(poolRead, c.PoolSize)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.name, err)
	}
	s.read = newPool(db, d, s.metrics, nil)
	s.bulk = s.read
	if s.backend.turn != nil {
		s.bulk = s.write
	}
	indexing := s.bulk
	if s.backend.turn == nil {
		// A connection of its own, which the server gives up on when the process freezes, as on the committer's: its locks must not outlast that.
		if db, err = s.backend.open(poolWrite, 1); err != nil {
			return fmt.Errorf("store %s: %w", s.name, err)
		}
		indexing = newPool(db, d, s.metrics, nil)
	}
	s.indexer = newIndexer(s.read, indexing)
	return nil
}

// reach pings until the database answers, wait ends or ctx does.
func (s *Store) reach(ctx context.Context, wait time.Duration) error {
	const pause = 250 * time.Millisecond
	deadline := time.Now().Add(wait)
	for {
		err := s.firstPing(ctx)
		if err == nil {
			return nil
		}
		if !lostConnection(err) || time.Now().Add(pause).After(deadline) {
			return s.unreachable(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s.unreachable(errors.Join(err, ctx.Err()))
		}
	}
}

func (s *Store) firstPing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if turn := s.backend.turn; turn != nil {
		if err := turn.take(ctx); err != nil {
			return err
		}
		defer turn.give()
	}
	return s.write.db.PingContext(ctx)
}

// Deadlines of what the store sends on its own account, so that a database that hangs cannot hold it up for ever.
const (
	openTimeout  = 10 * time.Second
	checkTimeout = 5 * time.Second
	sweepTimeout = time.Minute
)

// Name implements [registry.Store].
func (s *Store) Name() string { return s.name }

// Ping asks the database for an answer; CodeUnavailable when there is none before ctx ends.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.fail("ping", s.read.one(ctx, "ping", "SELECT 1", nil, &one))
}

// Statements tells how many statements were sent so far, BEGIN and COMMIT counted; those that prepare a connection and migrations are not.
func (s *Store) Statements() int64 { return s.metrics.sent.Load() }

// RowsWritten tells how many rows were inserted, updated or deleted so far.
func (s *Store) RowsWritten() int64 { return s.metrics.rows.Load() }

// Close ends the store: changes that wait are refused, the one that runs is finished. Calls after Close fail with CodeUnavailable. Contents
// that are still open end with an error.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.head.close()
		s.end()
		s.owned.Wait()
		err = s.disconnect()
		s.metrics.close()
	})
	return err
}

func (s *Store) disconnect() error {
	var errs []error
	for _, p := range []*pool{s.read, s.write} {
		if p != nil {
			errs = append(errs, p.db.Close())
		}
	}
	if s.backend.turn != nil {
		errs = append(errs, s.backend.turn.close())
	} else if s.indexer != nil {
		errs = append(errs, s.indexer.write.db.Close())
	}
	return errors.Join(errs...)
}
