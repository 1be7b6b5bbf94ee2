package membership

import "sync"

// hub hands each new snapshot to every subscriber. A subscriber that did not fetch the last one finds the newest instead.
type hub struct {
	mu     sync.Mutex
	subs   map[chan []Member]struct{}
	closed bool
}

// subscribe gives a channel that holds first already, and the function that ends it. After close the channel is closed from the start.
func (h *hub) subscribe(first []Member) (<-chan []Member, func()) {
	ch := make(chan []Member, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	ch <- first
	if h.closed {
		close(ch)
		return ch, func() {}
	}
	if h.subs == nil {
		h.subs = make(map[chan []Member]struct{})
	}
	h.subs[ch] = struct{}{}
	return ch, func() { h.cancel(ch) }
}

func (h *hub) cancel(ch chan []Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.subs[ch]; ok {
		delete(h.subs, ch)
		close(ch)
	}
}

// publish never blocks: only it sends, under the lock, and it makes room first.
func (h *hub) publish(snapshot []Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case <-ch:
		default:
		}
		ch <- snapshot
	}
}

// close ends all subscriptions; what they have not fetched yet stays readable.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for ch := range h.subs {
		delete(h.subs, ch)
		close(ch)
	}
}
