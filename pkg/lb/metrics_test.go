package lb

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// value is the sum over all series of a family.
func value(t *testing.T, r prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func seriesCount(t *testing.T, r prometheus.Gatherer) int {
	t.Helper()
	n, err := testutil.GatherAndCount(r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMetrics_Lint(t *testing.T) {
	b := newBench(t, nil)
	b.members(refusedAddr(t), goodMember(t, "good"))
	b.get("/")
	b.get("/", "Host", "unknown.example")
	b.get("/", "Host", "empty.example")
	waitFor(t, func() bool { return value(t, b.metrics, "elb_requests_total") == 3 }) // the client has its answer before it is counted
	problems, err := testutil.GatherAndLint(b.metrics)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{
		"elb_requests_total", "elb_request_duration_seconds", "elb_upstream_requests_total", "elb_retries_total",
		"elb_members", "elb_no_member_total", "elb_ejections_total", "elb_retry_budget_exhausted_total", "elb_requests_in_flight",
	} {
		if n, err := testutil.GatherAndCount(b.metrics, name); err != nil || n == 0 {
			t.Errorf("%s: %d series, %v", name, n, err)
		}
	}
	err = testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP elb_no_member_total Requests answered with 503 because the pool had no member.
# TYPE elb_no_member_total counter
elb_no_member_total{domain="empty.domain"} 1
elb_no_member_total{domain="test.domain"} 0
# HELP elb_requests_total Requests by what the client got; code 499 is a client that left.
# TYPE elb_requests_total counter
elb_requests_total{code="200",domain="test.domain",method="GET",sub_domain=""} 1
elb_requests_total{code="404",domain="_other",method="GET",sub_domain=""} 1
elb_requests_total{code="503",domain="empty.domain",method="GET",sub_domain=""} 1
# HELP elb_members Members in the table of this ELB, by state.
# TYPE elb_members gauge
elb_members{domain="empty.domain",state="active",sub_domain=""} 0
elb_members{domain="empty.domain",state="down",sub_domain=""} 0
elb_members{domain="empty.domain",state="draining",sub_domain=""} 0
elb_members{domain="empty.domain",state="ejected",sub_domain=""} 0
elb_members{domain="empty.domain",state="suspect",sub_domain=""} 0
elb_members{domain="empty.domain",state="unproven",sub_domain=""} 0
elb_members{domain="test.domain",state="active",sub_domain=""} 1
elb_members{domain="test.domain",state="down",sub_domain=""} 0
elb_members{domain="test.domain",state="draining",sub_domain=""} 0
elb_members{domain="test.domain",state="ejected",sub_domain=""} 1
elb_members{domain="test.domain",state="suspect",sub_domain=""} 0
elb_members{domain="test.domain",state="unproven",sub_domain=""} 0
`), "elb_no_member_total", "elb_requests_total", "elb_members")
	if err != nil {
		t.Error(err)
	}
}

// Hosts, methods, paths and members that come and go must not leave series behind.
func TestMetrics_DoNotGrow(t *testing.T) {
	b := newBench(t, nil)
	good := goodMember(t, "good")
	b.members()
	for range 2 { // the first round makes the series that stay
		for _, method := range []string{"GET", "BREW"} {
			for _, host := range []string{"app.example", "unknown.example"} {
				if _, _, err := b.do(method, "/", nil, "Host", host); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	b.members(good)
	b.get("/")
	if _, _, err := b.do("BREW", "/", nil); err != nil {
		t.Fatal(err)
	}
	b.members()
	waitFor(t, func() bool { return value(t, b.metrics, "elb_requests_total") == 10 }) // a request is counted after its answer
	before := seriesCount(t, b.metrics)
	for i := range 50 {
		b.members(good, good, good)
		if _, _, err := b.do(fmt.Sprintf("M%d", i), fmt.Sprintf("/%d", i), nil, "Host", fmt.Sprintf("h%d.example", i)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.do(fmt.Sprintf("M%d", i), "/", nil); err != nil {
			t.Fatal(err)
		}
		b.members()
	}
	waitFor(t, func() bool { return value(t, b.metrics, "elb_requests_total") == 110 })
	if after := seriesCount(t, b.metrics); after != before {
		t.Errorf("%d series, before %d", after, before)
	}
	if n, err := testutil.GatherAndCount(b.metrics, "elb_upstream_requests_total"); err != nil || n != 0 {
		t.Errorf("%d series of members that are gone, %v", n, err)
	}
}

// A method is counted as itself or as OTHER, whether it comes as text or as bytes.
func TestMethodOf(t *testing.T) {
	labels := methodLabels()
	for i, label := range labels {
		if got := methodOf(label); got != methodIndex(i) {
			t.Errorf("%s is counted as %s", label, labels[got])
		}
		if got := methodOf([]byte(label)); got != methodIndex(i) {
			t.Errorf("%s, as bytes, is counted as %s", label, labels[got])
		}
	}
	for _, method := range []string{"", "get", "GETS", "GE", "BREW", "PROPPATCHES", "CONNECT", strings.Repeat("X", 5000)} {
		if got := methodOf([]byte(method)); got != methodOther {
			t.Errorf("%.20s is counted as %s", method, labels[got])
		}
	}
}

func testMetrics(tb testing.TB) (*metrics, *prometheus.Registry) {
	tb.Helper()
	r := prometheus.NewRegistry()
	m, err := newMetrics(r, &atomic.Pointer[Table]{}, &atomic.Int64{})
	if err != nil {
		tb.Fatal(err)
	}
	return m, r
}

// All methods and codes, each counted first by many goroutines at once, land in their own series, those outside of HTTP's range as well.
func TestPoolMetrics_Finished(t *testing.T) {
	const goroutines = 4
	m, r := testMetrics(t)
	p := m.pool("d", "s")
	codes := []int{0, 99, 100, 101, 200, 304, 404, 499, 599, 600, 999}
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for method := range methodCount {
				for _, code := range codes {
					p.finished(method, code, 3*time.Millisecond)
				}
			}
			p.finished(methodOf("GET"), 200, 3*time.Millisecond)
		})
	}
	group.Wait()
	for _, method := range methodLabels() {
		for _, code := range codes {
			want := float64(goroutines)
			if method == "GET" && code == 200 {
				want = 2 * goroutines
			}
			if got := testutil.ToFloat64(m.requests.WithLabelValues("d", "s", strconv.Itoa(code), method)); got != want {
				t.Errorf("%s %d: %v, want %v", method, code, got, want)
			}
		}
	}
	durations := 0
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "elb_request_duration_seconds" {
			continue
		}
		for _, series := range f.GetMetric() {
			method, want := series.GetLabel()[1].GetValue(), uint64(goroutines*len(codes)) // labels are sorted by name
			if method == "GET" {
				want += goroutines
			}
			durations++
			if h := series.GetHistogram(); h.GetSampleCount() != want || h.GetBucket()[1].GetCumulativeCount() != 0 || h.GetBucket()[2].GetCumulativeCount() != want {
				t.Errorf("%s took %v, want %d samples of 3 ms", method, h, want)
			}
		}
	}
	if durations != int(methodCount) {
		t.Errorf("%d histograms", durations)
	}
	if n, err := testutil.GatherAndCount(r, "elb_requests_total"); err != nil || n != int(methodCount)*len(codes) {
		t.Errorf("%d series, %v", n, err)
	}
}

func TestMemberMetrics_Count(t *testing.T) {
	m, _ := testMetrics(t)
	series := m.member(Member{Domain: "d", ID: "a"})
	for _, c := range []struct {
		r    Result
		want string
	}{
		{Result{Status: 200}, "ok"},
		{Result{Status: 304}, "ok"},
		{Result{Status: 400}, "4xx"},
		{Result{Status: 499}, "4xx"},
		{Result{Status: 500}, "5xx"},
		{Result{Status: 999}, "5xx"},
		{Result{Failure: FailureConnect}, "connect"},
		{Result{Failure: FailureReset, Status: 200}, "reset"},
		{Result{Failure: FailureTimeout}, "timeout"},
		{Result{Failure: FailureBroken, Status: 500}, "broken"},
		{Result{Failure: FailureClient}, "client"},
	} {
		counter := m.upstream.WithLabelValues("d", "a", c.want)
		before := testutil.ToFloat64(counter)
		if series.count(c.r); testutil.ToFloat64(counter) != before+1 {
			t.Errorf("%+v does not count as %s", c.r, c.want)
		}
	}
	if n := testutil.CollectAndCount(m.upstream); n != int(outcomeCount) {
		t.Errorf("%d series", n)
	}
}

func TestMetrics_DoNotAllocate(t *testing.T) {
	m, _ := testMetrics(t)
	p, member := m.pool("d", ""), m.member(Member{Domain: "d", ID: "a"})
	for _, method := range [][]byte{[]byte("GET"), []byte("PROPPATCH"), []byte("BREW"), []byte(strings.Repeat("X", 100))} {
		if n := testing.AllocsPerRun(100, func() {
			p.finished(methodOf(method), 200, time.Millisecond)
			member.count(Result{Status: 200})
		}); n != 0 {
			t.Errorf("%.20s: %v allocations", method, n)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	m, _ := testMetrics(b)
	p, member := m.pool("d", ""), m.member(Member{Domain: "d", ID: "a"})
	method := []byte("PROPFIND")
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.finished(methodOf(method), 200, 3*time.Millisecond)
		}
	})
	b.Run("request/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				p.finished(methodOf(method), 200, 3*time.Millisecond)
			}
		})
	})
	b.Run("attempt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			member.count(Result{Status: 200})
		}
	})
}
