package mariadb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/mariadb"
)

// start runs a server for one test. A machine without MariaDB fails the test where REGISTRY_TEST_REQUIRE names mysql, and skips it elsewhere.
func start(t *testing.T, dir string, flags ...string) *mariadb.Server {
	t.Helper()
	s, err := mariadb.Start(t.Context(), dir, flags...)
	if errors.Is(err, mariadb.ErrNotInstalled) && !strings.Contains(os.Getenv("REGISTRY_TEST_REQUIRE"), "mysql") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestServer_KeepsDataOverStopRestartAndKill(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	s := start(t, dir)
	t.Logf("first start took %v", time.Since(began).Round(time.Millisecond))
	name, err := s.CreateDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, s.DSN(name))
	mustExec(t, db, "CREATE TABLE fruit (name VARCHAR(20) PRIMARY KEY)")
	mustExec(t, db, "INSERT INTO fruit VALUES ('apple')")

	port := s.Port()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Port() != port {
		t.Errorf("port %d after restart, %d before", s.Port(), port)
	}
	mustExec(t, open(t, s.DSN(name)), "INSERT INTO fruit VALUES ('pear')")

	s.Kill()
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Kill")
	}
	if s.Err() == nil {
		t.Error("Err does not tell of the kill")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
		t.Error("Done is closed after Restart")
	default:
	}
	if got := count(t, open(t, s.DSN(name))); got != 2 {
		t.Errorf("%d rows after kill and restart, want 2", got)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	// Another process's start in the same directory: new password, same data.
	began = time.Now()
	again := start(t, dir, "--innodb-flush-log-at-trx-commit=1")
	t.Logf("second start took %v", time.Since(began).Round(time.Millisecond))
	if got := count(t, open(t, again.DSN(name))); got != 2 {
		t.Errorf("%d rows after a new start, want 2", got)
	}
}

func TestServer_AccountReachesItsDatabasesOnly(t *testing.T) {
	s := start(t, t.TempDir())
	db := open(t, s.DSN(""))
	for _, statement := range []string{"CREATE DATABASE other", "SELECT * FROM mysql.global_priv", "CREATE DATABASE regentx"} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: allowed", statement)
		}
	}
	for _, user := range []string{"root", ""} {
		_, place, _ := strings.Cut(s.DSN(""), "@")
		if err := open(t, user+"@"+place).PingContext(t.Context()); err == nil {
			t.Errorf("user %q may connect without a password", user)
		}
	}
	if err := s.EnsureDatabase(t.Context(), "regent_x`; DROP DATABASE mysql"); err == nil {
		t.Error("a name with SQL in it was taken")
	}
	if err := s.EnsureDatabase(t.Context(), "regent_kept"); err != nil {
		t.Error(err)
	}
	if err := s.DropDatabase(t.Context(), "regent_kept"); err != nil {
		t.Error(err)
	}
}

func TestStart_FailureShowsTheEndOfTheLog(t *testing.T) {
	start(t, t.TempDir()).Kill() // tells whether MariaDB is here at all
	_, err := mariadb.Start(t.Context(), t.TempDir(), "--no-such-flag=1")
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("error %v; want one with the server's own words", err)
	}
}

func TestStart_SecondServerInOneDirectoryFails(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if s, err := mariadb.Start(ctx, dir); err == nil {
		s.Kill()
		t.Fatal("two servers run on one data directory")
	}
}

func TestStart_LongDirectoryWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-name-", 12))
	s := start(t, dir)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM fruit").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
