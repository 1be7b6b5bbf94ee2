package lb

import (
	"errors"
	"net/http"
	"time"
)

// How a request waits for a member's answer, and when it stops. The watch asks pointless in a goroutine of its own, only between GiveUpIf of
// an attempt and that of its end; so what the request's goroutine writes outside of that time can be read there.

// The states of waiting for the first byte of an answer.
const (
	waitNone int32 = iota // nothing is waited for, or the answer has begun
	waitOn                // to the end, for the request may be carried out by then
	waitMay               // until the member is found dead, or the time of the attempt is over
	waitOver              // the member was found dead, and a further attempt is paid for
	waitSlow              // the time is over, likewise
	waitBack              // the answer of the attempt that was set aside came first
)

// await begins to wait for an answer. A request that changes nothing need not wait for a member that is down. One that changes something must, though it
// may be idempotent: a member that stands still may carry it out when it goes on, long after another one has answered and others have built on that answer.
func (x *exchange) await() {
	if isSafe(x.method) {
		x.awaits.Store(waitMay)
	} else {
		x.awaits.Store(waitOn)
	}
}

// begins notes that the answer begins, and reports whether it was still waited for.
func (x *exchange) begins() bool {
	return x.awaits.CompareAndSwap(waitMay, waitNone) || x.awaits.CompareAndSwap(waitOn, waitNone) || x.awaits.Load() == waitNone
}

// pointless reports whether nobody waits for an answer any more, or the answer will not come from this member: checks say that it is dead, and
// another one can be asked. A request that has waited for a while has its member checked.
func (x *exchange) pointless() bool {
	if x.front.gone() != nil {
		return true
	}
	state, member := x.awaits.Load(), x.target.health
	switch {
	case state == waitNone:
		return false
	case state == waitOver, state == waitSlow, state == waitBack:
		return true
	case x.aside.answers():
		return x.awaits.CompareAndSwap(waitMay, waitBack)
	case member.dead():
		return x.pool.another(x.choice.tried, x.target.Member.ID) && x.moveOn(waitOver)
	}
	if time.Since(x.started)-x.waited > x.pool.health.patience() {
		member.doubt()
	}
	return state == waitMay && x.late() && x.pool.quicker(x.choice.tried, x.target.Member.ID) && x.moveOn(waitSlow)
}

// late reports whether the time of the attempt is over, and nothing keeps the request at its member. A session stays: another member does not know it.
func (x *exchange) late() bool {
	due := x.try.due
	return due > 0 && x.try.p.watch.Now() >= due && x.target != x.sticky.session && x.target != x.sticky.ours
}

// moveOn ends the wait for an answer if the request may be sent once more.
func (x *exchange) moveOn(why int32) bool {
	return x.awaits.Load() == waitMay && x.attempts < maxAttempts && x.body.replayable() &&
		x.pool.budget.take(time.Now()) && x.awaits.CompareAndSwap(waitMay, why)
}

// offence is what a member did wrong in an attempt; guilty is false if that is nothing, or not known.
func (r Result) offence() (o offence, guilty bool) {
	switch r.Failure {
	case FailureConnect:
		return offenceConnect, !isShortage(r.Err) && !errors.Is(r.Err, errMemberDown)
	case FailureReset, FailureBroken:
		return offenceBreak, true
	case FailureTimeout, FailureSlow:
		return offenceTimeout, true
	case FailureNone:
		return offenceError, r.Status == http.StatusBadGateway || r.Status == http.StatusServiceUnavailable || r.Status == http.StatusGatewayTimeout
	case FailureDown, FailureClient, FailureOutrun:
	}
	return 0, false
}
