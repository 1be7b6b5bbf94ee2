package registry

import (
	"context"
	"slices"
)

// glance is one look of a [Courier] at webhooks that have not come to the end of their logs. Most have nothing to tell there, and they stand at the same place:
// what they all would ask is asked once, so that a look takes as many statements for a hundred of them as for one.
type glance struct {
	c      *Courier
	owners map[ID]string // what is in the way of each owner
	pages  map[glanced]EventPage
	fault  error // the first one; what it concerns waits for the next look
}

// glanced is a place in a log.
type glanced struct {
	store string
	after Position
}

// due tells whether there is something to do for a webhook that has come to a place. When nothing there is for it, that is noted.
func (g *glance) due(ctx context.Context, w Webhook, at Position) bool {
	if g.fault != nil || g.c.delivers(w.ID) {
		return false
	}
	r := hookReader{s: g.c.s, hook: w}
	var err error
	if r.scope, err = g.c.s.hookScope(w.Path, w.Store); err != nil || g.blocked(ctx, w) {
		return false // as long as that is so, nothing is told; the webhook's page says why
	}
	if !w.State.Waiting.IsZero() {
		return true
	}
	page, err := g.page(ctx, r.scope, at)
	if CodeOf(err) == CodeGone {
		return true
	}
	if err == nil && slices.ContainsFunc(page.Events, func(e Event) bool { return r.concerns(&e) }) {
		return true
	}
	if err == nil {
		err = g.c.passed(ctx, &w, page.last())
	}
	if g.fault = err; page.More {
		g.c.anew()
	}
	return false
}

// blocked tells whether something is in the way of the webhook's owner.
func (g *glance) blocked(ctx context.Context, w Webhook) bool {
	problem, known := g.owners[w.Owner]
	if !known {
		if problem, g.fault = g.c.s.ownerProblem(ctx, w); g.fault != nil {
			return true
		}
		g.owners[w.Owner] = problem
	}
	return problem != ""
}

func (g *glance) page(ctx context.Context, sc scope, after Position) (EventPage, error) {
	key := glanced{sc.store.Name(), after}
	if page, ok := g.pages[key]; ok {
		return page, nil
	}
	page, err := sc.store.Events(ctx, after, hookEvents)
	if err == nil {
		g.pages[key] = page
	}
	return page, err
}

// delivers tells whether something is delivered for a webhook now.
func (c *Courier) delivers(id ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy[id]
}
