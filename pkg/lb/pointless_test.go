package lb

import (
	"errors"
	"net/http"
	"syscall"
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

// A request that may have been carried out is repeated only where that does no harm: once it was, a condition may hold no more (RFC 9110 section 13.1).
func TestStopReason_WhatMayHaveBeenCarriedOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ head, want string }{
		{"GET / HTTP/1.1\r\nIf-None-Match: \"1\"\r\n", stopNone},
		{"PUT / HTTP/1.1\r\n", stopNone},
		{"DELETE / HTTP/1.1\r\n", stopNone},
		{"PUT / HTTP/1.1\r\nIf-Match: \"1\"\r\n", stopCondition},
		{"PUT / HTTP/1.1\r\nIf-None-Match: *\r\n", stopCondition},
		{"DELETE / HTTP/1.1\r\nIf-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT\r\n", stopCondition},
		{"POST / HTTP/1.1\r\n", stopMethod},
	} {
		x := newExchange()
		if n, err := x.req.Parse([]byte(c.head + "Host: a\r\n\r\n")); err != nil || n == 0 {
			t.Fatalf("%q: %d, %v", c.head, n, err)
		}
		x.front, x.method, x.pool = stayingFront{}, string(x.req.Method()), &Pool{budget: newRetryBudget(time.Now())}
		if got := x.stopReason(Result{Failure: FailureReset}); got != c.want {
			t.Errorf("%q: %q, want %q", c.head, got, c.want)
		}
	}
}

// What counts against a member is what it did itself.
func TestResult_Offence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		result Result
		want   offence
		guilty bool
	}{
		"refused":                 {Result{Failure: FailureConnect, Err: syscall.ECONNREFUSED}, offenceConnect, true},
		"we have no files left":   {Result{Failure: FailureConnect, Err: syscall.EMFILE}, offenceConnect, false},
		"checks had found it out": {Result{Failure: FailureConnect, Err: errMemberDown}, offenceConnect, false},
		"reset":                   {Result{Failure: FailureReset}, offenceBreak, true},
		"broken off":              {Result{Failure: FailureBroken}, offenceBreak, true},
		"late":                    {Result{Failure: FailureTimeout}, offenceTimeout, true},
		"left":                    {Result{Failure: FailureDown}, 0, false},
		"the client's own":        {Result{Failure: FailureClient}, 0, false},
		"500":                     {Result{Status: 500}, offenceError, false},
		"501":                     {Result{Status: 501}, offenceError, false},
		"502":                     {Result{Status: 502}, offenceError, true},
		"503":                     {Result{Status: 503}, offenceError, true},
		"504":                     {Result{Status: 504}, offenceError, true},
	} {
		if o, guilty := c.result.offence(); guilty != c.guilty || guilty && o != c.want {
			t.Errorf("%s: %s, %t", name, o, guilty)
		}
	}
}
