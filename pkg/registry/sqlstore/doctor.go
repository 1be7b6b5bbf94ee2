package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The checks that may find an error, by their names in findings and configurations.
const (
	checkAnswer     = "answer"
	checkSchema     = "schema"
	checkClock      = "clock"
	checkIsolation  = "isolation"
	checkDurability = "durability"
	checkValues     = "values"
	checkPacket     = "packet"
	checkWrites     = "writes"
	checkDisk       = "disk"
)

// AcceptableChecks are the names of the checks whose errors somebody who knows better may take for warnings. The others' would end a start all the same.
func AcceptableChecks() []string {
	return []string{checkClock, checkDisk, checkDurability, checkIsolation, checkPacket, checkValues, checkWrites}
}

const (
	// A skew that NTP does not leave, and one from which ends of sessions and ages of what is swept are plainly wrong.
	skewWarning = time.Second
	skewError   = 5 * time.Minute
	skewTries   = 3
)

// Surroundings is what a store cannot know of the node and the cluster around it.
type Surroundings struct {
	Nodes        int   // that use the database, this one counted; 0 counts as 1
	ContentLimit int64 // bytes of one content
	Serving      bool  // the tables were migrated: an older form of them is a fault
}

// Checks are what this store stands on: the database's settings as its connections have them, its clock, its tables and its disk. They change nothing, and need no
// tables. Each sends a few statements.
func (s *Store) Checks(around Surroundings) []registry.Check {
	e := &examiner{store: s, around: around}
	checks := []registry.Check{
		{Name: checkAnswer, Run: e.answer},
		{Name: checkSchema, Run: e.schema},
		{Name: checkClock, Run: e.clock},
	}
	if s.backend.turn != nil {
		checks = append(checks, e.sqliteChecks()...)
	} else {
		checks = append(checks, e.mysqlChecks()...)
	}
	for i := range checks {
		checks[i].Store = s.name
		checks[i].Run = bounded(checks[i].Run)
	}
	return checks
}

// Examine examines a database that this process does not use otherwise. It changes nothing there, and does not make a file that is missing. The error is
// CodeInvalid for an address that cannot be read; that a database cannot be reached is a finding.
func Examine(ctx context.Context, c Config, around Surroundings) ([]registry.Finding, error) {
	a, err := parseDSN(c.DSN)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(a.sqlite); a.mysql == nil && errors.Is(err, fs.ErrNotExist) {
		return []registry.Finding{{
			Check: checkAnswer, Store: c.Name, Severity: registry.SeverityNote, What: "there is no database file " + a.sqlite + " yet",
			Why: "a node that is given a wrong path begins with an empty registry", Do: "check the path; the first start makes the file",
		}}, nil
	}
	s, err := connected(ctx, c)
	if e, ok := errors.AsType[*registry.Error](err); ok && e.Code == registry.CodeUnavailable {
		return []registry.Finding{{
			Check: checkAnswer, Store: c.Name, Severity: registry.SeverityError, What: fmt.Sprintf("%s (%v)", e.Message, e.Err),
			Why: "without it nothing can be read or written", Do: "bring the database up, or correct the dsn",
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	found := registry.RunChecks(ctx, s.Checks(around))
	s.end()
	defer s.metrics.close()
	return found, s.disconnect()
}

// bounded gives a check a deadline of its own, so that a database that hangs holds up nobody.
func bounded(run func(context.Context) []registry.Finding) func(context.Context) []registry.Finding {
	return func(ctx context.Context) []registry.Finding {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		return run(ctx)
	}
}

// examiner runs the checks of one examination. A check whose statement fails finds nothing: that the database does not answer is said once, by answer.
type examiner struct {
	store  *Store
	around Surroundings

	once     sync.Once
	settings mysqlSettings
	failed   error
}

func one(f registry.Finding) []registry.Finding { return []registry.Finding{f} }

func (e *examiner) answer(ctx context.Context) []registry.Finding {
	start := time.Now()
	info, err := e.store.Info(ctx)
	if err != nil {
		return one(registry.Finding{
			Severity: registry.SeverityError, What: "the database at " + e.store.backend.where + " does not answer (" + registry.MessageOf(err) + ")",
			Why: "without it nothing can be read or written", Do: "look at the database and at the network on the way to it",
		})
	}
	return one(registry.Fine("%s at %s answers in %s", info.Database, info.Location, time.Since(start).Round(10*time.Microsecond)))
}

func (e *examiner) schema(ctx context.Context) []registry.Finding {
	applied, err := e.store.applied(ctx)
	if err != nil {
		return nil
	}
	d := e.store.backend.dialect
	known := migrationNumbers(d.migrations())
	target, current := newest(known), newest(applied)
	missing := missingBelow(known, applied, current)
	switch {
	case current > target:
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the tables have version %d, this program knows them up to %d", current, target),
			Why: "it would not understand all that it reads, nor keep up all that newer nodes rely on", Do: "run a newer version of the program",
		})
	case len(missing) > 0:
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the tables have version %d, but the steps %v before it were never made", current, missing),
			Why: "tables or columns that this program uses may be missing", Do: "put a backup back, or ask those who made this version how to repair it",
		})
	case current == target:
		return one(registry.Fine("the tables have version %d, as this program needs", current))
	case e.around.Serving:
		return one(registry.Finding{
			Severity: registry.SeverityError, What: fmt.Sprintf("the tables have version %d and this program needs %d", current, target),
			Why: "the database was changed or put back while this node runs", Do: "restart the node, or run: registry migrate",
		})
	}
	return one(registry.Finding{
		Severity: registry.SeverityNote, What: fmt.Sprintf("the tables have version %d and this program needs %d", current, target),
		Why: "nodes of an older version cannot start again once they are newer", Do: "start the node, or run registry migrate: both bring them up to date",
	})
}

func newest(numbers []int64) int64 {
	if len(numbers) == 0 {
		return 0
	}
	return slices.Max(numbers)
}

func missingBelow(known, applied []int64, current int64) []int64 {
	return slices.DeleteFunc(slices.Clone(known), func(n int64) bool { return n > current || slices.Contains(applied, n) })
}

// applied gives the numbers of the migrations that were made; none where there are no tables.
func (s *Store) applied(ctx context.Context) ([]int64, error) {
	const versions = "goose_db_version"
	var tables int
	if err := s.read.one(ctx, "doctor", s.backend.dialect.hasTable, []any{versions}, &tables); err != nil || tables == 0 {
		return nil, err
	}
	state := map[int64]bool{} // the last row of a number counts
	err := s.read.each(ctx, "doctor", "SELECT v.version_id, v.is_applied FROM "+versions+" v ORDER BY v.id", nil, func(rows *sqlx.Rows) error {
		var n int64
		var made bool
		err := rows.Scan(&n, &made)
		state[n] = made
		return err
	})
	var list []int64
	for n, made := range state {
		if made {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, err
}

func (e *examiner) clock(ctx context.Context) []registry.Finding {
	skew, slack, err := e.store.skew(ctx)
	if err != nil {
		return nil
	}
	size := max(skew.Abs()-slack, 0) // at least so much
	if size < skewWarning {
		return one(registry.Fine("the clocks of node and database agree to %s", (skew.Abs() + slack).Round(time.Millisecond)))
	}
	f := registry.Finding{
		Severity: registry.SeverityWarning, What: fmt.Sprintf("the node's clock is %s behind that of the database", size.Round(time.Millisecond)),
		Why: "times of versions, reads as of a time, and ends of sessions and tokens go by the clocks of the nodes, so answers depend on the node",
		Do:  "let both hosts take their time from NTP, and look which of them is wrong",
	}
	if skew < 0 {
		f.What = fmt.Sprintf("the node's clock is %s ahead of that of the database", size.Round(time.Millisecond))
	}
	if size >= skewError {
		f.Severity = registry.SeverityError
	}
	return one(f)
}

// skew tells how far the database's clock is ahead of this process's, and by how much that may be wrong, of the quickest of some questions.
func (s *Store) skew(ctx context.Context) (skew, slack time.Duration, err error) {
	for i := range skewTries {
		var us int64
		before := s.now()
		if err := s.read.one(ctx, "doctor", "SELECT "+s.backend.dialect.nowUS, nil, &us); err != nil {
			return 0, 0, err
		}
		half := s.now().Sub(before) / 2
		if i == 0 || half < slack {
			skew, slack = toTime(us).Sub(before)-half, half
		}
	}
	return skew, slack, nil
}
