package lb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// How the results of checks become a verdict. Nothing here opens a connection or reads a clock.

// checkKind is what a check met. Its words are label values of metrics.
type checkKind uint8

const (
	checkPassed  checkKind = iota
	checkRefused           // nobody listens there
	checkLost              // no connection, or one that ended without an answer
	checkSilent            // no answer in time
	checkWrong             // an answer that is not the expected one, a certificate that we do not trust
	checkSkipped           // it says more about this process than about the member
	checkKinds
)

// String gives the word that metrics use.
func (k checkKind) String() string {
	return [checkKinds]string{"passed", "refused", "lost", "timeout", "wrong", "skipped"}[k]
}

// checkResult is one check.
type checkResult struct {
	kind checkKind
	at   time.Time // when it began
	took time.Duration
	err  error // unless it passed
}

// wrongAnswerError marks what the member itself answered.
type wrongAnswerError struct{ error }

func (e wrongAnswerError) Unwrap() error { return e.error }

// judgeCheck tells what a check met. A check that ends much later than its time allows was held up by this process.
func judgeCheck(err error, at time.Time, took, timeout time.Duration) checkResult {
	r := checkResult{at: at, took: took, err: err}
	var wrong wrongAnswerError
	var network net.Error
	switch {
	case err == nil:
		r.kind = checkPassed
	case errors.As(err, &wrong):
		r.kind = checkWrong
	case isShortage(err), took > timeout+timeout/2:
		r.kind = checkSkipped
	case errors.Is(err, syscall.ECONNREFUSED):
		r.kind = checkRefused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		r.kind = checkSilent
	default:
		r.kind = checkLost
	}
	return r
}

// tally counts checks in a row.
type tally struct{ passes, fails int }

// healthNote is what people want to know of a member's health.
type healthNote struct {
	since     time.Time // of the verdict
	reason    string    // of a verdict that is not up
	last      checkResult
	told      time.Time // when the check began that told something last
	ejection  string    // why it was ejected last
	ejections int
}

// inDoubt reports whether the next checks will decide something, so that they should come soon.
func (h *health) inDoubt() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.verdict.Load() == verdictUp {
		return h.tally.fails > 0
	}
	return h.tally.passes > 0 || h.verdict.Load() == verdictUnproven
}

// checked takes the result of a check in and gives the verdict before and after. A new member is up with the first check that passes, one that
// was down needs rise of them in a row; fall that fail in a row take it down, and a refused connection does so alone. What comes after the
// end of ctx does not count: the member is checked by somebody else, or not any more. Nor does what an older check finds when a later one has told
// already: that one knows better, and a member that answers again is not silent because it was when the older one asked.
func (h *health) checked(ctx context.Context, r checkResult, fall, rise int) (before, after int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before = h.verdict.Load()
	after = before
	if ctx.Err() != nil || r.at.Before(h.note.told) {
		return before, before
	}
	h.note.last = r
	if r.kind == checkSkipped {
		return before, before
	}
	h.note.told = r.at
	switch r.kind {
	case checkPassed:
		h.tally.passes++
		h.tally.fails = 0
		if before == verdictUnproven || h.tally.passes >= rise {
			after = verdictUp
		}
	default:
		h.tally.fails++
		h.tally.passes = 0
		if r.kind == checkRefused || h.tally.fails >= fall {
			after = verdictDead
		}
		if after == verdictDead && r.kind == checkWrong {
			after = verdictUnready
		}
	}
	if after != before {
		h.note.since = r.at.Add(r.took)
		h.note.reason = ""
		if r.err != nil {
			h.note.reason = r.err.Error()
		}
		h.verdict.Store(after)
	}
	return before, after
}

// newHealth is the health of a member that was not there before. One that is checked has to pass a check first.
func newHealth(checked bool, now time.Time) *health {
	h := &health{doubts: make(chan struct{}, 1), hints: make(chan struct{}, 1), note: healthNote{since: now}}
	if checked {
		h.verdict.Store(verdictUnproven)
	}
	return h
}

// unchecked makes the verdict that of a member that is not checked any more.
func (h *health) unchecked(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.verdict.Swap(verdictUp) != verdictUp {
		h.note.since, h.note.reason = now, ""
	}
	h.tally = tally{}
}

// noted remembers why the member was ejected.
func (h *health) noted(o offence, r Result) {
	h.cause.Store(int32(o))
	reason := fmt.Sprintf("%s: %v", o, r.Err)
	if r.Err == nil {
		reason = fmt.Sprintf("%s: it answers %d", o, r.Status)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note.ejection = reason
	h.note.ejections++
}

// The standings of a member with this process: what it makes of its checks and requests.
const (
	StandingUp       = "up"
	StandingUnproven = "unproven" // no check has passed yet: gets requests only while no other member can be used
	StandingDown     = "down"     // its checks fail
	StandingEjected  = "ejected"  // requests failed, and it is given a rest
)

// standing is the member's standing. Checks have the last word: they go on while requests stay away.
func (h *health) standing(now int64) string {
	switch h.verdict.Load() {
	case verdictUnproven:
		return StandingUnproven
	case verdictUnready, verdictDead:
		return StandingDown
	}
	if !h.rested(now) {
		return StandingEjected
	}
	return StandingUp
}

// describe fills in what people want to know.
func (h *health) describe(s *MemberStatus, now int64) {
	s.Standing = h.standing(now)
	s.Ejected = s.Standing == StandingEjected
	h.mu.Lock()
	defer h.mu.Unlock()
	s.StandingSince, s.Reason = h.note.since.UTC(), h.note.reason
	if s.Ejected {
		s.StandingSince, s.Reason = time.Unix(0, h.ejected.Load()).UTC(), h.note.ejection
	}
	s.Ejections = h.note.ejections
	if last := h.note.last; !last.at.IsZero() {
		s.LastCheck = &CheckStatus{At: last.at.UTC(), Seconds: last.took.Seconds(), Result: last.kind.String()}
		if last.err != nil {
			s.LastCheck.Error = last.err.Error()
		}
	}
}
