package drill

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// maxUnanswered bounds the requests of a loop that run at once. What would exceed it is counted as failed without being sent.
const maxUnanswered = 20_000

// Kind is a kind of request. Do sends one and tells why it failed; it must end by itself.
type Kind struct {
	Name string
	Do   func(ctx context.Context) error
}

// Sample is one request of a loop.
type Sample struct {
	Kind int           // index of the loop's kinds
	Due  time.Time     // when it was to be sent
	Took time.Duration // from Due to the end of the answer
	Err  error         // why it failed; a *Error when a Client sent it
}

// Loop sends requests at a fixed rate until it is stopped. Safe for concurrent use.
type Loop struct {
	kinds   []Kind
	cancel  context.CancelFunc
	done    sync.WaitGroup
	running []atomic.Int64

	mu      sync.Mutex
	samples []Sample
}

// Start sends rate requests a second, the kinds in turn, until ctx ends or Stop is called. rate is at least 1, and there is a kind.
func Start(ctx context.Context, rate int, kinds ...Kind) *Loop {
	ctx, cancel := context.WithCancel(ctx)
	l := &Loop{kinds: kinds, cancel: cancel, running: make([]atomic.Int64, len(kinds))}
	l.done.Go(func() { l.send(ctx, time.Now(), time.Second/time.Duration(rate)) })
	return l
}

func (l *Loop) send(ctx context.Context, began time.Time, every time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * every) // not from tick to tick: a late one must not put off those behind it
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		kind := n % len(l.kinds)
		if l.unanswered() >= maxUnanswered {
			l.note(Sample{kind, due, 0, &Error{Word: "not sent", Err: context.DeadlineExceeded}})
			continue
		}
		l.running[kind].Add(1)
		l.done.Go(func() {
			defer l.running[kind].Add(-1)
			// What was begun is finished, so that every answer counts.
			err := l.kinds[kind].Do(context.WithoutCancel(ctx))
			l.note(Sample{kind, due, time.Since(due), err})
		})
	}
}

func (l *Loop) note(s Sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

func (l *Loop) unanswered() (n int64) {
	for i := range l.running {
		n += l.running[i].Load()
	}
	return n
}

// Running is how many requests of a kind are not answered yet.
func (l *Loop) Running(kind int) int { return int(l.running[kind].Load()) }

// Stop ends the loop, waits for the requests that run, and gives all samples in the order in which they ended. It may be called again.
func (l *Loop) Stop() []Sample {
	l.cancel()
	l.done.Wait()
	return l.Samples()
}

// Samples gives the requests that have ended so far, in that order.
func (l *Loop) Samples() []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Sample(nil), l.samples...)
}
