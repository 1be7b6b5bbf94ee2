package sqlstore

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
)

// unsavedTables are those that a backup leaves out, each with the reason.
func unsavedTables() map[string]string {
	return map[string]string{
		"session": "people sign in again", "signin": "people sign in again", "once": "answers to requests that are repeated within a day", "staged": "uploads that were not complete",
		"lease": "of processes that are not there", "presence": "of processes that are not there", "webhook_delivery": "a log of what was sent",
		"search_todo": "made anew", "search_state": "made anew", "search_doc": "made anew", "search_block": "made anew", "search_term": "made anew", "search_text": "made anew",
	}
}

// Every table is in a backup, with all its columns and by its whole primary key, or left out for a reason.
func TestBackup_HasEveryTable(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, Config{Name: "x", DSN: "sqlite:" + filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	eachRow(ctx, t, s, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'", func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		there[name] = true
		return err
	})
	saved := map[string]bool{}
	for _, table := range savedTables() {
		saved[table.name] = true
		columns, numbers := table.names(), table.numbers()
		var keys, all []string
		isKey := map[int]string{}
		eachRow(ctx, t, s, "SELECT name, type, pk FROM pragma_table_info('"+table.name+"')", func(rows *sql.Rows) error {
			var name, kind string
			var key int
			if err := rows.Scan(&name, &kind, &key); err != nil {
				return err
			}
			all = append(all, name)
			if key > 0 {
				isKey[key] = name
			}
			if i := slices.Index(columns, name); i >= 0 && numbers[i] != (kind == "INTEGER") {
				t.Errorf("%s.%s is %s; numbers: %v", table.name, name, kind, numbers[i])
			}
			return nil
		})
		for i := 1; i <= len(isKey); i++ {
			keys = append(keys, isKey[i])
		}
		if !slices.Equal(slices.Sorted(slices.Values(columns)), slices.Sorted(slices.Values(all))) {
			t.Errorf("%s has the columns %v, a backup %v", table.name, all, columns)
		}
		if !slices.Equal(columns[:table.keys], keys) {
			t.Errorf("%s has the key %v, a backup reads it by %v", table.name, keys, columns[:table.keys])
		}
	}
	for name := range there {
		if reason := unsavedTables()[name]; saved[name] == (reason != "") {
			t.Errorf("the table %s: say whether a backup has it, and why not", name)
		}
	}
	for name := range saved {
		if !there[name] {
			t.Errorf("there is no table %s", name)
		}
	}
}

func eachRow(ctx context.Context, t *testing.T, s *Store, query string, f func(*sql.Rows) error) {
	t.Helper()
	rows, err := s.read.db.QueryContext(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// What a restore left is removed lot by lot, all of it.
func TestClearPieces(t *testing.T) {
	ctx := t.Context()
	s := testStore(t, Config{DSN: sqliteFile(t)})
	for _, n := range []int{0, 1, clearedAtOnce, clearedAtOnce + 1, 3*clearedAtOnce + 7} {
		if err := s.bulk.within(ctx, func(tx *txn) error {
			for i := range n {
				if _, err := tx.exec(ctx, "test", "INSERT INTO blob_chunk (chunk_set, i, data) VALUES (?, ?, ?)", []byte{byte(i % 3)}, i, []byte("x")); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.clearPieces(ctx); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := s.read.one(ctx, "test", "SELECT COUNT(*) FROM blob_chunk", nil, &left); err != nil || left != 0 {
			t.Errorf("of %d pieces %d are left, %v", n, left, err)
		}
	}
}
