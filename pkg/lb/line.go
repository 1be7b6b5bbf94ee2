package lb

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// line is the queue of a pool: requests that wait for a place at a member, first in, first out. A request that not every member will do for, since it belongs to a session or
// was at some members already, does not hold up those behind it. It lasts from table to table.
//
// Whoever gives a place back while somebody waits serves the line; so does whoever joins it. What else gives room (a member that recovered, an ejection that is
// over) is noticed by those who wait, within lookEvery.
type line struct {
	waiting atomic.Int32 // len(list), for those who do not hold mu

	mu     sync.Mutex // guards what follows, and the exchanges of those who wait
	list   []*place
	pool   *Pool     // as of the newest table; nil: it is not in the routes any more
	served time.Time // when the line was last served
}

// place is a request in a line.
type place struct {
	x       *exchange
	got     *Target
	anybody bool          // when last looked at, any member with room would have done
	ready   chan struct{} // gets a token when the place is given up by others: got, or nobody, is the answer
}

// lookEvery is how often somebody who waits looks whether the client is still there, and what else has changed.
const lookEvery = 50 * time.Millisecond

// use takes up the pool of a new table; nil: it is gone. Those who wait go by it from now on.
func (l *line) use(pool *Pool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pool = pool
	l.serve()
}

// look serves the line, if anybody waits: there may be room. It costs next to nothing otherwise.
func (l *line) look() {
	if l.waiting.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serve()
}

// serve gives members that have room to those who wait, in their order. Those that nobody is left for need not wait either. mu is held.
func (l *line) serve() {
	l.served = time.Now()
	full := false // for those whom any member would do for
	l.list = slices.DeleteFunc(l.list, func(p *place) bool {
		if full && p.anybody {
			return false
		}
		done := p.offer(l.pool, l.served.UnixNano())
		full = full || !done && p.anybody
		if done {
			p.ready <- struct{}{}
		}
		return done
	})
	l.waiting.Store(int32(len(l.list)))
}

// offer looks for a member for the request. It reports whether it need not wait any more.
func (p *place) offer(pool *Pool, now int64) (done bool) {
	x := p.x
	if pool == nil {
		return true
	}
	if x.pool != pool {
		x.pool = pool
		x.sticky.reset()
		x.choice.now = now
		x.readSticky()
		x.choice.key, x.choice.keyed = pool.requestKey(x)
	}
	x.choice.now = now
	p.got = x.seize()
	p.anybody = !x.held && len(x.choice.tried) == 0
	return p.got != nil || !x.choice.full
}

// wait puts a request into the line, and gives the member that it got; nil if it got none.
func (l *line) wait(x *exchange) *Target {
	p := &x.place
	p.x, p.got, p.anybody = x, nil, false
	if p.ready == nil {
		p.ready = make(chan struct{}, 1)
	}
	limit, m := x.pool.limits.QueueTime, x.pool.metrics // from now on others may change the pool
	if !l.join(p) {
		m.limitHits.Inc()
		return l.lastLook(p, shedFull)
	}
	select {
	case <-p.ready:
		return p.got // there was room, for this one at least
	default:
	}
	m.limitHits.Inc()
	began := time.Now()
	t := l.stand(p, limit)
	took := time.Since(began)
	x.queued += took
	m.queueTook.Observe(took.Seconds())
	return t
}

// stand waits in the line until it is served, for so long at most.
func (l *line) stand(p *place, most time.Duration) *Target {
	over := time.NewTimer(most)
	defer over.Stop()
	look := time.NewTicker(min(lookEvery, most))
	defer look.Stop()
	for {
		select {
		case <-p.ready:
			return p.got
		case <-over.C:
			if l.leave(p) {
				return l.lastLook(p, shedTime)
			}
			return p.got
		case <-look.C:
			if err := p.x.front.gone(); err != nil {
				return l.desert(p, err)
			}
			l.lookAgain()
		}
	}
}

// join puts a request at the end of the line. It reports false if there is no room for it; a request that was served at once is not in it either.
func (l *line) join(p *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, p)
	l.waiting.Store(int32(len(l.list))) // before looking: whoever gives a place back after that look has to know
	l.serve()
	if most := p.x.pool.limits.QueueLength; len(l.list) > most && l.list[len(l.list)-1] == p {
		l.remove(p)
		return false
	}
	return true
}

// leave takes a request out of the line. It reports false if it was served meanwhile.
func (l *line) leave(p *place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.list, p) {
		<-p.ready
		return false
	}
	l.remove(p)
	return true
}

// remove takes a request out of the line. mu is held.
func (l *line) remove(p *place) {
	l.list = slices.DeleteFunc(l.list, func(other *place) bool { return other == p })
	l.waiting.Store(int32(len(l.list)))
}

// lastLook is for a request that may wait no longer: if it waited for its session's member, another one may have room.
func (l *line) lastLook(p *place, why shedReason) *Target {
	x := p.x
	x.loyal = false
	x.choice.now = time.Now().UnixNano()
	t := x.seize()
	if t == nil && x.choice.full {
		x.shed = why
	}
	return t
}

// desert takes a request out of the line whose client is gone, and gives back what it got meanwhile.
func (l *line) desert(p *place, err error) *Target {
	x := p.x
	if !l.leave(p) && p.got != nil {
		p.got.load.inFlight.Add(-1)
		l.look()
	}
	x.result = Result{Failure: FailureClient, Err: err}
	return nil
}

// lookAgain serves the line unless that was done a moment ago.
func (l *line) lookAgain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.served) >= lookEvery/2 {
		l.serve()
	}
}
