package registryd

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/regent-registry/regent/pkg/registry/console"
)

const (
	// sampleEvery is how often a node looks at its own metrics, and samplesKept how many looks it keeps: an hour, in about half a MiB.
	sampleEvery = 5 * time.Second
	samplesKept = 720
)

// samples keeps what the metrics of this process were in the last hour, for the console's charts. Safe for concurrent use.
type samples struct {
	from    prometheus.Gatherer
	watches func() int
	now     func() time.Time

	mu   sync.Mutex
	ring []console.Sample
	next int // where in ring the next one goes, once it is full
}

// take looks at the metrics until ctx ends.
func (s *samples) take(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		s.once()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once adds a sample. Metrics that cannot be gathered are left out, as far as the others can.
func (s *samples) once() {
	families, _ := s.from.Gather()
	sample := console.Sample{At: s.now(), Watches: float64(s.watches())}
	for _, f := range families {
		addFamily(&sample, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) < samplesKept {
		s.ring = append(s.ring, sample)
		return
	}
	s.ring[s.next] = sample
	s.next = (s.next + 1) % samplesKept
}

// list gives the samples, the oldest first.
func (s *samples) list() []console.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]console.Sample, 0, len(s.ring))
	return append(append(list, s.ring[s.next:]...), s.ring[:s.next]...)
}

// last is the newest sample; false when there is none.
func (s *samples) last() (console.Sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == 0 {
		return console.Sample{}, false
	}
	return s.ring[(s.next+len(s.ring)-1)%len(s.ring)], true
}

// perSecond is how many requests were answered in a second, lately.
func (s *samples) perSecond() float64 {
	list := s.list()
	if len(list) < 2 {
		return 0
	}
	now, before := list[len(list)-1], list[max(0, len(list)-3)]
	all := 0.0
	for i := range now.Requests {
		all += now.Requests[i] - before.Requests[i]
	}
	return all / max(now.At.Sub(before.At).Seconds(), 1)
}

// addFamily adds what a sample has of a metric. Health checks are left out: they are nobody's requests.
func addFamily(to *console.Sample, f *dto.MetricFamily) {
	for _, m := range f.GetMetric() {
		switch f.GetName() {
		case "registry_http_requests_total":
			if class := label(m, "code"); label(m, "door") != "health" && class != "" && class[0] >= '1' && class[0] <= '5' {
				to.Requests[class[0]-'1'] += m.GetCounter().GetValue()
			}
		case "registry_http_request_duration_seconds":
			if label(m, "door") != "health" {
				addHistogram(&to.Latency, m.GetHistogram())
			}
		case "registry_http_requests_in_flight":
			to.InFlight += m.GetGauge().GetValue()
		case "registry_store_statements_total":
			to.Statements += m.GetCounter().GetValue()
		case "registry_store_statement_duration_seconds":
			addHistogram(&to.StatementLatency, m.GetHistogram())
		case "registry_cache_requests_total":
			if label(m, "result") == "hit" {
				to.CacheHits += m.GetCounter().GetValue()
			} else {
				to.CacheMisses += m.GetCounter().GetValue()
			}
		case "registry_store_commits_total":
			to.Commits += m.GetCounter().GetValue()
		case "registry_store_commit_groups_total":
			to.CommitGroups += m.GetCounter().GetValue()
		case "go_goroutines":
			to.Goroutines = m.GetGauge().GetValue()
		case "go_memstats_heap_alloc_bytes":
			to.Heap = m.GetGauge().GetValue()
		case "process_resident_memory_bytes":
			to.Resident = m.GetGauge().GetValue()
		case "process_cpu_seconds_total":
			to.CPU = m.GetCounter().GetValue()
		}
	}
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// addHistogram adds h, whose buckets are those of to, or the first ones.
func addHistogram(to *console.Histogram, h *dto.Histogram) {
	buckets := h.GetBucket()
	if to.Bounds == nil {
		for _, b := range buckets {
			to.Bounds = append(to.Bounds, b.GetUpperBound())
		}
		to.Counts = make([]float64, len(buckets))
	}
	if len(buckets) != len(to.Counts) {
		return
	}
	for i, b := range buckets {
		to.Counts[i] += float64(b.GetCumulativeCount())
	}
	to.Total += float64(h.GetSampleCount())
}
