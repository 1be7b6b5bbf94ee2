package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/mariadb"
)

// Database is where the shared store of a cluster is.
type Database struct {
	Name   string          // for the names of tests
	DSN    string          // as configuration files have it
	Server *mariadb.Server // nil for SQLite
}

// SQLite is a file that does not exist yet.
func SQLite(t testing.TB) Database {
	t.Helper()
	return Database{Name: "SQLite", DSN: "sqlite:" + filepath.Join(t.TempDir(), "registry.db")}
}

// MariaDB is an empty database on a server of the test's own.
func MariaDB(t testing.TB) Database {
	t.Helper()
	server := StartMariaDB(t)
	return NewDatabase(t, server)
}

// NewDatabase makes an empty database on a server.
func NewDatabase(t testing.TB, server *mariadb.Server) Database {
	t.Helper()
	name, err := server.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return Database{Name: "MariaDB", DSN: "mysql:" + server.DSN(name), Server: server}
}

// StartMariaDB runs a server until the test ends. Where it is not installed the test is skipped, or fails when REGISTRY_TEST_REQUIRE has mysql.
func StartMariaDB(t testing.TB) *mariadb.Server {
	t.Helper()
	server, err := mariadb.Start(t.Context(), t.TempDir())
	if errors.Is(err, mariadb.ErrNotInstalled) && !strings.Contains(os.Getenv("REGISTRY_TEST_REQUIRE"), "mysql") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

// OnEachDatabase runs a test on SQLite and on MariaDB.
func OnEachDatabase(t *testing.T, test func(t *testing.T, db Database)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("MariaDB", func(t *testing.T) { test(t, MariaDB(t)) })
}
