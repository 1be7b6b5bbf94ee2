package sqlstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// putText makes, or revises, a resource of the root with a text.
func putText(t *testing.T, s *Store, name, text string) {
	t.Helper()
	putTexts(t, s, map[string]string{name: text})
}

func putTexts(t *testing.T, s *Store, texts map[string]string) {
	t.Helper()
	putTextsBy(t, s, tester, texts)
}

func putTextsBy(t *testing.T, s *Store, op registry.Op, texts map[string]string) {
	t.Helper()
	drafts := map[string]registry.Draft{}
	for name, text := range texts {
		staged, err := s.Stage(t.Context(), strings.NewReader(text), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		drafts[name] = registry.Draft{Meta: registry.Meta{MediaType: "text/plain"}, Hash: staged.Hash(), Size: staged.Size(), Staged: staged}
	}
	_, err := s.Update(t.Context(), op, func(tx registry.Tx) error {
		root, err := tx.Get(registry.Root)
		if err != nil {
			return err
		}
		for name, d := range drafts {
			r, err := tx.Get(registry.Path("/" + name))
			if err == nil {
				_, err = tx.Revise(r, d)
			} else if registry.CodeOf(err) == registry.CodeNotFound {
				_, err = tx.Create(root, name, registry.KindResource, d)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hits searches, and gives how many candidates there are that still stand somewhere.
func hits(t *testing.T, s *Store, query string) (int, registry.SearchFound) {
	t.Helper()
	q, err := registry.ParseSearch(query)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Search(t.Context(), registry.SearchAsk{Query: q, Want: registry.MaxCandidates})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SearchFacts(t.Context(), found, found.Candidates); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range found.Candidates {
		if c.Facts == nil {
			continue
		}
		places, err := s.Places(t.Context(), []registry.ID{c.Facts.Parent})
		if err != nil {
			t.Fatal(err)
		}
		if places[c.Facts.Parent].Path != "" {
			n++
		}
	}
	return n, found
}

// searchRows counts the rows of the search tables.
func searchRows(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	rows := map[string]int64{}
	for name, query := range map[string]string{
		"todo": "SELECT COUNT(*) FROM search_todo", "doc": "SELECT COUNT(*) FROM search_doc", "block": "SELECT COUNT(*) FROM search_block",
		"term": "SELECT COUNT(*) FROM search_term", "text": "SELECT COUNT(*) FROM search_text", "counted": "SELECT COALESCE(SUM(docs), 0) FROM search_block",
		"oldest": "SELECT COALESCE(MIN(block), 0) FROM search_term",
	} {
		var n int64
		if err := s.read.one(t.Context(), "test", query, nil, &n); err != nil {
			t.Fatal(err)
		}
		rows[name] = n
	}
	return rows
}

func indexAll(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.IndexSearch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// execIn runs a statement as if by another program.
func execIn(t *testing.T, s *Store, query string) {
	t.Helper()
	err := s.bulk.within(t.Context(), func(tx *txn) error {
		_, err := tx.exec(t.Context(), "test", query)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testSearchFill: a store from before the index says that it is incomplete until a pass has taken up everything; the pass goes on where it was.
func testSearchFill(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	const many = fillBatch + 50
	texts := map[string]string{}
	for i := range many {
		texts[fmt.Sprintf("r%04d", i)] = "old words"
	}
	putTexts(t, s, texts)
	execIn(t, s, "DELETE FROM search_todo")
	execIn(t, s, "UPDATE search_state SET complete = 0")
	putText(t, s, "new", "new words")
	if n, found := hits(t, s, "words"); n != 1 || found.Complete {
		t.Errorf("before the pass: %d hits, complete %t", n, found.Complete)
	}
	if done, err := s.fill(t.Context()); done || err != nil {
		t.Fatalf("one step: done %t, %v", done, err)
	}
	if n, found := hits(t, s, "words"); n < fillBatch-5 || found.Complete {
		t.Errorf("after one step: %d hits, complete %t", n, found.Complete)
	}
	again := testStore(t, Config{DSN: dsn}) // another process goes on
	indexAll(t, again)
	if n, found := hits(t, s, "words"); n != many+1 || !found.Complete {
		t.Errorf("after the pass: %d hits, complete %t", n, found.Complete)
	}
	if rows := searchRows(t, s); rows["todo"] != 0 || rows["doc"] != many+1 || rows["counted"] != many+1 {
		t.Errorf("rows %v", rows)
	}
}

// testSearchBlocks: documents that are outdated do not pile up: blocks of which few count are given up.
func testSearchBlocks(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	const many = registry.BlockDocs + 200
	texts := map[string]string{}
	for round := range 3 {
		for i := range many {
			if round == 0 || i >= 100 { // the first hundred stay as they are
				texts[fmt.Sprintf("r%04d", i)] = fmt.Sprintf("round%d common", round)
			} else {
				delete(texts, fmt.Sprintf("r%04d", i))
			}
		}
		putTexts(t, s, texts)
		indexAll(t, s)
		if n, _ := hits(t, s, "common"); n != many {
			t.Errorf("round %d: %d hits, want %d", round, n, many)
		}
	}
	for range 3 { // what a block that was given up leaves on the list, the next turn takes
		putText(t, s, "r0500", "round2 common again")
		indexAll(t, s)
		putText(t, s, "r0500", "round2 common")
		indexAll(t, s)
	}
	rows := searchRows(t, s)
	if rows["doc"] != many || rows["counted"] != many || rows["oldest"] < 3 || rows["block"] > 4 {
		t.Errorf("rows %v: blocks of outdated documents are still there", rows)
	}
	for query, want := range map[string]int{"round0": 100, "round1": 0, "round2": many - 100, "common": many} {
		if n, _ := hits(t, s, query); n != want {
			t.Errorf("%s: %d hits, want %d", query, n, want)
		}
	}
}

// testSearchPurge: what is deleted for good leaves nothing behind, indexed or not.
func testSearchPurge(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putTexts(t, s, map[string]string{"keep": "some words", "gone": "more words"})
	indexAll(t, s)
	putText(t, s, "later", "later words")
	for _, name := range []string{"gone", "later"} {
		var id registry.ID
		_, err := s.Update(t.Context(), tester, func(tx registry.Tx) error {
			r, err := tx.Get(registry.Path("/" + name))
			id = r.ID
			if err == nil {
				err = tx.Trash(r)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := hits(t, s, name+" OR name:"+name); n != 0 {
			t.Errorf("%s is found in the trash", name)
		}
		if _, err := s.Update(t.Context(), tester, func(tx registry.Tx) error { return tx.Purge(id) }); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	// A purge takes nothing out of the index itself: it would write it side by side with the indexer.
	if rows := searchRows(t, s); rows["todo"] != 2 || rows["doc"] != 2 {
		t.Errorf("rows %v", rows)
	}
	if _, _, err := s.index(t.Context(), indexBatch); err != nil {
		t.Fatal(err)
	}
	if rows := searchRows(t, s); rows["todo"] != 0 || rows["doc"] != 1 || rows["counted"] != 1 {
		t.Errorf("rows %v", rows)
	}
	if n, found := hits(t, s, "words"); n != 1 || len(found.Candidates) != 1 {
		t.Errorf("%d hits of %d candidates", n, len(found.Candidates))
	}
}

// testSearchRows: a put writes one row more for search, whatever its text is, and the change of a tag as well.
func testSearchRows(t *testing.T, dsn string) {
	s := testStore(t, Config{DSN: dsn})
	putText(t, s, "a", "one")
	before := s.RowsWritten()
	putText(t, s, "a", strings.Repeat("many different words of a long text ", 20))
	// node, version, metadata or content, and the log: the head, txn, txn_item.
	put := s.RowsWritten() - before
	execIn(t, s, "DELETE FROM search_todo")
	if rows := searchRows(t, s); rows["todo"] != 0 {
		t.Fatalf("rows %v", rows)
	}
	putText(t, s, "a", "two")
	if rows := searchRows(t, s); rows["todo"] != 1 || rows["term"] != 0 || rows["doc"] != 0 {
		t.Errorf("rows %v", rows)
	}
	if put > 8 {
		t.Errorf("a put wrote %d rows", put)
	}
	t.Logf("a put wrote %d rows", put)
}

func TestSearchTables(t *testing.T) {
	for name, test := range searchTests {
		t.Run(name, func(t *testing.T) { test(t, sqliteFile(t)) })
	}
}

var searchTests = map[string]func(*testing.T, string){
	"Fill": testSearchFill, "Blocks": testSearchBlocks, "Purge": testSearchPurge, "Rows": testSearchRows,
	"Beginnings": testSearchBeginnings, "Newest": testSearchNewest, "Broken": testSearchBroken, "Parts": testSearchParts, "Overtaken": testSearchOvertaken,
	"Press": testSearchPress, "Reindexed": testSearchReindexed,
}

func testSearchOnMySQL(t *testing.T, server *registrytest.MySQL) {
	for name, test := range searchTests {
		t.Run(name, func(t *testing.T) { test(t, "mysql:"+server.Database(t)) })
	}
}
