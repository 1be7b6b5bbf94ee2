package registrycli

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/registrybench"
	"github.com/regent-registry/regent/pkg/registry/client"
)

// bench puts load on a registry and reports how it answered.
func bench(f *flag.FlagSet) action {
	c := registrybench.Config{Size: 1 << 10, MediaType: "text/plain", Timeout: 30 * time.Second}
	mix := f.String("mix", "put=10,get=80,list=10", "how often each of put, get and list is done, as `weights`")
	f.IntVar(&c.Clients, "clients", 64, fmt.Sprintf("how `many` clients, each with a connection of its own; up to %d", registrybench.MaxClients))
	f.DurationVar(&c.Duration, "duration", 30*time.Second, "for how `long`; up to 24h")
	f.Float64Var(&c.Rate, "rate", 0, "requests per `second`, of all clients together, whether the answers keep up or not; latencies count from when a request was due. 0: each client sends its next request when it has its answer")
	f.Var((*byteSize)(&c.Size), "size", "`bytes` of a content, such as 300, 1KiB or 4MiB")
	f.IntVar(&c.Resources, "resources", 1000, fmt.Sprintf("how `many` resources, 100 in a collection; up to %d", registrybench.MaxResources))
	f.StringVar(&c.MediaType, "type", c.MediaType, "the media `type` of the contents; text is indexed for the search, application/octet-stream is not")
	f.StringVar(&c.Collection, "prefix", "", "the `path` of a collection to work in, which must not exist yet and is removed at the end; one in /_system/governance when not given")
	f.DurationVar(&c.Timeout, "timeout", c.Timeout, "how `long` one request may take")
	f.BoolVar(&c.Keep, "keep", false, "do not remove the collection at the end")
	return func(ctx context.Context, s *session, _ []string) error {
		var err error
		if c.Mix, err = registrybench.ParseMix(*mix); err != nil {
			return usagef("%s", err)
		}
		if err := c.Validate(); err != nil {
			return usagef("%s", err)
		}
		if c.Collection == "" {
			c.Collection = "/_system/governance/bench-" + strings.ToLower(rand.Text()[:10])
		}
		return s.bench(ctx, c)
	}
}

// bench runs the load and prints its report.
func (s *session) bench(ctx context.Context, c registrybench.Config) (err error) {
	if c.Setup, err = s.clientWith(nil); err != nil {
		return err
	}
	if c.Load, err = s.clientWith(func(o *client.Config) { o.Attempts, o.Connections = 1, c.Clients }); err != nil {
		return err
	}
	s.say("working in %s", c.Collection)
	if _, ok := terminal(s.Err); ok && !s.quiet {
		c.Progress = func(p registrybench.Progress) { fmt.Fprintf(s.Err, "\r\x1b[K%s", progressLine(p, c)) }
	}
	r, err := registrybench.Run(ctx, c)
	if c.Progress != nil {
		fmt.Fprint(s.Err, "\r\x1b[K")
	}
	if r.Operations != nil { // there was a load
		if printed := s.printBench(r); printed != nil {
			return printed
		}
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case r.Errors > 0:
		return fmt.Errorf("%d of %d requests failed", r.Errors, r.Errors+r.Requests)
	}
	return nil
}

// progressLine says where a run is.
func progressLine(p registrybench.Progress, c registrybench.Config) string {
	perSecond := float64(p.Requests) / max(p.Elapsed.Seconds(), 0.001)
	switch p.Phase {
	case "prepare":
		return fmt.Sprintf("storing resources: %d of %d", p.Requests, c.Resources)
	case "connect":
		return fmt.Sprintf("connecting: %d of %d", p.Requests, c.Clients)
	case "load":
		return fmt.Sprintf("%s of %s, %.0f requests/s, %d errors", p.Elapsed.Round(time.Second), c.Duration, perSecond, p.Errors)
	}
	return "removing " + printable(c.Collection)
}

// printBench prints the report of a run.
func (s *session) printBench(r registrybench.Report) error {
	if s.json {
		return s.writeJSON(r)
	}
	pace := "as fast as the answers came"
	if r.Rate > 0 {
		pace = fmt.Sprintf("%g requests/s meant, latencies from when they were due", r.Rate)
	}
	fmt.Fprintf(s.Out, "%d clients, %s, %d resources of %d bytes, %s\n", r.Clients, r.Mix, r.Resources, r.Size, pace)
	fmt.Fprintf(s.Out, "%d requests in %.1f s: %.0f requests/s, %d errors\n\n", r.Requests, r.Seconds, r.PerSecond, r.Errors)
	t := s.table("OPERATION", "REQUESTS", "ERRORS", "PER SECOND", "MEAN", "P50", "P90", "P99", "P99.9", "MAX")
	for _, o := range r.Operations {
		t.row(o.Operation, strconv.FormatInt(o.Requests, 10), strconv.FormatInt(o.Errors, 10), fmt.Sprintf("%.0f", o.PerSecond),
			latency(o.Mean), latency(o.P50), latency(o.P90), latency(o.P99), latency(o.P999), latency(o.Max))
	}
	if err := t.end(nil); err != nil {
		return err
	}
	if r.Unsent > 0 {
		fmt.Fprintf(s.Out, "\n%d requests were due and not sent: all clients waited for answers. The latencies are too low; take more clients or a lower rate.\n", r.Unsent)
	}
	if len(r.Failures) > 0 {
		fmt.Fprintln(s.Out)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(s.Out, "%s: %d times %s, first: %s\n", f.Operation, f.Count, f.Kind, s.shown(f.First))
	}
	return nil
}

// latency is a time in milliseconds with three digits that count.
func latency(ms float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(max(ms, 0.001)))))
	return strconv.FormatFloat(ms, 'f', min(digits, 3), 64) + " ms"
}

// byteSize is a flag for a number of bytes, with or without a unit.
type byteSize int64

func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

func (b *byteSize) Set(s string) error {
	factor := int64(1)
	for unit, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			s, factor = number, n
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%q is no size such as 300, 1KiB or 4MiB", s)
	}
	*b = byteSize(n * factor)
	return nil
}
