package migrations

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, f fs.FS) []string {
	t.Helper()
	list, err := fs.Glob(f, "*.sql")
	if err != nil || len(list) == 0 {
		t.Fatalf("%d steps: %v", len(list), err)
	}
	return list
}

func TestSteps_AreTheSameInBothFolders(t *testing.T) {
	my, lite := names(t, MySQL()), names(t, SQLite())
	if !slices.Equal(my, lite) {
		t.Errorf("mysql has %q, sqlite has %q", my, lite)
	}
	for _, name := range my {
		if !regexp.MustCompile(`^\d{4}_[a-z_]+\.sql$`).MatchString(name) {
			t.Errorf("%s is not named like 0001_init.sql", name)
		}
	}
}

// What one server of the family lacks, or does in a way of its own, must not be used on any.
func TestMySQLSteps_KeepToWhatAllServersHave(t *testing.T) {
	forbidden := regexp.MustCompile(`(?i)\b(AUTO_INCREMENT|REFERENCES|FOREIGN|FULLTEXT|RETURNING|TRIGGER|JSON\w*|SEQUENCE|GET_LOCK|utf8mb4_0900\w*|TEXT|VARCHAR)\b`)
	comment := regexp.MustCompile(`(?m)--.*$`)
	// The four last ones together run an ALTER TABLE where what it makes is missing: the step looks first.
	// Emptying a table, and setting the one row of search_state to the same again, can be repeated by itself.
	repeatable := []string{"CREATE TABLE IF NOT EXISTS", "INSERT IGNORE", "TRUNCATE TABLE", "UPDATE search_state SET seen = UNHEX(", "SET @step = (SELECT IF(COUNT(*) = 0", "PREPARE step", "EXECUTE step", "DEALLOCATE PREPARE step"}
	for _, name := range names(t, MySQL()) {
		data, err := fs.ReadFile(MySQL(), name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(data), "-- +goose NO TRANSACTION") {
			t.Errorf("%s: DDL ends transactions; begin with -- +goose NO TRANSACTION", name)
		}
		text := comment.ReplaceAllString(string(data), "")
		if found := forbidden.FindAllString(text, -1); found != nil {
			t.Errorf("%s uses %q", name, found)
		}
		for statement := range strings.SplitSeq(text, ";") {
			statement = strings.TrimSpace(statement)
			again := statement == "" || slices.ContainsFunc(repeatable, func(p string) bool { return strings.HasPrefix(statement, p) })
			if !again {
				t.Errorf("%s: a start that was cut short cannot run this again: %.60s…", name, statement)
			}
		}
	}
}
