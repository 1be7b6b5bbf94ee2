package lb

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// maxAttempts bounds how often one request is sent.
const maxAttempts = 3

// RetrySpec is when requests of a pool are sent once more. The zero value is: when an attempt has failed.
type RetrySpec struct {
	// TryTimeout is how long an attempt may take to the first byte of its answer. One that takes longer counts as failed if the request may be sent to another
	// member, which can be had, and changes nothing; else it is waited for as ever. 0 = attempts are waited for.
	TryTimeout time.Duration
	// Hedge has the attempt of a GET or HEAD without a body that takes longer than that go on beside the next one, instead of being given up: the first of the two
	// that begins an answer wins. It needs a TryTimeout.
	Hedge bool
}

// check tells what is wrong with a specification.
func (s RetrySpec) check() error {
	if s.TryTimeout < 0 {
		return errors.New("the time of an attempt must not be negative")
	}
	if s.Hedge && s.TryTimeout == 0 {
		return errors.New("hedging without a time of an attempt never happens")
	}
	return nil
}

// Why a failed attempt was the last one; the words of the log and the answer.
const (
	stopNone       = ""
	stopAnswered   = "the answer had begun"
	stopClient     = "the client is gone"
	stopTimeout    = "a slow member may still be at work on it"
	stopMethod     = "the method is not idempotent and the request was sent"
	stopCondition  = "the request is conditional and may have been carried out"
	stopBody       = "part of the body was sent and is not kept"
	stopAttempts   = "it was tried three times"
	stopBudget     = "too many requests need a retry"
	stopNobodyLeft = "no other member is left"
	stopOutrun     = "the attempt before began its answer first"
	stopNoRoom     = "the other members have as many requests as they may"
)

// stopReason decides whether a request may be sent once more after a failed attempt: stopNone means yes.
//
// A request of which nothing was sent may go anywhere. One that was sent may have been carried out, so it is
// repeated only if that does no harm: the method is idempotent, and no condition would now turn the
// client's own success into a refusal (a PUT with If-Match that was carried out fails when it is repeated).
// Of a member that gives no answer, but is not known to have ended, only what changes nothing is taken away (await).
func (x *exchange) stopReason(r Result) string {
	sent := r.sent()
	switch {
	case r.Answered:
		return stopAnswered
	case r.Failure == FailureClient || x.front.gone() != nil:
		return stopClient
	case r.Failure == FailureOutrun:
		return stopOutrun
	case r.Failure == FailureTimeout && sent:
		return stopTimeout
	case sent && !isIdempotent(x.method):
		return stopMethod
	case sent && !isSafe(x.method) && x.conditional():
		return stopCondition
	case !x.body.replayable():
		return stopBody
	case x.attempts >= maxAttempts:
		return stopAttempts
	case r.Failure != FailureDown && r.Failure != FailureSlow && !x.pool.budget.take(time.Now()): // else it is paid for
		return stopBudget
	}
	return stopNone
}

// stranded is why nobody was chosen for a further attempt.
func (x *exchange) stranded() string {
	switch {
	case x.result.Failure == FailureClient:
		return stopClient
	case x.shed != shedNone:
		return stopNoRoom
	}
	return stopNobodyLeft
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

func isIdempotent(method string) bool {
	return isSafe(method) || method == http.MethodPut || method == http.MethodDelete
}

// conditional reports whether the request is to be carried out only in a certain state of its resource.
func (x *exchange) conditional() bool {
	return x.req.Count(h1.IfMatch)+x.req.Count(h1.IfNoneMatch)+x.req.Count(h1.IfUnmodifiedSince) > 0
}

// retryBudget keeps retries from multiplying the load when a whole pool is in trouble: a fifth of the
// requests, and ten a second in any case. What is not used is saved up, so that the burst when a member is
// killed in the middle of its work is covered. It holds no lock.
type retryBudget struct {
	credit   atomic.Int64 // in fifths of a retry
	refilled atomic.Int64 // unix nanoseconds
}

const (
	retryCost      = 5                // a request earns 1
	retryFloor     = 10 * retryCost   // earned per second without any request
	retrySavings   = 1000 * retryCost // most that is saved up
	retryStartWith = 100 * retryCost
)

func newRetryBudget(now time.Time) *retryBudget {
	b := &retryBudget{}
	b.credit.Store(retryStartWith)
	b.refilled.Store(now.UnixNano())
	return b
}

// earn counts a request.
func (b *retryBudget) earn() {
	if b.credit.Load() < retrySavings {
		b.credit.Add(1)
	}
}

// take pays for one retry, or reports that there is nothing left.
func (b *retryBudget) take(now time.Time) bool {
	last := b.refilled.Load()
	if gain := (now.UnixNano() - last) * retryFloor / int64(time.Second); gain > 0 && b.refilled.CompareAndSwap(last, now.UnixNano()) {
		b.credit.Add(min(gain, retrySavings))
	}
	for {
		have := b.credit.Load()
		if have < retryCost {
			return false
		}
		if b.credit.CompareAndSwap(have, min(have, retrySavings)-retryCost) {
			return true
		}
	}
}
