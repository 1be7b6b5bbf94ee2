package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// Watch ends the waits of its connections when their due times have passed. One goroutine looks at all of them every tick; it runs only
// while there are connections. All methods are safe for concurrent use.
type Watch struct {
	tick atomic.Int64 // nanoseconds
	base time.Time    // of the clock

	now     atomic.Int64 // the clock as of the last tick
	lag     atomic.Int64 // what the clock left out because the process stood still
	running atomic.Bool  // written under mu

	mu    sync.Mutex
	conns []*Conn       // Conn.slot is the index
	wake  chan struct{} // makes the sweeper look before its time
	done  chan struct{} // closed when the sweeper has ended; nil before the first
}

// NewWatch makes a watch that looks at its connections every tick. It starts nothing.
func NewWatch(tick time.Duration) *Watch {
	w := &Watch{base: time.Now(), wake: make(chan struct{}, 1)}
	w.tick.Store(int64(tick))
	return w
}

// SetTick makes the watch look every tick from now on.
func (w *Watch) SetTick(tick time.Duration) {
	if w.tick.Swap(int64(tick)) != int64(tick) {
		w.Look()
	}
}

// Now is a coarse clock for due times: nanoseconds that never go back, as of the last tick while there are connections, exact
// otherwise. When the process stands still for more than two ticks (a stopped or starved process), this clock does too: a connection
// must not be found late because nobody looked.
func (w *Watch) Now() int64 {
	if w.running.Load() {
		return w.now.Load()
	}
	return w.clock()
}

func (w *Watch) clock() int64 { return int64(time.Since(w.base)) - w.lag.Load() }

// Len is the number of watched connections.
func (w *Watch) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

// Wait returns when the sweeper has ended: at once when all connections are closed, as they must be when it is called.
func (w *Watch) Wait() {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	if done == nil {
		return
	}
	w.Look()
	<-done
}

// Look makes the watch look at its connections now, as at a tick: what GiveUpIf asks may have changed.
func (w *Watch) Look() {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to
	}
}

// Due is the moment d from now, on the safe side of the clock's coarseness.
func (w *Watch) Due(d time.Duration) int64 { return w.Now() + int64(d) + w.tick.Load() }

func (w *Watch) add(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.slot = len(w.conns)
	w.conns = append(w.conns, c)
	if w.running.Load() {
		return
	}
	w.now.Store(w.clock())
	w.running.Store(true)
	w.done = make(chan struct{})
	go w.sweep(w.done)
}

// remove takes c off the watch. It may be called again.
func (w *Watch) remove(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.slot < 0 {
		return
	}
	last := len(w.conns) - 1
	w.conns[c.slot] = w.conns[last]
	w.conns[c.slot].slot = c.slot
	w.conns[last] = nil
	w.conns = w.conns[:last]
	c.slot = -1
}

// sweep is the sweeper. It looks at a copy of the list, so that opening and closing connections never waits for it.
func (w *Watch) sweep(done chan struct{}) {
	defer close(done)
	tick := w.tick.Load()
	ticker := time.NewTicker(time.Duration(tick))
	defer ticker.Stop()
	var look []*Conn
	for {
		select {
		case <-ticker.C:
		case <-w.wake:
		}
		if now := w.tick.Load(); now != tick {
			tick = now
			ticker.Reset(time.Duration(tick))
		}
		now := w.advance()
		w.mu.Lock()
		if len(w.conns) == 0 {
			w.conns = nil // a burst of connections does not hold memory for ever
			w.running.Store(false)
			w.mu.Unlock()
			return
		}
		look = append(look[:0], w.conns...)
		w.mu.Unlock()
		for _, c := range look {
			c.sweep(now)
		}
		clear(look)
	}
}

// advance moves the clock on, by two ticks at most.
func (w *Watch) advance() int64 {
	now, most := w.clock(), w.now.Load()+2*w.tick.Load()
	if now > most {
		w.lag.Add(now - most)
		now = most
	}
	w.now.Store(now)
	return now
}
