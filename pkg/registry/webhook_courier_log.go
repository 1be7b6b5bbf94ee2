package registry

import "context"

// delivery is the one that waits, when it is of that event, or a new one. It tells false when the webhook was changed meanwhile.
func (c *Courier) delivery(ctx context.Context, w *Webhook, e Event) (Delivery, bool, error) {
	if !w.State.Waiting.IsZero() {
		d, err := c.s.hooks.Store.Delivery(ctx, w.ID, w.State.Waiting)
		if err != nil && CodeOf(err) != CodeNotFound {
			return Delivery{}, false, err
		}
		if err == nil && d.Event == e.Position {
			return d, true, nil
		}
		if ok, err := c.withdraw(ctx, w); err != nil || !ok {
			return Delivery{}, false, err
		}
	}
	d := c.s.newDelivery(*w, DeliveryEvent)
	d.Event, d.Action, d.Path = e.Position, e.Action, e.Path
	return d, true, nil
}

// withdraw gives up the delivery that waits: the event is not for the webhook any more, or its owner may not read it now. It tells false when the webhook was
// changed meanwhile.
func (c *Courier) withdraw(ctx context.Context, w *Webhook) (bool, error) {
	if w.State.Waiting.IsZero() {
		return true, nil
	}
	d, err := c.s.hooks.Store.Delivery(ctx, w.ID, w.State.Waiting)
	switch {
	case CodeOf(err) == CodeNotFound:
		d = Delivery{} // there is nothing to write in the log
	case err != nil:
		return false, err
	default:
		d.State, d.Fault = DeliveryFailed, "it is not for this webhook any more, or its owner may not read it now"
	}
	next := w.State
	next.Rev, next.Waiting = next.Rev+1, ID{}
	ok, err := c.s.hooks.Store.NoteDelivery(ctx, d, w.ID, w.State.Rev, &next)
	if ok {
		w.State = next
	}
	return ok, err
}

// lost begins anew at the head of a log that does not have what follows the cursor, and says so.
func (c *Courier) lost(ctx context.Context, r *hookReader, why error) error {
	head, err := r.scope.store.Head(ctx)
	if err != nil {
		return err
	}
	if ok, err := c.withdraw(ctx, &r.hook); err != nil || !ok {
		return err
	}
	d := c.s.newDelivery(r.hook, DeliveryEvent)
	d.State, d.Event, d.Path, d.Last = DeliveryFailed, r.hook.State.Cursor, r.hook.Path, d.First
	d.Fault = cutText([]byte("what happened since was not told: "+why.Error()), WebhookAnswerMax)
	next := WebhookState{Rev: r.hook.State.Rev + 1, Cursor: head}
	c.s.observeDelivery(d)
	_, err = c.s.hooks.Store.NoteDelivery(ctx, d, r.hook.ID, r.hook.State.Rev, &next)
	return err
}

// prune removes old deliveries now and then.
func (c *Courier) prune(ctx context.Context, hooks []Webhook) {
	now := c.s.now()
	if !c.pruned.IsZero() && now.Sub(c.pruned) < hookPrune {
		return
	}
	c.pruned = now
	for _, w := range hooks {
		if _, err := c.s.hooks.Store.PruneDeliveries(ctx, w.ID, now.Add(-c.s.hooks.Keep), MaxDeliveries); err != nil {
			if c.s.hooks.Warn != nil {
				c.s.hooks.Warn(ctx, "old deliveries of webhooks were not removed", err)
			}
			return
		}
	}
}
