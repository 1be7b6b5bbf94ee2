package sqlstore

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// lowDisk is how much room there should be on the disk of a database file.
const lowDisk = 1 << 30

// sqliteChecks are the checks of database files.
func (e *examiner) sqliteChecks() []registry.Check {
	return []registry.Check{
		{Name: checkIsolation, Run: e.journal},
		{Name: checkDurability, Run: e.synchronous},
		{Name: checkDisk, Run: e.disk},
	}
}

// journal looks at the mode that stays in the file: only with write-ahead logging do readers have a snapshot while somebody writes.
func (e *examiner) journal(ctx context.Context) []registry.Finding {
	var mode string
	if err := e.store.write.one(ctx, "doctor", "PRAGMA journal_mode", nil, &mode); err != nil {
		return nil
	}
	if !strings.EqualFold(mode, "wal") {
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the database file has the journal mode %s, though WAL was asked for", mode),
			Why: "SQLite cannot share memory there, as on a network file system; other processes may read what is half written",
			Do:  "put the file on a local disk, or use a mysql: dsn",
		})
	}
	return one(registry.Fine("the database file has a write-ahead log"))
}

// synchronous looks whether commits wait for the disk.
func (e *examiner) synchronous(ctx context.Context) []registry.Finding {
	const full = 2
	var level int
	if err := e.store.write.one(ctx, "doctor", "PRAGMA synchronous", nil, &level); err != nil {
		return nil
	}
	if level < full {
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the setting synchronous is %d, though FULL (2) was asked for", level),
			Why: "a power loss loses changes that were acknowledged", Do: "report it: the program sets it on each connection",
		})
	}
	return one(registry.Fine("what is committed is on the disk"))
}

func (e *examiner) disk(context.Context) []registry.Finding {
	folder := filepath.Dir(e.store.backend.where)
	d, ok := diskOf(folder)
	need := max(lowDisk, 2*e.around.ContentLimit)
	switch {
	case !ok:
		return nil
	case d.network != "":
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the database file lies on a network file system (%s)", d.network),
			Why: "its locks and shared memory do not hold between hosts, so the file may be ruined", Do: "put the file on a local disk, or use a mysql: dsn",
		})
	case d.free < need:
		return one(registry.Finding{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("%d MiB are free on the disk of %s", d.free>>20, folder),
			Why: "on a full disk every change is refused; the write-ahead log needs room for a large content as well", Do: fmt.Sprintf("make room for at least %d MiB", need>>20),
		})
	}
	return one(registry.Fine("%d MiB are free on the disk of %s", d.free>>20, folder))
}

// disk is the file system of a folder.
type disk struct {
	free    int64  // bytes that this process may use
	network string // what kind of network file system it is; "" when it is none
}
