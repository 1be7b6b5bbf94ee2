package sqlstoretest_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

func TestSQLite_IsWhatTheMigrationsMake(t *testing.T) {
	own := "sqlite:" + t.TempDir() + "/own.db"
	s := open(t, own)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	one, two := sqlstoretest.SQLite(t), sqlstoretest.SQLite(t)
	if err := open(t, one).Check(t.Context()); err != nil {
		t.Errorf("the tables are not complete: %v", err)
	}
	const schema = "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema ORDER BY name)"
	if got, want := ask(t, one, schema), ask(t, own, schema); got != want {
		t.Errorf("the tables are\n%s\nwant\n%s", got, want)
	}
	const epoch = "SELECT hex(epoch) FROM store_head"
	epochs := map[string]bool{ask(t, own, epoch): true, ask(t, one, epoch): true, ask(t, two, epoch): true}
	if len(epochs) != 3 {
		t.Errorf("three databases have the epochs %v", epochs)
	}
	if got := ask(t, two, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("the file is damaged: %s", got)
	}
	info, err := os.Stat(strings.TrimPrefix(one, "sqlite:"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v: %v", info.Mode(), err)
	}
}

func open(t *testing.T, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Name: "test", DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, dsn, query string) (answer string) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}
