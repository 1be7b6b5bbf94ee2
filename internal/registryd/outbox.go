package registryd

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// outboxSends is how many letters are under way at the same time.
	outboxSends = 16
	// outboxLimit is how long a letter may take until others are sent in its place. Its own node gets no other one before it has ended.
	outboxLimit = 2 * time.Second
	// outboxLetters is how many letters wait for one node; more are dropped: orders are sent again, and so are answers then.
	outboxLetters = 8
)

// outbox sends letters to other nodes. Each node gets its letters one after the other, and a node that does not take them holds up no other one.
// Safe for concurrent use.
type outbox struct {
	log   *slog.Logger
	slots chan struct{}

	mu    sync.Mutex
	boxes map[string]*box // of the nodes that something is sent to now
	sends sync.WaitGroup
	ended bool
}

// box is what waits for a node.
type box struct {
	letters [][]byte
	facts   []byte // the newest ones; nil for none
}

func newOutbox(log *slog.Logger) *outbox {
	return &outbox{log: log, slots: make(chan struct{}, outboxSends), boxes: map[string]*box{}}
}

// put sends a letter to a node, in the background. Facts go in the place of older ones that wait.
func (o *outbox) put(via carrier, to string, body []byte, facts bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	b, sending := o.boxes[to]
	if !sending {
		b = &box{}
		o.boxes[to] = b
	}
	switch {
	case facts:
		b.facts = body
	case len(b.letters) < outboxLetters:
		b.letters = append(b.letters, body)
	}
	if !sending {
		o.sends.Go(func() { o.empty(via, to) })
	}
}

// next takes what goes to a node next; nil when nothing waits, and then nobody sends to it any more.
func (o *outbox) next(to string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.boxes[to]
	var body []byte
	switch {
	case o.ended:
	case len(b.letters) > 0:
		body, b.letters = b.letters[0], b.letters[1:]
	case b.facts != nil:
		body, b.facts = b.facts, nil
	}
	if body == nil {
		delete(o.boxes, to)
	}
	return body
}

// empty sends what waits for a node.
func (o *outbox) empty(via carrier, to string) {
	for {
		body := o.next(to)
		if body == nil {
			return
		}
		o.slots <- struct{}{}
		late := time.AfterFunc(outboxLimit, func() { <-o.slots })
		err := via.Send(to, body)
		if late.Stop() {
			<-o.slots
		}
		if err != nil {
			o.log.Debug("a node was not told", "member", to, "error", err)
		}
	}
}

// end drops what waits, and waits for what is under way: that ends with the group at the latest.
func (o *outbox) end() {
	o.mu.Lock()
	o.ended = true
	o.mu.Unlock()
	o.sends.Wait()
}
