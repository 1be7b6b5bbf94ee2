package sqlstore

import (
	"log/slog"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/registry"
)

// Config says which database a [Store] is and how it is used. Name and DSN are required; every other zero value means its default.
type Config struct {
	// Name is the store's name in the configuration; it labels metrics and positions of the change log.
	Name string
	// DSN is "sqlite:PATH" or "mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE", the latter with the parameters of go-sql-driver/mysql.
	DSN string

	Logger     *slog.Logger          // default: discards
	Registerer prometheus.Registerer // default: metrics are kept but not exposed

	PoolSize     int           // connections for reads; default 16
	ContentChunk int           // bytes of one piece of a large content; default 1 MiB
	CacheBytes   int64         // memory for contents up to 64 KiB; default 64 MiB. Rows have as much again.
	CommitGroup  int           // the most changes of one transaction; default 64. 1 commits each alone.
	ConnectWait  time.Duration // how long Open keeps trying to reach the database; default: one try
	KeepLog      time.Duration // how long the change log is kept, with who did what; default: for ever
	Now          func() time.Time
	Work         Work // is told of what the store does by itself; default: nobody is

	tenant tenant // default: the super tenant
}

// Work is told that the store begins a job that nobody asked for, and when the next one of that name is due; what it gives is called at the end, with how many
// things were done. It is called from several goroutines and must not block. The jobs are [WorkSweep], [WorkCollect], [WorkPurge] and [WorkIndex].
type Work func(job string, next time.Time) (ended func(count int64, err error))

// What a store does by itself.
const (
	WorkSweep   = "sweep"   // removes abandoned uploads and expired sessions
	WorkCollect = "collect" // removes what deleted trees left, and contents that no version names
	WorkPurge   = "purge"   // removes old operations from the change log
	WorkIndex   = "index"   // takes changed resources into the search index
)

const (
	defaultPoolSize     = 16
	defaultContentChunk = 1 << 20
	defaultCacheBytes   = 64 << 20
	defaultCommitGroup  = 64
	minContentChunk     = 2 * smallContent
	maxContentChunk     = 4 << 20 // escaped in a statement it may double, and servers take 16 MiB by default
)

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		return c, registry.Errorf(registry.CodeInvalid, "store: name is empty; give the store a name")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Work == nil {
		c.Work = func(string, time.Time) func(int64, error) { return func(int64, error) {} }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.tenant == (tenant{}) {
		c.tenant = superTenant()
	}
	if c.PoolSize <= 0 {
		c.PoolSize = defaultPoolSize
	}
	if c.CommitGroup <= 0 {
		c.CommitGroup = defaultCommitGroup
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = defaultCacheBytes
	}
	switch {
	case c.ContentChunk == 0:
		c.ContentChunk = defaultContentChunk
	case c.ContentChunk < minContentChunk || c.ContentChunk > maxContentChunk:
		return c, registry.Errorf(registry.CodeInvalid, "store %s: content chunk is %d bytes; it must be from %d to %d",
			c.Name, c.ContentChunk, minContentChunk, maxContentChunk)
	}
	return c, nil
}

// CheckDSN tells what is wrong with a database address, without a look at the database; CodeInvalid.
func CheckDSN(dsn string) error {
	_, err := parseDSN(dsn)
	return err
}

// address is a DSN, read.
type address struct {
	sqlite string        // path of the file
	mysql  *mysql.Config // nil for SQLite
}

func parseDSN(dsn string) (address, error) {
	scheme, rest, ok := strings.Cut(dsn, ":")
	switch {
	case ok && scheme == "sqlite":
		if rest == "" || rest == ":memory:" {
			return address{}, registry.Errorf(registry.CodeInvalid, "the database address %q names no file; write sqlite:PATH", dsn)
		}
		return address{sqlite: rest}, nil
	case ok && scheme == "mysql":
		cfg, err := mysql.ParseDSN(rest)
		if err != nil {
			return address{}, registry.Errorf(registry.CodeInvalid, "the database address after \"mysql:\" cannot be read (%v); "+
				"write it as mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE", err)
		}
		if cfg.DBName == "" {
			return address{}, registry.Errorf(registry.CodeInvalid, "the database address names no database; write it as "+
				"mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE")
		}
		return address{mysql: cfg}, nil
	}
	return address{}, registry.Errorf(registry.CodeInvalid, "the database address begins with %q; it must be sqlite:PATH or "+
		"mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE", firstBytes(scheme, 20))
}

// backend prepares the use of the database that the DSN names.
func (c Config) backend() (*backend, error) {
	a, err := parseDSN(c.DSN)
	switch {
	case err != nil:
		return nil, registry.Errorf(registry.CodeInvalid, "store %s: %v", c.Name, err)
	case a.mysql != nil:
		return mysqlBackend(c, a.mysql)
	}
	return sqliteBackend(c, a.sqlite)
}

func firstBytes(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
