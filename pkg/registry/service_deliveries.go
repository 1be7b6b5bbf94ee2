package registry

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// Deliveries reads a page of a webhook's log, newest first; next is where the next page begins, zero at the end. Needs [GrantWebhooks].
func (s *Service) Deliveries(ctx context.Context, a Actor, webhook, before ID, limit int) (list []Delivery, next ID, err error) {
	n, err := pageSize(limit)
	if err != nil {
		return nil, ID{}, err
	}
	if _, err := s.webhook(ctx, a, webhook); err != nil {
		return nil, ID{}, err
	}
	list, err = s.hooks.Store.Deliveries(ctx, webhook, before, n+1)
	if len(list) > n {
		list = list[:n]
		next = list[n-1].ID
	}
	return list, next, err
}

// PingWebhook sends a test, now and once, and tells what came of it. Needs [GrantWebhooks].
func (s *Service) PingWebhook(ctx context.Context, a Actor, webhook ID) (Delivery, error) {
	w, err := s.webhook(ctx, a, webhook)
	if err != nil {
		return Delivery{}, err
	}
	d := s.newDelivery(w, DeliveryPing)
	d.Action, d.Path = pingAction, w.Path
	sc, err := s.hookScope(w.Path, w.Store)
	if err != nil {
		return Delivery{}, err
	}
	source, err := sc.store.Identity(ctx)
	if err != nil {
		return Delivery{}, err
	}
	body, err := pingBody(w, source, d)
	if err != nil {
		return Delivery{}, err
	}
	return s.sendOnce(ctx, w, d, d.ID.String(), body)
}

// ResendDelivery sends the event of a delivery again, now and once, with the same id, and tells what came of it. The webhook goes on where it is. Needs [GrantWebhooks];
// what the webhook's owner may not read any more is not sent, nor is what the change log does not have any more ([CodeGone]).
func (s *Service) ResendDelivery(ctx context.Context, a Actor, webhook, id ID) (Delivery, error) {
	w, err := s.webhook(ctx, a, webhook)
	if err != nil {
		return Delivery{}, err
	}
	old, err := s.hooks.Store.Delivery(ctx, webhook, id)
	if err != nil {
		return Delivery{}, err
	}
	if old.Event == (Position{}) {
		return s.PingWebhook(ctx, a, webhook)
	}
	r := hookReader{s: s, hook: w}
	if err := r.prepare(ctx); err != nil {
		return Delivery{}, err
	}
	if r.problem != "" {
		return Delivery{}, Errorf(CodeConflict, "nothing is delivered: %s", r.problem)
	}
	e, err := r.at(ctx, old.Event)
	if err != nil {
		return Delivery{}, err
	}
	body, err := eventBody(w, r.source, e)
	if err != nil {
		return Delivery{}, err
	}
	d := s.newDelivery(w, DeliveryResent)
	d.Event, d.Action, d.Path = old.Event, e.Action, e.Path
	return s.sendOnce(ctx, w, d, eventID(e.Position), body)
}

// sendOnce sends something that somebody waits for, and notes what came of it.
func (s *Service) sendOnce(ctx context.Context, w Webhook, d Delivery, id string, body []byte) (Delivery, error) {
	s.attempt(ctx, w, &d, id, body)
	if d.Fault != "" {
		d.State = DeliveryFailed
	}
	s.observeDelivery(d)
	// Who asked may have gone; it was sent all the same.
	noted, err := s.hooks.Store.NoteDelivery(context.WithoutCancel(ctx), d, w.ID, 0, nil)
	if err == nil && !noted {
		err = Errorf(CodeNotFound, "the webhook %s was removed meanwhile; it was sent all the same", w.Name)
	}
	return d, err
}

// attempt tries once, and writes into d what came of it: State is [DeliveryDone] or [DeliveryWaiting]. It gives how long the receiver asks to be left alone.
func (s *Service) attempt(ctx context.Context, w Webhook, d *Delivery, id string, body []byte) time.Duration {
	now := s.now()
	answer := s.hooks.Sender.Send(ctx, WebhookMessage{URL: w.URL, Secret: w.Secret, ID: id, At: now, Body: body})
	d.Attempts++
	d.Last, d.Duration, d.Status, d.Answer = now, answer.Duration, answer.Status, cutText(answer.Body, WebhookAnswerMax)
	d.State, d.Fault = DeliveryDone, ""
	switch {
	case answer.Err != nil:
		d.State, d.Fault = DeliveryWaiting, cutText([]byte(answer.Err.Error()), WebhookAnswerMax)
	case answer.Status >= 300 && answer.Status < 400:
		d.State, d.Fault = DeliveryWaiting, "the receiver redirects; redirects are not followed"
	case answer.Status < 200 || answer.Status >= 300:
		d.State, d.Fault = DeliveryWaiting, "the receiver refused it"
	}
	return answer.RetryAfter
}

func (s *Service) observeDelivery(d Delivery) {
	if s.hooks.Observer == nil {
		return
	}
	result := "delivered"
	switch d.State {
	case DeliveryWaiting:
		result = "retry"
	case DeliveryFailed:
		result = "failed"
	case DeliveryDone:
	}
	s.hooks.Observer.Delivered(result, d.Duration)
}

func (s *Service) newDelivery(w Webhook, kind DeliveryKind) Delivery {
	now := s.now()
	return Delivery{ID: s.hookIDs.next(now), Webhook: w.ID, Kind: kind, First: now}
}

// deliveryIDs makes ids of time order (UUID version 7), of which each is after the one before. Safe for concurrent use.
type deliveryIDs struct {
	mu   sync.Mutex
	last int64 // microseconds
}

func (d *deliveryIDs) next(t time.Time) ID {
	d.mu.Lock()
	d.last = max(t.UnixMicro(), d.last+1)
	at := d.last
	d.mu.Unlock()
	var id ID
	_, _ = rand.Read(id[:]) // it never fails: see its documentation
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at/1000))
	copy(id[:6], ms[2:])
	us := at % 1000 * 4 // in the 12 bits after the milliseconds, as RFC 9562 lets one
	id[6], id[7] = 0x70|byte(us>>8), byte(us)
	id[8] = id[8]&0x3f | 0x80
	return id
}
