package registry

import (
	"context"
	"slices"
)

// look reads permissions for one answer. The first read of each store is as fresh as asked for; those after it may come from memory, at a state not before.
type look struct {
	x    *Access
	seen Seq // no statement is needed for this store to be as fresh as the request
	at   []reached
}

// reached is a state of a store that was read.
type reached struct {
	store Store
	seq   Seq
}

// since gives a look that sees all that was acknowledged before a's request began.
func (x *Access) since(a Actor) *look { return &look{x: x, seen: a.Seen} }

// now gives a look that sees all that was acknowledged before this call.
func (x *Access) now() *look { return x.since(Actor{}) }

func (l *look) fresh(s Store) Freshness {
	for _, at := range l.at {
		if at.store == s {
			return Freshness{Min: at.seq}
		}
	}
	return Freshness{seen: l.seen}
}

// read reads the entries of a stretch, from the top down, and of the nodes ids in its store.
func (l *look) read(ctx context.Context, s stretch, ids ...ID) (Permissions, error) {
	p, all := s.path, ids
	if s.ids != nil {
		p, all = Root, s.ids
		if len(ids) > 0 {
			all = slices.Concat(s.ids, ids)
		}
	}
	perms, err := s.store.Permissions(ctx, p, all, l.fresh(s.store))
	if err != nil {
		return perms, err
	}
	l.at = append(l.at, reached{s.store, perms.Seq})
	if s.ids == nil {
		perms.Way = below(perms.Way, s.base)
		return perms, nil
	}
	perms.Way, perms.Node = nil, ID{}
	for i, entries := range perms.Of[:len(s.ids)] {
		if len(entries) > 0 {
			perms.Way = append(perms.Way, Bound{i, entries})
		}
	}
	perms.Of = perms.Of[len(s.ids):]
	return perms, nil
}

// ways reads all entries on the way to p, and tells what is there in a store, if anything is. Of the root it tells nothing: it is always there.
func (l *look) ways(ctx context.Context, p Path) (ways, ID, error) {
	stretches := l.x.stretches(p)
	w := make(ways, 0, len(stretches))
	var node ID
	for i, s := range stretches {
		perms, err := l.read(ctx, s)
		if err != nil {
			return nil, ID{}, err
		}
		if i == 0 {
			node = perms.Node
		}
		w = append(w, perms.Way)
	}
	return w, node, nil
}
