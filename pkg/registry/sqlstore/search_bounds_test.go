package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// manyWords is a text of so many words that begin alike, from number first on.
func manyWords(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "zz%06d ", first+i)
	}
	return b.String()
}

// testSearchBeginnings: a beginning of more words than are read at once finds what has them, and says when it did not look at all.
func testSearchBeginnings(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putTexts(t, s, map[string]string{"few": manyWords(0, 10), "many": manyWords(100_000, prefixRows+1)})
	indexAll(t, s)
	for query, want := range map[string]int{"zz*": 2, "zz00000*": 1, "zz1*": 1, "zz2*": 0, "zz* -zz000001": 1} {
		if n, found := hits(t, s, query); n != want || found.More {
			t.Errorf("%s: %d hits, more %t, want %d", query, n, found.More, want)
		}
	}
	texts := map[string]string{}
	for i := range 3 {
		texts[fmt.Sprintf("huge%d", i)] = manyWords(200_000+i*prefixSearch/3, prefixSearch/3)
	}
	putTexts(t, s, texts)
	indexAll(t, s)
	if n, found := hits(t, s, "zz*"); n == 0 || !found.More {
		t.Errorf("of more words than a search reads: %d hits, more %t", n, found.More)
	}
}

// testSearchNewest: a query without ranking ends with the newest, and says from when on it has all.
func testSearchNewest(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	const many = 5 * registry.BlockDocs
	for i := 0; i < many; i += 1000 {
		texts := map[string]string{}
		for k := range min(1000, many-i) {
			texts[fmt.Sprintf("r%05d", i+k)] = "word"
		}
		putTextsBy(t, s, registry.Op{Actor: tester.Actor, At: time.Unix(int64(i), 0)}, texts)
		indexAll(t, s)
	}
	for _, want := range []int{10, 1000, many} {
		q, err := registry.ParseSearch("kind:resource")
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Search(t.Context(), registry.SearchAsk{Query: q, Want: want})
		if err != nil {
			t.Fatal(err)
		}
		all := want == many
		sure := 0
		for _, c := range found.Candidates {
			if c.Updated >= found.Sure {
				sure++
			}
		}
		if found.More == all || (found.Sure == 0) != all || sure < want || !all && len(found.Candidates) > want+3*registry.BlockDocs {
			t.Errorf("wanted %d: %d candidates, %d of them sure, more %t", want, len(found.Candidates), sure, found.More)
		}
	}
}

// testSearchBroken: a node that cannot be read keeps neither the indexer nor searches from all others. The first search wakes the indexer of the store, which works
// beside the test: that the node is left out is said once all the same.
func testSearchBroken(t *testing.T, dsn string) {
	var log bytes.Buffer
	s := testStore(t, Config{DSN: dsn, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	texts := map[string]string{}
	for i := range 20 {
		texts[fmt.Sprintf("r%02d", i)] = "word"
	}
	putTexts(t, s, texts)
	broken, err := s.Get(t.Context(), "/r07", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	// A version without its metadata, and a parent that is none.
	if err := s.bulk.within(t.Context(), func(tx *txn) error {
		_, err := tx.exec(t.Context(), "test", "UPDATE version SET meta = ? WHERE node = ?", make([]byte, 32), broken.ID[:])
		if err == nil {
			_, err = tx.exec(t.Context(), "test", "INSERT INTO meta_obj (sha, data) VALUES (?, ?)", make([]byte, 32), []byte("{"))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, found := hits(t, s, "word"); n != 19 || found.Complete {
			t.Errorf("%d hits, complete %t", n, found.Complete)
		}
		if n, err := s.IndexSearch(t.Context()); err != nil {
			t.Fatalf("%d indexed: %v", n, err)
		}
	}
	s.indexer.pressed.Store(false)
	if _, found := hits(t, s, "word"); found.Complete || s.indexer.pressed.Load() {
		t.Errorf("complete %t, the indexer is asked for what it left out: %t", found.Complete, s.indexer.pressed.Load())
	}
	if rows := searchRows(t, s); rows["doc"] != 19 || rows["todo"] != 1 {
		t.Errorf("rows %v", rows)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, broken.ID.String()) {
		t.Errorf("the log says: %s", text)
	}
	putText(t, s, "later", "word")
	indexAll(t, s)
	if rows := searchRows(t, s); rows["doc"] != 20 || rows["todo"] != 1 {
		t.Errorf("rows %v", rows)
	}
}

// testSearchParts: contents that are large together are taken apart in parts.
func testSearchParts(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	const many = 2*loadText/registry.MaxSearchText + 1
	for i := range many {
		putText(t, s, fmt.Sprintf("r%02d", i), strings.Repeat("large text ", registry.MaxSearchText/11+1)+fmt.Sprintf("%d", i))
	}
	var keys []todoKey
	if err := s.read.each(t.Context(), "test", "SELECT node, seq FROM search_todo", nil, func(rows *sqlx.Rows) error {
		var id []byte
		var k todoKey
		err := rows.Scan(&id, &k.seq)
		k.node = toID(id)
		keys = append(keys, k)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	docs, n, err := s.loadDocs(t.Context(), s.read.statements, keys)
	if err != nil || n == 0 || n > loadText/registry.MaxSearchText || len(docs) != n {
		t.Errorf("%d of %d nodes at once: %v", n, len(keys), err)
	}
	if n, found := hits(t, s, "large"); n != many || !found.Complete {
		t.Errorf("%d hits, complete %t", n, found.Complete)
	}
	indexAll(t, s)
	if n, _ := hits(t, s, "large"); n != many {
		t.Errorf("indexed: %d hits", n)
	}
}

// testSearchOvertaken: what changes between the indexer's look at it and its write stays on the list.
func testSearchOvertaken(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putTexts(t, s, map[string]string{"a": "before", "b": "still"})
	b, err := s.readBatch(t.Context(), indexBatch, nil)
	if err != nil || len(b.keys) != 2 {
		t.Fatalf("%d nodes: %v", len(b.keys), err)
	}
	putText(t, s, "a", "after")
	if err := s.indexer.write.within(t.Context(), func(tx *txn) error {
		b.tx = tx
		return b.write(t.Context())
	}); err != nil {
		t.Fatal(err)
	}
	if rows := searchRows(t, s); rows["todo"] != 1 || rows["doc"] != 1 {
		t.Errorf("rows %v", rows)
	}
	for query, want := range map[string]int{"before": 0, "after": 1, "still": 1} {
		if n, _ := hits(t, s, query); n != want {
			t.Errorf("%s: %d hits, want %d", query, n, want)
		}
	}
}

// testSearchPress: a search that has no time to look at all asks the indexer for the rest, however little that is.
func testSearchPress(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putText(t, s, "a", "word")
	q, err := registry.ParseSearch("word")
	if err != nil {
		t.Fatal(err)
	}
	run := func(deadline time.Time) registry.SearchFound {
		t.Helper()
		tx, err := s.read.begin(t.Context(), s.backend.dialect.snapshot)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.rollback()
		f := &finder{
			store: s, q: tx.statements, query: q, ask: registry.SearchAsk{Query: q}, counts: make([]int64, 1), listed: map[registry.ID]bool{}, deadline: deadline,
		}
		if err := f.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.found
	}
	s.indexer.pressed.Store(false)
	if found := run(time.Now().Add(time.Minute)); !found.Complete || len(found.Candidates) != 1 || s.indexer.pressed.Load() {
		t.Errorf("with time: %d candidates, complete %t", len(found.Candidates), found.Complete)
	}
	s.mem.reset(snapshot{})
	if found := run(time.Now()); found.Complete || len(found.Candidates) != 0 {
		t.Errorf("without: %d candidates, complete %t", len(found.Candidates), found.Complete)
	}
	for deadline := time.Now().Add(20 * time.Second); searchRows(t, s)["doc"] == 0; { // the indexer was woken
		if time.Now().After(deadline) {
			t.Fatal("the indexer did not take it in")
		}
		if err := rest(t.Context(), 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// testSearchReindexed: what the indexer takes up again between a search and the look at what it found is found all the same, and what is outdated is not.
func testSearchReindexed(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putTexts(t, s, map[string]string{"again": "word", "gone": "word", "kept": "word"})
	indexAll(t, s)
	q, err := registry.ParseSearch("word")
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Search(t.Context(), registry.SearchAsk{Query: q})
	if err != nil || len(found.Candidates) != 3 {
		t.Fatalf("%d candidates: %v", len(found.Candidates), err)
	}
	putText(t, s, "again", "word again")
	execIn(t, s, "UPDATE node SET parent = X'00000000000000000000000000000002' WHERE name = X'676f6e65'")
	indexAll(t, s)
	for _, c := range found.Candidates {
		c.Facts = nil
	}
	if err := s.SearchFacts(t.Context(), found, found.Candidates); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range found.Candidates {
		if c.Facts != nil {
			names = append(names, c.Facts.Name)
		}
	}
	if len(names) != 2 || strings.Contains(strings.Join(names, " "), "gone") {
		t.Errorf("found %q", names)
	}
}

// The indexer has a connection of its own to MySQL, which the server gives up on soon when it says nothing: locks of a frozen process must not last.
func TestSearchIndexer_HasItsOwnConnection(t *testing.T) {
	server := registrytest.StartMySQL(t)
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t)})
	if s.indexer.write.db == s.write.db || s.indexer.write.db == s.bulk.db || s.indexer.write.db.Stats().MaxOpenConnections != 1 {
		t.Error("the indexer shares its connection")
	}
	var seconds int
	if err := s.indexer.write.one(context.Background(), "test", "SELECT @@wait_timeout", nil, &seconds); err != nil || seconds != int(writerIdle.Seconds()) {
		t.Errorf("it may say nothing for %d s: %v", seconds, err)
	}
}
