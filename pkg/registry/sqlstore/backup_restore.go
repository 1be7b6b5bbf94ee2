package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/backup"
)

// RestoreBackup fills an empty, migrated store from a backup. It reads the backup twice, and writes nothing before the first pass has found it whole: a damaged one is CodeInvalid, with the
// place. A store that has anything in it is CodeConflict and stays as it is, and so does one that the backup does not fit. Everything but the contents becomes visible in one
// transaction; a restore that is cut short leaves the store empty, and can be made again. No node may use the store meanwhile.
func (s *Store) RestoreBackup(ctx context.Context, r io.ReadSeeker) (registry.BackupSummary, error) {
	sum, err := s.restoreBackup(ctx, r)
	return sum, s.fail("restore a backup", err)
}

func (s *Store) restoreBackup(ctx context.Context, r io.ReadSeeker) (registry.BackupSummary, error) {
	if err := s.Check(ctx); err != nil {
		return registry.BackupSummary{}, err
	}
	if err := s.empty(ctx, s.read.statements, ""); err != nil {
		return registry.BackupSummary{}, err
	}
	fits := func(m backup.Manifest) error { return s.fits(ctx, m) }
	m, end, err := backup.Read(r, fits, nil)
	if err != nil {
		return registry.BackupSummary{}, unreadable(err)
	}
	if end.Rows["store_head"] != 1 {
		return registry.BackupSummary{}, registry.Errorf(registry.CodeInvalid, "the backup has no position of the change log")
	}
	apart := map[string]bool{}
	for _, t := range savedTables() {
		apart[t.name] = t.apart
	}
	// First what nobody sees, in many transactions.
	if err := s.clearPieces(ctx); err != nil {
		return registry.BackupSummary{}, err
	}
	if err := s.readAgain(r, func(t backup.Table, rows [][]any) error {
		if !apart[t.Name] {
			return nil
		}
		return s.bulk.within(ctx, func(tx *txn) error { return s.insertRows(ctx, tx, table{t.Name, t.Columns}, rows, "") })
	}); err != nil {
		return registry.BackupSummary{}, err
	}
	// Then the rest, all or nothing.
	err = s.bulk.within(ctx, func(tx *txn) error {
		// Nobody can change the store from here on; what was done since the first look is seen.
		if err := s.empty(ctx, tx.statements, s.backend.dialect.forUpdate); err != nil {
			return err
		}
		if err := s.clearBeginning(ctx, tx); err != nil {
			return err
		}
		if err := s.readAgain(r, func(t backup.Table, rows [][]any) error {
			if apart[t.Name] {
				return nil
			}
			return s.insertRows(ctx, tx, table{t.Name, t.Columns}, rows, "")
		}); err != nil {
			return err
		}
		// The index is made again, by the node that has the time first.
		_, err := tx.exec(ctx, "restore", "UPDATE search_state SET next_doc = 1024, seen = ?, complete = 0 WHERE id = 1", make([]byte, 16))
		return err
	})
	return summaryOf(m, end), err
}

// readAgain reads what was found whole before.
func (s *Store) readAgain(r io.ReadSeeker, rows func(backup.Table, [][]any) error) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup again: %w", err)
	}
	_, _, err := backup.Read(r, nil, rows)
	return err
}

// unreadable tells of damage to who asked.
func unreadable(err error) error {
	if registry.CodeOf(err) != registry.CodeInternal {
		return err
	}
	return registry.Errorf(registry.CodeInvalid, "%s; nothing was restored", err)
}

// empty refuses a store that somebody used.
func (s *Store) empty(ctx context.Context, from statements, lock string) error {
	for _, q := range []struct{ what, query string }{
		{"position", "SELECT seq FROM store_head WHERE id = 1" + lock}, // the lock comes first
		{"resources", "SELECT COUNT(*) - 2 FROM node"}, {"users", "SELECT COUNT(*) FROM account"},
	} {
		var n int64
		if err := from.one(ctx, "restore", q.query, nil, &n); err != nil {
			return err
		}
		if n != 0 {
			return registry.Errorf(registry.CodeConflict, "the store %s is not empty (%s: %d); a backup is restored into a new database, which no node has used yet", s.name, q.what, n)
		}
	}
	return nil
}

// fits tells whether this program knows all that the backup has.
func (s *Store) fits(ctx context.Context, m backup.Manifest) error {
	applied, err := s.applied(ctx)
	if err != nil {
		return err
	}
	if schema := newest(applied); m.Schema > schema {
		return registry.Errorf(registry.CodeConflict, "the backup is of a newer program: its tables have version %d, those of the store %s have %d", m.Schema, s.name, schema)
	}
	known := map[string][]string{}
	for _, t := range savedTables() {
		known[t.name] = t.names()
	}
	for _, t := range m.Tables {
		columns, ok := known[t.Name]
		if !ok {
			return registry.Errorf(registry.CodeInvalid, "the backup has a table %.40q, which no store has", t.Name)
		}
		for _, c := range t.Columns {
			if !slices.Contains(columns, c) {
				return registry.Errorf(registry.CodeInvalid, "the backup has a column %.40q of the table %s, which no store has", c, t.Name)
			}
		}
	}
	return nil
}

// clearedAtOnce is how many pieces of contents one transaction removes: no more than a server's log takes in its stride.
const clearedAtOnce = 256

// clearPieces removes what a restore left that was cut short, some at a time.
func (s *Store) clearPieces(ctx context.Context) error {
	for more := true; more; {
		if err := s.bulk.within(ctx, func(tx *txn) error {
			var set []byte
			var i int64
			err := tx.one(ctx, "restore", "SELECT chunk_set, i FROM blob_chunk ORDER BY chunk_set, i LIMIT 1 OFFSET ?", []any{clearedAtOnce}, &set, &i)
			if more = !errors.Is(err, sql.ErrNoRows); !more {
				_, err = tx.exec(ctx, "restore", "DELETE FROM blob_chunk")
				return err
			}
			if err != nil {
				return err
			}
			_, err = tx.exec(ctx, "restore", "DELETE FROM blob_chunk WHERE chunk_set < ? OR (chunk_set = ? AND i < ?)", set, set, i)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// clearBeginning removes the rows that every new store begins with.
func (s *Store) clearBeginning(ctx context.Context, tx *txn) error {
	for _, t := range savedTables() {
		if t.apart {
			continue
		}
		if _, err := tx.exec(ctx, "restore", "DELETE FROM "+t.name); err != nil {
			return err
		}
	}
	return nil
}
