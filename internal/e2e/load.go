package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxDetails bounds how many failures are kept with their detail; all are counted.
const maxDetails = 10

// Tally counts what the clients of a load did. Safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	counts  map[string]int
	failed  int
	details []string
	slowest time.Duration
}

// NewTally counts from nothing.
func NewTally() *Tally { return &Tally{counts: map[string]int{}} }

// Record counts one operation of a kind; err tells that it failed.
func (t *Tally) Record(kind string, took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slowest = max(t.slowest, took)
	if err == nil {
		t.counts[kind]++
		return
	}
	t.failed++
	t.counts[kind+" failed"]++
	if len(t.details) < maxDetails {
		t.details = append(t.details, fmt.Sprintf("%s %s (after %v): %v", time.Now().Format("15:04:05.000"), kind, took.Round(time.Millisecond), err))
	}
}

// Count is how many operations of a kind succeeded.
func (t *Tally) Count(kind string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[kind]
}

// Failed is how many operations failed.
func (t *Tally) Failed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// Slowest is how long the slowest operation took.
func (t *Tally) Slowest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.slowest
}

// String is the counts, and the first failures.
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(t.counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, t.counts[kind]))
	}
	return fmt.Sprintf("%s; slowest %v\n%s", strings.Join(parts, ", "), t.slowest.Round(time.Millisecond), strings.Join(t.details, "\n"))
}

// Load is clients at work in the background.
type Load struct {
	*Tally
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// StartLoad runs clients that each call step again and again, with a pause after each call, until Stop, or limit, or the end of the test. step does
// its own counting; what it does when ctx ends is not counted.
func StartLoad(t testing.TB, clients int, pause, limit time.Duration, step func(ctx context.Context, tally *Tally, client int)) *Load {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	l := &Load{Tally: NewTally(), cancel: cancel}
	for client := range clients {
		l.done.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for ctx.Err() == nil {
				step(ctx, l.Tally, client)
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	t.Cleanup(func() { l.Stop() })
	return l
}

// Stop ends the load and waits for its clients; it may be called again.
func (l *Load) Stop() *Tally {
	l.cancel()
	l.done.Wait()
	return l.Tally
}

// Timed runs one operation of a load and counts it, unless it failed because the load is over.
func (t *Tally) Timed(ctx context.Context, kind string, do func(ctx context.Context) error) bool {
	began := time.Now()
	// An operation that has begun is finished, so that every answer counts; the client has a limit of its own.
	err := do(context.WithoutCancel(ctx))
	if errors.Is(err, context.Canceled) {
		return false
	}
	t.Record(kind, time.Since(began), err)
	return err == nil
}

// InParallel runs n clients to their end and returns when all are done.
func InParallel(n int, work func(client int)) {
	var all sync.WaitGroup
	for client := range n {
		all.Go(func() { work(client) })
	}
	all.Wait()
}

// Full tells whether the acceptance counts are asked for.
func Full() bool { return os.Getenv("REGENT_E2E_FULL") != "" }

// Scale gives the count of the acceptance test, or the small one of an ordinary run.
func Scale(full, small int) int {
	if Full() {
		return full
	}
	return small
}
