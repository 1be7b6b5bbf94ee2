package registry

import "context"

// eventFilter decides what an actor is told of an event. Every way out goes through it: lists, exports and watches.
type eventFilter struct {
	auth  Authorizer
	scope scope
	// full shows from where a request came, and what has no path; the actor has [RightAuthorize] on the scope then.
	full bool
	// above lets through what moves the scope as a whole, for who may read the scope.
	above bool
}

// pass gives those events that the actor may read, at the paths where the registry has them. An error says that nobody could tell who may read what.
func (f eventFilter) pass(ctx context.Context, a Actor, events []Event) ([]Event, error) {
	list := make([]Event, 0, len(events))
	for _, e := range events {
		ok, err := f.show(ctx, a, &e)
		if err != nil {
			return nil, err
		}
		if ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// show makes of e what the actor may see of it, and tells whether that is anything.
func (f eventFilter) show(ctx context.Context, a Actor, e *Event) (bool, error) {
	if !f.full {
		e.Client, e.Agent = "", ""
	}
	if e.Path == "" {
		return f.full && f.scope.path.IsRoot(), nil
	}
	p, ok := f.scope.place(e.Path)
	if !ok {
		return false, nil
	}
	asked := p
	if f.above && e.Moves && p.Covers(f.scope.path) {
		asked = f.scope.path
	}
	if ok, err := f.mayRead(ctx, a, asked); !ok || err != nil {
		return false, err
	}
	e.Path = p
	return true, f.relate(ctx, a, e)
}

// relate leaves the other path of an event only to those who may read there; anywhere in the registry, since a move can lead out of the scope.
func (f eventFilter) relate(ctx context.Context, a Actor, e *Event) error {
	if e.Related == "" {
		return nil
	}
	p, ok := f.scope.mounts.shows(f.scope.store, e.Related)
	if ok {
		var err error
		if ok, err = f.mayRead(ctx, a, p); err != nil {
			return err
		}
	}
	if !ok {
		p = ""
	}
	e.Related = p
	return nil
}

func (f eventFilter) mayRead(ctx context.Context, a Actor, p Path) (bool, error) {
	err := f.auth.Authorize(ctx, a, RightRead, p)
	switch CodeOf(err) {
	case "":
		return true, nil
	case CodeDenied, CodeUnauthenticated:
		return false, nil
	default:
		return false, err
	}
}
