package registry

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// hookPoll is how often the node that delivers looks for changes of others and for tries that are due.
	hookPoll = time.Second
	// hookPause is between two looks, however much happens.
	hookPause = 100 * time.Millisecond
	// hookTurn is how many events one webhook delivers until it is looked at anew.
	hookTurn = 100
	// hookKeep is how often a webhook that had nothing to tell stores how far it has come: another node begins there, and the change log is kept longer.
	hookKeep = 5 * time.Minute
	// hookPrune is how often old deliveries are removed.
	hookPrune = 10 * time.Minute
)

// Courier delivers the webhooks of a [Service]. Any number may run on one database, one in each node: one at a time holds a lease and delivers, and when it falls
// silent another one goes on where the stored state says. What was sent and not noted is sent again, with the same id. Each webhook gets its events
// one after the other, in the order of the change log; webhooks do not wait for each other. Not for concurrent use.
type Courier struct {
	s      *Service
	holder ID

	held   time.Time // since when the lease was not renewed, by our clock
	life   context.Context
	end    context.CancelFunc
	jobs   sync.WaitGroup
	pruned time.Time
	again  chan struct{} // has a token when a webhook ended its turn with more to tell

	mu    sync.Mutex
	busy  map[ID]bool
	ahead map[ID]hookReach // how far webhooks came that had nothing to tell
}

// hookReach is how far a webhook has come beyond its stored cursor of a revision.
type hookReach struct {
	rev    int64
	at     Position
	stored time.Time // when the cursor was stored
}

// NewCourier makes a courier. It does nothing until [Courier.Run] or [Courier.Round].
func (s *Service) NewCourier() *Courier {
	c := &Courier{s: s, again: make(chan struct{}, 1), busy: map[ID]bool{}, ahead: map[ID]hookReach{}}
	_, _ = rand.Read(c.holder[:]) // it never fails: see its documentation
	return c
}

// Run delivers until ctx ends, whenever this node holds the lease.
func (c *Courier) Run(ctx context.Context) {
	if c.s.hooks.Store == nil {
		return
	}
	for {
		moved := c.s.hooks.Store.Moved() // before the look: what comes after that closes it. Changes of other nodes and other stores are found by looking
		holds, err := c.Round(ctx)
		if err != nil && ctx.Err() == nil && c.s.hooks.Warn != nil {
			c.s.hooks.Warn(ctx, "webhooks were not delivered", err)
		}
		if !holds {
			moved = nil
		}
		if !c.wait(ctx, holds, moved) {
			c.stop(ctx)
			return
		}
	}
}

// wait waits until there may be something to do; false when ctx has ended.
func (c *Courier) wait(ctx context.Context, holds bool, moved <-chan struct{}) bool {
	d := c.s.hooks.Lease / 3
	if holds {
		d = min(d, hookPoll)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	case <-moved:
	case <-c.again:
	}
	p := time.NewTimer(min(hookPause, d))
	defer p.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-p.C:
		return true
	}
}

// stop ends what runs, and lets another node go on at once.
func (c *Courier) stop(ctx context.Context) {
	c.lose()
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := c.s.hooks.Store.LeaveWebhooks(left, c.holder); err != nil && c.s.hooks.Warn != nil {
		c.s.hooks.Warn(left, "the lease of the webhooks could not be given up; another node takes over when it ends", err)
	}
}

// lose ends all deliveries of this node, and waits for that.
func (c *Courier) lose() {
	if c.end != nil {
		c.end()
		c.end = nil
		if o := c.s.hooks.Observer; o != nil {
			o.Behind(0, 0, 0)
		}
	}
	c.jobs.Wait()
}

// Round takes or renews the lease, and begins to deliver what is due. It tells whether this node delivers.
func (c *Courier) Round(ctx context.Context) (bool, error) {
	hooks, err := c.s.hooks.Store.Webhooks(ctx)
	if err != nil {
		return c.end != nil && c.fresh(), err
	}
	holds, err := c.hold(ctx, slices.ContainsFunc(hooks, func(w Webhook) bool { return w.Enabled }))
	if !holds {
		c.lose()
		return false, err
	}
	if c.end == nil {
		c.life, c.end = context.WithCancel(ctx)
		c.mu.Lock()
		c.ahead = map[ID]hookReach{}
		c.mu.Unlock()
	}
	c.prune(ctx, hooks)
	c.look(ctx, hooks)
	return true, nil
}

// look begins to deliver for the webhooks that have something to tell and may try.
func (c *Courier) look(ctx context.Context, hooks []Webhook) {
	now := c.s.now()
	heads := map[string]Position{}
	g := glance{c: c, owners: map[ID]string{}, pages: map[glanced]EventPage{}}
	waiting, lag, behind := 0, time.Duration(0), int64(0)
	for _, w := range hooks {
		if !w.Enabled {
			continue
		}
		if w.State.Failures > 0 {
			waiting++
			lag = max(lag, now.Sub(w.State.Failing))
		}
		head, known := c.head(ctx, w, heads)
		at := c.position(w)
		if known {
			behind = max(behind, head.Seq-at.Seq)
		}
		atHead := known && head.Seq == at.Seq && head.Mark == at.Mark && at.Item == EndOfOperation && w.State.Waiting.IsZero()
		if !atHead && !w.State.Next.After(now) && g.due(ctx, w, at) {
			c.begin(w)
		}
	}
	if g.fault != nil && ctx.Err() == nil && c.s.hooks.Warn != nil {
		c.s.hooks.Warn(ctx, "webhooks were not looked at", g.fault)
	}
	if o := c.s.hooks.Observer; o != nil {
		o.Behind(waiting, lag, behind)
	}
}

// head is where the log ends that a webhook follows; false when nobody can tell.
func (c *Courier) head(ctx context.Context, w Webhook, heads map[string]Position) (Position, bool) {
	if head, ok := heads[w.Store]; ok {
		return head, true
	}
	sc, err := c.s.hookScope(w.Path, w.Store)
	if err != nil {
		return Position{}, false
	}
	head, err := sc.store.Head(ctx)
	if err != nil {
		return Position{}, false
	}
	heads[w.Store] = head
	return head, true
}

// Wait waits until what a round began has ended.
func (c *Courier) Wait() { c.jobs.Wait() }

// fresh tells whether the lease cannot have ended yet.
func (c *Courier) fresh() bool { return time.Since(c.held) < c.s.hooks.Lease }

// hold takes the lease, or renews it when a third of it has gone. Nobody needs it where there is nothing to deliver.
func (c *Courier) hold(ctx context.Context, needed bool) (bool, error) {
	if !needed {
		return false, nil
	}
	if c.end != nil && time.Since(c.held) < c.s.hooks.Lease/3 {
		return true, nil
	}
	asked := time.Now()
	holds, err := c.s.hooks.Store.HoldWebhooks(ctx, c.holder, c.s.hooks.Lease)
	if err != nil {
		return c.end != nil && c.fresh(), err
	}
	c.held = asked
	return holds, nil
}

// begin delivers for a webhook, unless somebody is at it already.
func (c *Courier) begin(w Webhook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[w.ID] {
		return
	}
	c.busy[w.ID] = true
	ctx := c.life
	c.jobs.Go(func() {
		err := c.deliver(ctx, w)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.busy, w.ID)
		if err != nil && ctx.Err() == nil && c.s.hooks.Warn != nil {
			c.s.hooks.Warn(ctx, "a webhook was not delivered", err)
		}
	})
}

// position is how far a webhook has come.
func (c *Courier) position(w Webhook) Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, ok := c.ahead[w.ID]; ok && a.rev == w.State.Rev && w.State.Cursor.Before(a.at) {
		return a.at
	}
	return w.State.Cursor
}

// passed notes how far a webhook has come without anything to tell, and stores it now and then: the change log is not kept for ever.
func (c *Courier) passed(ctx context.Context, w *Webhook, at Position) error {
	now := c.s.now()
	c.mu.Lock()
	a, ok := c.ahead[w.ID]
	if !ok || a.rev != w.State.Rev {
		a = hookReach{rev: w.State.Rev, stored: now}
	}
	a.at = at
	c.ahead[w.ID] = a
	c.mu.Unlock()
	if now.Sub(a.stored) < hookKeep || at == w.State.Cursor || !w.State.Waiting.IsZero() {
		return nil
	}
	next := w.State
	next.Rev, next.Cursor = w.State.Rev+1, at
	_, err := c.s.hooks.Store.NoteDelivery(ctx, Delivery{}, w.ID, w.State.Rev, &next)
	return err
}

// deliver tells a webhook's events until there are no more, one fails, or others are to have their turn.
func (c *Courier) deliver(ctx context.Context, w Webhook) error {
	at := c.position(w)
	for range hookTurn {
		r := hookReader{s: c.s, hook: w}
		if err := r.prepare(ctx); err != nil || r.problem != "" {
			return err
		}
		e, found, to, more, err := r.next(ctx, at)
		if CodeOf(err) == CodeGone {
			return c.lost(ctx, &r, err)
		}
		if err != nil {
			return err
		}
		if !found {
			if at = to; more {
				continue
			}
			if ok, err := c.withdraw(ctx, &w); err != nil || !ok {
				return err
			}
			return c.passed(ctx, &w, at)
		}
		goesOn, err := c.tell(ctx, &r, e)
		if err != nil || !goesOn {
			return err
		}
		w, at = r.hook, e.Position
	}
	c.anew()
	return nil
}

// anew makes the next look come soon.
func (c *Courier) anew() {
	select {
	case c.again <- struct{}{}:
	default: // it does already
	}
}

// tell tries one event, and notes what came of it, with the webhook's next state, which is then in r. It tells whether the next event is to follow.
func (c *Courier) tell(ctx context.Context, r *hookReader, e Event) (bool, error) {
	d, ok, err := c.delivery(ctx, &r.hook, e)
	if err != nil || !ok {
		return false, err
	}
	w := r.hook
	body, err := eventBody(w, r.source, e)
	if err != nil {
		return false, err
	}
	asked := c.s.attempt(ctx, w, &d, eventID(e.Position), body)
	if ctx.Err() != nil {
		return false, nil //nolint:nilerr // the next holder tries again; whether this one arrived nobody knows
	}
	next := w.State
	next.Rev++
	if d.State == DeliveryDone {
		next = WebhookState{Rev: next.Rev, Cursor: e.Position}
	} else {
		next.Failures++
		if next.Failing.IsZero() {
			next.Failing = d.Last
		}
		next.Next = d.Last.Add(max(backoff(next.Failures, mathrand.Float64()), min(asked, time.Hour)))
		next.Waiting = d.ID
		if d.Last.Sub(next.Failing) >= c.s.hooks.GiveUp {
			d.State, next.Cursor, next.Waiting = DeliveryFailed, e.Position, ID{}
		}
	}
	c.s.observeDelivery(d)
	ok, err = c.s.hooks.Store.NoteDelivery(ctx, d, w.ID, w.State.Rev, &next)
	if err != nil || !ok {
		return false, err // somebody changed the webhook, or took over: the next look begins with what they left
	}
	r.hook.State = next
	return d.State == DeliveryDone, nil
}
