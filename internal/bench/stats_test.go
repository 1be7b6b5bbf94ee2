package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestMedianAndPercentile(t *testing.T) {
	if got := median([]float64{5, 1, 3}); got != 3 {
		t.Errorf("median of three: %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of four: %v", got)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for percent, want := range map[float64]float64{0: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(hundred, percent); got != want {
			t.Errorf("percentile %v: %v, want %v", percent, got, want)
		}
	}
}

func TestQuiet(t *testing.T) {
	same := func(noise float64) float64 { return noise }
	cases := []struct {
		noise []float64
		want  int // runs kept, the quietest
	}{
		{[]float64{1, 2, 3, 40, 50}, 3},
		{[]float64{1, 15, 3, 4, 15.1}, 4},
		{[]float64{50, 40, 60, 70, 30}, fewest}, // none is quiet
		{[]float64{1, 40, 50, 60, 70}, fewest},  // one is
		{[]float64{80, 90}, 2},                  // there are no more
		{nil, 0},
	}
	for _, c := range cases {
		kept := quiet(c.noise, same)
		if len(kept) != c.want {
			t.Errorf("of %v, %v were kept; want %d", c.noise, kept, c.want)
		}
		for i := 1; i < len(kept); i++ {
			if kept[i] < kept[i-1] {
				t.Errorf("of %v, %v were kept: not by noise", c.noise, kept)
			}
		}
	}
}

// someResults has three rounds: in the second, all is twice as slow; in the third, the rival's run is void.
func someResults() results {
	r := results{Rounds: 3, Seconds: 3, Proxies: []string{"elb", "haproxy", "caddy"}, Scenarios: scenarios()[:1], Began: time.Now()}
	add := func(round int, proxy string, cpu, memory float64, invalid string) {
		r.Records = append(r.Records, record{
			Round: round, Scenario: "plain", Proxy: proxy, Invalid: invalid, Requests: 1000, Rate: 40000, P50: 1, P99: 4, CPU: cpu, Memory: memory, Logged: 1,
		})
	}
	add(1, "elb", 18, 10, "")
	add(1, "haproxy", 20, 20, "")
	add(2, "haproxy", 40, 20, "")
	add(2, "elb", 38, 12, "")
	add(3, "elb", 90, 10, "")
	add(3, "haproxy", 0, 0, "Socket errors: connect 1")
	return r
}

func TestRatio_IsOfTheSameRound(t *testing.T) {
	r := someResults()
	got := r.ratio("plain", "elb", "haproxy", figureCPU)
	if got.N != 2 || math.Abs(got.Median-0.925) > 1e-9 || math.Abs(got.Min-0.9) > 1e-9 || math.Abs(got.Max-0.95) > 1e-9 {
		t.Errorf("CPU: %+v; want a median of 0.925 of two rounds", got)
	}
	if got := r.ratio("plain", "elb", "haproxy", figureMemory); math.Abs(got.Median-0.55) > 1e-9 {
		t.Errorf("memory: %+v; want a median of 0.55", got)
	}
	if got := r.ratio("plain", "elb", "caddy", figureCPU); got.N != 0 {
		t.Errorf("a ratio to what was not measured: %+v", got)
	}
}

func TestVerdicts(t *testing.T) {
	of := map[float64]bool{0.99: true, 1: true, 1.004: true, 1.006: false, 2: false}
	for measured, want := range of {
		v := verdict{bar: bar{Limit: 1}, Ratio: spreadOf([]float64{measured})}
		if v.Met() != want {
			t.Errorf("%v against 1: met is %t", measured, v.Met())
		}
	}
	if v := (verdict{bar: bar{Limit: 1}}); v.Met() || v.Judged() {
		t.Error("a bar is met that was not measured")
	}
	known := map[string]bool{}
	for _, s := range scenarios() {
		known[s.Name] = true
	}
	for _, v := range someResults().verdicts() {
		if !known[v.Scenario] || v.Title == "" {
			t.Errorf("there is no scenario %s", v.Scenario)
		}
		if met := v.Scenario == "plain" && v.Rival == "haproxy"; v.Met() != met {
			t.Errorf("%+v: met is %t", v, v.Met())
		}
	}
}

func TestNoise(t *testing.T) {
	begin := time.Now()
	before := sample{at: begin}
	after := sample{
		at: begin.Add(time.Second), machine: machineTime{busy: 1800 * time.Millisecond, steal: 100 * time.Millisecond},
		proxy: 700 * time.Millisecond, self: 10 * time.Millisecond, members: memberCounts{cpu: 500 * time.Millisecond},
	}
	if got := noise(before, after, 390*time.Millisecond, 2); math.Abs(got-15) > 1e-9 {
		t.Errorf("300 ms of 2 s are %v %%", got)
	}
	if got := noise(before, after, 3*time.Second, 2); got != 0 {
		t.Errorf("noise below nothing: %v", got)
	}
}

func TestDocument(t *testing.T) {
	r := someResults()
	text, err := document(r, "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| elb | 40,000 (40,000-40,000) | 1.00 | 4.00 | 38.0 (18.0-90.0) | 0.93 (0.90-0.95, 2) | 10.0 | 0.55 |",
		"**not a complete measurement**", "Round 3, plain, haproxy: Socket errors: connect 1", "not measured", "it logged 100.0 %",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q", want)
		}
	}
	for _, bad := range []string{"NaN", "<no value>", "%!", "Inf"} {
		if strings.Contains(string(text), bad) {
			t.Errorf("the document has %q", bad)
		}
	}
	const advantage = "make pgo"
	if strings.Contains(string(text), advantage) {
		t.Error("elb is said to be built by a profile")
	}
	r.Complete, r.Guided = true, true
	if text, err = document(r, "", "", ""); err != nil || strings.Contains(string(text), "not a complete") {
		t.Errorf("a complete measurement is called incomplete, or: %v", err)
	}
	if !strings.Contains(string(text), advantage) {
		t.Error("that elb is built by a profile is not said")
	}
}

func TestPublish_TellsOfMissedBars(t *testing.T) {
	dir := t.TempDir()
	r := someResults()
	var out strings.Builder
	if err := publish(r, options{out: dir}, &out); err != nil {
		t.Fatal(err)
	}
	if err := publish(r, options{out: dir, strict: true}, &out); err == nil {
		t.Error("-strict does not fail though most bars were not measured")
	}
	if !strings.Contains(out.String(), "met           1 KiB, plain HTTP, 64 connections: CPU per request <= 1.00 x haproxy: 0.93") {
		t.Errorf("the output lacks the bar that was met:\n%s", out.String())
	}
	again, err := loadResults[results](dir + "/lb-" + r.Began.Format("20060102-150405") + ".json")
	if err != nil || len(again.Records) != len(r.Records) {
		t.Errorf("raw figures: %d of %d came back, %v", len(again.Records), len(r.Records), err)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0.456: "0.46", 9.99: "9.99", 12.34: "12.3", 123.4: "123", 1234: "1,234", 1234567: "1,234,567", math.NaN(): "-"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %q, not %q", v, got, want)
		}
	}
}
