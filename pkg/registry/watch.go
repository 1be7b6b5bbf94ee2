package registry

import (
	"context"
	"sort"
	"sync"
)

// MaxWatches is how many watches one node serves of one store.
const MaxWatches = 20_000

// WatchInput says what to watch.
type WatchInput struct {
	Path Path
	Only bool // that path alone, not what lies below
	// From is the position after which to begin; nil begins with what happens next.
	From *Position
	// Store chooses a store where several lie below Path; "" is the first of them.
	Store string
}

// Watch gives what happens at a path, and below: every event after the position where it began, each once and in the order of the store's log. Those that
// the actor may not read are left out. Not for concurrent use; Close it when done.
type Watch struct {
	service *Service
	hub     *hub
	scope   scope
	under   Path // in the store
	only    bool
	wake    chan struct{} // has a token when there may be something to take

	first []Event // read before the watch was given out

	// Guarded by the hub's lock.
	pos     Position // everything before was taken
	pending bool     // the hub has something for it after pos
	behind  bool     // it reads the log itself
}

// watching is the part of a [Service] that watches.
type watching struct {
	mu    sync.Mutex
	hubs  map[string]*hub // by the store's name
	ended bool
}

// Watch begins a watch. Needs [RightRead] on the path. [CodeGone] when the log does not have what follows the position; [CodeConflict] when no store
// is mounted there.
func (s *Service) Watch(ctx context.Context, a Actor, in WatchInput) (*Watch, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, in.Path); err != nil {
		return nil, err
	}
	sc, err := s.scopeOf(in.Path, in.Store)
	if err != nil {
		return nil, err
	}
	w := &Watch{service: s, scope: sc, under: sc.under, only: in.Only, wake: make(chan struct{}, 1), behind: true}
	if in.From != nil {
		w.pos = *in.From
	} else if w.pos, err = sc.store.Head(ctx); err != nil {
		return nil, err
	}
	if err := s.watching.add(w); err != nil {
		return nil, err
	}
	if w.first, err = w.readLog(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// add takes a watch in, at the hub of its store.
func (g *watching) add(w *Watch) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return errWatchEnded()
	}
	if g.hubs == nil {
		g.hubs = map[string]*hub{}
	}
	name := w.scope.store.Name()
	w.hub = g.hubs[name]
	if w.hub == nil {
		w.hub = newHub(w.scope.store)
		g.hubs[name] = w.hub
	}
	return w.hub.add(w)
}

func errWatchEnded() error {
	return Errorf(CodeUnavailable, "this node stops; watch on at another one, from the last position")
}

// EndWatches ends all watches with [CodeUnavailable], and lets no more begin: for a node that stops.
func (s *Service) EndWatches() {
	g := s.watching
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for _, h := range g.hubs {
		h.end(context.Background(), errWatchEnded())
	}
}

// Position is where the watch has come to: everything before was given, or was not for it.
func (w *Watch) Position() Position {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if !w.behind && !w.pending && w.pos.Before(w.hub.cursor) {
		return w.hub.cursor
	}
	return w.pos
}

// Store is the name of the store that is watched.
func (w *Watch) Store() string { return w.scope.store.Name() }

// Close ends the watch.
func (w *Watch) Close() { w.hub.remove(w) }

// Next waits for events that the actor may read, and gives them in order. who tells who the actor is now: it is asked for each piece, at the time when
// it is given out. Its error ends the watch, and so do [CodeGone], when the store's log is not the one it was, and [CodeUnavailable], when the node stops
// or the store does not answer. When ctx ends first, its error is given, and the watch can go on.
func (w *Watch) Next(ctx context.Context, who func() (Actor, error)) ([]Event, error) {
	for {
		events, err := w.take(ctx)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			continue
		}
		a, err := who()
		if err != nil {
			return nil, err
		}
		if events = w.visible(ctx, a, events); len(events) > 0 {
			return events, nil
		}
	}
}

// visible gives those events that the actor may read, at the paths where the registry has them.
func (w *Watch) visible(ctx context.Context, a Actor, events []Event) []Event {
	list := make([]Event, 0, len(events))
	for _, e := range events {
		p, ok := w.scope.place(e.Path)
		if !ok {
			continue
		}
		asked := p
		if p.Covers(w.scope.path) {
			asked = w.scope.path // something above moved, and what is watched with it
		}
		if w.service.auth.Authorize(ctx, a, RightRead, asked) != nil {
			continue
		}
		e.Path, e.Client, e.Agent = p, "", ""
		list = append(list, e)
	}
	return list
}

// concerns tells whether an event is for the watch.
func (w *Watch) concerns(e *Event) bool {
	switch {
	case e.Path == "":
		return false
	case e.Moves && e.Path.Covers(w.under):
		return true
	case w.only:
		return e.Path == w.under
	}
	return w.under.Covers(e.Path)
}

// mark notes that an event at a position is for the watch; the hub had come to before. The caller holds the hub's lock.
func (w *Watch) mark(before, at Position) {
	if w.behind || w.pending || !w.pos.Before(at) {
		return
	}
	if w.pos.Before(before) {
		w.pos = before
	}
	w.pending = true
	w.poke()
}

func (w *Watch) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// take waits for events; it may give none, and then is to be called again.
func (w *Watch) take(ctx context.Context) ([]Event, error) {
	if first := w.first; len(first) > 0 {
		w.first = nil
		return first, nil
	}
	events, state, err := w.takeKept()
	switch {
	case err != nil:
		return nil, err
	case state == watchBehind:
		return w.readLog(ctx)
	case state == watchTook:
		return events, nil
	}
	select {
	case <-w.wake:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type watchState int

const (
	watchIdle   watchState = iota // nothing is there for it
	watchTook                     // it took something, or passed by what was not for it
	watchBehind                   // it must read the log itself
)

// takeKept takes from what the hub has kept.
func (w *Watch) takeKept() ([]Event, watchState, error) {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.failed != nil:
		return nil, watchIdle, h.failed
	case w.behind && !h.started:
		return nil, watchIdle, nil // the hub will tell when it has begun
	case w.behind || w.pending && w.pos.Before(h.floor):
		w.behind = true
		return nil, watchBehind, nil
	case !w.pending:
		return nil, watchIdle, nil
	}
	var events []Event
	i := sort.Search(len(h.kept), func(i int) bool { return w.pos.Before(h.kept[i].Position) })
	for ; i < len(h.kept) && len(events) < takeEvents; i++ {
		if w.concerns(&h.kept[i]) {
			events = append(events, h.kept[i])
		}
		w.pos = h.kept[i].Position
	}
	if i == len(h.kept) {
		w.pending = false
		if w.pos.Before(h.cursor) {
			w.pos = h.cursor
		}
	}
	return events, watchTook, nil
}

// readLog reads the next piece of the log past the hub, until it has come to where the hub is.
func (w *Watch) readLog(ctx context.Context) ([]Event, error) {
	w.hub.mu.Lock()
	from := w.pos
	w.hub.mu.Unlock()
	page, err := w.hub.log.Events(ctx, from, readEvents)
	if err != nil {
		return nil, err
	}
	var events []Event
	for i := range page.Events {
		if w.concerns(&page.Events[i]) {
			events = append(events, page.Events[i])
		}
	}
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	w.pos = page.last()
	if h.started && !w.pos.Before(h.floor) {
		// What the hub keeps begins there, or earlier, or it has not come so far yet.
		w.behind, w.pending = false, w.pos.Before(h.cursor)
	}
	return events, nil
}
