package sqlstore

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestOpen_RefusesAddresses(t *testing.T) {
	tests := []struct{ dsn, says string }{
		{"", "must be sqlite:PATH or mysql:"},
		{"postgres://x", `"postgres"`},
		{"sqlite:", "names no file"},
		{"sqlite::memory:", "names no file"},
		{"mysql:nonsense", "mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE"},
		{"mysql:u:secret@tcp(h:1)/", "names no database"},
	}
	for _, test := range tests {
		_, err := Open(t.Context(), Config{Name: "main", DSN: test.dsn})
		if registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "main") {
			t.Errorf("%q gave %v, want it to say %q", test.dsn, err, test.says)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error shows the password: %v", test.dsn, err)
		}
	}
	if _, err := Open(t.Context(), Config{DSN: "sqlite:x"}); registry.CodeOf(err) != registry.CodeInvalid {
		t.Errorf("no name: %v", err)
	}
}

func TestOpen_NamesTheServerThatDoesNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = Open(t.Context(), Config{Name: "main", DSN: "mysql:u:secret@tcp(" + address + ")/d", ConnectWait: 600 * time.Millisecond})
	if took := time.Since(start); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("gave up after %v", took)
	}
	if registry.CodeOf(err) != registry.CodeUnavailable || !strings.Contains(err.Error(), address) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v", err)
	}
}

func TestOpen_TakesAnyFileName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new folder")
	s := testStore(t, Config{DSN: "sqlite:" + filepath.Join(dir, "a b?c=d#e%41.db")})
	mustSet(t, s, "x", "1")
	if _, err := os.Stat(filepath.Join(dir, "a b?c=d#e%41.db")); err != nil {
		t.Error(err)
	}
}

func TestMigrate_RefusesNewerTables(t *testing.T) {
	dsn := sqliteFile(t)
	s := testStore(t, Config{DSN: dsn})
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check of fresh tables: %v", err)
	}
	err := s.write.within(t.Context(), func(q *txn) error {
		_, err := q.exec(t.Context(), "test", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"migrate": s.Migrate(t.Context()), "check": s.Check(t.Context())} {
		if registry.CodeOf(err) != registry.CodeConflict || !strings.Contains(registry.MessageOf(err), "999") {
			t.Errorf("%s of newer tables: %v", what, err)
		}
	}
}

func TestCheck_RefusesMissingTables(t *testing.T) {
	s, err := Open(t.Context(), Config{Name: "test", DSN: sqliteFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Check(t.Context()); registry.CodeOf(err) != registry.CodeUnavailable {
		t.Errorf("check of an empty file: %v", err)
	}
}

func TestClose_RefusesWhatComesLater(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := Config{Name: "test", DSN: sqliteFile(t), Registerer: reg}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustSet(t, s, "x", "1")
	wantText(t, s, "x", "1")
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n < 10 {
		t.Errorf("%d series: %v", n, err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := setText(t.Context(), s, "y", "1"); err != nil && registry.CodeOf(err) != registry.CodeUnavailable {
				t.Errorf("a change while the store closes: %v", err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	_, getErr := s.Get(t.Context(), "/x", registry.Freshness{})
	_, setErr := setText(t.Context(), s, "x", "2")
	for what, err := range map[string]error{"get": getErr, "update": setErr} {
		if registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 0 {
		t.Errorf("%d series are left: %v", n, err)
	}
}

func TestSweep_RemovesWhatNothingOwns(t *testing.T) {
	now := time.Now()
	s := testStore(t, Config{DSN: sqliteFile(t), ContentChunk: minContentChunk, Now: func() time.Time { return now }})
	body := func() *strings.Reader { return strings.NewReader(strings.Repeat("x", 5*minContentChunk)) }
	orphan, err := s.Stage(t.Context(), body(), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d fresh uploads: %v", n, err)
	}
	ann, err := s.AddUser(t.Context(), registry.Op{At: now}, registry.User{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	session := registry.Session{Token: registry.Hash{1}, User: ann.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := s.CreateSession(t.Context(), session, ann.Password, 10); err != nil {
		t.Fatal(err)
	}
	now = now.Add(abandoned + time.Hour)
	if n, err := s.sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d abandoned uploads: %v", n, err)
	}
	for _, table := range []string{"blob_chunk", "staged", "session"} {
		var n int
		if err := s.read.one(t.Context(), "test", "SELECT COUNT(*) FROM "+table, nil, &n); err != nil || n != 0 {
			t.Errorf("%s has %d rows: %v", table, n, err)
		}
	}
	// What the sweeper took cannot be named any more: the change fails as a whole.
	_, err = s.Update(t.Context(), registry.Op{At: now}, func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err != nil {
			return err
		}
		_, err = tx.Create(root, "late", registry.KindResource, registry.Draft{Hash: orphan.Hash(), Size: orphan.Size(), Staged: orphan})
		return err
	})
	if err == nil {
		t.Error("a content without its pieces was taken")
	}
	if _, err := s.Get(t.Context(), "/late", registry.Freshness{}); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("the failed change left %v", err)
	}
}

func TestWriteTurn_IsOnesAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	turns := []*writeTurn{newWriteTurn(path), newWriteTurn(path)} // as two processes have them
	defer func() {
		for _, turn := range turns {
			if err := turn.close(); err != nil {
				t.Error(err)
			}
		}
	}()
	var inside, total atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				if err := turns[i%2].take(t.Context()); err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the turn", n)
				}
				total.Add(1)
				inside.Add(-1)
				turns[i%2].give()
			}
		})
	}
	wg.Wait()
	if n := total.Load(); n != 400 {
		t.Errorf("%d turns were counted, want 400", n)
	}
	if err := turns[0].take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := turns[1].take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait that ended gave %v", err)
	}
	turns[0].give()
	if err := turns[1].take(t.Context()); err != nil {
		t.Error(err)
	}
	turns[1].give()
}
