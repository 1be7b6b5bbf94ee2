package sqlstore

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"github.com/regent-registry/regent/pkg/registry"
)

// sqliteBackend prepares the use of a database file. Several processes of one host may share it; it must lie on a local disk, since
// write-ahead logging needs shared memory.
func sqliteBackend(c Config, path string) (*backend, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, registry.Errorf(registry.CodeInvalid, "store %s: path of the database file: %v", c.Name, err)
	}
	if err := makePrivate(path); err != nil {
		return nil, registry.Errorf(registry.CodeUnavailable, "store %s: database file: %v; name a file that this user may make and write", c.Name, err)
	}
	return &backend{
		dialect: sqliteDialect,
		where:   path,
		turn:    newWriteTurn(path),
		open: func(kind poolKind, size int) (*sql.DB, error) {
			connector, err := sqlite.NewConnector(sqliteURI(path, kind))
			if err != nil {
				return nil, err
			}
			db := sql.OpenDB(connector)
			db.SetMaxOpenConns(size)
			db.SetMaxIdleConns(size)
			return db, nil
		},
	}, nil
}

// makePrivate makes the file, where it is missing, for its owner alone: it holds password hashes. The files that SQLite puts beside it take over its mode.
func makePrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// sqliteURI is the driver's name for the file with the settings of a connection. Only writers set the journal mode: it stays in the file, and setting it
// needs a lock. FULL keeps the last commits through a power loss; the committer's grouping makes it cheap.
func sqliteURI(path string, kind poolKind) string {
	q := url.Values{
		"_busy_timeout": {"5000"}, // for programs that do not know the write turn, such as sqlite3
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
	}
	if kind == poolRead {
		q.Set("_query_only", "1")
	} else {
		q.Set("_journal_mode", "WAL")
		q.Set("_pragma", "cache_size(-32768)") // KiB: the pages of one transaction of the search index, which would go to the disk more than once
		q.Set("_txlock", "immediate")          // a deferred transaction that reads first fails at its first write when another one came between
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}
