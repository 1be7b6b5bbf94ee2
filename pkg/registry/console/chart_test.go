package console

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestHistogram_Quantile(t *testing.T) {
	h := Histogram{Bounds: []float64{1, 2, 4}, Counts: []float64{50, 90, 90}, Total: 100}
	for q, want := range map[float64]float64{0.25: 0.5, 0.5: 1, 0.7: 1.5, 0.9: 2, 0.95: 4, 1: 4} {
		if got := h.quantile(q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	for _, none := range []Histogram{{}, {Bounds: []float64{1}, Counts: []float64{0}}, h.between(h)} {
		if got := none.quantile(0.5); !math.IsNaN(got) {
			t.Errorf("%+v has a quantile: %v", none, got)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for f, want := range map[float64]float64{0: 1, -3: 1, 1: 1, 1.01: 2, 2: 2, 3: 5, 5: 5, 7: 10, 10: 10, 1234: 2000, 0.03: 0.05, 0.00012: 0.0002, 0.3: 0.5} {
		if got := roundUp(f); math.Abs(got-want) > want*1e-9 {
			t.Errorf("roundUp(%v) is %v, want %v", f, got, want)
		}
	}
	if got := roundUp(math.Inf(1)); got != 1 {
		t.Error(got)
	}
}

func TestFormatFigure(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 0.12345: "0.123", 0.5: "0.5", 1: "1", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 12345.6: "12,346", 100: "100"} {
		if got := formatFigure(f); got != want {
			t.Errorf("%v is written %q, want %q", f, got, want)
		}
	}
}

func TestChart_DrawsLinesWithGaps(t *testing.T) {
	from := time.Unix(0, 0)
	at := func(s int, v float64) point { return point{from.Add(time.Duration(s) * time.Second), v} }
	line := series{Name: `<"x">`, Class: "main", points: []point{at(-5, 9), at(0, 0), at(10, 5), at(20, math.NaN()), at(50, 10), at(100, 2.5)}}
	c := chart{Title: "T", Unit: "u", Lines: []series{line}, from: from, to: from.Add(100 * time.Second)}
	got := string(c.Picture(new(console).chartAlt(c)))
	for _, want := range []string{`d="M0 100h.5L30 50M150 0h.5L300 75"`, `aria-label="T u: &lt;&#34;x&#34;&gt; now 2.5, at most 10"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture lacks %s: %s", want, got)
		}
	}
	if c.Top() != "10" {
		t.Error(c.Top())
	}
	if d := (series{points: []point{at(5, math.NaN())}}).path(from, c.to, 1); d != "" {
		t.Errorf("nothing is drawn as %q", d)
	}
}

func TestThin(t *testing.T) {
	from := time.Unix(1000, 0)
	var all []Sample
	for i := range 100 {
		all = append(all, Sample{At: from.Add(time.Duration(5*i-100) * time.Second), CPU: float64(i)})
	}
	got := thin(all, from, 30*time.Second)
	if first := got[0].At; !first.Before(from) || from.Sub(first) > 30*time.Second {
		t.Errorf("the first is at %s", first)
	}
	if last := got[len(got)-1]; last.CPU != 99 || len(got) < 13 || len(got) > 15 {
		t.Errorf("%d samples, the last %+v", len(got), last)
	}
	for i := 2; i < len(got); i++ { // the first is what came before
		if got[i].At.Truncate(30 * time.Second).Equal(got[i-1].At.Truncate(30 * time.Second)) {
			t.Errorf("two samples of one step: %v", got[i].At)
		}
	}
}
