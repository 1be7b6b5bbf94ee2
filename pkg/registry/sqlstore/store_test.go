package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/registrytest"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

var _ registrytest.Store = (*sqlstore.Store)(nil)

// database opens stores on one address.
type database string

// Open implements [registrytest.Database].
func (d database) Open(t testing.TB) registrytest.Store {
	t.Helper()
	return open(t, sqlstore.Config{DSN: string(d)})
}

func open(t testing.TB, c sqlstore.Config) *sqlstore.Store {
	t.Helper()
	c.Name, c.Logger = "test", testLog(t)
	s, err := sqlstore.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func sqliteDatabase(t testing.TB) registrytest.Database {
	t.Helper()
	return database("sqlite:" + filepath.Join(t.TempDir(), "registry.db"))
}

func TestStore_SQLite(t *testing.T) {
	registrytest.RunStoreTests(t, sqliteDatabase)
}

func TestStore_MySQL(t *testing.T) {
	server := registrytest.StartMySQL(t)
	registrytest.RunStoreTests(t, func(t testing.TB) registrytest.Database {
		t.Helper()
		return database("mysql:" + server.Database(t))
	})
}
