package registry

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"
)

// readBlock gives the candidates that rows of one block make for a query; every document is there.
func readBlock(t testing.TB, query string, rows ...[]byte) (map[int]*Candidate, []int, error) {
	t.Helper()
	q, err := ParseSearch(query)
	if err != nil {
		t.Fatal(err)
	}
	r := NewBlockReader(q)
	found := map[int]*Candidate{}
	var order []int
	for range 2 { // what was read before leaves nothing behind
		clear(found)
		order = order[:0]
		for i, row := range rows {
			if _, err := r.Add(min(i, len(q.Lookups())-1), row); err != nil {
				return nil, nil, err
			}
		}
		r.Each(func(doc int) { r.Brief(doc, Brief{ID: ID{1, byte(doc), byte(doc >> 8)}}) })
		r.End(func(doc int, c *Candidate) {
			found[doc] = c
			order = append(order, doc)
		})
	}
	return found, order, nil
}

func TestBlockReader_ReadsWhatWasWritten(t *testing.T) {
	var row []byte
	want := map[int][]uint32{0: {}, 7: {1}, 1023: {0, 5, 1 << 16, 1<<16 + 9, 5 << 16}}
	for _, doc := range []int{0, 7, 1023} {
		row = AppendPosting(row, doc, want[doc])
	}
	found, order, err := readBlock(t, "tag:a", row)
	if err != nil || !slices.Equal(order, []int{1023, 7, 0}) { // the newest first
		t.Fatalf("documents %v, %v", order, err)
	}
	for doc, positions := range want {
		if c := found[doc]; c.Hits[0] == nil || !slices.Equal(c.Hits[0], positions) {
			t.Errorf("document %d has %v, want %v", doc, c.Hits[0], positions)
		}
	}
}

// A beginning has many rows of one document: their positions come together, each once.
func TestBlockReader_MergesRows(t *testing.T) {
	const many = 5000
	rows := [][]byte{AppendPosting(nil, 3, []uint32{7})}
	for i := range uint32(many) {
		rows = append(rows, AppendPosting(nil, 3, []uint32{many - i, many + 1}))
	}
	found, _, err := readBlock(t, "a*", rows...)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	if list := found[3].Hits[0]; len(list) != many+1 || list[0] != 1 || list[many] != many+1 || !slices.IsSorted(list) {
		t.Errorf("%d positions", len(list))
	}
}

func TestBlockReader_KeepsWhatMayBeAHit(t *testing.T) {
	a := AppendPosting(AppendPosting(nil, 1, []uint32{4}), 2, []uint32{4})
	b := AppendPosting(AppendPosting(nil, 2, []uint32{5}), 3, []uint32{5})
	for query, want := range map[string][]int{"a b": {2}, "a OR b": {3, 2, 1}, "a -b": {1}, `"a b"`: {2}, `"b a"`: nil} {
		rows := [][]byte{a, b}
		if query == `"b a"` {
			rows = [][]byte{b, a}
		}
		if _, order, err := readBlock(t, query, rows...); err != nil || !slices.Equal(order, want) {
			t.Errorf("%s: %v, %v, want %v", query, order, err, want)
		}
	}
}

func TestColumns_RoundTrip(t *testing.T) {
	facts := map[int]SearchFacts{
		2:    {ID: ID{9}, Parent: ID{7}, Kind: KindResource, Words: 300, Size: 1 << 40, Created: 1_700_000_000_000_000, Updated: 1_700_000_000_000_001, Votes: 2, Stars: 9, Values: Properties{"x": {"a", ""}}},
		1023: {ID: ID{8}, Kind: KindCollection, Created: -5, Updated: -7},
	}
	var briefs, values []byte
	for _, doc := range slices.Sorted(maps.Keys(facts)) {
		f := facts[doc]
		briefs, values = AppendBrief(briefs, doc, f.Brief()), AppendValues(values, doc, &f, valueTerm("x"))
	}
	n := 0
	if err := EachBrief(briefs, func(doc int, b Brief) {
		f := facts[doc]
		if n++; b != f.Brief() {
			t.Errorf("document %d: %+v, want %+v", doc, b, f.Brief())
		}
	}); err != nil || n != len(facts) {
		t.Errorf("%d briefs, %v", n, err)
	}
	n = 0
	if err := eachEntry(values, func(doc int, entry []byte) {
		var list []string
		anyValue(entry, func(v []byte) bool { list = append(list, string(v)); return false })
		if n++; !slices.Equal(list, facts[doc].Values["x"]) {
			t.Errorf("document %d: %q", doc, list)
		}
	}); err != nil || n != len(facts) {
		t.Errorf("%d values, %v", n, err)
	}
}

func TestSearchFacts_RoundTrip(t *testing.T) {
	for _, f := range []SearchFacts{{}, {
		Parent: ID{1}, Hash: Hash{2}, Kind: KindLink, Size: 5, Created: -6, Updated: 7, Votes: 8, Stars: 9, Words: 10,
		Name: "é", MediaType: "a/b", Owner: "o", User: "", Tags: []string{"", "x y"},
	}} {
		got, err := DecodeFacts(f.Encode())
		if err != nil || !reflect.DeepEqual(*got, f) {
			t.Errorf("%+v, %v, want %+v", got, err, f)
		}
	}
}

// A range looks at the values of the documents that have the property.
func TestBlockReader_Values(t *testing.T) {
	var row []byte
	for doc, list := range [][]string{{"1"}, {"5", "x"}, {}, {"9"}} {
		row = AppendValues(row, doc, &SearchFacts{Values: Properties{"n": list}}, valueTerm("n"))
	}
	for query, want := range map[string][]int{"prop.n:>=5": {3, 1}, "prop.n:*": {3, 2, 1, 0}, "prop.n:x..y": {1}} {
		if _, order, err := readBlock(t, query, row); err != nil || !slices.Equal(order, want) {
			t.Errorf("%s: %v, %v, want %v", query, order, err, want)
		}
	}
}

// FuzzBlockRows: no row makes the readers panic or give what cannot be, and what they read they would write.
func FuzzBlockRows(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendPosting(AppendPosting(nil, 3, []uint32{1, 2, 300}), 1000, nil))
	f.Add(AppendBrief(nil, 7, Brief{ID: ID{1}, Kind: KindLink, Size: 5, Created: 3, Updated: 2}))
	f.Add(AppendValues(nil, 7, &SearchFacts{Values: Properties{"a": {"b", "c"}}}, valueTerm("a")))
	f.Add((&SearchFacts{Name: "a", Tags: []string{"b"}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if f, err := DecodeFacts(b); err == nil && len(f.Encode()) == len(b) && !bytes.Equal(f.Encode(), b) {
			t.Errorf("facts %x became %x", b, f.Encode())
		}
		found, _, err := readBlock(t, "a", b)
		for doc, c := range found {
			if doc < 0 || doc >= BlockDocs || !slices.IsSorted(c.Hits[0]) || len(c.Hits[0]) > len(b) {
				t.Errorf("document %d with %v, %v", doc, c.Hits[0], err)
			}
		}
		var again []byte
		if err := EachBrief(b, func(doc int, f Brief) { again = AppendBrief(again, doc, f) }); err == nil && len(again) == len(b) && !bytes.Equal(again, b) {
			t.Errorf("briefs %x became %x", b, again)
		}
		if err := eachEntry(b, func(_ int, entry []byte) {
			anyValue(entry, func(v []byte) bool { return len(v) > maxFactValue })
		}); err != nil && len(b) == 0 {
			t.Error(err)
		}
	})
}
