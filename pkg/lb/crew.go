package lb

import "sync"

// crew carries out the requests of HTTP/2 streams, each in a goroutine. Goroutines that have nothing to do are kept: their stacks have
// grown to the size that a request needs.
type crew struct {
	mu      sync.Mutex
	idle    []chan *h2Stream // newest last; each holds one
	closed  bool
	running sync.WaitGroup
}

// crewMost bounds the goroutines that are kept.
const crewMost = 256

// carryOut has a request carried out. It does not wait.
func (w *crew) carryOut(st *h2Stream) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
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
	return true
}

// close ends the idle goroutines, and waits for the others. No request may come any more.
func (w *crew) close() {
	w.mu.Lock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
	w.mu.Unlock()
	w.running.Wait()
}
