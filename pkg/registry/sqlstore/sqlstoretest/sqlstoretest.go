// Package sqlstoretest gives tests databases in SQLite files that have their tables already: [SQLite] and [Fill]. Most tests of the rooms above the store
// want an empty store and do not care how its tables came about; with the race detector, the migrations take longer than many of these tests.
//
// Only test files import it.
package sqlstoretest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// SQLite makes a database as the migrations leave it in a folder of the test's own, and gives its address.
func SQLite(t testing.TB) (dsn string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registry.db")
	Fill(t, file)
	return "sqlite:" + file
}

// Fill makes the database file, which must not be there yet, as the migrations leave it.
func Fill(t testing.TB, file string) {
	t.Helper()
	made, err := template()
	if err == nil {
		err = made.write(file)
	}
	if err != nil {
		t.Fatalf("a migrated database: %v", err)
	}
}

// migrated is the file of a database after all migrations. Its epoch, by which nodes know one database from another, is random.
type migrated struct {
	data  []byte
	epoch []byte
}

// template is the one database that the migrations of this process made.
var template = sync.OnceValues(func() (m migrated, err error) {
	dir, err := os.MkdirTemp("", "sqlstoretest")
	if err != nil {
		return migrated{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "template.db")
	if err := migrate(file); err != nil {
		return migrated{}, err
	}
	if m.epoch, err = epoch(file); err != nil {
		return migrated{}, err
	}
	if m.data, err = os.ReadFile(file); err != nil {
		return migrated{}, err
	}
	if n := bytes.Count(m.data, m.epoch); len(m.epoch) != 16 || n != 1 {
		return migrated{}, fmt.Errorf("the epoch has %d bytes and is in the file %d times, want 16 and once", len(m.epoch), n)
	}
	return m, nil
})

// migrate leaves all in the one file: the last connection to close takes the log along.
func migrate(file string) error {
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{Name: "template", DSN: "sqlite:" + file})
	if err != nil {
		return err
	}
	return errors.Join(s.Migrate(context.Background()), s.Close())
}

func epoch(file string) ([]byte, error) {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	var b []byte
	err = db.QueryRow("SELECT epoch FROM store_head").Scan(&b)
	return b, errors.Join(err, db.Close())
}

// write makes a copy with an epoch of its own: two copies are two databases.
func (m migrated) write(file string) error {
	fresh := make([]byte, len(m.epoch))
	rand.Read(fresh) // never fails: crypto/rand ends the program instead
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Replace(m.data, m.epoch, fresh, 1))
	return errors.Join(err, f.Close())
}
