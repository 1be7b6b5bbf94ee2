package lb

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// leftFront is a client that is gone.
type leftFront struct{ front }

func (leftFront) gone() error { return errors.New("gone") }

// A request leaves a member that is found dead only where it may be sent once more, and pays for that once.
func TestExchange_LeavesADeadMemberOnce(t *testing.T) {
	t.Parallel()
	const all = retryStartWith
	for name, c := range map[string]struct {
		change func(x *exchange, other *Target)
		leaves bool
		credit int64 // that is left
	}{
		"it may": {leaves: true, credit: all - retryCost},
		"nobody waits any more": {
			change: func(x *exchange, _ *Target) { x.front = leftFront{} }, leaves: true, credit: all,
		},
		"the answer has begun":         {change: func(x *exchange, _ *Target) { x.awaits.Store(waitNone) }, credit: all},
		"it may be carried out by now": {change: func(x *exchange, _ *Target) { x.awaits.Store(waitOn) }, credit: all},
		"the member is well":           {change: func(x *exchange, _ *Target) { x.target.health.verdict.Store(verdictUp) }, credit: all},
		"it is not ready":              {change: func(x *exchange, _ *Target) { x.target.health.verdict.Store(verdictUnready) }, credit: all},
		"the last attempt":             {change: func(x *exchange, _ *Target) { x.attempts = maxAttempts }, credit: all},
		"a part of the body is gone": {
			change: func(x *exchange, _ *Target) { x.body.streamed = true; x.body.touched.Store(true) }, credit: all,
		},
		"nothing of a long body was read": {
			change: func(x *exchange, _ *Target) { x.body.streamed = true }, leaves: true, credit: all - retryCost,
		},
		"the other one was asked": {change: func(x *exchange, other *Target) { x.choice.tried = append(x.choice.tried, other) }, credit: all},
		"the other one is down":   {change: func(_ *exchange, other *Target) { other.health.verdict.Store(verdictDead) }, credit: all},
		"there is no budget":      {change: func(x *exchange, _ *Target) { x.pool.budget.credit.Store(retryCost - 1) }, credit: retryCost - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dead, other := &Target{Member: Member{ID: "dead"}, health: &health{}}, &Target{Member: Member{ID: "other"}, health: &health{}}
			dead.health.verdict.Store(verdictDead)
			x := newExchange()
			x.front, x.method, x.started = stayingFront{}, http.MethodGet, time.Now()
			x.pool, x.target = &Pool{budget: newRetryBudget(time.Now().Add(time.Hour)), active: []*Target{dead, other}}, dead // it earns nothing
			x.await()
			if c.change != nil {
				c.change(x, other)
			}
			for range 2 { // once it has left, it stays so, and has paid
				if got := x.pointless(); got != c.leaves {
					t.Errorf("leaves: %t", got)
				}
			}
			if got := x.pool.budget.credit.Load(); got != c.credit {
				t.Errorf("%d of the budget are left, want %d", got, c.credit)
			}
		})
	}
}

// A member that has kept a request waiting for long is checked soon.
func TestExchange_LongWaitRaisesADoubt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waited time.Duration
		doubts int
	}{"not for long": {20 * time.Second, 0}, "for long": {40 * time.Second, 1}} {
		x := newExchange()
		x.front, x.method, x.started = stayingFront{}, http.MethodGet, time.Now().Add(-c.waited)
		x.pool, x.target = &Pool{health: HealthSpec{Timeout: 2 * time.Minute}}, &Target{health: newHealth(false, time.Now())}
		x.await()
		if x.pointless() || len(x.target.health.doubts) != c.doubts {
			t.Errorf("%s: %d doubts, want %d", name, len(x.target.health.doubts), c.doubts)
		}
	}
}
