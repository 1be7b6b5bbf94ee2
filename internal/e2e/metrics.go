package e2e

import (
	"bytes"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Scrape reads /metrics of an admin listener.
func Scrape(t testing.TB, adminPort int) []byte {
	t.Helper()
	a, err := NewClient(adminPort).Do(t.Context(), "GET", "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != 200 {
		t.Fatalf("/metrics: status %d: %s", a.Status, firstBytes(a.Body))
	}
	return a.Body
}

// LintMetrics fails the test for what Prometheus's own linter finds in an exposition.
func LintMetrics(t testing.TB, name string, text []byte) {
	t.Helper()
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Errorf("%s: metrics do not parse: %v", name, err)
	}
	for _, p := range problems {
		t.Errorf("%s: metric %s: %s", name, p.Metric, p.Text)
	}
}

// SumMetric adds up all series of a counter or gauge. A metric that is not there fails the test: zero would hide a renamed one.
func SumMetric(t testing.TB, text []byte, name string) float64 {
	t.Helper()
	sum := 0.0
	for _, v := range MetricBy(t, text, name, "") {
		sum += v
	}
	return sum
}

// MetricBy adds up the series of a counter or gauge that have the same value of a label.
func MetricBy(t testing.TB, text []byte, name, label string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	family := families[name]
	if family == nil {
		t.Fatalf("no metric %s", name)
	}
	sums := map[string]float64{}
	for _, m := range family.GetMetric() {
		value := ""
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				value = l.GetValue()
			}
		}
		sums[value] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sums
}
