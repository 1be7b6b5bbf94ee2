package sqlstore_test

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/registrytest"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

var _ registrytest.Store = (*sqlstore.Store)(nil)

// database opens stores on one address.
type database string

// Open implements [registrytest.Database].
func (d database) Open(t testing.TB) registrytest.Store {
	t.Helper()
	return open(t, sqlstore.Config{DSN: string(d)})
}

// Prepare implements [registrytest.Preparer] for SQLite.
func (d database) Prepare(t testing.TB) {
	t.Helper()
	file, ok := strings.CutPrefix(string(d), "sqlite:")
	if !ok {
		return
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		sqlstoretest.Fill(t, file)
	}
}

func open(t testing.TB, c sqlstore.Config) *sqlstore.Store {
	t.Helper()
	c.Name, c.Logger = cmp.Or(c.Name, "test"), testLog(t)
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
	registrytest.RunMemoryTests(t, sqliteDatabase)
	t.Parallel()
	registrytest.RunStoreTests(t, sqliteDatabase)
}

func TestStore_MySQL(t *testing.T) {
	fresh := mysqlDatabase(registrytest.StartMySQL(t))
	registrytest.RunMemoryTests(t, fresh)
	t.Parallel()
	registrytest.RunStoreTests(t, fresh)
}

func mysqlDatabase(server *registrytest.MySQL) func(testing.TB) registrytest.Database {
	return func(t testing.TB) registrytest.Database {
		t.Helper()
		return database("mysql:" + server.Database(t))
	}
}

// elsewhere is a database whose store has another name.
type elsewhere string

// Open implements [registrytest.Database].
func (d elsewhere) Open(t testing.TB) registrytest.Store {
	t.Helper()
	return open(t, sqlstore.Config{DSN: string(d), Name: "elsewhere"})
}

// Prepare implements [registrytest.Preparer] for SQLite.
func (d elsewhere) Prepare(t testing.TB) {
	t.Helper()
	database(d).Prepare(t)
}

func sqliteElsewhere(t testing.TB) registrytest.Database {
	t.Helper()
	return elsewhere("sqlite:" + filepath.Join(t.TempDir(), "elsewhere.db"))
}

func TestBackup_SQLiteToSQLite(t *testing.T) {
	t.Parallel()
	registrytest.RunBackupTests(t, sqliteDatabase, sqliteDatabase)
}

func TestBackup_SQLiteAndMySQL(t *testing.T) {
	t.Parallel()
	fresh := mysqlDatabase(registrytest.StartMySQL(t))
	t.Run("There", func(t *testing.T) { registrytest.RunBackupTests(t, sqliteDatabase, fresh) })
	t.Run("Back", func(t *testing.T) { registrytest.RunBackupTests(t, fresh, sqliteDatabase) })
}

func TestTransfer_SQLiteToSQLite(t *testing.T) {
	t.Parallel()
	registrytest.RunTransferTests(t, sqliteDatabase, sqliteElsewhere)
}

func TestTransfer_SQLiteAndMySQL(t *testing.T) {
	t.Parallel()
	server := registrytest.StartMySQL(t)
	t.Run("There", func(t *testing.T) {
		t.Parallel()
		registrytest.RunTransferTests(t, sqliteDatabase, func(t testing.TB) registrytest.Database {
			t.Helper()
			return elsewhere("mysql:" + server.Database(t))
		})
	})
	t.Run("Back", func(t *testing.T) {
		t.Parallel()
		registrytest.RunTransferTests(t, mysqlDatabase(server), sqliteElsewhere)
	})
}
