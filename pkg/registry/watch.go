package registry

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"
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

	owner string // whom it counts for, "" when it counts no more; guarded by the lock of watching

	given Position // everything before was given out by Next, or was not for the watch
	ahead *taken   // taken, and not given out yet

	// Guarded by the hub's lock.
	pos     Position // everything before was taken
	pending bool     // the hub has something for it after pos
	behind  bool     // it reads the log itself
}

// taken is a piece of what a watch takes: what happened up to a position, as far as it is for the watch.
type taken struct {
	events []Event
	to     Position
}

// watching is the part of a [Service] that watches.
type watching struct {
	readers sync.WaitGroup

	mu    sync.Mutex
	hubs  map[string]*hub // by the store's name
	users map[string]int  // how many watches each has, by owner
	ended bool
}

// Watch begins a watch. Needs [RightRead] on the path. [CodeThrottled] when the actor has too many at this node already, [CodeGone] when the log does not have what follows the position; [CodeConflict] when no store
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
	if err := s.watching.add(w, watcherOf(a), s.limits.userWatches()); err != nil {
		return nil, err
	}
	w.given = w.pos
	if w.ahead, err = w.readLog(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// watchRetry is when somebody with too many watches may try again: some end meanwhile, as long polls do.
const watchRetry = 10 * time.Second

// watcherOf is whom a watch of a counts for: the user, or the address of who has no name. No user name has a colon.
func watcherOf(a Actor) string {
	if a.User == "" {
		return ":" + a.Client
	}
	return a.User
}

// add takes a watch in, at the hub of its store, unless its owner has most of them.
func (g *watching) add(w *Watch, owner string, most int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return errWatchEnded()
	}
	if n := g.users[owner]; n >= most {
		return &Error{
			Code: CodeThrottled, RetryAfter: watchRetry,
			Message: fmt.Sprintf("you have %d watches at this node already; the limit is %d", n, most),
		}
	}
	if g.hubs == nil {
		g.hubs = map[string]*hub{}
	}
	name := w.scope.store.Name()
	w.hub = g.hubs[name]
	if w.hub == nil || w.hub.hasFailed() { // those who watched through a failed one are still leaving it
		w.hub = newHub(w.scope.store, g.readers.Go)
		g.hubs[name] = w.hub
	}
	if err := w.hub.add(w); err != nil {
		return err
	}
	if g.users == nil {
		g.users = map[string]int{}
	}
	g.users[owner]++
	w.owner = owner
	return nil
}

// Watches tells how many watches this node serves now.
func (s *Service) Watches() int {
	g := s.watching
	g.mu.Lock()
	defer g.mu.Unlock()
	all := 0
	for _, n := range g.users {
		all += n
	}
	return all
}

// leave makes a watch count for nobody any more.
func (g *watching) leave(w *Watch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.owner == "" {
		return
	}
	if g.users[w.owner]--; g.users[w.owner] == 0 {
		delete(g.users, w.owner)
	}
	w.owner = ""
}

func errWatchEnded() error {
	return Errorf(CodeUnavailable, "this node stops; watch on at another one, from the last position")
}

// EndWatches ends all watches with [CodeUnavailable], and lets no more begin: for a node that stops. Afterwards nothing reads the logs for them.
func (s *Service) EndWatches() {
	g := s.watching
	g.end()
	g.readers.Wait()
}

// ShedWatches ends all watches of now with [CodeUnavailable], and lets others begin: for a node that gets no more requests from load balancers. Those who
// watch come back from their last position, to another node.
func (s *Service) ShedWatches() {
	g := s.watching
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, h := range g.hubs {
		h.end(context.Background(), errWatchEnded())
		delete(g.hubs, name)
	}
}

func (g *watching) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for _, h := range g.hubs {
		h.end(context.Background(), errWatchEnded())
	}
}

// Position is where the watch has come to: everything before was given by Next, or was not for it. Whoever begins there misses nothing.
func (w *Watch) Position() Position {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if w.ahead == nil && !w.behind && !w.pending && w.given.Before(w.hub.cursor) {
		return w.hub.cursor
	}
	return w.given
}

// Store is the name of the store that is watched.
func (w *Watch) Store() string { return w.scope.store.Name() }

// Close ends the watch.
func (w *Watch) Close() {
	w.hub.remove(w)
	w.service.watching.leave(w)
}

// Next waits for events that the actor may read, and gives them in order. who tells who the actor is now: it is asked for each piece, at the time when
// it is given out. Its error ends the watch, and so do [CodeGone], when the store's log is not the one it was, and [CodeUnavailable], when the node stops
// or the store does not answer. After an error Position is still before what was not given. When ctx ends first, its error is given, and the watch can go on.
func (w *Watch) Next(ctx context.Context, who func() (Actor, error)) ([]Event, error) {
	for {
		if err := w.take(ctx); err != nil {
			return nil, err
		}
		if w.ahead == nil {
			continue
		}
		var events []Event
		if len(w.ahead.events) > 0 {
			a, err := who()
			if err != nil {
				return nil, err
			}
			filter := eventFilter{auth: w.service.auth, scope: w.scope, above: true}
			if events, err = filter.pass(ctx, a, w.ahead.events); err != nil {
				return nil, err
			}
		}
		w.given, w.ahead = w.ahead.to, nil
		if len(events) > 0 {
			return events, nil
		}
	}
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

// take waits for something to give out; it may find nothing, and then is to be called again.
func (w *Watch) take(ctx context.Context) error {
	if w.ahead != nil {
		return nil
	}
	piece, state, err := w.takeKept()
	if err == nil && state == watchBehind {
		piece, err = w.readLog(ctx)
	}
	if w.ahead = piece; err != nil || state != watchIdle {
		return err
	}
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type watchState int

const (
	watchIdle   watchState = iota // nothing is there for it
	watchTook                     // it took something, or passed by what was not for it
	watchBehind                   // it must read the log itself
)

// takeKept takes from what the hub has kept.
func (w *Watch) takeKept() (*taken, watchState, error) {
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
	return &taken{events, w.pos}, watchTook, nil
}

// readLog reads the next piece of the log past the hub, until it has come to where the hub is.
func (w *Watch) readLog(ctx context.Context) (*taken, error) {
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
	return &taken{events, w.pos}, nil
}
