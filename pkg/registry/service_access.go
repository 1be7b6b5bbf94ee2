package registry

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// accessEvery is how often accesses are stored, and accessBatch how many different ones at a time: more than that are counted together. So whoever
	// guesses costs a few rows in a few seconds, however fast.
	accessEvery   = 5 * time.Second
	accessBatch   = 50
	accessTimeout = 5 * time.Second
)

// accesses gathers sign-ins and refusals until they are stored. Those of the last seconds are lost when the process dies.
type accesses struct {
	log Log // nil: they are dropped
	now func() time.Time

	storing sync.Mutex // held while accesses are stored

	mu      sync.Mutex
	closed  bool
	waiting []AccessEvent
	index   map[AccessEvent]int // by what makes two of them alike
	timer   *time.Timer         // nil while nothing waits
}

// NoteAccess notes a sign-in or a refusal. It never blocks. The caller fills Kind, User, Client, Agent, RequestID and Path.
func (s *Service) NoteAccess(a AccessEvent) { s.accesses.note(a) }

func (g *accesses) note(a AccessEvent) {
	if g.log == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	a.Times, a.At = 1, g.now()
	g.add(a)
	if g.timer == nil {
		g.timer = time.AfterFunc(accessEvery, g.flush)
	}
}

// add puts an access among those that wait: with one that is like it, or, where too many wait, with all of its kind.
func (g *accesses) add(a AccessEvent) {
	times := a.Times
	key := AccessEvent{Kind: a.Kind, User: firstRunes(a.User, MaxUserNameLength), Client: a.Client, Path: a.Path}
	i, ok := g.index[key]
	if !ok && len(g.waiting) >= accessBatch {
		key = AccessEvent{Kind: a.Kind} // of whomever, from wherever
		a = AccessEvent{Kind: a.Kind, At: a.At}
		i, ok = g.index[key]
	}
	if !ok {
		if g.index == nil {
			g.index = map[AccessEvent]int{}
		}
		i = len(g.waiting)
		a.User, a.Times = key.User, 0
		g.index[key] = i
		g.waiting = append(g.waiting, a)
	}
	g.waiting[i].Times += times
}

// StoreAccesses stores the accesses that wait, and lets no more be noted: for a node that stops, before its stores are closed.
func (s *Service) StoreAccesses() { s.accesses.close() }

func (g *accesses) close() {
	g.mu.Lock()
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()
	g.flush() // waits for one that runs
}

// flush stores what waits. What cannot be stored waits on, within the same bounds.
func (g *accesses) flush() {
	g.storing.Lock()
	defer g.storing.Unlock()
	g.mu.Lock()
	list := g.waiting
	g.waiting, g.index, g.timer = nil, nil, nil
	g.mu.Unlock()
	if len(list) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), accessTimeout)
	defer cancel()
	if g.log.NoteAccess(ctx, list) == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	newer := g.waiting
	g.waiting, g.index = nil, nil
	for _, a := range slices.Concat(list, newer) {
		g.add(a)
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(accessEvery, g.flush)
	}
}

// AccessPage is a page of accesses, newest first.
type AccessPage struct {
	Accesses []AccessEvent
	Next     string // the cursor of the next page, "" at the end
}

// Accesses reads sign-ins and refusals, newest first; those of the last seconds may be missing. Needs [RightAuthorize] on the root.
func (s *Service) Accesses(ctx context.Context, a Actor, cursor string, limit int) (AccessPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return AccessPage{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightAuthorize, Root); err != nil {
		return AccessPage{}, err
	}
	var before ID
	if cursor != "" {
		if before, err = ParseID("cursor", cursor); err != nil {
			return AccessPage{}, badCursor(cursor)
		}
	}
	if s.accesses.log == nil {
		return AccessPage{}, nil
	}
	list, err := s.accesses.log.Accesses(ctx, before, limit+1)
	if err != nil {
		return AccessPage{}, err
	}
	page := AccessPage{Accesses: list}
	if len(list) > limit {
		page.Accesses = list[:limit]
		page.Next = list[limit-1].ID.String()
	}
	return page, nil
}
