package backup

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var example = Manifest{
	CreatedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), By: "admin", Program: "1.2.3", Store: "shared", Identity: "00", Schema: 13, Seq: 7,
	Tables: []Table{{"empty", []string{"a"}}, {"few", []string{"id", "n", "maybe"}}, {"large", []string{"data"}}},
}

// write makes a backup whose largest table has three pieces.
func write(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, example)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]any{{[]byte{}, int64(-1 << 63), nil}, {[]byte("\x00é\n\""), int64(1<<63 - 1), []byte("x")}}
	for _, r := range rows {
		if err := w.Row("few", r); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if err := w.Row("large", []any{bytes.Repeat([]byte{byte(i)}, 2<<20)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRead_GivesWhatWasWritten(t *testing.T) {
	var order []string
	got := map[string][][]any{}
	m, end, err := Read(bytes.NewReader(write(t)), func(Manifest) error { order = append(order, "manifest"); return nil }, func(t Table, rows [][]any) error {
		order = append(order, t.Name)
		got[t.Name] = append(got[t.Name], rows...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.Seq != 7 || m.Store != "shared" || !m.CreatedAt.Equal(example.CreatedAt) || m.Version != Version {
		t.Errorf("%+v", m)
	}
	if diff := cmp.Diff(map[string]int64{"empty": 0, "few": 2, "large": 5}, end.Rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"manifest", "few", "large", "large", "large"}, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]any{{[]byte{}, int64(-1 << 63), nil}, {[]byte("\x00é\n\""), int64(1<<63 - 1), []byte("x")}}, got["few"]); diff != "" {
		t.Error(diff)
	}
	refused := errors.New("refused")
	if _, _, err := Read(bytes.NewReader(write(t)), func(Manifest) error { return refused }, nil); !errors.Is(err, refused) {
		t.Errorf("the manifest refuses: %v", err)
	}
	if _, _, err := Read(bytes.NewReader(write(t)), nil, func(Table, [][]any) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("the rows refuse: %v", err)
	}
}

// Any damage is found, wherever it is.
func TestRead_FindsDamage(t *testing.T) {
	whole := write(t)
	damaged := func(what string, data []byte) {
		t.Helper()
		_, _, err := Read(bytes.NewReader(data), nil, nil)
		if d, ok := errors.AsType[*DamageError](err); !ok || d.Entry == "" || d.Why == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	damaged("nothing", nil)
	damaged("a text", []byte("hello, this is no backup"))
	for _, cut := range []int{1, 20, len(whole) / 2, len(whole) - 9, len(whole) - 1} {
		damaged("cut off", whole[:cut])
	}
	damaged("something behind it", append(bytes.Clone(whole), "more"...))
	for i := 10; i < len(whole); i += max(1, len(whole)/80) { // the head of gzip has bytes that mean nothing
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		damaged("a bit", broken)
	}
}

func TestRead_SaysWhere(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, example)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.entry("rows/few/000001.jsonl", []byte("[\"\",1,null]\n[\"\",\"no base64!\",null]\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err = Read(&out, nil, nil)
	if err == nil || !strings.Contains(err.Error(), `at "rows/few/000001.jsonl"`) || !strings.Contains(err.Error(), "line 2: value 2 is not base64") {
		t.Errorf("%v", err)
	}
	for name, entries := range map[string][]string{
		"its place":    {"rows/large/000001.jsonl", "rows/few/000001.jsonl"},
		"missing":      {"rows/few/000002.jsonl"},
		"other tables": {"rows/none/000001.jsonl"},
	} {
		out.Reset()
		if w, err = NewWriter(&out, example); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := w.entry(e, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Read(&out, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, m := range []Manifest{{}, {Tables: []Table{{"a", nil}}}, {Tables: []Table{{"a", []string{"x"}}, {"a", []string{"x"}}}}} {
		if _, err := NewWriter(&out, m); err == nil {
			t.Errorf("%+v was taken", m)
		}
	}
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	w, err := NewWriter(&out, example)
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Row("few", []any{[]byte("x"), int64(1), nil}); err != nil {
		f.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		n := int64(0)
		_, end, err := Read(bytes.NewReader(data), nil, func(table Table, rows [][]any) error {
			for _, r := range rows {
				if len(r) != len(table.Columns) {
					t.Fatalf("%s has %v", table.Name, r)
				}
			}
			n += int64(len(rows))
			return nil
		})
		if err != nil {
			return
		}
		for _, rows := range end.Rows {
			n -= rows
		}
		if n != 0 {
			t.Fatalf("rows are missing: %d", n)
		}
	})
}
