package registry

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// The watchers of a store share one reader of its change log. It keeps the events it read last, and marks those watchers that an event concerns; each
// takes its events in its own time. A watcher that comes from further back, or is slower than the kept events last, reads the log itself, so it holds up
// nobody and costs no memory. While there is no watcher nothing is read.

const (
	// headPoll is how often the log is asked for changes of other nodes; those of this one wake the reader at once.
	headPoll = 200 * time.Millisecond
	// keptEvents are the events that a hub keeps for its watchers, 2 to 4 MiB.
	keptEvents = 4096
	readEvents = 500 // of one read of the log
	takeEvents = 256 // that a watcher takes at a time
)

// hub is the reader of one store's log and its watchers.
type hub struct {
	log   Log
	spawn func(func()) // starts a goroutine that the owner waits for

	mu      sync.Mutex
	all     map[*Watch]struct{}
	byPath  map[Path][]*Watch // by the path in the store that they watch
	paths   []Path            // the keys of byPath, sorted
	stop    context.CancelFunc
	cursor  Position // where the reader is; every watcher has been marked for what comes before
	started bool     // cursor is somewhere
	kept    []Event  // the newest, up to cursor
	floor   Position // kept has everything after it
	failed  error    // the log is not the one that was read so far
}

func newHub(l Log, spawn func(func())) *hub {
	return &hub{log: l, spawn: spawn, stop: func() {}, all: map[*Watch]struct{}{}, byPath: map[Path][]*Watch{}}
}

// add takes a watcher in, and starts the reader with the first one.
func (h *hub) add(w *Watch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) >= MaxWatches {
		return Errorf(CodeUnavailable, "this node serves %d watches of the store already; that is the limit", MaxWatches)
	}
	if len(h.all) == 0 {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.started, h.kept, h.failed = cancel, false, nil, nil
		h.spawn(func() { h.run(ctx) })
	}
	h.all[w] = struct{}{}
	if _, ok := h.byPath[w.under]; !ok {
		i, _ := slices.BinarySearch(h.paths, w.under)
		h.paths = slices.Insert(h.paths, i, w.under)
	}
	h.byPath[w.under] = append(h.byPath[w.under], w)
	return nil
}

// remove lets a watcher go, and ends the reader with the last one.
func (h *hub) remove(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.all[w]; !ok {
		return
	}
	delete(h.all, w)
	h.byPath[w.under] = slices.DeleteFunc(h.byPath[w.under], func(o *Watch) bool { return o == w })
	if len(h.byPath[w.under]) == 0 {
		delete(h.byPath, w.under)
		if i, ok := slices.BinarySearch(h.paths, w.under); ok {
			h.paths = slices.Delete(h.paths, i, i+1)
		}
	}
	if len(h.all) == 0 {
		h.stop()
	}
}

// run reads the log until ctx ends.
func (h *hub) run(ctx context.Context) {
	moved := h.log.Moved() // before the log is read: what comes after that closes it
	h.follow(ctx)
	for {
		t := time.NewTimer(headPoll)
		behind := true
		select {
		case <-moved:
		case <-t.C:
			// The head costs a fraction of reading the log, and nothing when others ask for it at the time.
			head, err := h.log.Head(ctx)
			behind = err == nil && !h.at(head)
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
		if behind {
			moved = h.log.Moved()
			h.follow(ctx)
		}
	}
}

// at tells whether the reader is at the head.
func (h *hub) at(head Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.started && h.cursor.Seq == head.Seq && h.cursor.Mark == head.Mark
}

// follow reads the log to its end. What fails for a passing reason is tried again at the next look at the head.
func (h *hub) follow(ctx context.Context) {
	cursor, ok := h.start(ctx)
	for ok {
		page, err := h.log.Events(ctx, cursor, readEvents)
		if CodeOf(err) == CodeGone {
			h.end(ctx, err)
		}
		if err != nil {
			return
		}
		cursor = page.last()
		ok = h.append(ctx, page) && page.More
	}
}

// last is where the page ends. At the end of the log that is the end of an operation, since operations become visible whole.
func (p EventPage) last() Position {
	last := p.Last
	if !p.More {
		last.Item = EndOfOperation
	}
	return last
}

// start gives the cursor; a new reader begins at the head.
func (h *hub) start(ctx context.Context) (Position, bool) {
	h.mu.Lock()
	cursor, started := h.cursor, h.started
	h.mu.Unlock()
	if started {
		return cursor, true
	}
	head, err := h.log.Head(ctx)
	if err != nil {
		return Position{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return Position{}, false // another reader has begun
	}
	h.cursor, h.floor, h.started = head, head, true
	for w := range h.all {
		w.poke()
	}
	return head, true
}

// append takes in what was read, and wakes the watchers that it concerns. It tells whether the reader goes on.
func (h *hub) append(ctx context.Context, page EventPage) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	before := h.cursor
	for i := range page.Events {
		e := &page.Events[i]
		h.concerned(e, func(w *Watch) { w.mark(before, e.Position) })
		before = e.Position
	}
	h.kept = append(h.kept, page.Events...)
	h.cursor = page.last()
	if drop := len(h.kept) - keptEvents; drop > keptEvents/4 {
		h.floor = h.kept[drop-1].Position
		h.kept = slices.Clone(h.kept[drop:])
	}
	return true
}

// concerned calls f for the watchers that an event is for: those at its path and above, and, when it moves what lies below, those there.
func (h *hub) concerned(e *Event, f func(*Watch)) {
	each := func(p Path) {
		for _, w := range h.byPath[p] {
			if w.concerns(e) {
				f(w)
			}
		}
	}
	if e.Path == "" {
		return
	}
	for p := e.Path; ; p = p.Parent() {
		each(p)
		if p.IsRoot() {
			break
		}
	}
	if !e.Moves {
		return
	}
	below := e.Path + "/"
	for i := sort.Search(len(h.paths), func(i int) bool { return h.paths[i] >= below }); i < len(h.paths) && strings.HasPrefix(string(h.paths[i]), string(below)); i++ {
		each(h.paths[i])
	}
}

// hasFailed tells whether every watcher is to stop.
func (h *hub) hasFailed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed != nil
}

// end makes every watcher stop with err, and the reader too.
func (h *hub) end(ctx context.Context, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	h.failed = err
	h.stop()
	for w := range h.all {
		w.poke()
	}
}
