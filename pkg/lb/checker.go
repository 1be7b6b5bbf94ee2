package lb

import (
	"context"
	"math/rand/v2"
	"time"
)

// checker checks one member again and again, in a goroutine of its own, until it is stopped.
//
// A check comes every interval. While something is in doubt it comes sooner: after a check that failed, while a member has still to prove
// itself, and when a request has waited for a while without a sign of life; and at once when another load balancer says that the member is down. A
// check that is not answered in half its time is joined by a second one, so that a member that stands still is found out in one and a half times the
// timeout.
type checker struct {
	health *health
	spec   HealthSpec
	path   string // that the member announced
	host   string // that is asked for
	probe  func(context.Context) error
	// done takes a result, and the verdicts before and after. It is called by the checker's goroutine.
	done   func(r checkResult, before, after int32)
	cancel context.CancelFunc
}

// checksAtOnce bounds the checks of one member that run at the same time.
const checksAtOnce = 2

// run checks until ctx ends.
func (c *checker) run(ctx context.Context) {
	results := make(chan checkResult, checksAtOnce)
	running := 0
	var began time.Time
	hinted := false // since the last check began, which may have been answered before the trouble
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if running < checksAtOnce {
				began, hinted = time.Now(), false
				running++
				go func() { results <- c.check(ctx) }()
			}
			timer.Reset(c.spec.Timeout / 2)
		case r := <-results:
			running--
			before, after := c.health.checked(ctx, r, c.spec.Fall, c.spec.Rise)
			c.done(r, before, after)
			pause := c.pause()
			if hinted {
				pause = c.promptly(began)
			}
			timer.Reset(pause)
		case <-c.health.doubts:
			if running == 0 {
				timer.Reset(max(0, c.spec.soon()-time.Since(began)))
			}
		case <-c.health.hints:
			if hinted = true; running == 0 {
				timer.Reset(c.promptly(began))
			}
		case <-ctx.Done():
			for ; running > 0; running-- {
				<-results
			}
			return
		}
	}
}

// check makes one check.
func (c *checker) check(ctx context.Context) checkResult {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, c.spec.Timeout)
	defer cancel()
	err := c.probe(bounded)
	r := judgeCheck(err, began, time.Since(began), c.spec.Timeout)
	if ctx.Err() != nil {
		r.kind = checkSkipped // it was we who ended it
	}
	return r
}

// promptly is the time until a check that a hint asks for, when the last one began at that time.
func (c *checker) promptly(began time.Time) time.Duration {
	return max(0, c.spec.promptly()-time.Since(began))
}

// pause is the time until the next check, with jitter so that several load balancers do not check in step.
func (c *checker) pause() time.Duration {
	d := c.spec.Interval
	if c.health.inDoubt() {
		d = c.spec.soon()
	}
	return d - d/10 + time.Duration(rand.Int64N(int64(d/5)+1))
}
