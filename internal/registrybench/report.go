package registrybench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// Report is what a run gave.
type Report struct {
	Collection string  `json:"collection"`
	Clients    int     `json:"clients"`
	Mix        string  `json:"mix"`
	Rate       float64 `json:"rate,omitempty"` // requests per second that were meant; 0 = as fast as the answers came
	Size       int64   `json:"size"`           // bytes of a content
	Resources  int     `json:"resources"`
	Seconds    float64 `json:"seconds"`
	Requests   int64   `json:"requests"` // that were answered rightly
	Errors     int64   `json:"errors"`
	PerSecond  float64 `json:"per_second"` // of Requests
	// Unsent is how many requests were due and could not be sent before the end, since all clients waited for answers: latencies are too low then.
	Unsent     int64             `json:"unsent,omitempty"`
	Operations []OperationReport `json:"operations"`
	Failures   []Failure         `json:"failures"`
}

// OperationReport is about one operation. The latencies are those of requests that were answered rightly, in milliseconds.
type OperationReport struct {
	Operation string  `json:"operation"`
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors"`
	PerSecond float64 `json:"per_second"`
	Mean      float64 `json:"mean_ms"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p99_9_ms"`
	Max       float64 `json:"max_ms"`
}

// Failure is one kind of failures of an operation.
type Failure struct {
	Operation string `json:"operation"`
	Kind      string `json:"kind"` // "503 unavailable", "timeout", "no connection", "wrong content", …
	Count     int64  `json:"count"`
	First     string `json:"first"` // the words of the first one
}

// tally counts what the requests of a run came to. Safe for concurrent use.
type tally struct {
	took [operations]histogram

	mu       sync.Mutex
	failed   [operations]int64
	failures map[[2]string]*Failure // by operation and kind
}

const (
	mostKinds   = 50  // of failures; what else comes counts as "other"
	mostExample = 300 // characters of the words of a failure
)

func (t *tally) failure(o Operation, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed[o]++
	key := [2]string{o.String(), kindOf(err)}
	if t.failures == nil {
		t.failures = map[[2]string]*Failure{}
	}
	if t.failures[key] == nil && len(t.failures) >= mostKinds {
		key[1] = "other"
	}
	f := t.failures[key]
	if f == nil {
		f = &Failure{Operation: key[0], Kind: key[1], First: shortened(err.Error())}
		t.failures[key] = f
	}
	f.Count++
}

func shortened(s string) string {
	if r := []rune(s); len(r) > mostExample {
		return string(r[:mostExample]) + "…"
	}
	return s
}

// kindOf says in a few words what kind of failure an error is.
func kindOf(err error) string {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status > 0 {
		return fmt.Sprintf("%d %s", e.Status, e.Code)
	}
	_, wrong := errors.AsType[*wrongError](err)
	op, network := errors.AsType[*net.OpError](err)
	switch {
	case wrong || errors.Is(err, client.ErrDigest):
		return "wrong content"
	case errors.Is(err, errStale):
		return "stale"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case network && op.Op == "dial":
		return "no connection"
	case errors.Is(err, client.ErrUnavailable):
		return "connection lost"
	}
	return "other"
}

// counts gives how many requests were answered rightly so far, and how many failed.
func (t *tally) counts() (right, failed int64) {
	for i := range t.took {
		right += t.took[i].n.Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.failed {
		failed += n
	}
	return right, failed
}

// fill writes what was counted within a time into a report.
func (t *tally) fill(r *Report, took time.Duration, mix Mix) {
	r.Seconds = took.Seconds()
	r.Requests, r.Errors = t.counts()
	perSecond := func(n int64) float64 { return float64(n) / max(r.Seconds, 1e-9) }
	r.PerSecond = perSecond(r.Requests)
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Operations, r.Failures = []OperationReport{}, []Failure{}
	for i := range t.took {
		h := &t.took[i]
		if mix[i] == 0 {
			continue
		}
		n := h.n.Load()
		r.Operations = append(r.Operations, OperationReport{
			Operation: Operation(i).String(), Requests: n, Errors: t.failed[i], PerSecond: perSecond(n), Mean: millis(h.mean()),
			P50: millis(h.quantile(0.5)), P90: millis(h.quantile(0.9)), P99: millis(h.quantile(0.99)), P999: millis(h.quantile(0.999)), Max: millis(time.Duration(h.max.Load())),
		})
	}
	for _, f := range t.failures {
		r.Failures = append(r.Failures, *f)
	}
	slices.SortFunc(r.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Operation, b.Operation), strings.Compare(a.Kind, b.Kind))
	})
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
