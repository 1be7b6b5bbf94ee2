package console_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry/console"
)

// counted fills the site with samples every five seconds up to now: 10 requests in a second, half of them at most 1 ms and all at most 10 ms, one error
// in two seconds, and a quiet time in the last minute.
func (s *site) counted(b *browser, n int) *browser {
	now := s.clock.Now()
	s.samples = nil
	for i := range n {
		k := float64(min(i, n-12)) // nothing in the last minute
		s.samples = append(s.samples, console.Sample{
			At: now.Add(time.Duration(i-n+1) * 5 * time.Second), Requests: [5]float64{0, 50 * k, 0, 0, 2.5 * k},
			Latency:  console.Histogram{Bounds: []float64{.001, .01}, Counts: []float64{25 * k, 50 * k}, Total: 50 * k},
			InFlight: float64(i % 3), Watches: 4, Statements: 100 * k, CacheHits: 30 * k, CacheMisses: 10 * k, Commits: 64 * k, CommitGroups: 16 * k,
			CPU: 2.5 * float64(i), Goroutines: 120, Heap: 64 << 20, Resident: 200 << 20,
		})
	}
	return b
}

// row finds what the table of a chart says of one of its lines.
func (r reply) row(name string) []string {
	r.t.Helper()
	m := regexp.MustCompile(`</span>` + regexp.QuoteMeta(name) + `</th><td class="num">([^<]*)</td><td class="num">([^<]*)</td><td class="num">([^<]*)</td>`).FindStringSubmatch(r.body)
	if m == nil {
		r.t.Fatalf("no line %q in %s", name, r.body)
	}
	return m[1:]
}

func TestMetrics_TellFiguresAsTable(t *testing.T) {
	s := newSite(t)
	b := s.counted(s.signedIn(), 720)
	for _, span := range []string{"", "?span=1h"} {
		page := b.get("/console/metrics" + span).wantStatus(http.StatusOK)
		for name, want := range map[string][]string{ // now, least, most
			"2xx": {"0", "0", "10"}, "5xx": {"0", "0", "0.5"},
			"half of all (p50)": {"–", "1", "1"}, "99 of 100 (p99)": {"–", "9.82", "9.82"},
			"statements": {"0", "0", "20"}, "cache hits": {"–", "75", "75"}, "committed per second": {"0", "0", "12.8"}, "in one transaction": {"–", "4", "4"},
			"watches": {"4", "4", "4"}, "heap": {"64", "64", "64"}, "process": {"200", "200", "200"}, "processors used": {"0.5", "0.5", "0.5"},
			"hundreds of goroutines": {"1.2", "1.2", "1.2"},
		} {
			if got := page.row(name); !slices.Equal(got, want) {
				t.Errorf("%q: %s is %q, want %q", span, name, got, want)
			}
		}
		if n := strings.Count(page.body, `<svg class="chart"`); n != 10 {
			t.Errorf("%q: %d charts", span, n)
		}
		if size := len(page.body); size > 100<<10 {
			t.Errorf("%q: the page has %d bytes", span, size)
		}
		page.wantText("/metrics")
	}
	b.get("/console/metrics?span=2d").wantStatus(http.StatusBadRequest).wantText("must be 10m or 1h")
}

// A process that has just started, or does nothing, has few figures or none.
func TestMetrics_WithoutFigures(t *testing.T) {
	s := newSite(t)
	for _, n := range []int{0, 1, 13} {
		page := s.counted(s.signedIn(), n).get("/console/metrics").wantStatus(http.StatusOK)
		if strings.Contains(page.body, "NaN") || strings.Contains(page.body, "Inf") {
			t.Errorf("%d samples: %s", n, page.body)
		}
	}
	var err error
	s.handler, err = console.New(console.Config{Service: s.service, Auth: s.auth, Now: s.clock.Now})
	must(t, err)
	s.signedIn().get("/console/metrics").wantStatus(http.StatusOK).wantText("Nothing is counted here")
}
