package sqlstore

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's counters. All carry the label store.
type metrics struct {
	sent atomic.Int64 // statements, for tests that count them
	rows atomic.Int64 // rows written, likewise

	statements *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	checks     prometheus.Counter
	waiters    prometheus.Counter
	cache      *prometheus.CounterVec
	groups     prometheus.Counter
	commits    prometheus.Counter
	retries    *prometheus.CounterVec

	searches     prometheus.Histogram
	examined     prometheus.Counter
	incomplete   prometheus.Counter
	indexed      prometheus.Counter
	indexSeconds prometheus.Histogram

	registered prometheus.Registerer
}

func newMetrics(store string, to prometheus.Registerer) (*metrics, error) {
	label := prometheus.Labels{"store": store}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: name, Help: help, ConstLabels: label}
	}
	m := &metrics{
		statements: prometheus.NewCounterVec(counter("registry_store_statements_total", "SQL statements sent to the database."), []string{"op"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "registry_store_statement_duration_seconds", Help: "Time until a statement was answered and read.", ConstLabels: label,
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"op"}),
		checks:  prometheus.NewCounter(counter("registry_store_head_checks_total", "Queries of the head of the change log.")),
		waiters: prometheus.NewCounter(counter("registry_store_head_waiters_total", "Reads that waited for a query of the head.")),
		cache: prometheus.NewCounterVec(counter("registry_cache_requests_total", "Look-ups in memory, by what was looked up and whether it was there."),
			[]string{"cache", "result"}),
		groups:  prometheus.NewCounter(counter("registry_store_commit_groups_total", "Transactions that committed changes.")),
		commits: prometheus.NewCounter(counter("registry_store_commits_total", "Changes committed, several in one transaction counted each.")),
		retries: prometheus.NewCounterVec(counter("registry_store_retries_total", "Transactions that were run again, by reason."), []string{"reason"}),
	}
	times := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name, Help: help, ConstLabels: label, Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		})
	}
	m.searches = times("registry_search_duration_seconds", "Time that a search took to find and rank candidates in the store.")
	m.examined = prometheus.NewCounter(counter("registry_search_examined_total", "Changed resources that searches looked at beside the index."))
	m.incomplete = prometheus.NewCounter(counter("registry_search_incomplete_total", "Searches that did not look at everything."))
	m.indexed = prometheus.NewCounter(counter("registry_search_indexed_total", "Resources taken into the search index."))
	m.indexSeconds = times("registry_search_index_duration_seconds", "Time to take some hundred resources into the search index.")
	if to == nil {
		return m, nil
	}
	m.registered = to
	var errs []error
	for _, c := range m.all() {
		errs = append(errs, to.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.statements, m.seconds, m.checks, m.waiters, m.cache, m.groups, m.commits, m.retries,
		m.searches, m.examined, m.incomplete, m.indexed, m.indexSeconds,
	}
}

// close takes the metrics back from where they were registered.
func (m *metrics) close() {
	if m.registered == nil {
		return
	}
	for _, c := range m.all() {
		m.registered.Unregister(c)
	}
}

// statement counts one statement that began at start.
func (m *metrics) statement(op string, start time.Time) {
	m.count(op)
	m.time(op, start)
}

// count counts one statement.
func (m *metrics) count(op string) {
	m.sent.Add(1)
	m.statements.WithLabelValues(op).Inc()
}

// time measures what began at start.
func (m *metrics) time(op string, start time.Time) {
	m.seconds.WithLabelValues(op).Observe(time.Since(start).Seconds())
}

func (m *metrics) looked(cache string, hit bool) {
	result := "miss"
	if hit {
		result = "hit"
	}
	m.cache.WithLabelValues(cache, result).Inc()
}

// background are the metrics of work that nobody asked for: tests that count statements and rows do not see it.
func (m *metrics) background() *metrics {
	return &metrics{statements: m.statements, seconds: m.seconds}
}

// searched notes a search that began at start.
func (m *metrics) searched(start time.Time, f *finder) {
	m.searches.Observe(time.Since(start).Seconds())
	m.examined.Add(float64(len(f.todo)))
	if !f.found.Complete {
		m.incomplete.Inc()
	}
}
