package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// OpenLoop sends requests at a fixed rate, whether the ones before were answered or not: what a client sees whose users do not wait for each
// other. A stall of the servers is felt by all requests that fall into it, where clients in a closed loop would just send fewer.
type OpenLoop struct {
	Tallies []*Tally // of each kind

	cancel  context.CancelFunc
	done    sync.WaitGroup
	running []atomic.Int64
}

// StartOpenLoop calls the functions in turn, each call in a goroutine of its own, rate times a second, until Stop, or limit, or the end of the test.
func StartOpenLoop(t testing.TB, rate int, limit time.Duration, kinds ...func(ctx context.Context) error) *OpenLoop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	l := &OpenLoop{cancel: cancel, running: make([]atomic.Int64, len(kinds))}
	for range kinds {
		l.Tallies = append(l.Tallies, NewTally())
	}
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			kind := n % len(kinds)
			l.done.Go(func() {
				l.running[kind].Add(1)
				defer l.running[kind].Add(-1)
				l.Tallies[kind].Timed(ctx, "request", kinds[kind])
			})
		}
	})
	t.Cleanup(l.Stop)
	return l
}

// Running is how many requests of a kind are not answered yet.
func (l *OpenLoop) Running(kind int) int { return int(l.running[kind].Load()) }

// Stop ends the load and waits for the requests that run; it may be called again.
func (l *OpenLoop) Stop() {
	l.cancel()
	l.done.Wait()
}
