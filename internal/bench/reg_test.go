package main

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// regRounds makes runs of cells: each with its CPU time per operation and rate in each round.
func regRounds(cpu map[cell][]float64) regResults {
	r := regResults{Began: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Took: "8m0s", Window: "2s", Clients: 64, Keys: 10_000}
	for _, c := range cells() {
		for i, us := range cpu[c] {
			r.Rounds = max(r.Rounds, i+1)
			r.Records = append(r.Records, regRecord{cell: c, Round: i + 1, Requests: 1000, Rate: 1e5 / us, CPU: us, Statements: us / 1000})
		}
	}
	return r
}

func TestRegBars_CompareRunsOfOneRound(t *testing.T) {
	r := regRounds(map[cell][]float64{
		{"get", rigNode}:      {40, 80, 40},
		{"get", rigEtcd}:      {100, 200, 110}, // the machine was slower in the second round
		{"get", rigGateway}:   {180, 390, 190},
		{"put", rigNode}:      {150, 150, 150},
		{"cas", rigEtcd}:      {120, 100, 90},
		{"put", rigUngrouped}: {900, 900, 900},
	})
	want := map[string]struct {
		median float64
		met    bool
	}{
		"get/etcd":      {2.5, true},
		"get/gateway":   {4.75, false},
		"get/":          {0.04, true}, // statements
		"cas/etcd":      {0.67, false},
		"cas/gateway":   {math.NaN(), false},
		"put/ungrouped": {6, true},
	}
	for _, v := range r.verdicts() {
		name := v.Rival.Op + "/" + string(v.Rival.Rig)
		if v.Figure == figureStatements {
			name = "get/"
		}
		w, ok := want[name]
		if !ok {
			t.Errorf("a bar that this test does not know: %s", v)
		}
		if v.Judged() == math.IsNaN(w.median) || v.Judged() && math.Abs(v.Value.Median-w.median) > 0.01 || v.Met() != w.met {
			t.Errorf("%s: %v, met %t, want %v, %t", name, v.Value, v.Met(), w.median, w.met)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("no bar for %v", want)
	}
}

func TestRegSummaries_LeaveOutWhatIsVoidOrNoisy(t *testing.T) {
	node := cell{"get", rigNode}
	r := regRounds(map[cell][]float64{node: {40, 41, 42, 90, 1}})
	r.Records[3].Noise = quietNoise + 1
	r.Records[4].Invalid = "status 503"
	s := r.summarise(node)
	if s.CPU.Median != 41 || s.CPU.N != 3 || s.Measured != 4 || len(r.invalid()) != 1 {
		t.Errorf("%+v, %d void", s, len(r.invalid()))
	}
}

func TestRegDocument_SaysWhatWasMeasured(t *testing.T) {
	r := regRounds(map[cell][]float64{{"get", rigNode}: {40, 40, 40}, {"get", rigEtcd}: {120, 120, 120}, {"put", rigNode}: {150, 150, 150}})
	r.Records = append(r.Records, regRecord{cell: cell{"put", rigEtcd}, Round: 2, Invalid: "etcd ended"})
	text, err := registryDocument(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| get through one node: operations per CPU second at least 2.50 of get of etcd, gRPC | 3.00 (3.00-3.00, 3) | met |",
		"| get through one node: operations per CPU second at least 5.00 of get of etcd, JSON gateway | - | not measured |",
		"| get through one node: statements per operation at most 0.12 | 0.04 (0.04-0.04, 3) | met |",
		"(**not a complete measurement**)", "| one node | 667 |", "round 2, put, etcd, gRPC: etcd ended",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the section has no %q:\n%s", want, text)
		}
	}
	var printed bytes.Buffer
	if err := printRegistry(r, &printed); err != nil || !strings.Contains(printed.String(), "met           get through one node") {
		t.Errorf("%v:\n%s", err, &printed)
	}
}

func TestRegOptions_OnlyACompleteRunGoesIntoTheDocument(t *testing.T) {
	for args, want := range map[string]bool{
		"":                                     true,
		"-rounds 4":                            false,
		"-window 1s":                           false,
		"-cells get/node":                      false,
		"-profile profiles":                    false,
		"-rounds 6 -window 3s -cells= -strict": true,
	} {
		o, err := parseRegOptions(strings.Fields(args), io.Discard)
		if err != nil || o.complete() != want {
			t.Errorf("%q: complete %t, %v", args, o.complete(), err)
		}
	}
	for _, args := range []string{"-rounds 0", "-keys 150", "-cells put/elephant", "more"} {
		if _, err := parseRegOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestSumOf_AddsTheStoreThatIsMeant(t *testing.T) {
	const text = `# TYPE registry_store_statements_total counter
registry_store_statements_total{op="head",store="local"} 7
registry_store_statements_total{op="head",store="shared"} 1.5e+02
registry_store_statements_total{op="path",store="shared"} 3
registry_store_statements_total_other{store="shared"} 9
`
	if n, err := sumOf([]byte(text), "registry_store_statements_total{", `store="shared"`); err != nil || n != 153 {
		t.Errorf("%v, %v", n, err)
	}
}

// A run without a figure, as one whose CPU time could not be read, makes no ratio that is infinite.
func TestRegRatio_RivalWithoutAFigure(t *testing.T) {
	c, rival := cell{"get", rigNode}, cell{"get", rigEtcd}
	r := regResults{Records: []regRecord{
		{cell: c, Round: 1, CPU: 50, Rate: 100},
		{cell: rival, Round: 1},
		{cell: c, Round: 2, CPU: 50, Rate: 100},
		{cell: rival, Round: 2, CPU: 100, Rate: 50},
	}}
	for _, f := range []regFigure{figurePerCPU, figureRate} {
		if got := r.ratio(c, rival, f); got.N != 1 || got.Median != 2 || got.Max != 2 {
			t.Errorf("figure %v: %+v", f, got)
		}
	}
}
