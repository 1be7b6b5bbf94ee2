package console

import (
	"math"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// span is how far back the charts look, and how much of it one point stands for.
type span struct {
	Name, Title string
	long, step  time.Duration
}

// spans are those that can be chosen; the first is the usual one.
var spans = []span{
	{"10m", mark("10 minutes"), 10 * time.Minute, 5 * time.Second},
	{"1h", mark("1 hour"), time.Hour, 30 * time.Second},
}

// metricsView is the figures of this node as charts.
type metricsView struct {
	nodeView
	Spans   []span
	Span    span
	Charts  []chart
	Missing bool   // nothing is counted here
	All     string // address of all metrics
}

func (c *console) metrics(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if _, err := c.Service.ServerView(a); err != nil {
		return err
	}
	v := metricsView{nodeView: c.nodeOf(r, "metrics", "/console/metrics"), Spans: spans, Span: spans[0], Missing: c.Samples == nil, All: c.MetricsURL}
	if v.retry(w, r) {
		return nil
	}
	name := r.URL.Query().Get("span")
	for _, s := range spans {
		if s.Name == name {
			v.Span = s
		}
	}
	if name != "" && v.Span.Name != name {
		return registry.Errorf(registry.CodeInvalid, "span is %q; it must be 10m or 1h", shorten(name))
	}
	if !v.Missing {
		now := c.Now()
		v.Charts = c.chartsOf(thin(c.Samples(), now.Add(-v.Span.long), v.Span.step), now.Add(-v.Span.long), now)
	}
	title := c.say("Metrics")
	if c.Node != "" {
		title = c.say("Metrics of %s", c.Node)
	}
	f := c.frame(r, a, title)
	f.Section, f.Page = "server", v
	return c.render(w, http.StatusOK, "metrics", f)
}

// figure computes a value from two samples that follow each other; seconds is the time between them. NaN is no value.
type figure func(before, now Sample, seconds float64) float64

// rate is how fast a counter grew. A process that started anew counts from zero.
func rate(count func(Sample) float64) figure {
	return func(before, now Sample, seconds float64) float64 { return (count(now) - count(before)) / seconds }
}

// level is what a gauge shows.
func level(value func(Sample) float64) figure {
	return func(_, now Sample, _ float64) float64 { return value(now) }
}

// quantile is a share of the times that came between the samples, in milliseconds.
func quantile(q float64, of func(Sample) Histogram) figure {
	return func(before, now Sample, _ float64) float64 { return 1000 * of(now).between(of(before)).quantile(q) }
}

// share is how much of both counters' growth the first one had, as a factor; NaN when neither grew.
func share(part, whole func(Sample) float64, factor float64) figure {
	return func(before, now Sample, _ float64) float64 {
		if d := whole(now) - whole(before); d > 0 {
			return factor * (part(now) - part(before)) / d
		}
		return math.NaN()
	}
}

// drawing is a chart that the page has.
type drawing struct {
	title, unit string
	lines       []drawnLine
}

type drawnLine struct {
	name, class string
	figure      figure
}

// drawings are the charts in their order on the page.
func drawings() []drawing {
	class := func(n int) func(Sample) float64 { return func(s Sample) float64 { return s.Requests[n-1] } }
	latency := func(s Sample) Histogram { return s.Latency }
	statement := func(s Sample) Histogram { return s.StatementLatency }
	hits := func(s Sample) float64 { return s.CacheHits }
	looks := func(s Sample) float64 { return s.CacheHits + s.CacheMisses }
	commits := func(s Sample) float64 { return s.Commits }
	groups := func(s Sample) float64 { return s.CommitGroups }
	return []drawing{
		{mark("Requests"), mark("per second"), []drawnLine{
			{"2xx", "ok", rate(class(2))}, {"3xx", "calm", rate(class(3))}, {"4xx", "warn", rate(class(4))}, {"5xx", "bad", rate(class(5))},
		}},
		{mark("Time to answer"), "ms", []drawnLine{
			{mark("half of all (p50)"), "main", quantile(0.5, latency)},
			{mark("99 of 100 (p99)"), "warn", quantile(0.99, latency)},
		}},
		{mark("Errors of this node"), mark("per second"), []drawnLine{{"5xx", "bad", rate(class(5))}}},
		{mark("Requests and watches"), mark("now"), []drawnLine{
			{mark("requests being served"), "main", level(func(s Sample) float64 { return s.InFlight })},
			{mark("watches"), "calm", level(func(s Sample) float64 { return s.Watches })},
		}},
		{mark("Statements to the stores"), mark("per second"), []drawnLine{{mark("statements"), "main", rate(func(s Sample) float64 { return s.Statements })}}},
		{mark("Time of a statement"), "ms", []drawnLine{
			{mark("half of all (p50)"), "main", quantile(0.5, statement)},
			{mark("99 of 100 (p99)"), "warn", quantile(0.99, statement)},
		}},
		{mark("Found in memory"), mark("% of look-ups"), []drawnLine{{mark("cache hits"), "main", share(hits, looks, 100)}}},
		{mark("Changes"), "", []drawnLine{
			{mark("committed per second"), "main", rate(commits)},
			{mark("in one transaction"), "calm", share(commits, groups, 1)},
		}},
		{mark("Memory"), "MiB", []drawnLine{
			{mark("heap"), "main", level(func(s Sample) float64 { return s.Heap / (1 << 20) })},
			{mark("process"), "calm", level(func(s Sample) float64 { return s.Resident / (1 << 20) })},
		}},
		{mark("Processor and goroutines"), "", []drawnLine{
			{mark("processors used"), "main", rate(func(s Sample) float64 { return s.CPU })},
			{mark("hundreds of goroutines"), "calm", level(func(s Sample) float64 { return s.Goroutines / 100 })},
		}},
	}
}

// chartsOf draws samples from one moment to another.
func (c *console) chartsOf(list []Sample, from, to time.Time) []chart {
	var charts []chart
	for _, d := range drawings() {
		ch := chart{Title: c.say(d.title), Unit: c.say(d.unit), from: from, to: to}
		for _, l := range d.lines {
			s := series{Name: c.say(l.name), Class: l.class}
			for i := 1; i < len(list); i++ {
				before, now := list[i-1], list[i]
				if seconds := now.At.Sub(before.At).Seconds(); seconds > 0 && !now.At.Before(from) {
					s.points = append(s.points, point{now.At, l.figure(before, now, seconds)})
				}
			}
			ch.Lines = append(ch.Lines, s)
		}
		charts = append(charts, ch)
	}
	return charts
}
