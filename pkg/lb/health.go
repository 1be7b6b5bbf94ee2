package lb

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// health is this process's own verdict on one member, from what its own requests and checks met. It does not wait for
// gossip, which needs seconds to notice a crash. The zero value is a member that is in use and is not checked. All methods may
// be called by many requests at once; requests take no lock.
type health struct {
	until   atomic.Int64 // unix nanoseconds at which the ejection ends; 0 = in use
	ejected atomic.Int64 // unix nanoseconds of the last ejection
	streak  atomic.Int32 // ejections since the last success
	cause   atomic.Int32 // of the last ejection: an offence
	strikes [offences]atomic.Int32
	verdict atomic.Int32  // of the checks
	doubts  chan struct{} // asks for a check soon; may be nil
	hints   chan struct{} // asks for one at once; may be nil

	mu    sync.Mutex // guards what only checks and people look at
	tally tally
	note  healthNote
}

// offence is a kind of failure that ejects a member when it comes so often in a row.
type offence int32

const (
	offenceConnect offence = iota // refused, or not reached
	offenceBreak                  // the answer broke off, or never began
	offenceTimeout                // no answer in time
	offenceError                  // an answer 502, 503 or 504
	offences       = 4
)

// String gives the word that metrics and logs use.
func (o offence) String() string {
	return [offences]string{"connect", "reset", "timeout", "error"}[o]
}

// What checks say of a member. The zero value is that of a member that is not checked.
const (
	verdictUp       int32 = iota
	verdictUnproven       // no check has passed or failed for good yet
	verdictUnready        // it answers, but not as it should
	verdictDead           // it does not answer, or refuses connections
)

const (
	ejectFirst = time.Second
	ejectMost  = 30 * time.Second
	// probeWindow is how long one request may try an ejected member before another one may.
	probeWindow = time.Second
	// resetsToEject: a member that breaks off once may have met one poisonous request, and that request
	// must not eject the whole pool. A refused connection, in contrast, needs no second opinion.
	resetsToEject = 3
)

// usable reports whether the member is in use, or its time is over so that one request may probe it.
func (h *health) usable(now int64) bool {
	return h.verdict.Load() == verdictUp && h.rested(now)
}

// admitted reports whether the member may be chosen as a resort of that kind.
func (h *health) admitted(r resort, now int64) bool {
	verdict := h.verdict.Load()
	switch r {
	case resortNone:
		return verdict == verdictUp && h.rested(now)
	case resortUnproven:
		return (verdict == verdictUp || verdict == verdictUnproven) && h.rested(now)
	case resortAlive:
		return verdict != verdictDead
	case resortAnybody:
	}
	return true
}

// rested reports whether the member is not ejected, or its time is over.
func (h *health) rested(now int64) bool {
	until := h.until.Load()
	return until == 0 || now >= until
}

// due reports whether the member's time out of use is over, and nothing has shown yet that it is well.
func (h *health) due(now int64) bool {
	until := h.until.Load()
	return until != 0 && now >= until
}

// dead reports whether checks say that the member does not answer any more.
func (h *health) dead() bool { return h.verdict.Load() == verdictDead }

// take is called when the member was chosen. After an ejection only one request at a time gets true: the
// probe. Its success puts the member back in use.
func (h *health) take(now int64) bool {
	until := h.until.Load()
	switch {
	case until == 0:
		return true
	case now < until:
		return false
	}
	return h.until.CompareAndSwap(until, now+int64(probeWindow))
}

// eject takes the member out of use for a second, doubling with every ejection without a success
// between, with jitter so that several ELBs do not probe in step. A failure of a request that was started
// before the last ejection is no news and changes nothing. It reports whether the member was ejected.
func (h *health) eject(now, started int64) bool {
	until := h.until.Load()
	if until != 0 && started <= h.ejected.Load() {
		return false
	}
	pause := min(ejectFirst<<min(h.streak.Load(), 8), ejectMost)
	pause += time.Duration(rand.Int64N(int64(pause)/4)) - pause/8
	if !h.until.CompareAndSwap(until, now+int64(pause)) {
		return false // another request did it
	}
	h.ejected.Store(now)
	h.streak.Add(1)
	for i := range h.strikes {
		h.strikes[i].Store(0)
	}
	return true
}

// probing reports whether a request that was started then went to the member after its last ejection, to see whether it is over.
func (h *health) probing(started int64) bool {
	return h.until.Load() != 0 && started > h.ejected.Load()
}

// good records an answer to a request that was started at that time. A success of a request older than
// the ejection says nothing about new connections: a process that is stopping still finishes old ones.
// It reports whether it ended an ejection.
func (h *health) good(started int64) bool {
	if h.strikes[offenceError].Load() != 0 {
		h.strikes[offenceError].Store(0)
	}
	return h.reached(h.probing(started))
}

// troubled records an answer that says that something is wrong (502, 503, 504): the member can be reached, at least.
func (h *health) troubled(started int64) {
	h.reached(h.probing(started) && offence(h.cause.Load()) != offenceError)
}

// reached records an answer; well tells that it ends an ejection. It reports whether it did.
func (h *health) reached(well bool) bool {
	for _, o := range [...]offence{offenceConnect, offenceBreak, offenceTimeout} {
		if h.strikes[o].Load() != 0 {
			h.strikes[o].Store(0)
		}
	}
	if !well {
		return false
	}
	h.streak.Store(0)
	return h.until.Swap(0) != 0
}

// strike counts an offence, and reports whether it is the last straw: there were limit in a row. 0 is no limit.
func (h *health) strike(o offence, limit int) bool {
	return limit > 0 && int(h.strikes[o].Add(1)) >= limit
}

// doubt asks for a check soon.
func (h *health) doubt() { ask(h.doubts) }

// hint asks for a check at once.
func (h *health) hint() { ask(h.hints) }

func ask(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it is asked for already, or there are no checks
	}
}
