package registrytest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/regent-registry/regent/internal/mariadb"
)

// MySQL is a server of the MySQL family for tests.
type MySQL struct {
	address *mysql.Config // without a database

	// Private is the server that the test owns and may stop, nil when the environment gave one.
	Private *mariadb.Server
}

// volatileFlags keep the private server from waiting for the disk: what was committed survives its end, by SIGKILL too, but no power loss. Each test has a
// database of its own, so most of their time would go to making tables durable that are dropped a moment later.
var volatileFlags = []string{"--innodb-flush-method=nosync", "--debug-no-sync", "--skip-sync-frm"}

// StartMySQL gives the server that REGISTRY_TEST_MYSQL_DSN names (in the form of go-sql-driver, with the right to create databases), or else starts a
// private MariaDB for the length of the test. Without one the test is skipped, or fails when REGISTRY_TEST_REQUIRE lists mysql.
func StartMySQL(t *testing.T) *MySQL {
	t.Helper()
	if dsn := os.Getenv("REGISTRY_TEST_MYSQL_DSN"); dsn != "" {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatalf("REGISTRY_TEST_MYSQL_DSN: %v", err)
		}
		return &MySQL{address: cfg}
	}
	return StartPrivateMySQL(t)
}

// StartPrivateMySQL is [StartMySQL] of a server that nobody else uses, with flags of its own.
func StartPrivateMySQL(t *testing.T, flags ...string) *MySQL {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	server, err := mariadb.Start(ctx, t.TempDir(), append(slices.Clone(volatileFlags), flags...)...)
	if errors.Is(err, mariadb.ErrNotInstalled) {
		if slices.Contains(strings.Split(os.Getenv("REGISTRY_TEST_REQUIRE"), ","), "mysql") {
			t.Fatalf("REGISTRY_TEST_REQUIRE asks for mysql: %v", err)
		}
		t.Skipf("neither REGISTRY_TEST_MYSQL_DSN nor MariaDB: %v", err)
	}
	if err != nil {
		t.Fatalf("start MariaDB: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Errorf("stop MariaDB: %v", err)
		}
	})
	cfg, err := mysql.ParseDSN(server.DSN(""))
	if err != nil {
		t.Fatalf("the server's address: %v", err)
	}
	return &MySQL{address: cfg, Private: server}
}

// Database makes an empty database that is dropped when the test ends, and gives its address in the form of go-sql-driver.
func (m *MySQL) Database(t testing.TB) string {
	t.Helper()
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	name := "regent_test_" + hex.EncodeToString(id[:])
	m.exec(t, context.Background(), "CREATE DATABASE "+name)
	t.Cleanup(func() { m.exec(t, context.Background(), "DROP DATABASE "+name) })
	cfg := m.address.Clone()
	cfg.DBName = name
	return cfg.FormatDSN()
}

func (m *MySQL) exec(t testing.TB, ctx context.Context, statement string) { //nolint:revive // a test helper has t first
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	connector, err := mysql.NewConnector(m.address)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	_, err = db.ExecContext(ctx, statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
