package elbd

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/lb"
)

// exchangeMetrics tell of what ELBs tell each other.
type exchangeMetrics struct {
	sent    prometheus.Counter
	hints   *prometheus.CounterVec
	reports *prometheus.CounterVec
	peers   *prometheus.Desc
	count   func() map[string]int
}

// The values of the label result of reports.
const (
	reportTaken     = "taken"
	reportOld       = "old"       // a newer one was taken
	reportMalformed = "malformed" // it cannot be read
	reportStranger  = "stranger"  // of no ELB
	reportSurplus   = "surplus"   // there are too many ELBs
)

// hintLimited is a result of a hint besides those of [lb.HintResult]: one ELB asks for too many checks.
const hintLimited = "limited"

func newExchangeMetrics(count func() map[string]int) *exchangeMetrics {
	m := &exchangeMetrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "elb_hints_sent_total", Help: "Members in trouble that other ELBs were told of at once, counted for each ELB.",
		}),
		hints: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "elb_hints_received_total", Help: "Members in trouble that other ELBs told of, by what this one did.",
		}, []string{"result"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "elb_peer_reports_total", Help: "Reports that came from other ELBs, by what became of them.",
		}, []string{"result"}),
		peers: prometheus.NewDesc("elb_peers", "Other ELBs in sight, by whether their configuration is the same.", []string{"config"}, nil),
		count: count,
	}
	for _, r := range lb.HintResults() {
		m.hints.WithLabelValues(r.String())
	}
	m.hints.WithLabelValues(hintLimited)
	for _, r := range []string{reportTaken, reportOld, reportMalformed, reportStranger, reportSurplus} {
		m.reports.WithLabelValues(r)
	}
	return m
}

func (m *exchangeMetrics) report(result string)      { m.reports.WithLabelValues(result).Inc() }
func (m *exchangeMetrics) hint(result string, n int) { m.hints.WithLabelValues(result).Add(float64(n)) }

// Describe implements prometheus.Collector.
func (m *exchangeMetrics) Describe(ch chan<- *prometheus.Desc) {
	m.sent.Describe(ch)
	m.hints.Describe(ch)
	m.reports.Describe(ch)
	ch <- m.peers
}

// Collect implements prometheus.Collector.
func (m *exchangeMetrics) Collect(ch chan<- prometheus.Metric) {
	m.sent.Collect(ch)
	m.hints.Collect(ch)
	m.reports.Collect(ch)
	for config, n := range m.count() {
		ch <- prometheus.MustNewConstMetric(m.peers, prometheus.GaugeValue, float64(n), config)
	}
}
