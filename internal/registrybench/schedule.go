package registrybench

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// schedule says when requests are due. Safe for concurrent use.
type schedule struct {
	began, end time.Time
	rate       float64 // per second; 0: a request is due when somebody asks
	taken      atomic.Int64
}

// next waits for the next request to be due, and tells when that was. ok is false at the end.
func (s *schedule) next(ctx context.Context) (due time.Time, ok bool) {
	now := time.Now()
	if ctx.Err() != nil || !now.Before(s.end) {
		return now, false
	}
	if s.rate == 0 {
		return now, true
	}
	n := s.taken.Add(1) - 1
	if n >= s.total() {
		return now, false
	}
	due = s.began.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
	return due, sleep(ctx, due.Sub(now))
}

// total is how many requests are due before the end, where there is a rate.
func (s *schedule) total() int64 {
	return int64(math.Ceil(s.rate * s.end.Sub(s.began).Seconds()))
}

// unsent is how many requests were due before the end and taken by nobody, when everybody has stopped.
func (s *schedule) unsent(ctx context.Context) int64 {
	if s.rate == 0 || ctx.Err() != nil {
		return 0
	}
	return max(0, s.total()-s.taken.Load())
}

// sleep waits, and tells whether the context let it.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
