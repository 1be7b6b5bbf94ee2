package registry

import (
	"context"
	"slices"
	"time"
)

// hookReader reads what a webhook is to tell, with the eyes of its owner.
type hookReader struct {
	s       *Service
	hook    Webhook
	owner   Actor
	problem string // why nothing is to be told
	scope   scope
	source  ID // the identity of the store
}

// hookEvents are read of the log at a time.
const hookEvents = 200

// prepare looks at the owner as they are now, and finds the store.
func (r *hookReader) prepare(ctx context.Context) error {
	var err error
	if r.owner, r.problem, err = r.s.ownerOf(ctx, r.hook); err != nil || r.problem != "" {
		return err
	}
	if r.scope, err = r.s.hookScope(r.hook.Path, r.hook.Store); err != nil {
		r.problem = err.Error()
		return nil //nolint:nilerr // it is what nothing is told for, and shown
	}
	r.source, err = r.scope.store.Identity(ctx)
	return err
}

// concerns tells whether an event is for the webhook, whoever may read it.
func (r *hookReader) concerns(e *Event) bool {
	if len(r.hook.Actions) > 0 && !slices.Contains(r.hook.Actions, e.Action) {
		return false
	}
	return e.Path != "" && (e.Moves && e.Path.Covers(r.scope.under) || r.scope.under.Covers(e.Path))
}

// shown is the event as the owner may see it now; false when they may not.
func (r *hookReader) shown(ctx context.Context, e Event) (Event, bool, error) {
	filter := eventFilter{auth: r.s.auth, scope: r.scope, above: true}
	list, err := filter.pass(ctx, r.owner, []Event{e})
	if err != nil || len(list) == 0 {
		return Event{}, false, err
	}
	return list[0], true, nil
}

// next finds the next event for the webhook after a position. Without one it tells where it has come to; more says that the log goes on there.
func (r *hookReader) next(ctx context.Context, after Position) (e Event, found bool, at Position, more bool, err error) {
	page, err := r.scope.store.Events(ctx, after, hookEvents)
	if err != nil {
		return Event{}, false, after, false, err
	}
	for i := range page.Events {
		if !r.concerns(&page.Events[i]) {
			continue
		}
		// The rights are those at the time when it is told, and other events may be told before this one.
		e, ok, err := r.shown(ctx, page.Events[i])
		if err != nil {
			return Event{}, false, after, false, err
		}
		if ok {
			return e, true, e.Position, true, nil
		}
	}
	return Event{}, false, page.last(), page.More, nil
}

// at reads the event of a position again. [CodeGone] when the log does not have it any more, [CodeDenied] when the owner may not read it now.
func (r *hookReader) at(ctx context.Context, p Position) (Event, error) {
	before := p
	before.Item--
	if p.Item == 0 {
		before = Position{Seq: p.Seq - 1, Item: EndOfOperation} // without a mark: it is that of another operation
	}
	page, err := r.scope.store.Events(ctx, before, 1)
	if err != nil {
		return Event{}, err
	}
	if len(page.Events) == 0 || page.Events[0].Position != p {
		return Event{}, Errorf(CodeGone, "the change log does not have the event %s any more", p)
	}
	e, ok, err := r.shown(ctx, page.Events[0])
	if err == nil && !ok {
		err = Errorf(CodeDenied, "the owner of the webhook may not read %s any more", p)
	}
	return e, err
}

// backoff is how long to wait after so many failures in a row: 5 seconds, doubled each time, up to an hour, and of that a random part between a half and the whole,
// so that receivers that came back are not asked by all at once. part is from 0 to 1.
func backoff(failures int, part float64) time.Duration {
	const first, most = 5 * time.Second, time.Hour
	d := most
	if failures < 11 {
		d = min(first<<max(failures-1, 0), most)
	}
	return d/2 + time.Duration(part*float64(d)/2)
}
