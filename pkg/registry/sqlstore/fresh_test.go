package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testStore opens a store on the address, migrated.
func testStore(t *testing.T, c Config) *Store {
	t.Helper()
	c.Name = "test"
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return s
}

func sqliteFile(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "registry.db")
}

// setText makes the next version of a resource in the root, or its first, with the text as description.
func setText(ctx context.Context, s *Store, name, text string) (registry.Seq, error) {
	return s.Update(ctx, registry.Op{Actor: registry.Actor{User: "tester"}, At: time.Now()}, func(tx registry.Tx) error {
		d := registry.Draft{Meta: registry.Meta{Description: text}}
		r, err := tx.Get(registry.Path("/" + name))
		if err == nil {
			_, err = tx.Revise(r, d)
			return err
		}
		root, err := tx.Get(registry.Root)
		if err != nil {
			return err
		}
		_, err = tx.Create(root, name, registry.KindCollection, d)
		return err
	})
}

func mustSet(t *testing.T, s *Store, name, text string) registry.Seq {
	t.Helper()
	seq, err := setText(t.Context(), s, name, text)
	if err != nil {
		t.Fatalf("set %s: %v", name, err)
	}
	return seq
}

func wantText(t *testing.T, s *Store, name, text string) {
	t.Helper()
	r, err := s.Get(t.Context(), registry.Path("/"+name), registry.Freshness{})
	if err != nil || r.Meta.Description != text {
		t.Errorf("%s is %q, want %q: %v", name, r.Meta.Description, text, err)
	}
}

func TestGet_SlowReaderIsTooLate(t *testing.T) {
	dsn := sqliteFile(t)
	a, b := testStore(t, Config{DSN: dsn}), testStore(t, Config{DSN: dsn})
	for _, writer := range []*Store{a, b} { // its own commits, and those of another process
		mustSet(t, b, "x", "old")
		if err := a.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		read, err := a.resolve(t.Context(), "/x") // a reader stops here, between its statement and memory
		if err != nil || read.node.Meta.Description != "old" {
			t.Fatalf("read %+v: %v", read, err)
		}
		mustSet(t, writer, "x", "new")
		if err := a.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.remember(read) // and goes on
		wantText(t, a, "x", "new")
	}
}

// Readers with a cache too small to hold much, so that they ask the database all the time, against writers on two stores.
func TestGet_NeverGoesBackUnderLoad(t *testing.T) {
	dsn := sqliteFile(t)
	stores := []*Store{testStore(t, Config{DSN: dsn, CacheBytes: 20_000}), testStore(t, Config{DSN: dsn, CacheBytes: 20_000})}
	const names = 8
	var acknowledged [names]atomic.Int64
	for i := range names {
		mustSet(t, stores[0], fmt.Sprint(i), "")
		acknowledged[i].Store(1)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range names {
		writers.Go(func() {
			for v := int64(2); v < 60; v++ {
				if _, err := setText(t.Context(), stores[w%2], fmt.Sprint(w), fmt.Sprint(v)); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				acknowledged[w].Store(v)
			}
		})
	}
	for i := range 8 {
		readers.Go(func() {
			for k := i; ; k++ {
				select {
				case <-done:
					return
				default:
				}
				least := acknowledged[k%names].Load()
				r, err := stores[k%2].Get(t.Context(), registry.Path("/"+fmt.Sprint(k%names)), registry.Freshness{})
				if err != nil || r.Version < least {
					t.Errorf("read version %d after version %d was acknowledged: %v", r.Version, least, err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func TestRefresh_SharesOneQuery(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t), PoolSize: 1})
	if err := s.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Statements()
	hold, err := s.read.db.Conn(t.Context()) // the only connection: the next query has to wait
	if err != nil {
		t.Fatal(err)
	}
	const readers = 50
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			if err := s.refresh(t.Context()); err != nil {
				t.Errorf("refresh: %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := s.refresh(ctx); registry.CodeOf(err) != registry.CodeCanceled {
			t.Errorf("a reader that left got %v", err)
		}
		if err := hold.Close(); err != nil {
			t.Error(err)
		}
	})
	cancel()
	wg.Wait()
	// Mostly 2 or 3; a reader that the scheduler lets arrive late takes a query of its own. How many share one exactly: TestHeadCheck.
	if sent := s.Statements() - before; sent > readers/2 {
		t.Errorf("%d readers took %d queries of the head", readers, sent)
	}
}

// A database that loses its last commits at a power loss uses their positions again, for other changes.
func TestRefresh_NoticesAnotherHistory(t *testing.T) {
	dsn := sqliteFile(t)
	var log bytes.Buffer
	a, b := testStore(t, Config{DSN: dsn, Logger: slog.New(slog.NewTextHandler(&log, nil))}), testStore(t, Config{DSN: dsn})
	mustSet(t, b, "x", "kept")
	wantText(t, a, "x", "kept")
	exec := func(query string, args ...any) {
		t.Helper()
		err := b.write.within(t.Context(), func(q *txn) error {
			_, err := q.exec(t.Context(), "test", query, args...)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	var before headRow
	if err := b.read.one(t.Context(), "test", headQuery, nil, before.dest()...); err != nil {
		t.Fatal(err)
	}
	// lose makes a change that the store a sees, and brings the database back as it was before it.
	lose := func() {
		t.Helper()
		lost := mustSet(t, b, "x", "lost")
		wantText(t, a, "x", "lost")
		exec("UPDATE node SET cur = 1, gen = 1 WHERE name = ?", []byte("x"))
		for _, table := range []string{"version", "txn", "txn_item"} {
			exec("DELETE FROM "+table+" WHERE seq = ?", lost.N)
		}
		exec("UPDATE store_head SET seq = ?, tag = ?", before.seq, before.tag)
		if err := b.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	wantText(t, a, "x", "kept") // the sequence went back
	lose()
	again := mustSet(t, b, "other", "1")
	if again.N != before.seq+1 {
		t.Fatalf("the position was not used again: %v after %d", again, before.seq)
	}
	wantText(t, a, "x", "kept") // the same sequence with another tag
	exec("DELETE FROM node WHERE name = ?", []byte("other"))
	for _, table := range []string{"version", "txn", "txn_item"} {
		exec("DELETE FROM "+table+" WHERE seq = ?", again.N)
	}
	exec("UPDATE store_head SET seq = ?, tag = ?", before.seq, before.tag)
	for _, s := range []*Store{a, b} {
		if err := s.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	mustSet(t, b, "other", "1")
	mustSet(t, b, "other", "2")
	wantText(t, a, "x", "kept") // a later sequence, on a log with another tag at the cursor

	mustSet(t, b, "x", "newest")
	exec("UPDATE store_head SET epoch = ?", bytes.Repeat([]byte{7}, 16))
	wantText(t, a, "x", "newest") // another epoch
	if n := strings.Count(log.String(), "dropped caches"); n != 5 {
		t.Errorf("caches were dropped %d times, want 5:\n%s", n, log.String())
	}
}

func TestRefresh_DropsAllWhenFarBehind(t *testing.T) {
	dsn := sqliteFile(t)
	a, b := testStore(t, Config{DSN: dsn}), testStore(t, Config{DSN: dsn})
	mustSet(t, b, "x", "1")
	wantText(t, a, "x", "1")
	mustSet(t, b, "x", "2")
	err := b.write.within(t.Context(), func(q *txn) error {
		_, err := q.exec(t.Context(), "test", "UPDATE store_head SET seq = seq + ?", maxFollow+1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, a, "x", "2")
}
