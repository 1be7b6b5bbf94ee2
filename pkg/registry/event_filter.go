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
	var nodes []Place // of the events in list that their paths do not decide alone
	var index []int
	for _, e := range events {
		ok, above, err := f.show(ctx, a, &e)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if e.Path != "" && !above {
			nodes, index = append(nodes, Place{ID: e.Node, Path: e.Path}), append(index, len(list))
		}
		list = append(list, e)
	}
	may, err := f.mayReadNodes(ctx, a, nodes)
	if err != nil {
		return nil, err
	}
	hidden := map[int]bool{}
	for i, ok := range may {
		hidden[index[i]] = !ok
	}
	kept := list[:0]
	for i, e := range list {
		if !hidden[i] {
			kept = append(kept, e)
		}
	}
	if err := f.relate(ctx, a, kept); err != nil {
		return nil, err
	}
	return kept, nil
}

// show makes of e what the actor may see of it, and tells whether that is anything by its path; above when it moves the scope as a whole.
func (f eventFilter) show(ctx context.Context, a Actor, e *Event) (ok, above bool, err error) {
	if !f.full {
		e.Client, e.Agent = "", ""
	}
	if e.Path == "" {
		return f.full && f.scope.path.IsRoot(), false, nil
	}
	p, ok := f.scope.place(e.Path)
	if !ok {
		return false, false, nil
	}
	asked := p
	if f.above && e.Moves && p.Covers(f.scope.path) {
		asked, above = f.scope.path, true
	}
	e.Path = p
	ok, err = f.mayRead(ctx, a, asked)
	return ok, above, err
}

// mayReadNodes tells of nodes that were at some paths whether the actor may read them where they are now: permissions are bound to nodes, and a path
// may have lost those that it had. What was removed for good is shown to administrators alone.
func (f eventFilter) mayReadNodes(ctx context.Context, a Actor, nodes []Place) ([]bool, error) {
	may, err := f.auth.Visible(ctx, a, nodes)
	if err != nil {
		return nil, err
	}
	var away []Place // moved or deleted since
	var index []int
	for i, ok := range may {
		if !ok {
			away, index = append(away, nodes[i]), append(index, i)
		}
	}
	if len(away) == 0 {
		return may, nil
	}
	there, err := f.auth.Gone(ctx, a, RightRead, f.scope.store, away, false)
	if err != nil {
		return nil, err
	}
	for i, ok := range there {
		may[index[i]] = ok
	}
	return may, nil
}

// relate leaves the other path of events only to those who may read the thing there; anywhere in the registry, since a move can lead out of the scope.
func (f eventFilter) relate(ctx context.Context, a Actor, events []Event) error {
	var nodes []Place
	var index []int
	// What is at a path need not be newer than the events: whether it is still there is asked together with who may read it.
	at := Freshness{Min: Seq{Store: f.scope.store.Name()}}
	for _, e := range events {
		at.Min.N = max(at.Min.N, e.Seq)
	}
	for i := range events {
		e := &events[i]
		if e.Related == "" {
			continue
		}
		place, err := f.other(ctx, a, e, at)
		if err != nil {
			return err
		}
		if e.Related = ""; !place.ID.IsZero() {
			nodes, index = append(nodes, place), append(index, i)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	may, err := f.mayReadNodes(ctx, a, nodes)
	for i, ok := range may {
		if ok {
			events[index[i]].Related = nodes[i].Path
		}
	}
	return err
}

// lostID is of no node: it stands for one that nobody can find any more, which only administrators may read.
var lostID = ID{0: 0xff, 15: 0xff}

// other is what was at the other path of an event, at the path where the registry has it; zero when the actor may not be told. Where the log does not say
// what it was, it is what is there now: another thing of that name tells nothing, and where nothing is, permissions may have gone with what was.
func (f eventFilter) other(ctx context.Context, a Actor, e *Event, at Freshness) (Place, error) {
	p, ok := f.scope.mounts.shows(f.scope.store, e.Related)
	if !ok {
		return Place{}, nil
	}
	if ok, err := f.mayRead(ctx, a, p); err != nil || !ok {
		return Place{}, err
	}
	if e.Other.IsZero() {
		r, err := f.scope.store.Get(ctx, e.Related, at)
		if CodeOf(err) == CodeNotFound {
			return Place{ID: lostID, Path: p}, nil
		}
		return Place{ID: r.ID, Path: p}, err
	}
	return Place{ID: e.Other, Path: p}, nil
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
