package lb

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// health is this process's own verdict on one member, from what its own requests met. It does not wait
// for gossip, which needs seconds to notice a crash. All methods may be called by many requests at once.
type health struct {
	until   atomic.Int64 // unix nanoseconds at which the ejection ends; 0 = in use
	ejected atomic.Int64 // unix nanoseconds of the last ejection
	streak  atomic.Int32 // ejections since the last success
	resets  atomic.Int32 // answers broken off since the last success
}

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
	until := h.until.Load()
	return until == 0 || now >= until
}

// due reports whether the member's time out of use is over, and nothing has shown yet that it is well.
func (h *health) due(now int64) bool {
	until := h.until.Load()
	return until != 0 && now >= until
}

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
	h.resets.Store(0)
	return true
}

// good records an answer to a request that was started at that time. A success of a request older than
// the ejection says nothing about new connections: a process that is stopping still finishes old ones.
func (h *health) good(started int64) {
	if h.resets.Load() != 0 {
		h.resets.Store(0)
	}
	if h.until.Load() != 0 && started > h.ejected.Load() {
		h.until.Store(0)
		h.streak.Store(0)
	}
}

// brokeOff counts an answer that broke off, and reports whether there were so many in a row that the
// member should be ejected.
func (h *health) brokeOff() bool { return h.resets.Add(1) >= resetsToEject }
