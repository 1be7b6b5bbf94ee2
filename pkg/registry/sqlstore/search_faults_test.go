package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// faultyStore is a store of twenty resources that wait for the index, which fails in a way.
func faultyStore(t *testing.T, statement string) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s := testStore(t, Config{DSN: sqliteFile(t), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	texts := map[string]string{}
	for i := range 20 {
		texts[fmt.Sprintf("r%02d", i)] = "word"
	}
	putTexts(t, s, texts)
	broken, err := s.Get(t.Context(), "/r07", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	execIn(t, s, fmt.Sprintf(statement, broken.ID[:]))
	return s, &log
}

// TestIndexOneFails: a node that alone cannot be written is left out.
func TestIndexOneFails(t *testing.T) {
	s, log := faultyStore(t, "CREATE TRIGGER bad BEFORE INSERT ON search_doc WHEN NEW.node = x'%x' BEGIN SELECT RAISE(ABORT, 'bad'); END")
	if n, err := s.IndexSearch(t.Context()); err != nil || n != 19 {
		t.Errorf("%d indexed: %v", n, err)
	}
	if rows := searchRows(t, s); rows["doc"] != 19 || rows["todo"] != 1 || s.indexer.leftOut() != 1 {
		t.Errorf("rows %v, %d left out: %s", rows, s.indexer.leftOut(), log)
	}
}

// TestIndexAllFail: when nothing can be written nothing is left out.
func TestIndexAllFail(t *testing.T) {
	for name, statement := range map[string]string{
		"each": "CREATE TRIGGER bad BEFORE INSERT ON search_doc WHEN NEW.node <> x'' OR NEW.node = x'%x' BEGIN SELECT RAISE(ABORT, 'bad'); END",
		"few":  "CREATE TRIGGER bad BEFORE INSERT ON search_doc WHEN NEW.node <> x'' BEGIN SELECT RAISE(ABORT, 'bad'); END; DELETE FROM search_todo WHERE node <> x'%x'",
	} {
		t.Run(name, func(t *testing.T) {
			s, log := faultyStore(t, statement)
			if n, err := s.IndexSearch(t.Context()); err == nil {
				t.Errorf("%d indexed", n)
			}
			if rows := searchRows(t, s); rows["doc"] != 0 || s.indexer.leftOut() != 0 || log.Len() != 0 {
				t.Errorf("rows %v, %d left out: %s", rows, s.indexer.leftOut(), log)
			}
		})
	}
}

// TestIndexReadOnly: a database that takes no writes is asked once.
func TestIndexReadOnly(t *testing.T) {
	s, log := faultyStore(t, "SELECT x'%x'")
	setReadOnly := func(on int) {
		t.Helper()
		if _, err := s.indexer.write.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA query_only = %d", on)); err != nil {
			t.Fatal(err)
		}
	}
	setReadOnly(1)
	_, waited, err := s.index(t.Context(), indexBatch)
	setReadOnly(0)
	if !ofDatabase(err) || !waited || s.indexer.leftOut() != 0 || log.Len() != 0 {
		t.Errorf("waited %t, %d left out, %v: %s", waited, s.indexer.leftOut(), err, log)
	}
	if n, err := s.IndexSearch(t.Context()); err != nil || n != 20 {
		t.Errorf("%d indexed: %v", n, err)
	}
}

// TestIndexNothingLeft: the indexer ends when all that waits is left out, however much it is, and gives the lease back.
func TestIndexNothingLeft(t *testing.T) {
	s, _ := faultyStore(t, "SELECT x'%x'")
	execIn(t, s, fmt.Sprintf("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %d) INSERT INTO search_todo (node, seq) SELECT randomblob(16), n FROM i", indexBatch))
	b, err := s.readBatch(t.Context(), indexMany, nil)
	if err != nil || len(b.keys) < indexBatch {
		t.Fatalf("%d nodes: %v", len(b.keys), err)
	}
	for _, k := range b.keys {
		s.skipSearch(k, errors.New("bad"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.indexSome(ctx); err != nil {
		t.Fatal(err)
	}
	l, mine, err := s.takeLeaseBy(t.Context(), s.indexer.write, "search_index", indexLook)
	if err != nil || !mine {
		t.Fatalf("the lease is there: %t, %v", mine, err)
	}
	if err := l.release(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSkipTellsOnce: of several that come upon a node at once one says so.
func TestSkipTellsOnce(t *testing.T) {
	x := &indexer{skipped: map[todoKey]bool{}}
	told := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { x.skip(todoKey{seq: 1}, func() { told++ }) })
	}
	all.Wait()
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestOfDatabase: errors that every write has.
func TestOfDatabase(t *testing.T) {
	for number, want := range map[uint16]bool{1114: true, 1021: true, 1290: true, 1836: true, 1406: false, 1213: false} {
		if err := fmt.Errorf("write: %w", &mysql.MySQLError{Number: number}); ofDatabase(err) != want {
			t.Errorf("%d: %t", number, !want)
		}
	}
}

// TestBeginningInTree: of the words that begin alike a search in a tree takes the rows of the blocks of the tree, and no others.
func TestBeginningInTree(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	for query, rows := range map[string]int{"doc*": 1, "doc* word": 1, "doc* dog*": 2} {
		q, err := registry.ParseSearch(query)
		if err != nil {
			t.Fatal(err)
		}
		f := &finder{store: s, q: s.read.statements, query: q}
		p := &pass{finder: f, weights: make([]int, len(q.Lookups())), scope: scope{docs: map[int64]map[int]bool{3: {5: true}, 7: {1: true}}}}
		for i, l := range q.Lookups() {
			if !l.Prefix {
				continue
			}
			b := &beginning{lookup: i, all: map[int64][]termRow{}}
			for n := range int64(12) {
				if n != 7 {
					b.all[n] = []termRow{{i, []byte("row")}}
				}
			}
			p.beginnings = append(p.beginnings, b)
			if got := b.blocks(0, 16, p.scope.blocks(0, 16)); !slices.Equal(got, []int64{3}) {
				t.Errorf("%s: blocks %v", query, got)
			}
		}
		w := window{pass: p, from: 0, end: 16, rows: map[int64][]termRow{}, spent: map[*beginning]int{}}
		if err := w.read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := slices.Collect(maps.Keys(w.rows)); !slices.Equal(got, []int64{3}) || len(w.rows[3]) != rows {
			t.Errorf("%s: rows of the blocks %v, %d", query, got, len(w.rows[3]))
		}
	}
}

// TestBeginningSpends: what a window that was too much read of a beginning does not count.
func TestBeginningSpends(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	putTexts(t, s, map[string]string{"a": manyWords(0, 10)})
	indexAll(t, s)
	q, err := registry.ParseSearch("zz*")
	if err != nil {
		t.Fatal(err)
	}
	f := &finder{store: s, q: s.read.statements, query: q}
	first := []byte(q.Lookups()[0].Term)
	b := &beginning{first: first, next: successor(first), many: true, left: 5}
	p := &pass{finder: f, weights: make([]int, 1), beginnings: []*beginning{b}}
	read := func(end int64) (*window, error) {
		w := &window{pass: p, end: end, rows: map[int64][]termRow{}, spent: map[*beginning]int{}}
		return w, w.read(t.Context())
	}
	if _, err := read(2); !errors.Is(err, errWindow) || b.left != 5 {
		t.Errorf("too much: %d left, %v", b.left, err)
	}
	b.left = 50
	if w, err := read(2); err != nil || w.spent[b] != 10 {
		t.Errorf("%d rows: %v", w.spent[b], err)
	}
}

// TestFactsTwice: a second attempt to read what was found begins again.
func TestFactsTwice(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	putTexts(t, s, map[string]string{"a": "word", "b": "word"})
	indexAll(t, s)
	wanted, docs := map[int64]*registry.Candidate{}, []any{}
	err := s.read.each(t.Context(), "test", "SELECT doc FROM search_doc", nil, func(r *sqlx.Rows) error {
		var n int64
		err := r.Scan(&n)
		wanted[n], docs = &registry.Candidate{Doc: n}, append(docs, n)
		return err
	})
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents: %v", len(docs), err)
	}
	for range 2 {
		if err := s.candidateFacts(t.Context(), registry.SearchFound{}, wanted, docs); err != nil {
			t.Fatal(err)
		}
	}
	for n, c := range wanted {
		if c.Facts == nil {
			t.Errorf("document %d has no facts", n)
		}
	}
}
