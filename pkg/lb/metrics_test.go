package lb

import (
	"fmt"
	"strings"
	"testing"

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
elb_members{domain="empty.domain",state="draining",sub_domain=""} 0
elb_members{domain="empty.domain",state="ejected",sub_domain=""} 0
elb_members{domain="test.domain",state="active",sub_domain=""} 1
elb_members{domain="test.domain",state="draining",sub_domain=""} 0
elb_members{domain="test.domain",state="ejected",sub_domain=""} 1
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
	if after := seriesCount(t, b.metrics); after != before {
		t.Errorf("%d series, before %d", after, before)
	}
	if n, err := testutil.GatherAndCount(b.metrics, "elb_upstream_requests_total"); err != nil || n != 0 {
		t.Errorf("%d series of members that are gone, %v", n, err)
	}
}
