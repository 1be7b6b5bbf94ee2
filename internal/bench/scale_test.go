package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A small measurement of everything: each operation runs in both stores, finds what it should, and stands in the section.
func TestScale_MeasuresBothStores(t *testing.T) {
	dir := t.TempDir()
	doc := filepath.Join(dir, "doc.md")
	if err := os.WriteFile(doc, []byte("before\n"+scaleSection.whole("earlier figures\n")+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := runScale(t.Context(), []string{"-small", "200", "-resources", "600", "-rounds", "1", "-window", "1ms", "-databases", sqliteName, "-out", dir, "-doc", doc}, &out, io.Discard)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	text, err := os.ReadFile(doc)
	if err != nil || !strings.HasPrefix(string(text), "before\n") || !strings.HasSuffix(string(text), "after\n") || strings.Contains(string(text), "earlier figures") {
		t.Errorf("the document: %s, %v", text, err)
	}
	for _, op := range scaleOps() {
		if !strings.Contains(string(text), "| "+op.title+" |") {
			t.Errorf("the section has nothing of %s", op.name)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "scale-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("raw figures: %v, %v", files, err)
	}
	r, err := loadScaleResults(files[0])
	if err != nil || len(r.Loads) != 2 || r.Complete {
		t.Fatalf("%+v, %v", r, err)
	}
	answers := map[string][2]string{"rare": {"10", "10"}, "common": {"200", "600"}, "path-deep": {"0", "100"}, "none": {"0", "0"}, "phrase": {"1", "1"}, "list-first": {"100 entries", "100 entries"}}
	for _, rec := range r.Records {
		if want, ok := answers[rec.Op]; ok && rec.Answer != want[map[bool]int{true: 1}[rec.Large]] {
			t.Errorf("%s, large %t: %q", rec.Op, rec.Large, rec.Answer)
		}
		if rec.Times == 0 || rec.P50 <= 0 {
			t.Errorf("%+v", rec)
		}
	}
}

func TestScaleRows_CompareStoresOfOneRound(t *testing.T) {
	r := scaleResults{Began: time.Unix(0, 0), Sizes: [2]int{10, 1000}}
	for round, cpu := range [][2]float64{{10, 15}, {40, 60}, {10, 25}} { // the machine was slower in the second round
		for i, us := range cpu {
			r.Records = append(r.Records, scaleRecord{Database: mariadbName, Op: "put", Round: round + 1, Large: i == 1, Times: 1, CPU: us, P50: us / 100, Rows: 12})
		}
	}
	tables := r.tables()
	if len(tables) != 1 || len(tables[0].Rows) != 1 {
		t.Fatalf("%+v", tables)
	}
	if row := tables[0].Rows[0]; math.Abs(row.CPURatio.Median-1.5) > 1e-9 || row.CPURatio.Max != 2.5 || !row.Met() {
		t.Errorf("%+v", row)
	}
}
