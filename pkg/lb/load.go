package lb

import (
	"math"
	"net/http"
	"sync/atomic"
	"time"
)

// load is what this process's own requests tell of how busy and how quick a member is. All methods may be called by many
// requests at once.
type load struct {
	inFlight atomic.Int64  // requests that run on the member: until the end of the answer, or of the tunnel
	credit   atomic.Uint64 // of a member that starts slowly: the turns that it had, in parts of fullShare
	average  atomic.Uint64 // bits of a float64: nanoseconds from request to first byte, newer ones counting more
	heard    atomic.Int64  // unix nanoseconds of the newest latency in average; 0 = there is none
	_        [32]byte      // fills a cache line, so that requests to different members do not hold each other up
}

const (
	// memory is how long a latency counts: after this time a third of it is left.
	memory = 3 * time.Second
	// A failed attempt counts as a slow answer: one that fails quickly must not look like the quickest. Where answers
	// take longer than that anyway, it counts as failureTimes the average.
	failureLeast = time.Second
	failureTimes = 2
	failureMost  = time.Minute
)

// begin counts a request that goes to the member, if fewer than limit run there; 0 is no limit.
func (l *load) begin(limit int64) bool { return enter(&l.inFlight, limit) }

// enter counts one more, unless there are limit of them already; 0 is no limit.
func enter(running *atomic.Int64, limit int64) bool {
	if limit <= 0 {
		running.Add(1)
		return true
	}
	for {
		n := running.Load()
		if n >= limit {
			return false
		}
		if running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// end notes that the request which began at started is over, and what its attempt tells of the member's latency: the time to
// the first byte of the answer, whatever came after.
func (l *load) end(x *exchange, started time.Time) {
	switch r := &x.result; {
	case r.Failure == FailureClient && x.status == 0, r.Failure == FailureOutrun:
		// Nobody knows how long the member would have taken: longer than until now.
		now := time.Now()
		if took := now.Sub(started); !x.body.streamed && float64(took) > l.mean() {
			l.note(took, now.UnixNano())
		}
	case r.Failure != FailureNone && r.Failure != FailureClient && !isShortage(r.Err), brokenStatus(r.Status):
		now := time.Now()
		slow := time.Duration(min(failureTimes*l.mean(), float64(failureMost)))
		l.note(max(now.Sub(started), failureLeast, slow), now.UnixNano())
	case x.status != 0 && !x.body.streamed: // how long a client takes to send a body is its own affair
		took := x.firstByte - x.waited
		l.note(took, started.Add(took).UnixNano())
	}
	l.inFlight.Add(-1)
}

// brokenStatus reports whether a status says that the member is in trouble.
func brokenStatus(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// note adds a latency that was known at that time. Of those that come at the same moment one counts.
func (l *load) note(took time.Duration, at int64) {
	last := l.heard.Load()
	if at <= last || !l.heard.CompareAndSwap(last, at) {
		return
	}
	mean := float64(took)
	if last != 0 {
		old := math.Exp(-float64(at-last) / float64(memory))
		mean = old*l.mean() + (1-old)*mean
	}
	l.average.Store(math.Float64bits(mean))
}

// forget drops the latency: what comes next is another story.
func (l *load) forget() { l.heard.Store(0) }

// mean is the average latency in nanoseconds; 0 if there is none.
func (l *load) mean() float64 { return math.Float64frombits(l.average.Load()) }

// latency gives the average latency in nanoseconds, and how much it is worth: 1 just now, less the older it is, 0 if there is
// none.
func (l *load) latency(now int64) (mean, known float64) {
	heard := l.heard.Load()
	if heard == 0 {
		return 0, 0
	}
	return l.mean(), math.Exp(-float64(max(now-heard, 0)) / float64(memory))
}
