package lb

import (
	"sync"
	"time"
)

// crew carries out the requests of HTTP/2 streams, each in a goroutine. Goroutines that have nothing to do are kept for a while: their
// stacks have grown to the size that a request needs.
type crew struct {
	running sync.WaitGroup

	mu      sync.Mutex       // guards what follows
	idle    []chan *h2Stream // newest last; each holds one
	spare   int              // how many of them had nothing to do since the last sweep, at least
	sweeper *time.Timer      // nil while there is nothing to sweep
	closed  bool
}

const (
	crewMost  = 256             // idle goroutines that are kept
	crewSweep = 5 * time.Second // one that has nothing to do for so long ends
)

// carryOut has a request carried out. It does not wait.
func (w *crew) carryOut(st *h2Stream) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.spare = min(w.spare, n-1)
		w.mu.Unlock()
		next <- st
		return
	}
	w.mu.Unlock()
	w.running.Go(func() { w.work(st) })
}

func (w *crew) work(st *h2Stream) {
	next := make(chan *h2Stream, 1)
	for st != nil {
		st.serve()
		if !w.rest(next) {
			return
		}
		st = <-next
	}
}

// rest offers a goroutine for another request. It reports false if none is wanted.
func (w *crew) rest(next chan *h2Stream) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) >= crewMost {
		return false
	}
	w.idle = append(w.idle, next)
	if w.sweeper == nil {
		w.spare = 0
		w.sweeper = time.AfterFunc(crewSweep, w.sweep)
	}
	return true
}

// sweep ends the goroutines that had nothing to do for long.
func (w *crew) sweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for _, next := range w.idle[:w.spare] {
		close(next)
	}
	w.idle = append(w.idle[:0], w.idle[w.spare:]...)
	if w.spare = len(w.idle); w.spare == 0 {
		w.sweeper = nil
		return
	}
	w.sweeper.Reset(crewSweep)
}

// close ends the idle goroutines, and waits for the others. No request may come any more.
func (w *crew) close() {
	w.mu.Lock()
	w.closed = true
	if w.sweeper != nil {
		w.sweeper.Stop()
	}
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
	w.mu.Unlock()
	w.running.Wait()
}
